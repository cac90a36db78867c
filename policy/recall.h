/* How soon would a policy have found the best? Replays on a table whose performances are all known.
 *
 * Only rows with a, c and performance take part; "best" is the one of the largest performance (the first of equals).
 * Ties of predictions count as broken uniformly, so a recall is a mean of probabilities. */
#ifndef ACSWEEP_POLICY_RECALL_H
#define ACSWEEP_POLICY_RECALL_H

#include <stdint.h>

#include "policy/choose.h"

/* When the best counts as found, given the trained set and the predictions of the law fitted on it. `slots` is 3 in the
 * paper. */
enum policy_rule {
    POLICY_RULE_FIT,      /* among the first `slots` predictions of all rows: the paper's */
    POLICY_RULE_EXACT,    /* the same, measured values in place of predictions */
    POLICY_RULE_LIST,     /* the best measured one, or among the first slots - 1 predictions of the rest: strict */
    POLICY_RULE_UNION,    /* measured, or among the first `slots` of the rest */
    POLICY_RULE_REST,     /* not measured, and among the first `slots` of the rest */
    POLICY_RULE_MEASURED, /* measured */
    POLICY_RULES,
};

/* Curves over the number of fine-tunes k; element k - 1 belongs to k. */
struct policy_curves {
    double *cumulative; /* the best has been in the list at k or before */
    double *list3;      /* it is in the strict list of three at k */
    double *measured;   /* it has itself been fine-tuned */
};

struct policy_recall {
    size_t n;                      /* usable rows = length of the curves */
    size_t best;                   /* row of the table; SIZE_MAX when many tables were played (policy/trials.h) */
    struct policy_curves policy;   /* what was asked for */
    struct policy_curves chance;   /* blind: min(1, (k+3)/n), min(1, (k+2)/n), k/n */
    struct policy_curves a_plus_c; /* fine-tune and list in the order of a + c, no model */
    double *regret;                /* [n] mean of best y minus y of the recommended one, normalised scale */
    double *a_plus_c_regret;       /* [n] the same for the best measured one in the order of a + c */
    double *block;                 /* owns all of the above, curve after curve */
};
enum { POLICY_RECALL_CURVES = 11 };

/* Zero curves of out->n = n points. */
MUST_USE int policy_recall_create(struct policy_recall *out, size_t n, struct err *e);
void policy_recall_free(struct policy_recall *r);
static inline UNUSED void policy_recall_free_cleanup(struct policy_recall *r)
{
    policy_recall_free(r);
}

/* How to play a replay. */
struct policy_play {
    enum policy_mode mode;  /* paper or default */
    double direction_prior; /* mode default */
    uint64_t runs;          /* mode paper: how many; mode default has no chance in it and is played once */
    uint64_t seed, stream;  /* mode paper; the stream tells the benchmarks of one seed apart */
};

/* `runs` seeded runs of mode paper (region sampling; the list is the three best predictions of all rows; with one
 * trained row success means that it is the best), or the one run of mode default. ERR_INPUT when fewer than two rows
 * are usable. */
MUST_USE int policy_recall_simulate(const struct policy_points *p, const struct policy_play *play,
                                    struct policy_recall *out, struct err *e);

/* What policy_recall_simulate() of mode paper tends to with the number of runs, by summing over all 2^n trained sets
 * instead of drawing. At most POLICY_RECALL_EXACT rows. */
enum { POLICY_RECALL_EXACT = 16 };
MUST_USE int policy_recall_law(const struct policy_points *p, struct policy_recall *out, struct err *e);

/* Mean over all trained sets of size k of the chance under `rule`; out[k - 1] for k = 1..n of the usable rows. */
MUST_USE int policy_recall_exhaustive(const struct policy_points *p, enum policy_rule rule, size_t slots, double *out,
                                      struct err *e);

#endif
