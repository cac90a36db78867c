/* The places of a worker where tasks run: a pool of slots, each with one acsweep-exec that is kept alive between tasks.
 *
 *     empty --spawn--> idle --assign--> busy --result--> idle
 *                                       busy --cancel, time limit--> stopping --result or kill--> dying
 *            any --exec died--> empty        idle --leak over the limit--> dying --> empty
 *
 * Assignments wait in one queue: a CPU task runs in whichever slot is free first, a GPU task in the slot that it was
 * placed on. The pool answers every assignment with exactly one result through on_result, however its exec ends, except
 * for fenced ones, which end in silence, and those that slots_give_back takes out of the queue. */
#ifndef ACSWEEP_WORKER_SLOT_H
#define ACSWEEP_WORKER_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/loop.h"
#include "common/own.h"
#include "proto/acsweep.pb-c.h"

struct slots;


/* Called from the loop. Messages belong to the pool and are valid during the call only. */
struct slot_handlers {
    int (*on_started)(const Acsweep__Started *s, void *arg, struct err *e);
    int (*on_progress)(const Acsweep__Progress *p, void *arg, struct err *e);
    int (*on_result)(const Acsweep__Result *r, void *arg, struct err *e);
    /* An attempt whose processes were killed by us; for the history. */
    void (*on_killed)(const Acsweep__Token *t, const char *why, void *arg);
    void *arg;
};

struct slot_options {
    struct loop *loop;
    const char *exec_path;      /* acsweep-exec */
    const char *worker_id, *scratch, *store;
    size_t n;                   /* number of slots */
    char *const *devices;       /* UUIDs; slot i holds devices_per_slot of them from i * devices_per_slot on */
    size_t n_devices, devices_per_slot;
    uint64_t leak_limit_bytes;  /* an idle exec that grew by more since its first task is replaced */
    bool adopt_strays;          /* kill children of this process that are no exec: what a dead exec left behind */
    struct slot_handlers on;
};

/* Strings are copied. No process is started before the first task. */
struct slots *slots_create(const struct slot_options *o, struct err *e);
/* Kills every exec with all that it started. */
void slots_destroy(struct slots *s);
DEFINE_CLEANUP(slots_destroy, struct slots *)

/* The store's path comes with the coordinator's Welcome; execs that start from now on know it. */
MUST_USE int slots_set_store(struct slots *s, const char *store, struct err *e);

/* Takes *a over (sets it to NULL). A token that the pool already holds is ignored: 1; else 0. */
MUST_USE int slots_add(struct slots *s, Acsweep__Assignment **a, struct err *e);

/* Ask the attempt to stop; kill it after the grace. reason as in the proto's Cancel. false when it is not here. */
MUST_USE int slots_cancel(struct slots *s, const Acsweep__Token *t, const char *reason, int64_t grace_ns, bool *here,
                          struct err *e);
/* The same for every running attempt. */
MUST_USE int slots_cancel_all(struct slots *s, const char *reason, int64_t grace_ns, struct err *e);
/* Kill at once, with no result. */
void slots_fence(struct slots *s, const Acsweep__Token *t);

/* Take what waits in the queue out of it, unstarted: returns how many tokens are in *tokens (malloc'ed). */
MUST_USE int slots_give_back(struct slots *s, Acsweep__Token **tokens, size_t *n, struct err *e);

bool slots_holds(const struct slots *s, const Acsweep__Token *t);
size_t slots_held(const struct slots *s); /* running and queued */
size_t slots_running(const struct slots *s);
/* Tokens of all held attempts; `room` of them at most. */
size_t slots_tokens(const struct slots *s, Acsweep__Token *out, size_t room);

#endif
