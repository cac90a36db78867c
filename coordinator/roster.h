/* The workers that the leader knows: who they are, what they offer, what they hold, when they were last heard. */
#ifndef ACSWEEP_COORDINATOR_ROSTER_H
#define ACSWEEP_COORDINATOR_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/chan.h"
#include "common/map.h"
#include "coordinator/graph.h"

enum worker_state {
    WORKER_JOINED,   /* takes tasks */
    WORKER_DRAINING, /* finishes what it has */
    WORKER_SILENT,   /* nothing heard for a while; its leases run on */
    WORKER_LEFT,     /* said goodbye */
};
const char *worker_state_name(enum worker_state s);

struct worker {
    char *id, *node, *boot_id, *version, *labels;
    char **executors;
    size_t n_executors;
    struct peer_id peer; /* where it is reached; changes with every connection */
    char user[64];       /* its CURVE public key, "" without */
    enum worker_state state;
    bool draining; /* asked to drain, or said Bye: never JOINED again */
    uint32_t cpus, slots, credits;
    uint64_t memory_bytes;
    uint32_t devices_per_slot;    /* 0 = CPU slots */
    uint64_t device_memory_bytes; /* of its smallest usable device */
    uint32_t compute_capability;  /* of its weakest usable device */
    bool shared_store;
    uint32_t *in_flight; /* per slot: assignments given and not ended */
    uint32_t *warm;      /* per slot: subject of the newest assignment, whose models are loaded there */
    struct task *held;   /* list of LEASING, LEASED and ENDING tasks, by held_next */
    size_t n_held;
    int64_t last_seen;
    int strikes;               /* infrastructure failures since the last success; a bundle's count as one */
    uint32_t ended_together;   /* results so far that tell of the failure of one bundle */
    int64_t quarantined_until; /* 0 = not */
};

struct roster {
    struct map by_id;   /* id -> worker */
    struct map by_peer; /* &peer.bytes, peer.len -> worker */
    struct map key_of;  /* id -> its CURVE public key (malloc'ed), as the rows of earlier leaders say */
};

void roster_free(struct roster *r);
/* Find, or make anew, the worker of a Hello and take over what it says. */
struct worker *roster_hello(struct roster *r, const struct peer_id *peer, const char *user, const Acsweep__Hello *hello,
                            struct err *e);
struct worker *roster_by_id(const struct roster *r, const char *id);
struct worker *roster_by_peer(const struct roster *r, const struct peer_id *peer);
/* As a leader begins: `id` belongs to the owner of `key`. */
MUST_USE int roster_remember_key(struct roster *r, const char *id, const char *key, struct err *e);
/* May the owner of `user` ("" without keys) call itself `id`? An id stays with the key that joined under it first. */
bool roster_key_fits(const struct roster *r, const char *id, const char *user);
/* Forget a worker that holds nothing; its id stays with its key. */
void roster_remove(struct roster *r, struct worker *w);

/* Bookkeeping of what a worker holds. */
void worker_hold(struct worker *w, struct task *t, uint32_t slot);
void worker_release(struct task *t); /* nothing when nobody holds it */

#endif
