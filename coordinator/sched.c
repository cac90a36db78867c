#include "coordinator/sched.h"

#include <stdio.h>
#include <string.h>

/* Why one worker cannot ever run a shape; NULL = it can. */
enum misfit {
    FITS,
    NOT_USABLE,
    NO_EXECUTOR,
    TOO_FEW_GPUS,
    GPU_TOO_SMALL,
    GPU_TOO_OLD,
    HOST_TOO_SMALL,
    NO_STORE,
    MISFITS
};

static enum misfit fit(const struct sched_shape *s, const struct sched_worker *w)
{
    const struct plan_resources *r = &s->resources;
    bool offered = false;
    for (size_t i = 0; i < w->n_executors && !offered; i++)
        offered = strcmp(w->executors[i], s->executor) == 0;
    if (!offered)
        return NO_EXECUTOR;
    if (r->gpus > w->devices_per_slot)
        return TOO_FEW_GPUS;
    if (r->gpus && r->gpu_memory_bytes > w->device_memory_bytes)
        return GPU_TOO_SMALL;
    if (r->gpus && r->compute_capability > w->compute_capability)
        return GPU_TOO_OLD;
    if (r->host_memory_bytes > w->memory_bytes || r->cpus > w->cpus)
        return HOST_TOO_SMALL;
    if (s->needs_store && !w->shared_store)
        return NO_STORE;
    return w->usable ? FITS : NOT_USABLE;
}

static void explain(const struct sched_shape *s, const size_t counts[MISFITS], size_t n_workers, char reason[200])
{
    const struct plan_resources *r = &s->resources;
    if (n_workers == 0)
        snprintf(reason, 200, "no worker has joined");
    else if (counts[FITS])
        snprintf(reason, 200, "every fitting slot is busy (%zu fitting worker%s)", counts[FITS],
                 counts[FITS] == 1 ? "" : "s");
    else if (counts[NOT_USABLE])
        snprintf(reason, 200, "the %zu fitting worker%s draining, silent or quarantined", counts[NOT_USABLE],
                 counts[NOT_USABLE] == 1 ? " is" : "s are");
    else if (counts[NO_STORE])
        snprintf(reason, 200, "no fitting worker sees the artifact store");
    else if (counts[GPU_TOO_SMALL])
        snprintf(reason, 200, "no GPU has %.1f GiB", (double)r->gpu_memory_bytes / 0x1p30);
    else if (counts[GPU_TOO_OLD])
        snprintf(reason, 200, "no GPU has compute capability %u.%u", r->compute_capability / 10,
                 r->compute_capability % 10);
    else if (counts[TOO_FEW_GPUS])
        snprintf(reason, 200, "no slot has %u GPU%s", r->gpus, r->gpus == 1 ? "" : "s");
    else if (counts[HOST_TOO_SMALL])
        snprintf(reason, 200, "no worker has %u CPUs and %.1f GiB of memory", r->cpus,
                 (double)r->host_memory_bytes / 0x1p30);
    else
        snprintf(reason, 200, "no worker offers the executor '%.60s'", s->executor);
}

struct placing {
    const struct sched_shape *shape;
    size_t shape_index;
    struct sched_worker *workers;
    size_t n_workers;
    struct sched_assignment *out;
    size_t n_out, room, left; /* room: for tasks, of any shape; left: ready tasks of the shape not yet placed */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t bundle_of(const struct placing *p, const struct sched_worker *w)
{
    size_t most = p->shape->bundle ? p->shape->bundle : 1;
    return least(least(most, p->left), least(p->room, w->room));
}

/* One pass: give every slot that holds exactly `depth` assignments one more. True when any was given. */
static bool fill_level(struct placing *p, uint32_t depth)
{
    bool any = false;
    for (size_t w = 0; w < p->n_workers && p->left && p->room; w++) {
        struct sched_worker *worker = &p->workers[w];
        if ((depth > 0 && depth >= worker->credits) || fit(p->shape, worker) != FITS)
            continue;
        for (uint32_t slot = 0; slot < worker->slots && p->left && p->room; slot++) {
            const size_t n = bundle_of(p, worker);
            if (worker->in_flight[slot] != depth || !n)
                continue;
            worker->in_flight[slot] += (uint32_t)n;
            worker->room -= n;
            p->out[p->n_out++] = (struct sched_assignment){ p->shape_index, w, n, slot };
            p->left -= n;
            p->room -= n;
            any = true;
        }
    }
    return any;
}

static uint32_t deepest_credit(const struct sched_worker *workers, size_t n)
{
    uint32_t deepest = 1;
    for (size_t i = 0; i < n; i++)
        if (workers[i].credits > deepest)
            deepest = workers[i].credits;
    return deepest;
}

/* The one after `last` (n = the first) by falling priority, then by index; n when there is none. */
static size_t next_shape(const struct sched_shape *shapes, size_t n, size_t last)
{
    size_t best = n;
    for (size_t i = 0; i < n; i++) {
        bool after = last == n || shapes[i].priority < shapes[last].priority ||
                     (shapes[i].priority == shapes[last].priority && i > last);
        if (after && (best == n || shapes[i].priority > shapes[best].priority))
            best = i;
    }
    return best;
}

size_t sched_assign(const struct sched_shape *shapes, size_t n_shapes, struct sched_worker *workers, size_t n_workers,
                    struct sched_assignment *out, size_t max, char (*reasons)[200])
{
    size_t n_out = 0, room = max, s = n_shapes;
    while ((s = next_shape(shapes, n_shapes, s)) < n_shapes) {
        reasons[s][0] = '\0';
        if (!shapes[s].ready)
            continue;
        struct placing p = { &shapes[s], s, workers, n_workers, out, n_out, room, shapes[s].ready };
        uint32_t deepest = shapes[s].prefetch ? deepest_credit(workers, n_workers) : 1;
        for (uint32_t depth = 0; depth < deepest && p.left && p.room; depth++)
            fill_level(&p, depth);
        n_out = p.n_out;
        room = p.room;
        if (!p.left)
            continue;
        size_t counts[MISFITS] = { 0 };
        for (size_t w = 0; w < n_workers; w++)
            counts[fit(&shapes[s], &workers[w])]++;
        explain(&shapes[s], counts, n_workers, reasons[s]);
    }
    return n_out;
}
