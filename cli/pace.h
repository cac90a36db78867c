/* How fast the tasks of a kind end, and when the rest will have ended at that pace. The clock stands while none of them
 * runs: what waits for others is not slow. */
#ifndef ACSWEEP_CLI_PACE_H
#define ACSWEEP_CLI_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

struct pace {
    uint64_t first, done;
    int64_t at;          /* of the newest count, ns */
    double worked, idle; /* seconds: of all work, and since there was some */
    double rate;         /* per second of work */
};

/* `now`: nanoseconds of any clock that does not go back, as mono_now(). */
void pace_begin(struct pace *p, uint64_t done, int64_t now);
/* `done` tasks have ended by now; `running`: there are some at work. A count sooner than a fifth of a second after the
 * one before is passed over. */
void pace_count(struct pace *p, uint64_t done, bool running, int64_t now);
/* "  12.3/s  ETA 0:04" for `left` more tasks; nothing where nothing is left or known, or nothing runs. */
void pace_put(const struct pace *p, uint64_t left, struct buf *to);

#endif
