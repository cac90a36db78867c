/* One-machine mode, shared by `run` and `replay`. */
#ifndef ACSWEEP_CLI_RUN_H
#define ACSWEEP_CLI_RUN_H

#include "common/err.h"
#include "common/opts.h"

extern const struct opt run_options[];

/* Bring up PostgreSQL, coordinator and workers, go through the sweep, print the ranking, write the report, take all down.
 * Exit code, or -1 with *e. */
int run_sweep(const struct opts *o, const char *config, struct err *e);

#endif
