/* The agent's messages about itself: Hello, Heartbeat, Bye. */
#ifndef ACSWEEP_WORKER_AGENT_HELLO_H
#define ACSWEEP_WORKER_AGENT_HELLO_H

#include "worker/agent.h"
#include "worker/uplink.h"

struct hello_facts {
    struct agent_options o;
    uint32_t slots;
    char *device_uuids[GPU_MAX];  /* point into the GPU list; healthy devices first to last */
    const struct gpu *devices[GPU_MAX];
    size_t n_devices;
    bool shared_store;
};

MUST_USE int hello_facts_make(struct hello_facts *f, const struct agent_options *o, struct err *e);

MUST_USE int hello_send(struct uplink *u, const struct hello_facts *f, const Acsweep__Token *held, size_t n, struct err *e);
MUST_USE int heartbeat_send(struct uplink *u, const Acsweep__Token *held, size_t n, struct err *e);
MUST_USE int bye_send(struct uplink *u, const char *reason, const Acsweep__Token *returned, size_t n, struct err *e);

#endif
