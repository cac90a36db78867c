/* Results that the coordinator has not acknowledged yet, on disk: an append-only file of records, made durable in
 * groups.
 *
 *     spool_add -> (spool_commit: one fdatasync for all added) -> send -> spool_ack
 *
 * A result may be sent only after spool_commit. After a kill -9 the next agent with the same directory finds every
 * committed, unacknowledged result again. Acknowledgements are written but not synced: at worst a result is sent once
 * more, which the coordinator's fence makes harmless.
 *
 * A disk that is full or broken is logged and costs only that: results are kept in memory and sent from there, and
 * written when there is room again (spool_retry). Whoever commits a result is the coordinator; the spool saves doing it
 * again. */
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
    bool leaves;  /* it has an identity: something of it is on disk */
    bool settled; /* see spool_settle */
    /* The sender's own notes: */
    int64_t sent;        /* monotonic ns of the last sending, 0 = not yet */
    uint64_t message_id; /* of the message it was last sent in */
    bool alone, refused; /* send it in a message of its own; the coordinator would not have it as it was */
};

/* DIR must exist. A torn record at the end (power loss) is cut off with a warning; a damaged file is an error. */
struct spool *spool_open(const char *dir, struct err *e);
void spool_close(struct spool *s);
DEFINE_CLEANUP(spool_close, struct spool *)

/* The same token twice keeps the first. Errors are memory, or a result over SPOOL_MAX_BYTES (ERR_BUG: check before). */
#define SPOOL_MAX_BYTES ((size_t)(8 << 20) - 65536) /* fits into an Envelope with room to spare */
MUST_USE int spool_add(struct spool *s, const Acsweep__Result *r, struct err *e);
void spool_commit(struct spool *s);
/* It is acknowledged, but something is still to be done about it: it is not sent or counted any more, yet after a kill
 * it is found again. */
void spool_settle(struct spool *s, struct spool_entry *x);
/* It is done with; nothing when it is not here. */
void spool_ack(struct spool *s, const Acsweep__Token *t);
/* Write again what the disk did not take. */
void spool_retry(struct spool *s);

/* The entry, settled or not, or NULL. */
struct spool_entry *spool_find(const struct spool *s, const Acsweep__Token *t);
size_t spool_count(const struct spool *s);
/* Committed entries that are not settled, oldest first: start with NULL. The entry stays valid until acknowledged. */
struct spool_entry *spool_next(const struct spool *s, const struct spool_entry *after);

#endif
