/* What a worker did, as one JSON line each, in DIR/history.jsonl: the record from which a history checker (or a person)
 * can tell what this worker says happened, apart from what the database says.
 *
 *     {"t":1764..., "worker":"...", "event":"finished", "task":7, "attempt":2, "epoch":3, "what":"succeeded"}
 *
 * Events: assign, duplicate, started, finished, sent, acked (what: committed, fenced), killed (what: why), returned, and
 * found (what: outcome): a result that an agent killed before this one left in the spool.
 * Lines are buffered; history_flush() comes before anything that the line announces leaves the process. */
#ifndef ACSWEEP_WORKER_HISTORY_H
#define ACSWEEP_WORKER_HISTORY_H

#include "common/err.h"
#include "common/own.h"
#include "proto/acsweep.pb-c.h"

struct history;

struct history *history_open(const char *dir, const char *worker_id, struct err *e);
void history_close(struct history *h);
DEFINE_CLEANUP(history_close, struct history *)

/* h may be NULL: nothing is recorded. */
void history_add(struct history *h, const char *event, const Acsweep__Token *t, const char *what);
MUST_USE int history_flush(struct history *h, struct err *e);

#endif
