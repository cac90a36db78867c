/* The target of a round: the weighted mean of the benchmarks' normalised values, observed and believed. Used by
 * choose.c and recall.c only.
 *
 * The benchmarks' posteriors are combined as mean = sum w_b mean_b and cov = sum w_b cov_b. The second is an upper
 * bound whatever the correlation between benchmarks is (Jensen; the weights sum to 1), so uncertainty is never
 * understated. */
#ifndef ACSWEEP_POLICY_TARGET_H
#define ACSWEEP_POLICY_TARGET_H

#include "policy/random.h"
#include "policy/ridge.h"
#include "policy/table.h"

struct policy_target {
    size_t n, m;
    const struct policy_points *points; /* [m], borrowed; y NaN where not observed */
    double *weights;                    /* [m], sum 1 */
    struct policy_ridge **ridges;       /* [m], NULL where the weight is 0 and nothing is measured */
    double *y;                          /* [n] observed target, NaN unless every benchmark of the target is known */
    double *sum_ac;                     /* [n] weighted a + c, NaN = lacks a score */
    double *mean, *sd;                  /* [n] belief about the noiseless target */
    double *imagined;                   /* [m * n] y with the fantasies of this round */
    bool *fantasy;                      /* [n] */
    bool *started;                      /* [n] some benchmark of the target is known: fine-tuned already */
    size_t n_measured;                  /* rows with y */
    double best;                        /* largest observed or imagined target, -INFINITY without any; set by fit */
    double direction_prior;
};

struct policy_target *policy_target_create(const struct policy_points *points, size_t m, const double *weights,
                                           double direction_prior, struct err *e);
void policy_target_destroy(struct policy_target *g);
DEFINE_CLEANUP(policy_target_destroy, struct policy_target *)

/* Fit the ridges to the observations and fantasies so far. */
MUST_USE int policy_target_fit(struct policy_target *g, struct err *e);

/* Pretend that row `r` was measured and came out as believed. Call policy_target_fit() next. */
void policy_target_imagine(struct policy_target *g, size_t r);

/* After a fit: how much the default policy wants row r: a + c first, then mean + 1 sd, or, hedged, the expected
 * improvement. */
double policy_target_value(const struct policy_target *g, size_t r);

/* The list of three: the best observed one, then two unobserved ones: those of the largest mean + 1 sd, or, hedged
 * (direction_prior < 1), of the largest (mean - leader's mean) / joint sd; before any observation, of the largest a +
 * c. `away` (NULL = none) left the space. Ties go to the earlier row. Returns how many, fewer in a small space. */
size_t policy_target_list(const struct policy_target *g, const bool *away, size_t list[3]);

static inline UNUSED bool policy_list_holds(const size_t *list, size_t n_list, size_t r)
{
    for (size_t i = 0; i < n_list; i++)
        if (list[i] == r)
            return true;
    return false;
}

/* Probability that the list holds the best row of the space, by `draws` joint draws. */
MUST_USE int policy_target_confidence(const struct policy_target *g, const bool *away, const size_t *list,
                                      size_t n_list, int draws, struct policy_random *random, double *p, struct err *e);

#endif
