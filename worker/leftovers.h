/* Clearing up after attempts, beside the loop (worker/errands.h). What goes when:
 *
 *     succeeded, acknowledged as committed   its checkpoint and those of earlier attempts, its work place
 *     checkpointed, cancelled, or fenced     its work place, once acknowledged
 *     failed                                 nothing: the log is for people, the checkpoint for the next try; but of
 *                                            work places only the newest LEFTOVERS_KEPT stay
 *     its exec was killed, or died           half-made artifacts, at once; its work place, too, when it was fenced
 *
 * Agents may share a scratch directory: work places that nobody answers for are looked for when there is no other. */
#ifndef ACSWEEP_WORKER_LEFTOVERS_H
#define ACSWEEP_WORKER_LEFTOVERS_H

#include <stdbool.h>

#include "common/err.h"
#include "common/loop.h"
#include "common/own.h"
#include "proto/acsweep.pb-c.h"

#define LEFTOVERS_KEPT 64

struct leftovers;

struct leftovers_options {
    struct loop *loop;
    const char *scratch; /* copied */
    /* What leftovers_acknowledged was told about is cleared up. */
    int (*on_cleared)(const Acsweep__Token *t, void *arg, struct err *e);
    void *arg;
};

/* Begins with what former agents left in this scratch directory, which must be there. */
struct leftovers *leftovers_create(const struct leftovers_options *o, struct err *e);
/* Gives it some seconds to end what it is at; the rest is left to the next agent. */
void leftovers_destroy(struct leftovers *l);
DEFINE_CLEANUP(leftovers_destroy, struct leftovers *)

/* The result is with the coordinator, which took it or not (committed). store: where it is or should be; "" without
 * one. */
MUST_USE int leftovers_acknowledged(struct leftovers *l, const Acsweep__Result *r, bool committed, const char *store,
                                    struct err *e);
/* The attempt ended in the middle; a fenced one without a result. */
MUST_USE int leftovers_debris(struct leftovers *l, const Acsweep__Token *t, const char *identity, bool fenced,
                              const char *store, struct err *e);

#endif
