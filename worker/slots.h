/* The places of a worker where tasks run: a pool of slots, each with at most one acsweep-exec that is kept alive
 * between tasks of the same set of devices (worker/slot.h is the life of one).
 *
 * Assignments wait in one queue. A task that needs GPUs runs in an exec that is bound to just so many, a CPU task in
 * one that sees none; of several places that would do, the one it was placed on is preferred. An exec of another set is
 * ended when its devices are needed, and they go on only after they were seen to be well and empty (worker/devices.h).
 *
 * Assignments may be added as a bundle: they run in one exec at once, and their exec reports each when it has ended.
 * While it runs, one of them can be cancelled or fenced without the others: it is answered, or not, at once, and what
 * its exec says of it later is dropped; the last one stops the exec. What ends the exec ends all that it had not
 * reported, each with a result that says how many they were (Result.ended_together). A bundle's time limit is the
 * largest of its tasks'.
 *
 * The pool answers every assignment with exactly one result through on_result, however its exec ends, except for fenced
 * ones, which end in silence, and those that slots_give_back takes out of the queue. */
#ifndef ACSWEEP_WORKER_SLOTS_H
#define ACSWEEP_WORKER_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/loop.h"
#include "common/own.h"
#include "proto/acsweep.pb-c.h"
#include "worker/devices.h"
#include "worker/paths.h"

#define SLOTS_QUEUE_MAX 65536 /* assignments in advance; the coordinator counts no further either */

struct slots;

/* Called from the loop. Messages belong to the pool and are valid during the call only. */
struct slot_handlers {
    int (*on_started)(const Acsweep__Started *s, void *arg, struct err *e);
    int (*on_progress)(const Acsweep__Progress *p, void *arg, struct err *e);
    int (*on_result)(const Acsweep__Result *r, const Acsweep__TaskSpec *spec, void *arg, struct err *e);
    /* An attempt whose processes were killed by us; for the history. */
    void (*on_killed)(const Acsweep__Token *t, const char *why, void *arg);
    /* An exec was killed, or died, in the middle of this task: what it was writing is rubbish. Of a fenced one, which
     * has no result, nothing else will ever be told. */
    void (*on_debris)(const Acsweep__Token *t, const Acsweep__TaskSpec *spec, bool fenced, void *arg);
    /* A device was lost with its exec: slots_open() may be less. */
    int (*on_fewer)(void *arg, struct err *e);
    void *arg;
};

struct slot_options {
    struct loop *loop;
    const char *exec_path; /* acsweep-exec */
    const char *worker_id, *scratch, *store;
    const struct paths *paths; /* names of data on this node, for the execs; NULL = none */
    size_t n;                  /* number of places for tasks; 0 = one for each set of devices, or one */
    struct devices *devices;   /* NULL = none */
    size_t per_set;            /* devices that a task may hold */
    int64_t keep_idle_ns;      /* an exec with nothing to do is ended after this; 0 = never */
    uint64_t leak_limit_bytes; /* an idle exec that grew by more since its first task is replaced */
    bool adopt_strays;         /* kill children of this process that are no exec: what a dead exec left behind */
    struct slot_handlers on;
};

/* Strings are copied, the rest must outlive the pool. No process is started before the first task. */
struct slots *slots_create(const struct slot_options *o, struct err *e);
/* Kills every exec with all that it started. */
void slots_destroy(struct slots *s);
DEFINE_CLEANUP(slots_destroy, struct slots *)

/* How many tasks may run at once now: fewer when devices are out, never 0. */
size_t slots_open(const struct slots *s);
/* Devices have become free, or fewer, or more: go on with the queue. */
MUST_USE int slots_dispatch(struct slots *s, struct err *e);

/* The store's path comes with the coordinator's Welcome; execs that start from now on know it. */
MUST_USE int slots_set_store(struct slots *s, const char *store, struct err *e);

/* Takes over each of the `n` (sets it to NULL), as one bundle if they are several. Tokens that the pool already holds
 * are ignored and stay the caller's: returns how many. */
MUST_USE int slots_add(struct slots *s, Acsweep__Assignment **a, size_t n, struct err *e);

/* Ask the attempt to stop; kill it after the grace. reason as in the proto's Cancel. false when it is not here. */
MUST_USE int slots_cancel(struct slots *s, const Acsweep__Token *t, const char *reason, int64_t grace_ns, bool *here,
                          struct err *e);
/* The same for every running attempt; one that is stopping already gets no more than this grace. */
MUST_USE int slots_cancel_all(struct slots *s, const char *reason, int64_t grace_ns, struct err *e);
/* Kill at once, with no result. */
void slots_fence(struct slots *s, const Acsweep__Token *t);
void slots_fence_all(struct slots *s);

/* Take what waits in the queue out of it, unstarted: returns how many tokens are in *tokens (malloc'ed). */
MUST_USE int slots_give_back(struct slots *s, Acsweep__Token **tokens, size_t *n, struct err *e);
/* Answer what waits for GPUs as preempted, which costs the tasks nothing: the coordinator finds them another place. */
MUST_USE int slots_turn_away(struct slots *s, const char *why, struct err *e);

bool slots_holds(const struct slots *s, const Acsweep__Token *t);
size_t slots_held(const struct slots *s); /* running and queued */
size_t slots_running(const struct slots *s);
/* Tokens of all held attempts; `room` of them at most. */
size_t slots_tokens(const struct slots *s, Acsweep__Token *out, size_t room);

#endif
