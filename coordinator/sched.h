/* Placement as a pure function: ready shapes and workers in, assignments and reasons out. No clock, no I/O.
 *
 * An assignment is one task, or as many of a shape's as may run as one. A bundle is made
 * as large as it may be even while other slots are idle, because it costs about as much as its largest task: spread
 * over slots, each would do nearly all of that work again.
 *
 * Idle slots first, over all workers, so that no task waits behind another while a slot is free; then, for shapes whose
 * tasks are short (`prefetch`), in advance up to the workers' credits. */
#ifndef ACSWEEP_COORDINATOR_SCHED_H
#define ACSWEEP_COORDINATOR_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/plan.h"

struct sched_shape {
    struct plan_resources resources;
    const char *executor;
    int priority;     /* of its first task */
    size_t ready;     /* tasks in the queue */
    bool prefetch;    /* short tasks: may queue behind others on a slot */
    bool needs_store; /* its results go through the shared store */
    size_t bundle;    /* tasks that may go to a slot as one; 0 counts as 1 */
};
struct sched_worker {
    uint32_t slots, credits, devices_per_slot, compute_capability, cpus;
    uint64_t device_memory_bytes, memory_bytes;
    const char *const *executors;
    size_t n_executors;
    bool usable; /* joined, not draining, not silent, not quarantined */
    bool shared_store;
    size_t room;         /* tasks that it may still be given */
    uint32_t *in_flight; /* tasks, per slot; sched_assign counts its own in, and out of the room */
};
struct sched_assignment {
    size_t shape, worker;
    size_t tasks; /* how many of the shape's, as one */
    uint32_t slot;
};

/* Fill `out` with assignments of at most `max` tasks, best shape first. reasons[s] (200 bytes each) says why tasks of
 * shape s still wait, "" when none does. Returns the number of assignments. */
size_t sched_assign(const struct sched_shape *shapes, size_t n_shapes, struct sched_worker *workers, size_t n_workers,
                    struct sched_assignment *out, size_t max, char (*reasons)[200]);

#endif
