/* noisy_proxy: stands between workers and coordinator and does what a bad network, or a worker gone wrong, may do.
 *
 *     noisy_proxy SEED WORKERS_ENDPOINT COORDINATOR_ENDPOINT
 *
 * Every message may come twice, and may come again seconds later, after others; some are held back for a while, so
 * that others overtake them. None is lost for good: what the protocol must survive beyond that, killed processes do.
 * Each worker gets a connection of its own to the coordinator, under its own identity. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/mono.h"
#include "common/own.h"

#define PEERS 1024      /* workers in the life of one proxy, restarts included */
#define LATER 4096      /* messages kept for later */
#define TWICE 10        /* one of so many is sent twice */
#define AGAIN 10        /* one of so many comes again later */
#define HELD_BACK 50    /* one of so many is late */
#define AGAIN_MS 9000   /* a replay comes up to so much later: beyond the lease of the tests */
#define HELD_BACK_MS 300

struct peer {
    zmq_msg_t id;
    void *up; /* DEALER to the coordinator */
};
struct later {
    int64_t due; /* 0 = free */
    size_t peer;
    bool upward;
    zmq_msg_t body;
};
struct proxy {
    void *zmq, *down; /* ROUTER for the workers */
    const char *coordinator;
    struct peer peers[PEERS];
    size_t n_peers;
    struct later later[LATER];
    uint64_t rng;
};

static void die(const char *what)
{
    fprintf(stderr, "noisy_proxy: %s: %s\n", what, zmq_strerror(errno));
    exit(4);
}

static uint64_t draw(struct proxy *p, uint64_t below)
{
    p->rng ^= p->rng << 13;
    p->rng ^= p->rng >> 7;
    p->rng ^= p->rng << 17;
    return (p->rng >> 11) % below;
}

static size_t peer_of(struct proxy *p, zmq_msg_t *id)
{
    for (size_t i = 0; i < p->n_peers; i++)
        if (zmq_msg_size(&p->peers[i].id) == zmq_msg_size(id) &&
            memcmp(zmq_msg_data(&p->peers[i].id), zmq_msg_data(id), zmq_msg_size(id)) == 0)
            return i;
    if (p->n_peers == PEERS) {
        errno = ENOSPC;
        die("too many workers");
    }
    struct peer *x = &p->peers[p->n_peers];
    int linger = 0;
    x->up = zmq_socket(p->zmq, ZMQ_DEALER);
    if (!x->up || zmq_setsockopt(x->up, ZMQ_LINGER, &linger, sizeof linger) < 0 ||
        zmq_setsockopt(x->up, ZMQ_ROUTING_ID, zmq_msg_data(id), zmq_msg_size(id)) < 0 ||
        zmq_connect(x->up, p->coordinator) < 0)
        die("connect");
    zmq_msg_init(&x->id);
    zmq_msg_copy(&x->id, id);
    return p->n_peers++;
}

/* A message that cannot go out now is lost, like one on a broken line. */
static void deliver(struct proxy *p, size_t peer, bool upward, zmq_msg_t *body)
{
    zmq_msg_t copy, id;
    zmq_msg_init(&copy);
    zmq_msg_copy(&copy, body);
    if (!upward) {
        zmq_msg_init(&id);
        zmq_msg_copy(&id, &p->peers[peer].id);
        if (zmq_msg_send(&id, p->down, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&id);
            zmq_msg_close(&copy);
            return;
        }
    }
    if (zmq_msg_send(&copy, upward ? p->peers[peer].up : p->down, ZMQ_DONTWAIT) < 0)
        zmq_msg_close(&copy);
}

static bool keep(struct proxy *p, size_t peer, bool upward, zmq_msg_t *body, uint64_t within_ms)
{
    struct later *l = &p->later[draw(p, LATER)];
    if (l->due)
        return false;
    l->due = mono_now() + (int64_t)(1 + draw(p, within_ms)) * NS_PER_MS;
    l->peer = peer;
    l->upward = upward;
    zmq_msg_init(&l->body);
    zmq_msg_copy(&l->body, body);
    return true;
}

static void pass(struct proxy *p, size_t peer, bool upward, zmq_msg_t *body)
{
    if (draw(p, HELD_BACK) == 0 && keep(p, peer, upward, body, HELD_BACK_MS))
        return;
    deliver(p, peer, upward, body);
    if (draw(p, TWICE) == 0)
        deliver(p, peer, upward, body);
    if (draw(p, AGAIN) == 0)
        keep(p, peer, upward, body, AGAIN_MS);
}

static void from_workers(struct proxy *p)
{
    zmq_msg_t id, body;
    zmq_msg_init(&id);
    zmq_msg_init(&body);
    while (zmq_msg_recv(&id, p->down, ZMQ_DONTWAIT) >= 0) {
        if (zmq_msg_recv(&body, p->down, ZMQ_DONTWAIT) < 0)
            die("half a message");
        pass(p, peer_of(p, &id), true, &body);
    }
    zmq_msg_close(&id);
    zmq_msg_close(&body);
}

static void from_coordinator(struct proxy *p, size_t peer)
{
    zmq_msg_t body;
    zmq_msg_init(&body);
    while (zmq_msg_recv(&body, p->peers[peer].up, ZMQ_DONTWAIT) >= 0)
        pass(p, peer, false, &body);
    zmq_msg_close(&body);
}

static void deliver_late(struct proxy *p)
{
    int64_t now = mono_now();
    for (size_t i = 0; i < LATER; i++) {
        struct later *l = &p->later[i];
        if (!l->due || l->due > now)
            continue;
        l->due = 0;
        deliver(p, l->peer, l->upward, &l->body);
        zmq_msg_close(&l->body);
    }
}

static void round_trip(struct proxy *p)
{
    zmq_pollitem_t items[PEERS + 1] = { { p->down, 0, ZMQ_POLLIN, 0 } };
    size_t n = p->n_peers;
    for (size_t i = 0; i < n; i++)
        items[i + 1] = (zmq_pollitem_t){ p->peers[i].up, 0, ZMQ_POLLIN, 0 };
    if (zmq_poll(items, (int)n + 1, 20) < 0 && errno != EINTR)
        die("poll");
    if (items[0].revents)
        from_workers(p);
    for (size_t i = 0; i < n; i++)
        if (items[i + 1].revents)
            from_coordinator(p, i);
    deliver_late(p);
}

int main(int argc, char **argv)
{
    static struct proxy p;
    if (argc != 4) {
        fprintf(stderr, "usage: noisy_proxy SEED WORKERS_ENDPOINT COORDINATOR_ENDPOINT\n");
        return 2;
    }
    p.rng = strtoull(argv[1], NULL, 10) * 0x9e3779b97f4a7c15u | 1;
    p.coordinator = argv[3];
    p.zmq = zmq_ctx_new();
    p.down = p.zmq ? zmq_socket(p.zmq, ZMQ_ROUTER) : NULL;
    int on = 1;
    if (!p.down || zmq_setsockopt(p.down, ZMQ_ROUTER_HANDOVER, &on, sizeof on) < 0 || zmq_bind(p.down, argv[2]) < 0)
        die(argv[2]);
    for (;;)
        round_trip(&p);
}
