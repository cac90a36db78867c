/* The GPUs of this node that execs may be bound to: which are free, which are held, which are taken out and why.
 *
 *              take                 release                  healthy, memory back
 *     free ----------> held ----------------> checking -------------------------> free
 *      |  idle for a while --> checking          | sick, silent, or memory not back in time
 *      +--------------------------------------->out --healthy again, memory back (looked at ever more seldom)--> free
 *
 * A device is looked at by a process of its own (worker/probe.h) and only while no exec of ours is bound to it, because
 * a look takes memory on it. So what was let go is free again only after it was seen to work, with as much free memory
 * as before it was taken, but for `leak_bytes`. A device that is out comes back by itself.
 *
 * Several agents on a node share its devices: each claims those that it needs for its sets and leaves the others. */
#ifndef ACSWEEP_WORKER_DEVICES_H
#define ACSWEEP_WORKER_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/loop.h"
#include "common/own.h"
#include "worker/gpu.h"

struct devices;

struct devices_options {
    struct loop *loop;
    const char *exec_path;        /* acsweep-exec; must outlive the object */
    const struct gpu_list *first; /* what the first probe found; copied */
    uint32_t per_set;             /* devices that a task may hold, at least 1 */
    uint32_t sets_max;            /* 0 = as many as there are */
    uint64_t leak_bytes;          /* may stay taken when an exec is gone */
    int64_t check_ns;             /* idle ones are looked at so often; 0 = only after trouble */
    int64_t return_ns;            /* memory must be back after this */
    int64_t retry_ns;             /* first look at one that is out; then ever more seldom */
    int64_t timeout_ns;           /* for one look */
    /* One became free, was taken out, or came back; never called from within a call of ours. */
    int (*on_change)(void *arg, struct err *e);
    void *arg;
};

struct devices *devices_create(const struct devices_options *o, struct err *e);
void devices_destroy(struct devices *d);
DEFINE_CLEANUP(devices_destroy, struct devices *)

/* How many sets can be had, held ones included: what is neither out nor another agent's, by `per_set`. */
size_t devices_sets(const struct devices *d);
size_t devices_free(const struct devices *d);
/* Some are being looked at: what is missing may be free soon. */
bool devices_checking(const struct devices *d);

/* Take n free ones: their numbers into which[n], lowest first. false, and none taken, when there are not so many. */
MUST_USE bool devices_take(struct devices *d, size_t n, size_t *which);
/* Their exec has ended. */
void devices_release(struct devices *d, const size_t *which, size_t n);
/* Their exec cannot be ended; say why. devices_release may follow. */
void devices_lose(struct devices *d, const size_t *which, size_t n, const char *why);

/* For messages. state: ok, spare (not needed, or another agent's), sick, leaking, quarantined. Of the healthy ones just
 * so many are "ok" as make up devices_sets(). */
struct device_view {
    const struct gpu *gpu;
    const char *state;
};
size_t devices_view(const struct devices *d, struct device_view out[GPU_MAX]);
const char *devices_uuid(const struct devices *d, size_t which);
/* Grows with every look at one. */
uint64_t devices_looks(const struct devices *d);
/* Executors that the probed acsweep-exec offers. */
const struct gpu_list *devices_probed(const struct devices *d);
/* This child of ours is a probe. */
bool devices_owns(const struct devices *d, pid_t pid);

#endif
