/* The agent's messages about itself: Hello, Heartbeat, Bye. */
#ifndef ACSWEEP_WORKER_AGENT_HELLO_H
#define ACSWEEP_WORKER_AGENT_HELLO_H

#include "worker/agent.h"
#include "worker/devices.h"
#include "worker/uplink.h"

/* What a Hello says of this node that may change while the agent lives. */
struct hello_facts {
    uint32_t slots;
    bool shared_store;
    size_t n_devices, n_executors;
    struct {
        char uuid[64];
        const char *state; /* a constant */
    } devices[GPU_MAX];
};

/* As it is now. */
void hello_facts_make(struct hello_facts *f, const struct devices *d, size_t slots, bool shared_store);
bool hello_facts_equal(const struct hello_facts *a, const struct hello_facts *b);

/* held: tokens of all attempts that the agent answers for. 1 = not on its way, say it again later. */
MUST_USE int hello_send(struct uplink *u, const struct agent_options *o, const struct hello_facts *f,
                        const struct devices *d, const Acsweep__Token *held, size_t n, struct err *e);
/* devices NULL: nothing new about them. */
MUST_USE int heartbeat_send(struct uplink *u, const struct devices *d, const Acsweep__Token *held, size_t n,
                            struct err *e);
MUST_USE int bye_send(struct uplink *u, const char *reason, const Acsweep__Token *returned, size_t n, struct err *e);

#endif
