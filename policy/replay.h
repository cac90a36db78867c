/* The inside of recall.c: a table without gaps, and what the paper's policy would recommend after each trained set.
 * With few rows everything about a set is computed once and kept under its bit mask. */
#ifndef ACSWEEP_POLICY_REPLAY_H
#define ACSWEEP_POLICY_REPLAY_H

#include "policy/recall.h"
#include "policy/region.h"

struct policy_replay {
    struct policy_points points; /* [n], no NaN */
    size_t n, best;
    size_t *row; /* [n] row of the original table */
    struct policy_region *region;
    struct policy_memo *memo; /* [2^n], NULL with too many rows or when not asked for */
    bool *train;              /* [n] scratch */
    size_t *trained;          /* [n] scratch */
    double *value;            /* [n] scratch */
    int *cell;                /* [n] scratch */
};

struct policy_memo {
    bool known;
    double hit, list3, regret;        /* of the paper's recommendation after this set */
    double next[POLICY_RECALL_EXACT]; /* chance of each row to be drawn next */
};

struct policy_replay *policy_replay_create(const struct policy_points *p, bool memo, struct err *e);
void policy_replay_destroy(struct policy_replay *g);
DEFINE_CLEANUP(policy_replay_destroy, struct policy_replay *)

/* Fill g->train and g->trained from a mask; returns how many. */
size_t policy_replay_set(struct policy_replay *g, uint64_t mask);

/* Predictions of the law fitted on g->train (k rows in g->trained) into g->value. */
MUST_USE int policy_replay_predict(struct policy_replay *g, size_t k, struct err *e);

/* Chance under `rule` from g->train and g->value; g->value is changed by POLICY_RULE_EXACT. */
double policy_replay_chance(struct policy_replay *g, enum policy_rule rule, size_t slots);

/* The paper's recommendation after g->train: hit, list3, regret. */
MUST_USE int policy_replay_judge(struct policy_replay *g, size_t k, struct policy_memo *out, struct err *e);

/* The kept answer for a mask, computed at first use. Needs g->memo. */
MUST_USE int policy_replay_recall(struct policy_replay *g, uint64_t mask, const struct policy_memo **out,
                                  struct err *e);

#endif
