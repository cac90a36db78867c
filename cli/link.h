/* A client's link to the coordinator: requests with a deadline, and the stream of snapshots. */
#ifndef ACSWEEP_CLI_LINK_H
#define ACSWEEP_CLI_LINK_H

#include "common/chan.h"
#include "common/loop.h"
#include "common/opts.h"
#include "common/own.h"

struct link;

/* --coordinator, --key and --timeout, for commands that talk to a coordinator. */
extern const struct opt link_options[];

typedef void link_snapshot_fn(const Acsweep__Snapshot *s, void *arg);

/* By options: --coordinator JOIN, else the coordinator that runs in --state. ERR_ENV when there is none. */
struct link *link_open(const struct opts *o, struct loop *l, struct err *e);
/* By address: a join string or ipc:// endpoint. `key_file` may be NULL. */
struct link *link_connect(struct loop *l, const char *join, const char *key_file, struct err *e);
void link_close(struct link *k);
DEFINE_CLEANUP(link_close, struct link *)

/* Send and wait for the answer. A refusal or an answer that is not ok becomes an error of its kind. *json: the answer's
 * JSON, malloc'ed, may be NULL when not wanted; *text: its line for people, likewise. Not from a callback. */
MUST_USE int link_request(struct link *k, Acsweep__ControlRequest *r, int64_t timeout_ns, char **json, char **text,
                          struct err *e);
/* Ask for snapshots of a sweep; they arrive in callbacks of the loop. After a reconnect the question is asked again. */
MUST_USE int link_watch(struct link *k, const char *sweep, uint64_t interval_ms, link_snapshot_fn *fn, void *arg,
                        struct err *e);

#endif
