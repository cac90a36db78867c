/* Results that the coordinator has not acknowledged yet, on disk: an append-only file of records, made durable in groups.
 *
 *     spool_add -> (spool_commit: one fdatasync for all added) -> send -> spool_ack
 *
 * A result may be sent only after spool_commit. After a kill -9 the next agent with the same directory finds every
 * committed, unacknowledged result again. Acknowledgements are written but not synced: at worst a result is sent once
 * more, which the coordinator's fence makes harmless. */
#ifndef ACSWEEP_WORKER_SPOOL_H
#define ACSWEEP_WORKER_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "proto/acsweep.pb-c.h"

struct spool;

struct spool_entry { /* one unacknowledged result */
    Acsweep__Token token;
    const uint8_t *bytes; /* packed Acsweep__Result */
    size_t len;
    int64_t sent;         /* monotonic ns of the last sending, 0 = not yet; the sender's to set */
};

/* DIR must exist. A torn record at the end (power loss) is cut off with a warning; a damaged file is an error. */
struct spool *spool_open(const char *dir, struct err *e);
void spool_close(struct spool *s);
DEFINE_CLEANUP(spool_close, struct spool *)

/* The same token twice keeps the first. A disk that does not take it is logged, and the result kept in memory: whoever
 * commits it is the coordinator, the spool only saves the work of doing it again. */
MUST_USE int spool_add(struct spool *s, const Acsweep__Result *r, struct err *e);
MUST_USE int spool_commit(struct spool *s, struct err *e);
/* true when the token was here. */
MUST_USE int spool_ack(struct spool *s, const Acsweep__Token *t, bool *here, struct err *e);

bool spool_holds(const struct spool *s, const Acsweep__Token *t);
size_t spool_count(const struct spool *s);
/* Committed entries, oldest first: start with NULL. The entry stays valid until acknowledged. */
struct spool_entry *spool_next(const struct spool *s, const struct spool_entry *after);

#endif
