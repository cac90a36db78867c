/* What a plan would cost, by a simple stated model (docs/config.md): per kind of task, bytes of features, and what scoring
 * only the smaller representations would save. Estimates, never measurements. */
#ifndef ACSWEEP_COORDINATOR_PLAN_COST_H
#define ACSWEEP_COORDINATOR_PLAN_COST_H

#include "common/buf.h"
#include "coordinator/plan.h"

#define PLAN_COST_KINDS 7
#define PLAN_COST_SIZES 32

struct plan_cost_kind {
    const char *kind; /* static, in the order of a sweep */
    size_t tasks;     /* all that could run */
    size_t deferred;  /* of these, run only when the policy chooses them */
    double gpu_hours; /* of all of them */
};
/* Scoring the representations with at most `members` encoders. */
struct plan_cost_screen {
    size_t members, representations;
    double gpu_hours; /* stage1 and scores of these */
};
struct plan_cost_features { /* of one encoder on one image set */
    size_t encoder, image_set;
    uint64_t bytes; /* 0 = grid, channels or images are not stated */
};
struct plan_cost {
    struct plan_cost_kind kinds[PLAN_COST_KINDS];
    struct plan_cost_screen screens[PLAN_COST_SIZES];
    size_t n_screens;
    struct plan_cost_features *features;
    size_t n_features;
    double gpu_hours_scores;     /* all that is not deferred */
    double gpu_hours_fine_tune;  /* stage2 and evaluations of one representation, mean */
    double gpu_hours_budget;     /* scores + budget_fine_tunes (mode exhaustive: all) */
    double gpu_hours_exhaustive; /* stage1, stage2 and evaluations of all: what the method saves */
};

MUST_USE int plan_cost(const struct plan *p, struct plan_cost *c, struct err *e);
void plan_cost_free(struct plan_cost *c);
static inline UNUSED void plan_cost_free_cleanup(struct plan_cost *c)
{
    plan_cost_free(c);
}

/* Graphviz of the graph. Kinds with many tasks are drawn as one node per kind, unless `all`. */
void plan_dot(const struct plan *p, bool all, struct buf *out);

#endif
