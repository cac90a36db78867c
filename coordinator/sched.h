/* Placement as a pure function: ready shapes and workers in, assignments and reasons out. No clock, no I/O.
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
};
struct sched_worker {
    uint32_t slots, credits, devices_per_slot, compute_capability, cpus;
    uint64_t device_memory_bytes, memory_bytes;
    const char *const *executors;
    size_t n_executors;
    bool usable; /* joined, not draining, not silent, not quarantined */
    bool shared_store;
    uint32_t *in_flight; /* per slot; sched_assign counts its own assignments in */
};
struct sched_assignment {
    size_t shape, worker;
    uint32_t slot;
};

/* Fill `out` with at most `max` assignments, best shape first. reasons[s] (200 bytes each) says why tasks of shape s
 * still wait, "" when none does. Returns the number of assignments. */
size_t sched_assign(const struct sched_shape *shapes, size_t n_shapes, struct sched_worker *workers, size_t n_workers,
                    struct sched_assignment *out, size_t max, char (*reasons)[200]);

#endif
