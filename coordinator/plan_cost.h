/* What a plan would cost, by a simple stated model (docs/config.md): per kind of task, and what scoring
 * fewer representations, or with cheaper connectors, would save. Estimates, never measurements. */
#ifndef ACSWEEP_COORDINATOR_PLAN_COST_H
#define ACSWEEP_COORDINATOR_PLAN_COST_H

#include "common/buf.h"
#include "coordinator/plan.h"

#define PLAN_COST_KINDS 7
#define PLAN_COST_SIZES 32
#define PLAN_COST_SAMPLES 5

struct plan_cost_kind {
    const char *kind; /* static, in the order of a sweep */
    size_t tasks;     /* all that could run */
    size_t on_demand; /* of these, run only when the policy asks for the scores */
    size_t deferred;  /* of these, run only when the policy chooses the representation */
    double gpu_hours; /* of all of them */
};
/* What another policy.screen would cost: the representations with at most `members` encoders (and the references) scored at
 * once, others when a round asks for them. */
struct plan_cost_screen {
    size_t members, representations;
    bool all;           /* everything at once */
    double gpu_hours;   /* stage1 and scores of those at once */
    size_t later;       /* representations that the rounds of the budget ask for */
    double later_hours; /* mean over the rest */
    double with_budget; /* both, and the budget's fine-tunes */
};
/* What another stage1.screening_samples would cost, under the screen of the plan. */
struct plan_cost_samples {
    int64_t samples;
    double gpu_hours;   /* stage1 and scores, later ones too */
    double with_budget;
};
/* All that is done for floors alone; nothing of it is in the sums above and below. */
struct plan_cost_floors {
    size_t tasks, deferred; /* of these, fine-tunes and their evaluations */
    double gpu_hours;
};
struct plan_cost {
    struct plan_cost_kind kinds[PLAN_COST_KINDS];
    struct plan_cost_screen screens[PLAN_COST_SIZES + 1]; /* by members; the last one is `all` */
    struct plan_cost_samples samples[PLAN_COST_SAMPLES];  /* the plan's own first */
    size_t n_screens, n_samples;
    struct plan_cost_floors floors;
    size_t budget;               /* fine-tunes */
    double gpu_hours_scores;     /* stage1 and scores as the plan has it, those that rounds ask for too */
    double gpu_hours_fine_tune;  /* stage2 and evaluations of one representation, mean; with its own connector where scores use another */
    double gpu_hours_budget;     /* scores + fine-tunes of the budget (mode exhaustive: all) */
    double gpu_hours_exhaustive; /* stage1, stage2 and evaluations of all: what the method saves */
};

MUST_USE int plan_cost(const struct plan *p, struct plan_cost *c, struct err *e);
/* Graphviz of the graph. Kinds with many tasks are drawn as one node per kind, unless `all`. */
void plan_dot(const struct plan *p, bool all, struct buf *out);

#endif
