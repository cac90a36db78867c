/* A private PostgreSQL for one machine: made, started as our own child, and shut down with us.
 *
 * The server listens on a 0700 unix socket only. As root the child becomes user `postgres`. When our process dies in any
 * way, the kernel sends the server SIGINT (fast shutdown). Recipe and traps: docs/internals/private-cluster.md. */
#ifndef ACSWEEP_SQL_CLUSTER_H
#define ACSWEEP_SQL_CLUSTER_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/own.h"

struct cluster;

/* Start (and on first use create) the cluster under `dir`/postgres. If another live process of acsweep has it running,
 * attaches to it instead of starting (cluster_owned() is then false). ERR_ENV with the remedy when PostgreSQL's binaries
 * are missing, the disk is full, or the directory is not usable. Call from the main thread. */
struct cluster *cluster_start(const char *dir, struct err *e);
const char *cluster_conninfo(const struct cluster *c);
bool cluster_owned(const struct cluster *c);
pid_t cluster_pid(const struct cluster *c); /* 0 when attached */
/* Fast shutdown and wait (only what we started), then free. */
void cluster_stop(struct cluster *c);
DEFINE_CLEANUP(cluster_stop, struct cluster *)

/* Where the private cluster of `--state DIR` is: in DIR itself, or, as root when user postgres cannot reach it, in
 * /var/lib/acsweep/<hash of the absolute path> (*apart). Absolute, malloc'ed; nothing is made. */
char *cluster_state_path(const char *dir, bool *apart, struct err *e);
/* The same, made when missing (others may at most pass through). When it is not DIR, DIR/postgres.path names it. */
char *cluster_state_dir(const char *dir, struct err *e);

#endif
