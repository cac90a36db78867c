/* `acsweep train stage1` and `stage2`, as acsweep-exec does them: no task, no coordinator; data and checkpoints in, a
 * connector or a model out. */
#ifndef ACSWEEP_WORKER_TOOL_TRAIN_TOOL_H
#define ACSWEEP_WORKER_TOOL_TRAIN_TOOL_H

#include "common/opts.h"

/* The `run` of the commands; options are those of tool_options.h. */
int tool_stage1(const struct opts *o, struct err *e);
int tool_stage2(const struct opts *o, struct err *e);

#endif
