/* Which features are kept in files, and which each training computes for itself. Numbers are the same either way
 * (features are rounded to features.dtype in both), so the choice is no part of any identity.
 *
 * Kept features are made once by extract tasks and read by every task that needs them; on the fly, every reader encodes
 * the pictures again. What is kept costs bytes of the store, and a budget bounds them: those with the largest saving
 * per byte come first (the greedy way to fill a knapsack: it may leave a gap that another selection would fill, but one
 * can see why each is in or out). */
#ifndef ACSWEEP_COORDINATOR_PLAN_FEATURES_H
#define ACSWEEP_COORDINATOR_PLAN_FEATURES_H

#include "common/buf.h"
#include "coordinator/plan.h"

#define PLAN_FEATURE_SHARDS_MAX 3000 /* files of one encoder on one image set */

/* Sets `cached` and `reason` of all; the rest of each says what it costs. What is `needed` is kept in any case and
 * counts against the budget first. */
void plan_features_choose(struct plan_feature *features, size_t n, uint64_t budget);

/* GPU-seconds saved by keeping it. */
double plan_feature_saving(const struct plan_feature *f);
/* The reason, for people. */
const char *plan_feature_reason(const struct plan_feature *f);

struct plan_features_sum {
    uint64_t kept_bytes;      /* chosen */
    uint64_t wanted_bytes;    /* a budget in which all that saves something would fit */
    double saved, could_save; /* GPU-seconds with this budget, and with that one */
    size_t unknown;           /* whose bytes cannot be told */
};
struct plan_features_sum plan_features_sum(const struct plan *p);

#endif
