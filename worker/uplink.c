/* One DEALER at a time. ZeroMQ reconnects to the same address by itself; we only step in to try another one, and to
 * notice a coordinator that is connected but does not answer. */
#include "worker/uplink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/chan.h"
#include "common/endpoint.h"
#include "common/log.h"
#include "common/mono.h"

#define BACKOFF_MIN (200 * NS_PER_MS)
#define BACKOFF_MAX (10 * NS_PER_S)
#define CONNECT_WAIT (5 * NS_PER_S) /* for a link to come up, before the next address is tried */
#define GREET_WAIT (10 * NS_PER_S)  /* for a Welcome */

enum state { WAITING, CONNECTING, GREETING, UP };

#define TARGETS_MAX (2 * JOIN_MAX_ENDPOINTS)

struct target { /* an address of a coordinator: from the join string, or told in a Welcome */
    struct endpoint endpoint;
    char server_key[KEY_TEXT_SIZE];
};

struct uplink {
    struct uplink_options o;
    struct target targets[TARGETS_MAX];
    size_t n_targets;
    struct key_pair keys;
    bool has_keys;
    char *worker_id;
    enum state state;
    size_t at;               /* address in use */
    struct chan *chan;
    struct loop_timer *timer;
    int64_t backoff;
    size_t failures;         /* since the line was last up */
};

static int64_t with_jitter(int64_t ns)
{
    uint32_t r = 0;
    if (getrandom(&r, sizeof r, GRND_NONBLOCK) < 0)
        r = (uint32_t)mono_now();
    return ns / 2 + (int64_t)((double)(ns / 2) * ((double)r / 4294967296.0));
}

/* Leave this address; the next one is tried after a pause that grows only when all of them have failed. */
static int step_back(struct uplink *u, const char *why, struct err *e)
{
    bool was_up = u->state == UP;
    log_info("uplink.retry", KV_STR("endpoint", u->targets[u->at].endpoint.text), KV_STR("why", why));
    u->state = WAITING;
    chan_destroy(TAKE(u->chan));
    u->at = (u->at + 1) % u->n_targets;
    u->failures++;
    int64_t pause = u->failures % u->n_targets ? 20 * NS_PER_MS : with_jitter(u->backoff);
    if (u->failures % u->n_targets == 0)
        u->backoff = u->backoff * 2 < BACKOFF_MAX ? u->backoff * 2 : BACKOFF_MAX;
    loop_timer_arm(u->timer, pause, 0);
    return was_up ? u->o.on.on_lost(u->o.on.arg, e) : 0;
}

/* What a coordinator says of the others, and of itself, is as good as what the join string said: its key proved it. An
 * address that we could not use safely is not taken: beyond this machine both sides need keys. */
static void learn(struct uplink *u, const Acsweep__Endpoint *told)
{
    struct target t = { 0 };
    struct err why = { 0 };
    if (endpoint_parse(told->address, ENDPOINT_CONNECT, &t.endpoint, &why) < 0) {
        log_warn("uplink.bad_address", KV_ERR(&why));
        return;
    }
    for (size_t i = 0; i < u->n_targets; i++)
        if (strcmp(u->targets[i].endpoint.text, t.endpoint.text) == 0)
            return;
    if (u->n_targets == TARGETS_MAX || !(u->has_keys ? key_is_valid(told->server_key) : t.endpoint.loopback))
        return;
    if (u->has_keys)
        memcpy(t.server_key, told->server_key, KEY_TEXT_SIZE);
    u->targets[u->n_targets++] = t;
    log_info("uplink.learned", KV_STR("endpoint", t.endpoint.text));
}

static int welcomed(struct uplink *u, const Acsweep__Welcome *w, struct err *e)
{
    loop_timer_disarm(u->timer);
    u->state = UP;
    u->failures = 0;
    u->backoff = BACKOFF_MIN;
    log_info("uplink.up", KV_STR("endpoint", u->targets[u->at].endpoint.text), KV_I64("epoch", w->epoch));
    for (size_t i = 0; i < w->n_coordinators; i++)
        learn(u, w->coordinators[i]);
    return u->o.on.on_welcome(w, u->o.on.arg, e);
}

static int greet(struct uplink *u, struct err *e)
{
    u->state = GREETING;
    loop_timer_arm(u->timer, GREET_WAIT, 0);
    return u->o.on.on_greet(u->o.on.arg, e);
}

static int refused(struct uplink *u, const Acsweep__Refused *r, uint64_t answers, struct err *e)
{
    if (strcmp(r->code, "version") == 0 || strcmp(r->code, "key") == 0)
        return FAIL(e, ERR_PEER, "the coordinator refuses this worker (%s): %s", r->code, r->reason);
    bool unknown = strcmp(r->code, "state") == 0;
    if (unknown && u->state == UP)
        return greet(u, e); /* it has begun anew behind a line that stood */
    if (unknown && u->state == GREETING)
        return 0; /* about what was sent before this Hello; if it is about the Hello, no answer comes */
    if (u->state == GREETING || strcmp(r->code, "not_leader") == 0)
        return step_back(u, r->reason[0] ? r->reason : r->code, e);
    log_warn("uplink.refused", KV_STR("code", r->code), KV_STR("reason", r->reason));
    return u->state == UP && strcmp(r->code, "result") == 0 ? u->o.on.on_refused(r, answers, u->o.on.arg, e) : 0;
}

static int on_message(struct chan *c, const struct peer_id *from, const char *user, envelope **m, void *arg, struct err *e)
{
    (void)c;
    (void)from;
    (void)user;
    struct uplink *u = arg;
    switch ((*m)->body_case) {
    case ACSWEEP__ENVELOPE__BODY_WELCOME:
        return welcomed(u, (*m)->welcome, e);
    case ACSWEEP__ENVELOPE__BODY_REFUSED:
        return refused(u, (*m)->refused, (*m)->answers, e);
    default:
        return u->state == UP ? u->o.on.on_message(m, u->o.on.arg, e) : 0;
    }
}

static int on_bad(struct chan *c, const struct peer_id *from, const char *user, const struct err *why, void *arg,
                  struct err *e)
{
    (void)c;
    (void)from;
    (void)user;
    (void)e;
    (void)arg;
    log_error("uplink.bad_message", KV_ERR(why));
    return 0;
}

static int on_link(struct chan *c, enum chan_link link, const char *why, void *arg, struct err *e)
{
    (void)c;
    struct uplink *u = arg;
    switch (link) {
    case CHAN_UP:
        return greet(u, e);
    case CHAN_DOWN:
    case CHAN_REFUSED:
        return step_back(u, why, e);
    case CHAN_UNREACHABLE: /* with one address ZeroMQ's own patience will do */
        return u->n_targets > 1 ? step_back(u, why, e) : 0;
    }
    return 0;
}

static int on_writable(struct chan *c, void *arg, struct err *e)
{
    (void)c;
    struct uplink *u = arg;
    return u->state == UP ? u->o.on.on_writable(u->o.on.arg, e) : 0;
}

static int connect_now(struct uplink *u, struct err *e)
{
    const struct chan_options o = {
        .zmq = u->o.zmq,
        .name = "coordinator",
        .endpoint = u->targets[u->at].endpoint.text,
        .keys = u->has_keys ? &u->keys : NULL,
        .server_key = u->targets[u->at].server_key[0] ? u->targets[u->at].server_key : NULL,
        .identity = u->worker_id,
        .on = { on_message, on_bad, on_link, on_writable, u },
    };
    u->state = CONNECTING;
    u->chan = chan_connect(u->o.loop, &o, e);
    if (!u->chan)
        return -1;
    if (u->n_targets > 1)
        loop_timer_arm(u->timer, CONNECT_WAIT, 0);
    return 0;
}

static int on_timer(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct uplink *u = arg;
    switch (u->state) {
    case WAITING:
        return connect_now(u, e);
    case CONNECTING:
        return step_back(u, "no connection in time", e);
    case GREETING:
        return step_back(u, "connected, but it does not answer", e);
    case UP:
        return 0;
    }
    return 0;
}

struct uplink *uplink_create(const struct uplink_options *o, struct err *e)
{
    AUTO(uplink_destroy) struct uplink *u = calloc(1, sizeof *u);
    if (!u)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    u->o = *o;
    u->n_targets = o->join->n;
    for (size_t i = 0; i < u->n_targets; i++) {
        u->targets[i].endpoint = o->join->endpoints[i];
        memcpy(u->targets[i].server_key, o->join->server_key, KEY_TEXT_SIZE);
    }
    u->has_keys = o->keys != NULL;
    if (o->keys)
        u->keys = *o->keys;
    u->backoff = BACKOFF_MIN;
    u->worker_id = strdup(o->worker_id);
    if (!u->worker_id)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    u->timer = loop_add_timer(o->loop, -1, 0, on_timer, u, e);
    if (!u->timer || connect_now(u, e) < 0)
        return NULL;
    return TAKE(u);
}

void uplink_destroy(struct uplink *u)
{
    if (!u)
        return;
    chan_destroy(u->chan);
    loop_remove_timer(u->timer);
    key_pair_wipe(&u->keys);
    free(u->worker_id);
    free(u);
}

bool uplink_is_up(const struct uplink *u)
{
    return u->state == UP;
}

static int send_now(struct uplink *u, envelope *m, struct err *e)
{
    struct err why = { 0 };
    int sent = chan_send(u->chan, NULL, m, &why);
    if (sent >= 0)
        return sent;
    if (why.kind == ERR_PEER)
        return 1;
    *e = why;
    return -1;
}

int uplink_send(struct uplink *u, envelope *m, struct err *e)
{
    return u->state == UP ? send_now(u, m, e) : 1;
}

int uplink_send_hello(struct uplink *u, envelope *m, struct err *e)
{
    return u->chan ? send_now(u, m, e) : 1;
}
