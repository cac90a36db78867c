/* What workers say and what is said to them. A table of routes holds for each message who may send it; handlers do not
 * check that again. */
#include <jansson.h>
#include <string.h>

#include "common/digest.h"
#include "common/log.h"
#include "common/mono.h"
#include "coordinator/checks.h"
#include "coordinator/coord.h"

/* ---- sending ---- */

static int send_to(struct coord *c, const struct peer_id *to, envelope *m, struct err *e)
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
    return send_to(c, to, &m, e);
}

static Acsweep__Token token_of(const struct task *t)
{
    Acsweep__Token k = ACSWEEP__TOKEN__INIT;
    k.task_id = t->id;
    k.attempt = t->attempt;
    k.epoch = t->epoch;
    return k;
}

static int send_acks(struct coord *c, const struct peer_id *to, Acsweep__ResultAck **acks, size_t n, struct err *e)
{
    Acsweep__ResultAcks list = ACSWEEP__RESULT_ACKS__INIT;
    list.n_acks = n;
    list.acks = acks;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_RESULT_ACKS;
    m.result_acks = &list;
    return send_to(c, to, &m, e);
}

static int send_ack(struct coord *c, const struct peer_id *to, const Acsweep__Token *token, bool committed,
                    struct err *e)
{
    Acsweep__ResultAck ack = ACSWEEP__RESULT_ACK__INIT, *list[] = { &ack };
    ack.token = (Acsweep__Token *)token;
    ack.verdict = committed ? ACSWEEP__VERDICT__COMMITTED : ACSWEEP__VERDICT__FENCED;
    return send_acks(c, to, list, 1, e);
}

static int by_acked(const void *a, const void *b)
{
    const struct commit_end *x = *(const struct commit_end *const *)a, *y = *(const struct commit_end *const *)b;
    if (x->ack != y->ack)
        return x->ack < y->ack ? -1 : 1;
    return x < y ? -1 : x > y;
}

int peers_ack(struct coord *c, const struct commit *b, struct err *e)
{
    AUTO(free) const struct commit_end **ends = malloc((b->n_ends + 1) * sizeof *ends);
    AUTO(free) Acsweep__ResultAck *acks = malloc((b->n_ends + 1) * sizeof *acks);
    AUTO(free) Acsweep__ResultAck **list = malloc((b->n_ends + 1) * sizeof(void *));
    if (!ends || !acks || !list)
        return FAIL_NOMEM(e);
    size_t n = 0;
    for (size_t i = 0; i < b->n_ends; i++)
        if (b->ends[i].ack)
            ends[n++] = &b->ends[i];
    qsort(ends, n, sizeof *ends, by_acked);
    for (size_t i = 0; i < n; i++) {
        acks[i] = (Acsweep__ResultAck)ACSWEEP__RESULT_ACK__INIT;
        acks[i].token = ends[i]->result->token;
        acks[i].verdict = ACSWEEP__VERDICT__COMMITTED;
        list[i] = &acks[i];
    }
    for (size_t i = 0, m; i < n; i += m) {
        for (m = 1; i + m < n && ends[i + m]->ack == ends[i]->ack;)
            m++;
        TRY(send_acks(c, &ends[i]->ack->peer, &list[i], m, e));
    }
    return 0;
}

int peers_cancel(struct coord *c, struct task *t, const char *reason, struct err *e)
{
    if (!t->worker)
        return 0;
    Acsweep__Token token = token_of(t);
    Acsweep__Cancel cancel = ACSWEEP__CANCEL__INIT;
    cancel.token = &token;
    cancel.reason = (char *)reason;
    cancel.grace_ms = (uint64_t)(c->opt.drain_grace_ns / NS_PER_MS);
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_CANCEL;
    m.cancel = &cancel;
    return send_to(c, &t->worker->peer, &m, e);
}

/* ---- assignments ---- */

struct assignment { /* one Assignment message with all it points to */
    Acsweep__Token token;
    Acsweep__Resources resources;
    Acsweep__TaskSpec spec;
    Acsweep__Assignment body;
    Acsweep__InputRef *inputs, **input_list;
    Acsweep__ArtifactRef *refs, **ref_list;
};

static void assignment_clear(struct assignment *a)
{
    free(a->inputs);
    free(a->input_list);
    free(a->refs);
    free(a->ref_list);
}

static void fill_ref(Acsweep__ArtifactRef *r, const struct task_artifact *a)
{
    *r = (Acsweep__ArtifactRef)ACSWEEP__ARTIFACT_REF__INIT;
    r->name = a->name;
    r->digest = a->digest;
    r->bytes = a->bytes;
    r->store = a->store;
    r->path = a->path;
    if (a->content) {
        r->content.data = a->content;
        r->content.len = a->bytes;
    }
}

static int fill_inputs(struct assignment *a, const struct task *t, struct err *e)
{
    size_t n_refs = 0, at = 0;
    for (size_t i = 0; i < t->n_inputs; i++)
        n_refs += t->inputs[i].task->n_artifacts;
    a->inputs = calloc(t->n_inputs + 1, sizeof *a->inputs);
    a->input_list = calloc(t->n_inputs + 1, sizeof(void *));
    a->refs = calloc(n_refs + 1, sizeof *a->refs);
    a->ref_list = calloc(n_refs + 1, sizeof(void *));
    if (!a->inputs || !a->input_list || !a->refs || !a->ref_list)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < t->n_inputs; i++) {
        const struct task *from = t->inputs[i].task;
        Acsweep__InputRef *in = a->input_list[i] = &a->inputs[i];
        *in = (Acsweep__InputRef)ACSWEEP__INPUT_REF__INIT;
        in->name = t->inputs[i].name;
        in->identity = (char *)from->identity;
        in->n_artifacts = from->n_artifacts;
        in->artifacts = &a->ref_list[at];
        for (size_t k = 0; k < from->n_artifacts; k++, at++)
            fill_ref(a->ref_list[at] = &a->refs[at], &from->artifacts[k]);
    }
    a->spec.n_inputs = t->n_inputs;
    a->spec.inputs = a->input_list;
    return 0;
}

static int fill_assignment(struct assignment *a, const struct coord *c, const struct task *t, struct err *e)
{
    const struct plan_resources *r = &c->graph.shapes[t->shape].resources;
    a->token = token_of(t);
    a->resources = (Acsweep__Resources)ACSWEEP__RESOURCES__INIT;
    a->resources.gpus = r->gpus;
    a->resources.gpu_memory_bytes = r->gpu_memory_bytes;
    a->resources.compute_capability = r->compute_capability;
    a->resources.host_memory_bytes = r->host_memory_bytes;
    a->resources.cpus = r->cpus;
    a->spec = (Acsweep__TaskSpec)ACSWEEP__TASK_SPEC__INIT;
    a->spec.kind = (char *)t->kind;
    a->spec.executor = (char *)t->executor;
    a->spec.identity = (char *)t->identity;
    a->spec.label = t->label;
    a->spec.params = t->params;
    a->spec.resources = &a->resources;
    a->spec.time_limit_ms = t->time_limit_ms;
    a->body = (Acsweep__Assignment)ACSWEEP__ASSIGNMENT__INIT;
    a->body.token = &a->token;
    a->body.spec = &a->spec;
    a->body.slot = t->slot;
    return fill_inputs(a, t, e);
}

#define ASSIGN_MAX 512                             /* assignments in one message... */
#define ASSIGN_MAX_BYTES (WIRE_MAX_BYTES - 65536u) /* ...and bytes of them */

/* No fewer than the packed assignment has: texts and contents, and something for each field around them. */
static size_t assignment_bytes(const struct task *t)
{
    size_t n = 512 + strlen(t->label) + strlen(t->params);
    for (size_t i = 0; i < t->n_inputs; i++) {
        const struct task *from = t->inputs[i].task;
        n += 128 + strlen(t->inputs[i].name);
        for (size_t k = 0; k < from->n_artifacts; k++) {
            const struct task_artifact *a = &from->artifacts[k];
            n += 64 + strlen(a->name) + strlen(a->digest) + strlen(a->store) + strlen(a->path);
            n += a->content ? a->bytes : 0;
        }
    }
    return n;
}

static int send_assign(struct coord *c, struct worker *w, struct task **tasks, size_t n, struct err *e)
{
    AUTO(free) struct assignment *a = calloc(n, sizeof *a);
    AUTO(free) Acsweep__Assignment **list = calloc(n, sizeof *list);
    if (!a || !list)
        return FAIL_NOMEM(e);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = fill_assignment(&a[i], c, tasks[i], e);
        list[i] = &a[i].body;
    }
    Acsweep__Assign assign = ACSWEEP__ASSIGN__INIT;
    assign.n_assignments = n;
    assign.assignments = list;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_ASSIGN;
    m.assign = &assign;
    if (rc == 0)
        rc = send_to(c, &w->peer, &m, e);
    for (size_t i = 0; i < n; i++)
        assignment_clear(&a[i]);
    return rc;
}

static int by_worker(const void *a, const void *b)
{
    const struct task *x = *(struct task *const *)a, *y = *(struct task *const *)b;
    if (x->worker != y->worker)
        return x->worker < y->worker ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

int peers_assign(struct coord *c, struct task **tasks, size_t n, struct err *e)
{
    qsort(tasks, n, sizeof *tasks, by_worker);
    for (size_t i = 0; i < n;) {
        size_t m = 1, bytes = assignment_bytes(tasks[i]);
        if (bytes > ASSIGN_MAX_BYTES) {
            TRY(coord_end_attempt(c, tasks[i++], "failed", ACSWEEP__FAILURE_CLASS__DATA, true,
                                  "its parameters and inputs are more than one message holds; use files in the store",
                                  e));
            continue;
        }
        for (; i + m < n && m < ASSIGN_MAX && tasks[i + m]->worker == tasks[i]->worker; m++)
            if ((bytes += assignment_bytes(tasks[i + m])) > ASSIGN_MAX_BYTES)
                break;
        TRY(send_assign(c, tasks[i]->worker, &tasks[i], m, e));
        i += m;
    }
    return 0;
}

/* ---- joining ---- */

static struct task *token_task(const struct coord *c, const Acsweep__Token *k)
{
    struct task *t = graph_find(&c->graph, k->task_id);
    return t && t->attempt == k->attempt && t->epoch == k->epoch ? t : NULL;
}

/* The leased task of this token if this worker holds it, or held it before the coordinator's restart. */
static struct task *held_by(struct coord *c, struct worker *w, const Acsweep__Token *k)
{
    struct task *t = token_task(c, k);
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

static int store_worker(struct coord *c, const struct worker *w, const Acsweep__Hello *h, struct err *e);

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
        struct task *t = held_by(c, w, h->running[i]);
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
    TRY(send_to(c, &w->peer, &m, e));
    for (size_t i = 0; i < body.n_keep; i++) { /* asked to stop under the last leader, who may not have been heard */
        struct task *t = token_task(c, keep[i]);
        if (t && t->cancel_wanted)
            TRY(peers_cancel(c, t, "cancelled", e));
    }
    return 0;
}

struct peer_call {
    struct coord *c;
    const struct peer_id *from;
    const char *user;
    struct worker *w; /* NULL unless the sender said Hello */
    envelope **m;
};

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
    TRY(store_worker(c, w, h, e));
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
        struct task *t = held_by(p->c, p->w, h->running[i]);
        if (t) {
            t->lease_deadline = mono_now() + p->c->opt.lease_ns;
        } else if (is_void(token_task(p->c, h->running[i]))) {
            /* A newer attempt exists, the task was given up, or it is none of ours: its work must stop. */
            Acsweep__Cancel cancel = ACSWEEP__CANCEL__INIT;
            cancel.token = h->running[i];
            cancel.reason = (char *)"fenced";
            envelope m = ACSWEEP__ENVELOPE__INIT;
            m.body_case = ACSWEEP__ENVELOPE__BODY_CANCEL;
            m.cancel = &cancel;
            TRY(send_to(p->c, p->from, &m, e));
        }
    }
    return 0;
}

static int on_started(const struct peer_call *p, struct err *e)
{
    (void)e;
    const Acsweep__Started *started = (*p->m)->started;
    struct task *t = started->token ? held_by(p->c, p->w, started->token) : NULL;
    if (t)
        task_set_note(t, "started");
    return 0;
}

static int on_progress(const struct peer_call *p, struct err *e)
{
    (void)e;
    const Acsweep__Progress *g = (*p->m)->progress;
    struct task *t = g->token ? held_by(p->c, p->w, g->token) : NULL;
    if (t) {
        t->fraction = g->fraction;
        task_set_note(t, g->note);
    }
    return 0;
}

/* ---- results ---- */

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    return *s ^= *s << 17;
}

static const struct plan_retry *retry_of(const struct task *t)
{
    return t->sweeps ? &t->sweeps->sweep->plan->retry : NULL;
}

/* Doubling from the base, capped, with jitter of half: many tasks that failed together do not come back together. */
static int64_t backoff(struct coord *c, const struct plan_retry *r, unsigned failures)
{
    int64_t wait = r->backoff_ns;
    for (unsigned i = 1; i < failures && wait < r->backoff_max_ns; i++)
        wait *= 2;
    if (wait > r->backoff_max_ns)
        wait = r->backoff_max_ns;
    return wait / 2 + (int64_t)(next_random(&c->rng) % (uint64_t)(wait / 2 + 1));
}

/* Half as much again, but not more than the largest worker has: a task that outgrows every machine must use up its
 * budget and fail, not wait for ever. */
static uint64_t more_memory(const struct coord *c, uint64_t asked, bool of_gpu)
{
    uint64_t most = asked, wish = asked > UINT64_MAX / 2 ? asked : asked + asked / 2;
    const struct worker *w;
    for (size_t i = 0; (w = map_next(&c->roster.by_id, &i));) {
        uint64_t has = of_gpu ? w->device_memory_bytes : w->memory_bytes;
        if (w->state != WORKER_LEFT && has > most)
            most = has;
    }
    return wish < most ? wish : most;
}

/* What asked for too little memory asks for more. */
static int ask_for_more(struct coord *c, struct task *t, int failure, struct err *e)
{
    struct plan_resources r = c->graph.shapes[t->shape].resources;
    if (failure == ACSWEEP__FAILURE_CLASS__GPU_OOM)
        r.gpu_memory_bytes = more_memory(c, r.gpu_memory_bytes, true);
    else if (failure == ACSWEEP__FAILURE_CLASS__HOST_OOM)
        r.host_memory_bytes = more_memory(c, r.host_memory_bytes, false);
    else
        return 0;
    return graph_reshape(&c->graph, t, &r, e);
}

static enum task_event after_failure(struct coord *c, struct task *t, int failure, struct err *e, int *rc)
{
    const struct plan_retry *retry = retry_of(t);
    int budget = retry ? retry->budget[failure] : 0;
    unsigned failures = t->failures[failure] + 1u;
    if (budget >= 0 && failures > (unsigned)budget)
        return EV_STORED_FAILED;
    t->not_before = mono_now() + backoff(c, retry, failures);
    *rc = ask_for_more(c, t, failure, e);
    return EV_STORED_RETRY;
}

static void strike(struct coord *c, struct worker *w, bool good)
{
    w->strikes = good ? 0 : w->strikes + 1;
    if (!c->opt.quarantine_strikes || w->strikes < c->opt.quarantine_strikes)
        return;
    w->strikes = 0;
    w->quarantined_until = mono_now() + c->opt.quarantine_ns;
    log_warn("worker.quarantined", KV_STR("worker", w->id), KV_STR("node", w->node));
}

/* Sort an outcome into what happens next. */
static int judge(struct coord *c, struct commit_end *end, struct err *e)
{
    struct task *t = end->task;
    const Acsweep__Result *r = end->result;
    int rc = 0;
    const char *needed = check_needed_metric(t->kind);
    end->failure = (unsigned)r->failure < 8 ? (int)r->failure : ACSWEEP__FAILURE_CLASS__CODE;
    switch (r->outcome) {
    case ACSWEEP__OUTCOME__SUCCEEDED:
        if (needed && !check_has_metric(r, needed))
            break;
        end->outcome = "succeeded";
        end->failure = ACSWEEP__FAILURE_CLASS__FAILURE_NONE;
        end->next = EV_STORED_DONE;
        strike(c, end->ack, true);
        return 0;
    case ACSWEEP__OUTCOME__CHECKPOINTED:
        end->outcome = "checkpointed";
        end->next = t->cancel_wanted ? EV_CANCELLED : EV_STORED_RETRY;
        return 0;
    case ACSWEEP__OUTCOME__CANCELLED:
        end->outcome = "cancelled";
        end->next = t->cancel_wanted ? EV_CANCELLED : EV_STORED_RETRY;
        return 0;
    default:
        break;
    }
    end->outcome = "failed";
    if (r->outcome == ACSWEEP__OUTCOME__SUCCEEDED) { /* without its number it would count as done and never be seen */
        end->failure = ACSWEEP__FAILURE_CLASS__CODE;
        end->message = (char *)"the result lacks the metric that its kind of task is for";
    }
    if (end->failure == ACSWEEP__FAILURE_CLASS__FAILURE_NONE)
        end->failure = ACSWEEP__FAILURE_CLASS__CODE;
    end->charged = end->failure != ACSWEEP__FAILURE_CLASS__PREEMPTED;
    if (end->failure == ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE)
        strike(c, end->ack, false);
    if (t->cancel_wanted)
        end->next = EV_CANCELLED;
    else if (!end->charged)
        end->next = EV_STORED_RETRY;
    else
        end->next = after_failure(c, t, end->failure, e, &rc);
    return rc;
}

struct lookup { /* asks the database how an attempt that memory does not know had ended */
    struct db_job job;
    struct coord *c;
    struct peer_id peer;
    Acsweep__Token token;
    char *worker;
    bool committed;
};

static int lookup_run(struct db_job *j, struct db *d, struct err *e)
{
    struct lookup *l = (struct lookup *)j;
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg args[] = { SQL_I64((int64_t)l->token.task_id), SQL_I64(l->token.attempt),
                                    SQL_I64((int64_t)l->token.epoch) };
    TRY(db_exec(d, SQL_ATTEMPT_FIND, args, ARRAY_LEN(args), ROWS_0_OR_1, &rows, e));
    l->committed = db_rows_count(rows) == 1 && strcmp(db_text(rows, 0, 0), "lost") != 0;
    return 0;
}

static int lookup_done(struct db_job *j, const struct err *why, struct err *e)
{
    struct lookup *l = (struct lookup *)j;
    int rc = 0;
    if (!why) {
        if (!l->committed)
            rc = commit_add_event(l->c->gathering, "result.fenced", l->token.task_id, l->token.attempt, l->token.epoch,
                                  l->worker, "a stale result was refused", e);
        if (rc == 0)
            rc = send_ack(l->c, &l->peer, &l->token, l->committed, e);
        if (rc == 0)
            rc = coord_kick(l->c, e);
    } else {
        if (e)
            *e = *why;
        rc = -1;
    }
    free(l->worker);
    free(l);
    return rc;
}

/* A result that does not match a lease: either it was committed before and the acknowledgement was lost, or it is
 * stale. */
static int answer_stale(const struct peer_call *p, const Acsweep__Token *k, struct err *e)
{
    struct task *t = graph_find(&p->c->graph, k->task_id);
    if (t && t->state == TASK_ENDING && t->attempt == k->attempt && t->epoch == k->epoch)
        return 0; /* sent twice; the acknowledgement comes with the commit */
    struct lookup *l = calloc(1, sizeof *l);
    if (!l || !(l->worker = strdup(p->w->id))) {
        free(l);
        return FAIL_NOMEM(e);
    }
    l->job.run = lookup_run;
    l->job.done = lookup_done;
    l->c = p->c;
    l->peer = *p->from;
    l->token = (Acsweep__Token)ACSWEEP__TOKEN__INIT;
    l->token.task_id = k->task_id;
    l->token.attempt = k->attempt;
    l->token.epoch = k->epoch;
    dbthread_post(p->c->db, &l->job);
    return 0;
}

#ifdef ACSWEEP_MUTATE_FENCE
/* On purpose wrong: any result of a task that someone holds passes for the newest attempt's. The history checker must
 * notice. */
static struct task *result_task(const struct peer_call *p, const Acsweep__Result *r)
{
    struct task *t = graph_find(&p->c->graph, r->token->task_id);
    return t && t->state == TASK_LEASED ? t : NULL;
}
#else
#define BOOT_ID_LENGTH 36 /* a worker_id begins with it */

/* The leased task of this result's token. It may also come from the spool of an agent that was killed, by the one that
 * was started after it on the same node, with the same key: a token is given out once, so the work is that of the
 * lease. */
static struct task *result_task(const struct peer_call *p, const Acsweep__Result *r)
{
    struct coord *c = p->c;
    struct task *t = token_task(c, r->token);
    if (!t || t->state != TASK_LEASED)
        return NULL;
    if (held_by(c, p->w, r->token))
        return t;
    const char *holder = t->worker ? t->worker->id : t->worker_id ? t->worker_id : "";
    if (strncmp(holder, p->w->id, BOOT_ID_LENGTH) != 0 || (t->worker && strcmp(t->worker->user, p->w->user) != 0))
        return NULL;
    c->n_orphans -= !t->worker;
    return t;
}
#endif

static int take_result(const struct peer_call *p, const Acsweep__Result *r, bool *kept, struct err *e)
{
    struct task *t = result_task(p, r);
    if (!t)
        return answer_stale(p, r->token, e);
    char *holder = t->worker ? t->worker->id : t->worker_id;
    struct commit_end end = { .task = t, .result = r, .message = r->message, .worker_id = holder, .ack = p->w };
    TRY(judge(p->c, &end, e));
    TRY(graph_move(&p->c->graph, t, EV_OUTCOME_IN, e));
    *kept = true;
    return commit_add_end(p->c->gathering, &end, e);
}

static int on_results(const struct peer_call *p, struct err *e)
{
    const Acsweep__Results *list = (*p->m)->results;
    bool kept = false;
    struct err why = { 0 }; /* one line for all of the message */
    if (list->n_results > CHECK_RESULTS_MAX)
        FAIL(&why, ERR_PEER, "%zu results in one message; at most %d are allowed", list->n_results, CHECK_RESULTS_MAX);
    for (size_t i = 0; i < list->n_results && i < CHECK_RESULTS_MAX; i++)
        if (check_result(list->results[i], &why) == 0)
            TRY(take_result(p, list->results[i], &kept, e));
    if (why.kind) {
        log_warn("result.refused", KV_STR("worker", p->w->id), KV_ERR(&why));
        TRY(peers_refuse(p->c, p->from, (*p->m)->message_id, "result", why.text, e));
    }
    if (kept)
        TRY(commit_keep(p->c->gathering, p->m, e));
    return coord_kick(p->c, e);
}

static int on_bye(const struct peer_call *p, struct err *e)
{
    const Acsweep__Bye *bye = (*p->m)->bye;
    struct coord *c = p->c;
    log_info("worker.left", KV_STR("worker", p->w->id), KV_STR("reason", bye->reason),
             KV_I64("returned", bye->n_returned));
    for (size_t i = 0; i < bye->n_returned; i++) {
        struct task *t = held_by(c, p->w, bye->returned[i]);
        if (t && t->state == TASK_LEASED)
            TRY(coord_end_attempt(c, t, "cancelled", ACSWEEP__FAILURE_CLASS__PREEMPTED, false, "returned by its worker",
                                  e));
    }
    TRY(coord_worker_state(c, p->w, WORKER_LEFT, bye->reason, e));
    TRY(coord_event(c, "worker.left", NULL, 0, 0, p->w->id, bye->reason, e));
    return coord_kick(c, e);
}

/* ---- rows about workers ---- */

struct worker_rows {
    struct db_job job;
    char *id, *node, *boot_id, *version, *labels, *public_key;
    char **executors;
    size_t n_executors;
    struct worker_device {
        char *uuid, *name, *state;
        int64_t memory, capability;
    } * devices;
    size_t n_devices;
    int64_t cpus, memory, slots;
    bool shared_store;
};

static void worker_rows_free(struct worker_rows *r)
{
    for (size_t i = 0; i < r->n_executors; i++)
        free(r->executors[i]);
    for (size_t i = 0; i < r->n_devices; i++) {
        free(r->devices[i].uuid);
        free(r->devices[i].name);
        free(r->devices[i].state);
    }
    free(r->executors);
    free(r->devices);
    free(r->id);
    free(r->node);
    free(r->boot_id);
    free(r->version);
    free(r->labels);
    free(r->public_key);
    free(r);
}

static int worker_rows_run(struct db_job *j, struct db *d, struct err *e)
{
    struct worker_rows *r = (struct worker_rows *)j;
    const struct sql_arg args[] = {
        SQL_TEXT(r->id),
        SQL_TEXT(r->node),
        SQL_TEXT(r->boot_id),
        SQL_TEXT(r->version),
        SQL_I64(r->cpus),
        SQL_I64(r->memory),
        SQL_I64(r->slots),
        SQL_TEXT(r->labels),
        SQL_TEXTS((const char *const *)r->executors, r->n_executors),
        SQL_BOOL(r->shared_store),
        SQL_TEXT(r->public_key),
    };
    TRY(db_exec(d, SQL_WORKER_UPSERT, args, ARRAY_LEN(args), 1, NULL, e));
    for (size_t i = 0; i < r->n_devices; i++) {
        const struct worker_device *v = &r->devices[i];
        const struct sql_arg dev[] = { SQL_TEXT(r->id),        SQL_TEXT(v->uuid),
                                       SQL_TEXT(v->name),      SQL_I64(v->memory),
                                       SQL_I64(v->capability), SQL_TEXT(v->state[0] ? v->state : "ok") };
        TRY(db_exec(d, SQL_DEVICE_UPSERT, dev, ARRAY_LEN(dev), 1, NULL, e));
    }
    return 0;
}

static int worker_rows_done(struct db_job *j, const struct err *why, struct err *e)
{
    worker_rows_free((struct worker_rows *)j);
    if (why && why->kind != ERR_INTERRUPTED) {
        if (e)
            *e = *why;
        return -1;
    }
    return 0;
}

static int store_worker(struct coord *c, const struct worker *w, const Acsweep__Hello *h, struct err *e)
{
    struct worker_rows *r = calloc(1, sizeof *r);
    if (!r)
        return FAIL_NOMEM(e);
    r->job.run = worker_rows_run;
    r->job.done = worker_rows_done;
    r->id = strdup(w->id);
    r->node = strdup(w->node);
    r->boot_id = strdup(w->boot_id);
    r->version = strdup(w->version);
    AUTO(json_decref) json_t *labels = json_loads(w->labels, 0, NULL);
    r->labels = strdup(json_is_object(labels) ? w->labels : "{}");
    r->public_key = strdup(w->user);
    r->cpus = w->cpus;
    r->memory = (int64_t)w->memory_bytes;
    r->slots = w->slots;
    r->shared_store = w->shared_store;
    r->executors = calloc(w->n_executors + 1, sizeof *r->executors);
    r->devices = calloc(h->n_devices + 1, sizeof *r->devices);
    for (size_t i = 0; r->executors && i < w->n_executors; i++)
        r->executors[r->n_executors++] = strdup(w->executors[i]);
    for (size_t i = 0; r->devices && i < h->n_devices; i++)
        r->devices[r->n_devices++] =
            (struct worker_device){ strdup(h->devices[i]->uuid), strdup(h->devices[i]->name),
                                    strdup(h->devices[i]->state), (int64_t)h->devices[i]->memory_bytes,
                                    h->devices[i]->compute_capability };
    dbthread_post(c->db, &r->job);
    return 0;
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
    { ACSWEEP__ENVELOPE__BODY_RESULTS, on_results, WORKER },
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
