/* Scores of many representations from one pass over their encoders' features: which tasks of a bundle go into one pass,
 * and what becomes of those that cannot.
 *
 * Tasks share a pass when all but their representation is the same, at most 32 encoders are needed in all, and their
 * members' order allows it (worker/score/c_union.h). The rest goes into further passes. An encoder whose features
 * cannot be read fails just the tasks that need it; any other error fails the tasks of its pass together. */
#ifndef ACSWEEP_WORKER_EXEC_NATIVE_PASSES_H
#define ACSWEEP_WORKER_EXEC_NATIVE_PASSES_H

#include "worker/exec/native.h"
#include "worker/score/c_union.h"

struct native_item { /* one task */
    const struct exec_task *t;
    struct exec_result *r;
    size_t index;                               /* in its bundle */
    char keys[C_ENCODERS_MAX][DIGEST_HEX_SIZE]; /* of its members: what their features were made by */
    const char *members[C_ENCODERS_MAX];        /* = keys */
    size_t n_members;
    size_t subset; /* of its pass */
    bool taken;
};

struct native_pass {
    struct native_item **items;
    size_t n;
    struct c_union all;
    uint8_t place[C_ENCODERS_MAX]; /* of the union's encoders among the sources */
    uint32_t *subsets;             /* each once, though several items may have the same */
    size_t n_subsets;
    size_t bad; /* set by the run: the encoder that cannot be read; C_ENCODERS_MAX = none */
};

/* Score all items: outcome and metrics into their results. */
typedef int native_pass_fn(struct native_pass *p, struct err *e);

MUST_USE int native_item_read(struct native_item *x, const struct exec_task *t, struct err *e);
/* An item of the pass that has the union's k-th encoder, and as which member. */
const struct native_item *native_pass_member(const struct native_pass *p, size_t k, size_t *member);
/* A pass of one task. */
MUST_USE int native_pass_alone(const struct exec_task *t, struct exec_result *r, native_pass_fn *score, struct err *e);
/* As many passes as a bundle needs; reports each task at the end of its own. */
MUST_USE int native_passes_run(struct exec_bundle *b, native_pass_fn *score, struct err *e);

#endif
