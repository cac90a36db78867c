/* Threads that make items ahead of whoever reads them: decoding and resizing beside the computing.
 *
 * Items come out in their order, whatever thread made them, and so do errors: what lies before a bad item is delivered
 * first. At most `ahead` items are made or waiting at any time, so memory is bounded by it. */
#ifndef ACSWEEP_WORKER_DATA_DECODE_AHEAD_H
#define ACSWEEP_WORKER_DATA_DECODE_AHEAD_H

#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

struct decode_ahead_job {
    size_t n;      /* items 0..n-1 */
    size_t floats; /* of one item, at least 1 */
    /* Fill out[floats] with item i. Called on several threads at once, on each item once. */
    int (*make)(void *arg, size_t i, float *out, struct err *e);
    void *arg;        /* must outlive the reading */
    unsigned threads; /* 0 = one for each processor this process may use */
    size_t ahead;     /* 0 = four for each thread */
};

struct decode_ahead;

/* ERR_ENV without memory or threads. The job is copied. */
MUST_USE struct decode_ahead *decode_ahead_start(const struct decode_ahead_job *job, struct err *e);
/* Stop at once: items that threads are busy with are finished and dropped, no other is begun. */
void decode_ahead_stop(struct decode_ahead *d);
DEFINE_CLEANUP(decode_ahead_stop, struct decode_ahead *)

/* The next items, up to `max` (at least 1), side by side into out[max * floats]; *got is how many, 0 only at the end.
 * Waits for all of them. A bad item ends a batch early; the call that would begin with it returns -1 with its error,
 * and the call after that goes on behind it: who wants to stop just stops. One reader at a time. */
MUST_USE int decode_ahead_read(struct decode_ahead *d, float *out, size_t max, size_t *got, struct err *e);

#endif
