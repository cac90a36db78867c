/* `acsweep generate`, as acsweep-exec does it: pictures and a text in, an answer out. */
#ifndef ACSWEEP_WORKER_TOOL_GENERATE_TOOL_H
#define ACSWEEP_WORKER_TOOL_GENERATE_TOOL_H

#include "common/opts.h"

/* The `run` of the command; options are those of tool_options.h. */
int tool_generate(const struct opts *o, struct err *e);

#endif
