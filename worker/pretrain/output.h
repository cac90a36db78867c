/* The directory that a training writes: made aside, and given its name when it is whole. */
#ifndef ACSWEEP_WORKER_PRETRAIN_OUTPUT_H
#define ACSWEEP_WORKER_PRETRAIN_OUTPUT_H

#include "common/err.h"
#include "common/own.h"

/* Plain memory: start with {0}. */
struct output {
    char path[4000], draft[4096]; /* draft: "" while there is none */
};
/* Before the training: ERR_USAGE when `path` is there already, for models must not change under those who use them;
 * ERR_ENV when nothing can be made there. Leaves nothing but its parent. */
MUST_USE int output_check(struct output *o, const char *path, struct err *e);
/* After it: an empty directory o->draft. */
MUST_USE int output_begin(struct output *o, struct err *e);
/* The draft gets its name. */
MUST_USE int output_commit(struct output *o, struct err *e);
/* Removes the draft, if there still is one. */
void output_end(struct output *o);
static inline UNUSED void output_end_cleanup(struct output *o)
{
    output_end(o);
}

#endif
