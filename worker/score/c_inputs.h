/* Inside worker/score: what the options name, opened. */
#ifndef ACSWEEP_WORKER_SCORE_C_INPUTS_H
#define ACSWEEP_WORKER_SCORE_C_INPUTS_H

#include "worker/score/c_score.h"

struct c_inputs {
    struct spair *set;
    struct c_features *features;
    struct c_source *sources;
    uint32_t *subsets;
    struct c_job job; /* of all that */
};

struct c_inputs *c_inputs_open(const struct c_options *o, struct err *e);
/* Places in set->pairs of the pairs with these names; ERR_INPUT names one that is not there or comes twice. */
MUST_USE int c_find_pairs(const struct spair *set, const char *const *names, size_t n, size_t *out, struct err *e);
/* Names of a representation. */
json_t *c_score_members(const struct c_job *job, size_t subset);

void c_inputs_close(struct c_inputs *in);
DEFINE_CLEANUP(c_inputs_close, struct c_inputs *)

#endif
