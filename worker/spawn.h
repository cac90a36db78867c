/* Children of the agent: in a session of their own (^C in the agent's terminal is for the agent to handle), with no
 * signal blocked, nothing on standard input, one descriptor handed on, and an environment that differs from ours in
 * some lines. */
#ifndef ACSWEEP_WORKER_SPAWN_H
#define ACSWEEP_WORKER_SPAWN_H

#include <sys/types.h>

#include "common/err.h"
#include "common/own.h"

#define SPAWN_SET_MAX 8

struct spawn {
    char *const *argv;      /* argv[0] is the program's path */
    const char *const *set; /* "NAME=VALUE", at most SPAWN_SET_MAX and a NULL; takes the place of what we have */
    int from, to;           /* our descriptor, and its number there */
};

/* ERR_ENV names the program and the reason. */
MUST_USE int spawn_start(const struct spawn *s, pid_t *pid, struct err *e);

#endif
