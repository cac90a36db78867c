/* One table played in many ways, because the few winners of one table prove little about a policy.
 *
 * Random laws keep the clouds of scores and replace the performances: y = w . (a, c, a^2, ac, c^2), w independent
 * standard normal, mapped to [0,1], then normal noise of a given standard deviation (and [0,1] again). "More of a and c
 * is better" holds for some of them only, so they show what a policy is worth when its direction is wrong. Sub-spaces
 * keep the performances and leave representations out: every subset of at least a given size, each with its own
 * normalisation. */
#ifndef ACSWEEP_POLICY_TRIALS_H
#define ACSWEEP_POLICY_TRIALS_H

#include "policy/recall.h"

/* Means of policy_recall_simulate() over `laws` random laws on the rows that have a and c; law i is the same for every
 * way to play. out->best is SIZE_MAX. ERR_USAGE without a law. */
MUST_USE int policy_trials_laws(const struct policy_points *p, const struct policy_play *play, size_t laws,
                                double noise, struct policy_recall *out, struct err *e);

/* Means over all subsets of at least `smallest` of the usable rows (2..; at most POLICY_RECALL_EXACT rows); the curves
 * end at k = smallest. *count = how many. */
MUST_USE int policy_trials_subspaces(const struct policy_points *p, const struct policy_play *play, size_t smallest,
                                     struct policy_recall *out, size_t *count, struct err *e);

#endif
