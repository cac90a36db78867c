/* What a private cluster finds on this machine: PostgreSQL's programs, the user to run them as, directories. Shared by
 * cluster.c and cluster_env.c only. */
#ifndef ACSWEEP_SQL_CLUSTER_ENV_H
#define ACSWEEP_SQL_CLUSTER_ENV_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/own.h"

#define CLUSTER_MAX_GROUPS 64

/* The user that PostgreSQL runs as: ourselves, or `postgres` when we are root, whom PostgreSQL refuses. */
struct server_user {
    bool drop; /* change to uid/gid in the child */
    uid_t uid;
    gid_t gid;
    gid_t groups[CLUSTER_MAX_GROUPS];
    int n_groups;
};
MUST_USE int server_user_find(struct server_user *u, struct err *e);
/* In a child process: become that user. Only async-signal-safe calls. */
int server_user_become(const struct server_user *u);

/* Directory of initdb and postgres; major is the version wanted, 0 for the newest. */
MUST_USE int server_programs_find(int major, char bin[PATH_MAX], struct err *e);

/* Start argv as that user. Output is appended to the file `log`. With `ward` the child becomes a session of its own and
 * gets SIGINT when the calling thread's process dies. */
pid_t server_spawn(const struct server_user *u, const char *const argv[], const char *log, bool ward, struct err *e);

/* The last lines of a log that tell why PostgreSQL did not start: its last FATAL/PANIC/error line, else the last line. */
void server_log_reason(const char *log, off_t from, char *out, size_t size);

MUST_USE int make_directories(const char *path, mode_t mode, struct err *e);
int remove_tree(const char *path, struct err *e);

#endif
