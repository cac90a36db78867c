/* The state directory of one machine: where everything is, who works in it, and a connection to its database.
 *
 *     DIR/lock               held by the acsweep run that works here, and by its coordinator
 *     DIR/coordinator.json   {"endpoint", "pid"} of the running coordinator, written by it
 *     DIR/control.key        own key for a coordinator with keys, where --key names none; put there by the user
 *     DIR/logs/              one log per child
 *     DIR/workers/N/         spool and scratch of worker N
 *     DIR/report/            index.html, report.json, CSV tables
 *     DIR/postgres/          the private cluster (or under /var/lib/acsweep, see cluster_state_dir) */
#ifndef ACSWEEP_CLI_STATE_H
#define ACSWEEP_CLI_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/opts.h"
#include "common/own.h"
#include "sql/db.h"

struct state;

/* The directory of --state. `create`: make it (0700) when absent; else its absence is no error until something is read. */
struct state *state_open(const char *dir, bool create, struct err *e);
void state_close(struct state *s);
DEFINE_CLEANUP(state_close, struct state *)

const char *state_dir(const struct state *s); /* absolute */
/* DIR/name, malloc'ed; NULL without memory. */
char *state_path(const struct state *s, const char *name, struct err *e);
/* Make DIR/name and what is above it. */
MUST_USE int state_mkdir(const struct state *s, const char *name, struct err *e);

/* One acsweep at a time. Waits for the coordinator of a run that was killed to end; ERR_ENV when a live one works here.
 * Returns the descriptor, which closes on exec, and is released by state_close. */
MUST_USE int state_lock(struct state *s, struct err *e);

/* An ipc:// endpoint for the coordinator: in DIR, or in a short directory of its own when that is too long for a socket.
 * The short directory is removed by state_close. */
MUST_USE int state_endpoint(struct state *s, char *text, size_t size, struct err *e);

/* Where the coordinator of coordinator.json is, as link_connect() takes it (an ipc:// endpoint, or a join string with its key),
 * malloc'ed; NULL when there is no live one. */
MUST_USE int state_coordinator(const struct state *s, char **address, pid_t *pid, struct err *e);

/* The database that the options name: --database, or the private cluster of --state, started if it is down and stopped at the
 * end. `create`: make the private one when there is none; else ERR_INPUT, because nothing was ever run there. */
struct place;
struct place *place_open(const struct opts *o, bool create, struct err *e);
const char *place_conninfo(const struct place *p);
void place_close(struct place *p);
DEFINE_CLEANUP(place_close, struct place *)

/* The same with a connection to it, whose schema is ours. */
struct reader;
struct reader *reader_open(const struct opts *o, enum db_role role, struct err *e);
struct db *reader_db(struct reader *r);
void reader_close(struct reader *r);
DEFINE_CLEANUP(reader_close, struct reader *)

#endif
