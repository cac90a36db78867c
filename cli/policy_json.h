/* What `acsweep policy` prints, as JSON values: the shape is part of the command line's contract. All numbers are on
 * the normalised scale and at full double precision; null = undefined. */
#ifndef ACSWEEP_CLI_POLICY_JSON_H
#define ACSWEEP_CLI_POLICY_JSON_H

#include <jansson.h>

#include "policy/recall.h"

struct policy_fit_options {
    struct policy_shape shape;
    enum policy_normalise normalise;
    const bool *train;         /* [representations] NULL = every measured one */
    const char *const *groups; /* [n_groups] "NAME=BENCH,BENCH" */
    size_t n_groups;
};

/* {"benchmarks":[{"name","n_train","r2","r2_adjusted","r2_loo","spearman","intercept","coefficients":{"a","c","a2","ac",
 * "c2"},"predictions":{REP: value}}],"groups":{NAME:{"benchmarks":[...],"r2","r2_adjusted","r2_loo","spearman"}}}; the
 * numbers of a group are means over its benchmarks. A coefficient that the shape does not have is null. */
json_t *policy_fit_json(const struct policy_table *t, const struct policy_fit_options *o, struct err *e);

struct policy_simulate_options {
    struct policy_play play; /* .stream is set for each benchmark */
    /* Other tables made from this one (policy/trials.h) instead of itself; at most one of the two is not 0. */
    size_t laws, subspace; /* how many random laws; size of the smallest sub-space */
    double noise;          /* of random laws */
};

/* {"mode","runs","seed","benchmarks":[{"name","best","recall":{"cumulative":[k=1..n],"list3","measured"},"chance":{...},
 * "a_plus_c":{...},"regret":[...]}]}. With laws or sub-spaces also "trials":{"kind","noise" or "smallest"}; each
 * benchmark then has "tables": how many were played, "best" is null, and the curves are means. */
json_t *policy_simulate_json(const struct policy_table *t, const struct policy_simulate_options *o, struct err *e);

#endif
