/* The children of one-machine mode: coordinator and workers. Each gets its own process group (so that ^C reaches only us),
 * a log file, and SIGTERM from the kernel when we die in any way. */
#ifndef ACSWEEP_CLI_CHILDREN_H
#define ACSWEEP_CLI_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/own.h"

struct child {
    char name[32]; /* "coordinator", "worker-1": for messages and the log's name */
    char log[512];
    pid_t pid;     /* 0 = not running */
    int status;    /* of waitpid, when ended */
};

/* Start argv[0] (a path) with stdin from /dev/null and stdout and stderr appended to c->log. `keep_fd` is handed to the
 * child, -1 = none. Call from the main thread: the death signal follows the thread that forked. */
MUST_USE int child_start(struct child *c, const char *const *argv, int keep_fd, struct err *e);
/* Collect it if it has ended. True when it is not running (any more). */
bool child_ended(struct child *c);
/* "ended with exit code 3; its log ends: ..." for an error text. */
void child_describe(const struct child *c, char *text, size_t size);
/* SIGTERM, wait up to `grace_ns`, SIGKILL, wait. For all at once. */
void children_stop(struct child *const *list, size_t n, int64_t grace_ns);

#endif
