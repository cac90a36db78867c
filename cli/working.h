/* While a command computes in this process: interrupts, progress on a terminal, processors. */
#ifndef ACSWEEP_CLI_WORKING_H
#define ACSWEEP_CLI_WORKING_H

#include <stddef.h>
#include <stdint.h>

#include "common/opts.h"

struct working {
    const char *what; /* is counted: "pairs" */
    int64_t shown;    /* when, on the monotonic clock; starts at 0 */
};

/* From now on the first SIGINT or SIGTERM only asks to stop; the second kills. */
void working_begin(void);
/* "12 of 80 pairs" on a terminal, not too often. `arg` is a struct working; ERR_INTERRUPTED once a signal has come. */
int working_progress(void *arg, size_t done, size_t all, struct err *e);
/* --threads, or as many as this process may use, 64 at most. */
int working_threads(const struct opts *o);

#endif
