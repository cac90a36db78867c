/* What workers say and what is said to them. A table of routes holds for each message who may send it; handlers do not
 * check that again. */
#include "coordinator/peers.h"

#include <string.h>

#include "common/log.h"
#include "common/mono.h"
#include "coordinator/checks.h"

/* ---- sending ---- */

int peers_send(struct coord *c, const struct peer_id *to, envelope *m, struct err *e)
{
    struct err why = { 0 };
    int rc = chan_send(c->chan, to, m, &why);
    if (rc == 0)
        return 0;
    if (rc < 0 && why.kind == ERR_BUG) {
        if (e)
            *e = why;
        return -1;
    }
    /* The peer is gone or does not read. What was for it is covered: assignments by their lease, acknowledgements by
     * the worker's sending again, answers by the client's deadline. */
    char text[PEER_ID_TEXT_SIZE];
    log_debug("peer.unreachable", KV_STR("peer", peer_id_text(to, text)),
              KV_STR("why", rc > 0 ? "does not read" : why.text));
    return 0;
}

int peers_refuse(struct coord *c, const struct peer_id *to, uint64_t answers, const char *code, const char *reason,
                 struct err *e)
{
    Acsweep__Refused refused = ACSWEEP__REFUSED__INIT;
    refused.code = (char *)code;
    refused.reason = (char *)reason;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.answers = answers;
    m.body_case = ACSWEEP__ENVELOPE__BODY_REFUSED;
    m.refused = &refused;
    return peers_send(c, to, &m, e);
}

Acsweep__Token peers_token(const struct task *t)
{
    Acsweep__Token k = ACSWEEP__TOKEN__INIT;
    k.task_id = t->id;
    k.attempt = t->attempt;
    k.epoch = t->epoch;
    return k;
}

int peers_cancel(struct coord *c, struct task *t, const char *reason, struct err *e)
{
    if (!t->worker)
        return 0;
    Acsweep__Token token = peers_token(t);
    Acsweep__Cancel cancel = ACSWEEP__CANCEL__INIT;
    cancel.token = &token;
    cancel.reason = (char *)reason;
    cancel.grace_ms = (uint64_t)(c->opt.drain_grace_ns / NS_PER_MS);
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_CANCEL;
    m.cancel = &cancel;
    return peers_send(c, &t->worker->peer, &m, e);
}

/* ---- joining ---- */

struct task *peers_token_task(const struct coord *c, const Acsweep__Token *k)
{
    struct task *t = graph_find(&c->graph, k->task_id);
    return t && t->attempt == k->attempt && t->epoch == k->epoch ? t : NULL;
}

struct task *peers_held_by(struct coord *c, struct worker *w, const Acsweep__Token *k)
{
    struct task *t = peers_token_task(c, k);
    if (!t || (t->state != TASK_LEASED && t->state != TASK_ENDING))
        return NULL;
    if (t->worker == w)
        return t;
    if (t->worker || t->state != TASK_LEASED || !t->worker_id || strcmp(t->worker_id, w->id) != 0)
        return NULL; /* an orphan that is ENDING was given up already, and counted */
    worker_hold(w, t, 0);
    c->n_orphans--;
    return t;
}

/* Where coordinators are: this one, if it knows, and those that wait. Returns how many. */
static size_t fill_places(struct coord *c, Acsweep__Endpoint *places, Acsweep__Endpoint **list)
{
    size_t n = 0;
    for (size_t i = 0; i <= c->standbys.n; i++) {
        bool here = i == c->standbys.n;
        places[n] = (Acsweep__Endpoint)ACSWEEP__ENDPOINT__INIT;
        places[n].address = here ? (char *)coord_address(c) : c->standbys.of[i].address;
        const char *key = !here ? c->standbys.of[i].server_key : c->opt.keys ? c->opt.keys->public_key : "";
        places[n].server_key = (char *)key;
        list[n] = &places[n];
        n += places[n].address != NULL;
    }
    return n;
}

static int welcome(struct coord *c, struct worker *w, const envelope *in, struct err *e)
{
    const Acsweep__Hello *h = in->hello;
    AUTO(free) Acsweep__Token **keep = calloc(2 * h->n_running + 1, sizeof *keep);
    if (!keep)
        return FAIL_NOMEM(e);
    Acsweep__Token **fenced = keep + h->n_running;
    Acsweep__Welcome body = ACSWEEP__WELCOME__INIT;
    for (size_t i = 0; i < h->n_running; i++) {
        struct task *t = peers_held_by(c, w, h->running[i]);
        if (t) {
            t->lease_deadline = mono_now() + c->opt.lease_ns;
            keep[body.n_keep++] = h->running[i];
        } else {
            fenced[body.n_fenced++] = h->running[i];
        }
    }
    Acsweep__Endpoint places[1 + STANDBY_MAX], *endpoints[1 + STANDBY_MAX];
    size_t n_places = fill_places(c, places, endpoints);
    body.version = WIRE_VERSION;
    body.epoch = c->epoch;
    body.heartbeat_ms = (uint64_t)(c->opt.heartbeat_ns / NS_PER_MS);
    body.lease_ms = (uint64_t)(c->opt.lease_ns / NS_PER_MS);
    body.disconnect_grace_ms = (uint64_t)(c->opt.disconnect_grace_ns / NS_PER_MS);
    body.n_coordinators = n_places;
    body.coordinators = endpoints;
    body.keep = keep;
    body.fenced = fenced;
    body.store = (char *)(c->opt.store ? c->opt.store : "");
    body.store_challenge = c->store_challenge;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.answers = in->message_id;
    m.body_case = ACSWEEP__ENVELOPE__BODY_WELCOME;
    m.welcome = &body;
    TRY(peers_send(c, &w->peer, &m, e));
    for (size_t i = 0; i < body.n_keep; i++) { /* asked to stop under the last leader, who may not have been heard */
        struct task *t = peers_token_task(c, keep[i]);
        if (t && t->cancel_wanted)
            TRY(peers_cancel(c, t, "cancelled", e));
    }
    return 0;
}

static int on_hello(const struct peer_call *p, struct err *e)
{
    struct coord *c = p->c;
    const envelope *m = *p->m;
    const Acsweep__Hello *h = m->hello;
    if (h->protocol_min > WIRE_VERSION || h->protocol_max < WIRE_VERSION) {
        char reason[200];
        snprintf(reason, sizeof reason,
                 "this coordinator speaks protocol %d and the worker %u to %u: upgrade the older one", WIRE_VERSION,
                 h->protocol_min, h->protocol_max);
        return peers_refuse(c, p->from, m->message_id, "version", reason, e);
    }
    if (!roster_key_fits(&c->roster, h->worker_id, p->user)) {
        log_warn("worker.key_differs", KV_STR("worker", h->worker_id), KV_STR("public_key", p->user));
        return peers_refuse(c, p->from, m->message_id, "key",
                            "a worker of that id joined with another key; ids are not handed on, start anew", e);
    }
    struct err why = { 0 };
    struct worker *w = check_hello(h, &why) < 0 ? NULL : roster_hello(&c->roster, p->from, p->user, h, &why);
    if (!w)
        return peers_refuse(c, p->from, m->message_id, "state", why.text, e);
    w->state = w->draining ? WORKER_DRAINING : WORKER_JOINED;
    w->last_seen = mono_now();
    w->strikes = 0;
    log_info("worker.joined", KV_STR("worker", w->id), KV_STR("node", w->node), KV_I64("slots", w->slots),
             KV_I64("devices", h->n_devices), KV_I64("running", h->n_running));
    TRY(peers_store_worker(c, w, h, e));
    TRY(coord_event(c, "worker.joined", NULL, 0, 0, w->id, w->node, e));
    return welcome(c, w, m, e);
}

/* Nothing can come of this attempt any more. One that ended by its result is left alone: the worker says "running"
 * until it reads our acknowledgement. */
static bool is_void(const struct task *t)
{
    return !t || (!t->ended_by_result && (t->state == TASK_FAILED || t->state == TASK_CANCELLED));
}

static int on_heartbeat(const struct peer_call *p, struct err *e)
{
    const Acsweep__Heartbeat *h = (*p->m)->heartbeat;
    if (h->n_running > CHECK_TOKENS_MAX)
        return peers_refuse(p->c, p->from, (*p->m)->message_id, "malformed", "a heartbeat with too many attempts", e);
    for (size_t i = 0; i < h->n_running; i++) {
        struct task *t = peers_held_by(p->c, p->w, h->running[i]);
        if (t) {
            t->lease_deadline = mono_now() + p->c->opt.lease_ns;
        } else if (is_void(peers_token_task(p->c, h->running[i]))) {
            /* A newer attempt exists, the task was given up, or it is none of ours: its work must stop. */
            Acsweep__Cancel cancel = ACSWEEP__CANCEL__INIT;
            cancel.token = h->running[i];
            cancel.reason = (char *)"fenced";
            envelope m = ACSWEEP__ENVELOPE__INIT;
            m.body_case = ACSWEEP__ENVELOPE__BODY_CANCEL;
            m.cancel = &cancel;
            TRY(peers_send(p->c, p->from, &m, e));
        }
    }
    return 0;
}

static int on_started(const struct peer_call *p, struct err *e)
{
    (void)e;
    const Acsweep__Started *started = (*p->m)->started;
    struct task *t = started->token ? peers_held_by(p->c, p->w, started->token) : NULL;
    if (t)
        task_set_note(t, "started");
    return 0;
}

static int on_progress(const struct peer_call *p, struct err *e)
{
    (void)e;
    const Acsweep__Progress *g = (*p->m)->progress;
    struct task *t = g->token ? peers_held_by(p->c, p->w, g->token) : NULL;
    if (t) {
        t->fraction = g->fraction;
        task_set_note(t, g->note);
    }
    return 0;
}

static int on_bye(const struct peer_call *p, struct err *e)
{
    const Acsweep__Bye *bye = (*p->m)->bye;
    struct coord *c = p->c;
    log_info("worker.left", KV_STR("worker", p->w->id), KV_STR("reason", bye->reason),
             KV_I64("returned", bye->n_returned));
    for (size_t i = 0; i < bye->n_returned; i++) {
        struct task *t = peers_held_by(c, p->w, bye->returned[i]);
        if (t && t->state == TASK_LEASED)
            TRY(coord_end_attempt(c, t, "cancelled", ACSWEEP__FAILURE_CLASS__PREEMPTED, false, "returned by its worker",
                                  e));
    }
    p->w->draining = true; /* its process ends: should it greet once more, there is nothing for it to do */
    TRY(coord_worker_state(c, p->w, WORKER_LEFT, bye->reason, e));
    TRY(coord_event(c, "worker.left", NULL, 0, 0, p->w->id, bye->reason, e));
    return coord_kick(c, e);
}

/* ---- routes ---- */

static int on_control(const struct peer_call *p, struct err *e)
{
    return control_request(p->c, p->from, *p->m, e);
}

static int on_watch(const struct peer_call *p, struct err *e)
{
    return control_watch(p->c, p->from, (*p->m)->watch, e);
}

/* What the sender must be: its key's role, or a worker that said Hello with the same key. */
enum need { JOINER, WORKER, CONTROL };

static const struct route {
    int body;
    int (*handle)(const struct peer_call *p, struct err *e);
    enum need need;
} routes[] = {
    { ACSWEEP__ENVELOPE__BODY_HELLO, on_hello, JOINER },
    { ACSWEEP__ENVELOPE__BODY_HEARTBEAT, on_heartbeat, WORKER },
    { ACSWEEP__ENVELOPE__BODY_STARTED, on_started, WORKER },
    { ACSWEEP__ENVELOPE__BODY_PROGRESS, on_progress, WORKER },
    { ACSWEEP__ENVELOPE__BODY_RESULTS, peers_on_results, WORKER },
    { ACSWEEP__ENVELOPE__BODY_BYE, on_bye, WORKER },
    { ACSWEEP__ENVELOPE__BODY_CONTROL_REQUEST, on_control, CONTROL },
    { ACSWEEP__ENVELOPE__BODY_WATCH, on_watch, CONTROL },
};

static const struct route *route_of(int body)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (routes[i].body == body)
            return &routes[i];
    return NULL;
}

/* It said Bye and lingers. A heartbeat that was on its way must not make it greet again and be given tasks. */
static bool has_left(const struct worker *w)
{
    return w && w->state == WORKER_LEFT && w->draining;
}

int peers_on_message(struct chan *ch, const struct peer_id *from, const char *user, envelope **m, void *arg,
                     struct err *e)
{
    (void)ch;
    struct coord *c = arg;
    struct peer_call p = { c, from, user, roster_by_peer(&c->roster, from), m };
    const struct route *r = route_of((int)(*m)->body_case);
    if (!r)
        return peers_refuse(c, from, (*m)->message_id, "unknown_body",
                            "this coordinator does not know that message: upgrade it, or use an older client", e);
    /* Anyone may claim any ROUTER identity; the key tells whether it is the worker that joined under it. */
    if (p.w && strcmp(p.w->user, user) != 0)
        p.w = NULL;
    enum access_role role = r->need == CONTROL ? ACCESS_CONTROL : ACCESS_WORKER;
    if (!access_may(c, user, role))
        return peers_refuse(c, from, (*m)->message_id, "key", access_remedy(role), e);
    if (has_left(p.w) && r->need == WORKER)
        return r->body == ACSWEEP__ENVELOPE__BODY_RESULTS ? r->handle(&p, e) : 0;
    if (r->need == WORKER && (!p.w || p.w->state == WORKER_LEFT))
        return peers_refuse(c, from, (*m)->message_id, "state", "say Hello first", e);
    if (p.w) {
        p.w->last_seen = mono_now();
        if (p.w->state == WORKER_SILENT)
            TRY(coord_worker_state(c, p.w, p.w->draining ? WORKER_DRAINING : WORKER_JOINED, "heard again", e));
    }
    return r->handle(&p, e);
}

/* The chan has logged it, at most so often. */
int peers_on_bad(struct chan *ch, const struct peer_id *from, const char *user, const struct err *why, void *arg,
                 struct err *e)
{
    (void)ch;
    struct coord *c = arg;
    bool kept_out = c->zap && !zap_is_allowed(c->zap, ACCESS_DOMAIN, user);
    return peers_refuse(c, from, 0, kept_out ? "key" : "malformed", why->text, e);
}
