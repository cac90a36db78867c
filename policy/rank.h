/* Order from values: who is first, who ties, and how likely a given one is in a list of the first few. */
#ifndef ACSWEEP_POLICY_RANK_H
#define ACSWEEP_POLICY_RANK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

/* Values closer than this are a tie, broken uniformly: rounding must not decide a ranking. */
#define POLICY_TIE 1e-9

enum policy_ranking {
    POLICY_RANKING_PAPER,          /* every representation by its prediction, fine-tuned ones too */
    POLICY_RANKING_MEASURED_FIRST, /* a fine-tuned one by its measured value instead */
};

/* Value each representation is ranked by: prediction[i], or measured[i] where known and asked for. */
double policy_rank_value(enum policy_ranking how, double prediction, double measured);

/* rank[i] = 1 for the largest value, 2 for the next...; ties in the order of the rows; NaN values get rank 0. */
MUST_USE int policy_rank(const double *values, size_t n, int *rank, struct err *e);

/* Probability that row `who` is among the first `slots` when ties are broken uniformly. Rows with skip[i] (may be NULL)
 * or a NaN value do not take part. */
double policy_rank_chance(const double *values, const bool *skip, size_t n, size_t who, size_t slots);

#endif
