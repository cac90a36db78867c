/* Counts of correct points -> scores, for many representations.
 *
 * A pair's score is the part of its points that are correct; a category's is the mean over its pairs, and the whole is
 * the mean over all pairs (which is the mean of the categories weighted by their pairs). Parts are summed as whole
 * numbers over a common denominator, so sums are exact: their order, and with it the number of threads, cannot change a
 * score. */
#ifndef ACSWEEP_WORKER_SCORE_C_TALLY_H
#define ACSWEEP_WORKER_SCORE_C_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

#define C_ALPHAS_MAX 6
#define C_PAIRS_MAX ((size_t)3000000) /* what fits into the sums */

/* Of one pair and one representation: how many of its points are correct at each alpha, and of its geometry-aware
 * points at the first. */
struct c_counts {
    uint8_t correct[C_ALPHAS_MAX], geo;
};

struct c_tally;

/* Zeros. NULL without memory. */
struct c_tally *c_tally_create(size_t subsets, size_t categories, size_t alphas);
void c_tally_destroy(struct c_tally *t);
DEFINE_CLEANUP(c_tally_destroy, struct c_tally *)
/* Bytes that one of that size takes. */
size_t c_tally_bytes(size_t subsets, size_t categories, size_t alphas);

/* One pair of `points` points (1 to 30), `geo_points` of them geometry-aware. */
void c_tally_add(struct c_tally *t, size_t subset, size_t category, size_t points, size_t geo_points,
                 const struct c_counts *counts);
/* All of `more`, which has the same size. */
void c_tally_merge(struct c_tally *t, const struct c_tally *more);

/* The mean over `pairs` pairs: of a category, or with category C_ALL of the set. */
#define C_ALL SIZE_MAX
double c_tally_mean(const struct c_tally *t, size_t subset, size_t category, size_t alpha, size_t pairs);
/* The mean over the pairs that have geometry-aware points; NaN when `pairs` is 0. */
double c_tally_geo(const struct c_tally *t, size_t subset, size_t pairs);

#endif
