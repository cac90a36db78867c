/* The default policy's surrogate: a ridge on the law's own direction.
 *
 *     y = tau (beta0 + direction (a + c) + g(a, c)) + tau * 0.1 * noise
 *
 * "More alignment and more correspondence is better" is the prior mean; g is a Bayesian ridge on (a, c, a^2, ac, c^2)
 * with prior standard deviation 0.3 that bends it as far as the data ask for; beta0 is flat. The scale tau is
 * integrated over a grid tied to the range of what was measured, with weights tau^-(k-1) exp(-Q/2), so the result does
 * not change when y is shifted or scaled. `direction` is 1 with probability direction_prior and else 0 (the hedge).
 * policy/README.md derives the closed form used here. */
#ifndef ACSWEEP_POLICY_RIDGE_H
#define ACSWEEP_POLICY_RIDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"
#include "policy/random.h"

#define POLICY_RIDGE_PRIOR_SD 0.3
#define POLICY_RIDGE_NOISE 0.1

/* Posterior over n representations. Those without scores have NaN results. */
struct policy_ridge;

/* `y` is NaN where not measured. `fantasy` (may be NULL) marks rows whose y is imagined: they shape g but not the
 * scale. With nothing measured the result is the prior: mean a + c (times direction_prior). 0 <= direction_prior <= 1.
 */
struct policy_ridge *policy_ridge_create(const double *a, const double *c, const double *y, const bool *fantasy,
                                         size_t n, double direction_prior, struct err *e);
void policy_ridge_destroy(struct policy_ridge *g);
DEFINE_CLEANUP(policy_ridge_destroy, struct policy_ridge *)

double policy_ridge_mean(const struct policy_ridge *g, size_t i);
/* Covariance of the noiseless values of i and j. */
double policy_ridge_cov(const struct policy_ridge *g, size_t i, size_t j);
/* Variance of the noise of one measurement. */
double policy_ridge_noise(const struct policy_ridge *g);
/* One joint draw of the noiseless values into out[n]. */
void policy_ridge_sample(const struct policy_ridge *g, struct policy_random *random, double *out);

#endif
