/* One round of the policy: what is known -> which representations to fine-tune next, why, and what to expect of all.
 *
 * The answer depends only on the question: on (seed, round, set of observations), never on the order in which they
 * arrived, on time, or on the machine's load. Asking again gives the same answer. */
#ifndef ACSWEEP_POLICY_CHOOSE_H
#define ACSWEEP_POLICY_CHOOSE_H

#include <stdint.h>

#include "policy/fit.h"
#include "policy/rank.h"
#include "policy/screen.h"
#include "policy/table.h"

enum policy_mode {
    POLICY_MODE_PAPER,      /* region sampling, ranked by the fitted law: the published method, exactly */
    POLICY_MODE_DEFAULT,    /* ridge on the law's direction (policy/ridge.h) */
    POLICY_MODE_EXHAUSTIVE, /* everything, in the order of the table; ranked as in paper mode */
};

/* Stable name ("paper", "default", "exhaustive") and its inverse (ERR_INPUT with the choices). */
const char *policy_mode_name(enum policy_mode mode);
MUST_USE int policy_mode_parse(const char *name, enum policy_mode *mode, struct err *e);

struct policy_question {
    enum policy_mode mode;
    uint64_t seed;
    uint64_t round;         /* number of the round, splits the seed */
    size_t batch;           /* how many to choose; fewer come when fewer are left */
    const double *weights;  /* [benchmarks] >= 0, not all 0; 0 = not a target. NULL = all alike. Need not sum to 1 */
    const bool *excluded;   /* [representations] failed for good, out of the space. NULL = none */
    double direction_prior; /* default mode, 0..1: 1 trusts the law, 0.8 hedges, 0 knows no direction */
    enum policy_ranking ranking;
    const struct policy_screen *screen; /* default mode: scores that may be asked for. NULL = none */
};

struct policy_choice {
    size_t representation;
    double value;     /* what was largest, on the scale of the target; NaN for a random draw, or nothing to go by */
    char reason[200]; /* one line for people */
};

struct policy_prediction {
    double mean, sd; /* NaN = cannot be said: no score, nothing measured, or (sd) a mode without uncertainty */
    int rank;        /* 1 = best; 0 = not ranked */
};

struct policy_answer {
    size_t n, m; /* representations, benchmarks */
    struct policy_choice *choices;
    size_t n_choices;
    struct policy_choice *wants; /* whose scores are wanted next, the most wanted first */
    size_t n_wants;
    struct policy_fit *fits;               /* [m] degree-2 law on what is measured, normalised scale */
    struct policy_prediction *predictions; /* [(m + 1) * n]: benchmark b in its own unit, then (b = m) the target */
    size_t list[3], n_list;                /* the recommendation: best first */
    double p_best_in_list;                 /* probability that the best of the space is in the list; NaN = not known */
    size_t n_candidates;                   /* could still be chosen, before this choice */
    size_t n_unscored;                     /* lack a score of the target and so cannot be chosen or predicted */
    char note[200];                        /* says so, or "" */
};

/* Prediction of representation r for benchmark b, or for the target (weighted mean of normalised values) with b = m. */
static inline UNUSED const struct policy_prediction *policy_answer_prediction(const struct policy_answer *a, size_t b,
                                                                              size_t r)
{
    return &a->predictions[b * a->n + r];
}

struct policy_answer *policy_choose(const struct policy_table *t, const struct policy_question *q, struct err *e);
void policy_answer_destroy(struct policy_answer *a);
DEFINE_CLEANUP(policy_answer_destroy, struct policy_answer *)

#endif
