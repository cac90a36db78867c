#include "coordinator/roster.h"

#include <string.h>

static const char *const state_names[] = {
    [WORKER_JOINED] = "joined",
    [WORKER_DRAINING] = "draining",
    [WORKER_SILENT] = "silent",
    [WORKER_LEFT] = "left",
};

const char *worker_state_name(enum worker_state s)
{
    return state_names[s];
}

static void worker_clear(struct worker *w)
{
    for (size_t i = 0; i < w->n_executors; i++)
        free(w->executors[i]);
    free(w->executors);
    free(w->node);
    free(w->boot_id);
    free(w->version);
    free(w->labels);
    w->executors = NULL;
    w->n_executors = 0;
    w->node = w->boot_id = w->version = w->labels = NULL;
}

static void worker_free(struct worker *w)
{
    worker_clear(w);
    free(w->in_flight);
    free(w->warm);
    free(w->id);
    free(w);
}

struct known_key {
    char key[64];
    char id[];
};

void roster_free(struct roster *r)
{
    struct worker *w;
    for (size_t i = 0; (w = map_next(&r->by_id, &i));)
        worker_free(w);
    struct known_key *k;
    for (size_t i = 0; (k = map_next(&r->key_of, &i));)
        free(k);
    map_free(&r->by_id);
    map_free(&r->by_peer);
    map_free(&r->key_of);
}

int roster_remember_key(struct roster *r, const char *id, const char *key, struct err *e)
{
    size_t len = strlen(id);
    struct known_key *k = malloc(sizeof *k + len + 1);
    if (!k)
        return FAIL_NOMEM(e);
    snprintf(k->key, sizeof k->key, "%s", key);
    memcpy(k->id, id, len + 1); /* the map keeps a pointer to it */
    if (map_put(&r->key_of, k->id, len, k, e) == 0)
        return 0;
    free(k);
    return -1;
}

bool roster_key_fits(const struct roster *r, const char *id, const char *user)
{
    const struct worker *w = roster_by_id(r, id);
    const struct known_key *k = w ? NULL : map_get(&r->key_of, id, strlen(id));
    return strcmp(w ? w->user : k ? k->key : user, user) == 0;
}

struct worker *roster_by_id(const struct roster *r, const char *id)
{
    return map_get(&r->by_id, id, strlen(id));
}

struct worker *roster_by_peer(const struct roster *r, const struct peer_id *peer)
{
    return map_get(&r->by_peer, peer->bytes, peer->len);
}

/* The slots share the usable devices evenly; a task that asks for more than a slot has never fits here. */
static void take_devices(struct worker *w, const Acsweep__Hello *h)
{
    uint32_t usable = 0;
    w->device_memory_bytes = UINT64_MAX;
    w->compute_capability = UINT32_MAX;
    for (size_t i = 0; i < h->n_devices; i++) {
        const Acsweep__Device *d = h->devices[i];
        if (strcmp(d->state, "ok") != 0 && d->state[0])
            continue;
        usable++;
        if (d->memory_bytes < w->device_memory_bytes)
            w->device_memory_bytes = d->memory_bytes;
        if (d->compute_capability < w->compute_capability)
            w->compute_capability = d->compute_capability;
    }
    w->devices_per_slot = usable / w->slots;
    if (!w->devices_per_slot)
        w->device_memory_bytes = w->compute_capability = 0;
}

static int take_hello(struct worker *w, const Acsweep__Hello *h, struct err *e)
{
    if (h->slots != w->slots) {
        uint32_t *in_flight = calloc(h->slots, sizeof *in_flight), *warm = calloc(h->slots, sizeof *warm);
        if (!in_flight || !warm) {
            free(in_flight);
            free(warm);
            return FAIL_NOMEM(e);
        }
        for (struct task *t = w->held; t; t = t->held_next) {
            t->slot = t->slot < h->slots ? t->slot : 0;
            in_flight[t->slot]++;
        }
        free(w->in_flight);
        free(w->warm);
        w->warm = warm;
        w->in_flight = in_flight;
        w->slots = h->slots;
    }
    worker_clear(w);
    w->node = strdup(h->node);
    w->boot_id = strdup(h->boot_id);
    w->version = strdup(h->version);
    w->labels = strdup(h->labels[0] ? h->labels : "{}");
    w->executors = calloc(h->n_executors ? h->n_executors : 1, sizeof *w->executors);
    if (!w->node || !w->boot_id || !w->version || !w->labels || !w->executors)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < h->n_executors; i++) {
        if (!(w->executors[i] = strdup(h->executors[i])))
            return FAIL_NOMEM(e);
        w->n_executors++;
    }
    w->cpus = h->cpus;
    w->credits = h->credits;
    w->memory_bytes = h->memory_bytes;
    w->shared_store = h->shared_store;
    take_devices(w, h);
    return 0;
}

static void forget_peer(struct roster *r, struct worker *w)
{
    if (roster_by_peer(r, &w->peer) == w)
        map_remove(&r->by_peer, w->peer.bytes, w->peer.len);
}

struct worker *roster_hello(struct roster *r, const struct peer_id *peer, const char *user, const Acsweep__Hello *hello,
                            struct err *e)
{
    size_t len = strlen(hello->worker_id);
    struct worker *w = roster_by_id(r, hello->worker_id);
    if (w && strcmp(w->user, user) != 0)
        return FAIL_NULL(e, ERR_PEER, "worker %s joined with another key", w->id);
    bool is_new = !w;
    if (is_new) {
        w = calloc(1, sizeof *w);
        if (!w || !(w->id = strdup(hello->worker_id)) || map_put(&r->by_id, w->id, len, w, e) < 0) {
            if (w)
                worker_free(w);
            return FAIL_NULL(e, ERR_ENV, "out of memory");
        }
    } else {
        forget_peer(r, w);
    }
    struct worker *other = roster_by_peer(r, peer);
    if (other) /* the same connection under a new name; the map's key lives in the one that goes */
        forget_peer(r, other);
    w->peer = *peer;
    snprintf(w->user, sizeof w->user, "%s", user);
    if (take_hello(w, hello, e) < 0 || map_put(&r->by_peer, w->peer.bytes, w->peer.len, w, e) < 0) {
        if (is_new) {
            map_remove(&r->by_id, w->id, len);
            worker_free(w);
        }
        return NULL;
    }
    return w;
}

void roster_remove(struct roster *r, struct worker *w)
{
    struct err ignored = { 0 }; /* without memory the id is free until the next leader reads the rows */
    if (w->user[0] && !map_get(&r->key_of, w->id, strlen(w->id)))
        (void)!roster_remember_key(r, w->id, w->user, &ignored);
    forget_peer(r, w);
    map_remove(&r->by_id, w->id, strlen(w->id));
    worker_free(w);
}

void worker_hold(struct worker *w, struct task *t, uint32_t slot)
{
    t->worker = w;
    t->slot = slot < w->slots ? slot : 0;
    t->held_prev = NULL;
    t->held_next = w->held;
    if (w->held)
        w->held->held_prev = t;
    w->held = t;
    w->n_held++;
    w->in_flight[t->slot]++;
    w->warm[t->slot] = t->subject;
}

void worker_release(struct task *t)
{
    struct worker *w = t->worker;
    if (!w)
        return;
    if (t->held_prev)
        t->held_prev->held_next = t->held_next;
    else
        w->held = t->held_next;
    if (t->held_next)
        t->held_next->held_prev = t->held_prev;
    w->n_held--;
    if (w->in_flight[t->slot])
        w->in_flight[t->slot]--;
    t->worker = NULL;
    t->held_prev = t->held_next = NULL;
}
