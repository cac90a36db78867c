/* Fencing tokens as plain values. A received message may carry fields that this version does not know, which a plain copy
 * of the struct would share with it; token_copy() leaves them behind. */
#ifndef ACSWEEP_WORKER_TOKEN_H
#define ACSWEEP_WORKER_TOKEN_H

#include <stdbool.h>

#include "proto/acsweep.pb-c.h"

static inline bool token_equal(const Acsweep__Token *a, const Acsweep__Token *b)
{
    return a && b && a->task_id == b->task_id && a->attempt == b->attempt && a->epoch == b->epoch;
}

static inline Acsweep__Token token_copy(const Acsweep__Token *t)
{
    Acsweep__Token copy = ACSWEEP__TOKEN__INIT;
    copy.task_id = t->task_id;
    copy.attempt = t->attempt;
    copy.epoch = t->epoch;
    return copy;
}

/* As bytes, for a map. */
struct token_key {
    uint64_t task_id, epoch, attempt;
};

static inline struct token_key token_key(const Acsweep__Token *t)
{
    return (struct token_key){ t->task_id, t->epoch, t->attempt };
}

#endif
