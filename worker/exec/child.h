/* One program of the user's, run to its end: its output captured with a cap and forwarded, its whole tree stopped on a
 * cancel (SIGTERM, grace, SIGKILL), nothing of it left behind. */
#ifndef ACSWEEP_WORKER_EXEC_CHILD_H
#define ACSWEEP_WORKER_EXEC_CHILD_H

#include "worker/exec/executor.h"

struct child_options {
    const struct exec_task *task;
    char **argv, **env;
    const char *cwd, *log_path;
    uint64_t log_cap; /* bytes kept in the log file; the rest is read and dropped */
};

struct child_end {
    int status;          /* as from waitpid */
    bool stopped;        /* by a cancel */
    bool oom;            /* the kernel's out-of-memory killer was at work */
    bool gpu_oom;        /* the log says that a device ran out of memory */
    bool gpu_error;      /* or that CUDA failed in another way: a look at the devices is due */
    bool gpu_broken;     /* in a way that no program can be blamed for */
    uint64_t max_rss_bytes;
    char last_line[240]; /* of the log, printable */
};

/* ERR_INPUT: the program cannot be started. */
MUST_USE int child_run(const struct child_options *o, struct child_end *end, struct err *e);

#endif
