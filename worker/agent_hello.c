#include "worker/agent_hello.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire.h"

#ifndef ACSWEEP_VERSION
#define ACSWEEP_VERSION "unknown"
#endif

int hello_facts_make(struct hello_facts *f, const struct agent_options *o, struct err *e)
{
    *f = (struct hello_facts){ .o = *o };
    if (o->devices_per_slot == 0)
        return FAIL(e, ERR_INPUT, "devices_per_slot must be at least 1");
    for (size_t i = 0; i < o->gpus->n; i++) {
        f->devices[i] = &o->gpus->gpus[i];
        if (strcmp(o->gpus->gpus[i].state, "ok") == 0) /* a sick device is reported but runs nothing */
            f->device_uuids[f->n_devices++] = (char *)o->gpus->gpus[i].uuid;
    }
    uint32_t sets = (uint32_t)(f->n_devices / o->devices_per_slot);
    f->slots = o->slots ? o->slots : sets ? sets : 1;
    return 0;
}

/* Pointers to the elements, as protobuf-c wants them; NULL when memory is out. */
static Acsweep__Token **token_pointers(const Acsweep__Token *list, size_t n)
{
    Acsweep__Token **p = calloc(n + 1, sizeof *p);
    for (size_t i = 0; p && i < n; i++)
        p[i] = (Acsweep__Token *)&list[i];
    return p;
}

static void fill_devices(const struct hello_facts *f, Acsweep__Device *devices, Acsweep__Device **list)
{
    for (size_t i = 0; i < f->o.gpus->n; i++) {
        const struct gpu *g = f->devices[i];
        acsweep__device__init(&devices[i]);
        devices[i].uuid = (char *)g->uuid;
        devices[i].name = (char *)g->name;
        devices[i].memory_bytes = g->memory_bytes;
        devices[i].free_bytes = g->free_bytes;
        devices[i].compute_capability = g->compute_capability;
        devices[i].state = strcmp(g->state, "ok") == 0 ? (char *)"ok" : (char *)"sick";
        list[i] = &devices[i];
    }
}

static void fill_node(const struct hello_facts *f, Acsweep__Hello *h)
{
    h->worker_id = (char *)f->o.worker_id;
    h->node = (char *)f->o.node;
    h->boot_id = (char *)f->o.boot_id;
    h->version = (char *)ACSWEEP_VERSION;
    h->protocol_min = WIRE_VERSION;
    h->protocol_max = WIRE_VERSION;
    h->cpus = node_cpus();
    h->memory_bytes = node_memory();
    h->slots = f->slots;
    h->credits = f->o.credits;
    h->labels = (char *)f->o.labels;
    h->shared_store = f->shared_store;
    h->pid = (int32_t)getpid();
}

int hello_send(struct uplink *u, const struct hello_facts *f, const Acsweep__Token *held, size_t n, struct err *e)
{
    Acsweep__Device devices[GPU_MAX], *device_list[GPU_MAX];
    char *executors[GPU_MAX_EXECUTORS + 1] = { (char *)"noop" };
    AUTO(free) Acsweep__Token **running = token_pointers(held, n);
    if (!running)
        return FAIL_NOMEM(e);
    Acsweep__Hello h = ACSWEEP__HELLO__INIT;
    fill_node(f, &h);
    fill_devices(f, devices, device_list);
    h.n_devices = f->o.gpus->n;
    h.devices = device_list;
    h.n_running = n;
    h.running = running;
    for (size_t i = 0; i < f->o.gpus->n_executors; i++)
        executors[i + 1] = (char *)f->o.gpus->executors[i];
    h.n_executors = f->o.gpus->n_executors + 1;
    h.executors = executors;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_HELLO;
    m.hello = &h;
    return uplink_send_hello(u, &m, e) < 0 ? -1 : 0;
}

int heartbeat_send(struct uplink *u, const Acsweep__Token *held, size_t n, struct err *e)
{
    AUTO(free) Acsweep__Token **running = token_pointers(held, n);
    if (!running)
        return FAIL_NOMEM(e);
    Acsweep__Heartbeat h = ACSWEEP__HEARTBEAT__INIT;
    h.n_running = n;
    h.running = running;
    h.free_host_bytes = node_free_memory();
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_HEARTBEAT;
    m.heartbeat = &h;
    return uplink_send(u, &m, e) < 0 ? -1 : 0;
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
