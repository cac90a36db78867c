#include "worker/agent_hello.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"
#include "worker/node.h"
#include "worker/slots.h"

#ifndef ACSWEEP_VERSION
#define ACSWEEP_VERSION "unknown"
#endif

void hello_facts_make(struct hello_facts *f, const struct devices *d, size_t slots, bool shared_store)
{
    struct device_view views[GPU_MAX];
    *f = (struct hello_facts){ .slots = (uint32_t)slots, .shared_store = shared_store };
    f->n_executors = devices_probed(d)->n_executors;
    f->n_devices = devices_view(d, views);
    for (size_t i = 0; i < f->n_devices; i++) {
        snprintf(f->devices[i].uuid, sizeof f->devices[i].uuid, "%s", views[i].gpu->uuid);
        f->devices[i].state = views[i].state;
    }
}

bool hello_facts_equal(const struct hello_facts *a, const struct hello_facts *b)
{
    if (a->slots != b->slots || a->shared_store != b->shared_store || a->n_devices != b->n_devices ||
        a->n_executors != b->n_executors)
        return false;
    for (size_t i = 0; i < a->n_devices; i++)
        if (strcmp(a->devices[i].uuid, b->devices[i].uuid) != 0 ||
            strcmp(a->devices[i].state, b->devices[i].state) != 0)
            return false;
    return true;
}

/* Pointers to the elements, as protobuf-c wants them; NULL when memory is out. */
static Acsweep__Token **token_pointers(const Acsweep__Token *list, size_t n)
{
    Acsweep__Token **p = calloc(n + 1, sizeof *p);
    for (size_t i = 0; p && i < n; i++)
        p[i] = (Acsweep__Token *)&list[i];
    return p;
}

static size_t fill_devices(const struct devices *d, Acsweep__Device devices[GPU_MAX], Acsweep__Device *list[GPU_MAX])
{
    struct device_view views[GPU_MAX];
    size_t n = devices_view(d, views);
    for (size_t i = 0; i < n; i++) {
        const struct gpu *g = views[i].gpu;
        acsweep__device__init(&devices[i]);
        devices[i].uuid = (char *)g->uuid;
        devices[i].name = (char *)g->name;
        devices[i].memory_bytes = g->memory_bytes;
        devices[i].free_bytes = g->free_bytes;
        devices[i].compute_capability = g->compute_capability;
        devices[i].state = (char *)views[i].state;
        list[i] = &devices[i];
    }
    return n;
}

static void fill_node(const struct agent_options *o, const struct hello_facts *f, Acsweep__Hello *h)
{
    uint32_t credits_max = SLOTS_QUEUE_MAX / f->slots;
    h->worker_id = (char *)o->worker_id;
    h->node = (char *)o->node;
    h->boot_id = (char *)o->boot_id;
    h->version = (char *)ACSWEEP_VERSION;
    h->protocol_min = WIRE_VERSION;
    h->protocol_max = WIRE_VERSION;
    h->cpus = node_cpus();
    h->memory_bytes = node_memory();
    h->slots = f->slots;
    h->credits = o->credits < credits_max ? o->credits : credits_max;
    h->labels = (char *)o->labels;
    h->shared_store = f->shared_store;
    h->pid = (int32_t)getpid();
}

int hello_send(struct uplink *u, const struct agent_options *o, const struct hello_facts *f, const struct devices *d,
               const Acsweep__Token *held, size_t n, struct err *e)
{
    Acsweep__Device devices[GPU_MAX], *device_list[GPU_MAX];
    char *executors[GPU_MAX_EXECUTORS + 1] = { (char *)"noop" };
    const struct gpu_list *probed = devices_probed(d);
    AUTO(free) Acsweep__Token **running = token_pointers(held, n);
    if (!running)
        return FAIL_NOMEM(e);
    Acsweep__Hello h = ACSWEEP__HELLO__INIT;
    fill_node(o, f, &h);
    h.n_devices = fill_devices(d, devices, device_list);
    h.devices = device_list;
    h.n_running = n;
    h.running = running;
    for (size_t i = 0; i < probed->n_executors; i++)
        executors[i + 1] = (char *)probed->executors[i];
    h.n_executors = probed->n_executors + 1;
    h.executors = executors;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_HELLO;
    m.hello = &h;
    return uplink_send_hello(u, &m, e);
}

int heartbeat_send(struct uplink *u, const struct devices *d, const Acsweep__Token *held, size_t n, struct err *e)
{
    Acsweep__Device devices[GPU_MAX], *device_list[GPU_MAX];
    AUTO(free) Acsweep__Token **running = token_pointers(held, n);
    if (!running)
        return FAIL_NOMEM(e);
    Acsweep__Heartbeat h = ACSWEEP__HEARTBEAT__INIT;
    h.n_running = n;
    h.running = running;
    h.n_devices = d ? fill_devices(d, devices, device_list) : 0;
    h.devices = device_list;
    h.free_host_bytes = node_free_memory();
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_HEARTBEAT;
    m.heartbeat = &h;
    return uplink_send(u, &m, e);
}

int bye_send(struct uplink *u, const char *reason, const Acsweep__Token *returned, size_t n, struct err *e)
{
    AUTO(free) Acsweep__Token **list = token_pointers(returned, n);
    if (!list)
        return FAIL_NOMEM(e);
    Acsweep__Bye b = ACSWEEP__BYE__INIT;
    b.reason = (char *)reason;
    b.n_returned = n;
    b.returned = list;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_BYE;
    m.bye = &b;
    return uplink_send(u, &m, e) < 0 ? -1 : 0;
}
