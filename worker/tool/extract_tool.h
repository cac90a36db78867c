/* `acsweep extract`, as acsweep-exec does it: no task, no coordinator; pictures in, features out. */
#ifndef ACSWEEP_WORKER_TOOL_EXTRACT_TOOL_H
#define ACSWEEP_WORKER_TOOL_EXTRACT_TOOL_H

#include "common/opts.h"

/* The `run` of the command; options are those of tool_options.h. */
int tool_extract(const struct opts *o, struct err *e);

/* A whole main() for it; messages speak of `acsweep`, whose child this is. */
int tool_main(int argc, char **argv);

#endif
