/* The pool. What may happen to a slot is the table `moves`; every change of state goes through slot_move(), so that an
 * impossible one is found at once. */
#include "worker/slot.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/log.h"
#include "common/mono.h"
#include "worker/token.h"
#include "worker/proctree.h"
#include "worker/slot_exec.h"

#define TIMEOUT_GRACE (10 * NS_PER_S) /* between "your time is up" and the kill */
#define QUEUE_MAX 65536
#define FAST_DEATHS 5 /* execs in a row that died before their first result: wait before the next */
#define RESPAWN_WAIT (2 * NS_PER_S)

enum slot_state { EMPTY, IDLE, BUSY, STOPPING, DYING };

static const struct {
    const char *name;
    unsigned next; /* bit set of states that may follow */
} moves[] = {
    [EMPTY] = { "empty", 1u << IDLE },
    [IDLE] = { "idle", 1u << BUSY | 1u << DYING | 1u << EMPTY },
    [BUSY] = { "busy", 1u << IDLE | 1u << STOPPING | 1u << DYING | 1u << EMPTY },
    [STOPPING] = { "stopping", 1u << DYING | 1u << EMPTY },
    [DYING] = { "dying", 1u << EMPTY },
};

struct work { /* one assignment that the pool holds */
    struct work *next;
    Acsweep__Assignment *a;
};

struct slot {
    struct slots *pool;
    uint32_t index;
    enum slot_state state;
    struct slot_exec *exec;
    struct work *work;        /* what runs: BUSY, STOPPING, or DYING when it still needs an answer */
    struct loop_timer *timer; /* time limit when BUSY, grace when STOPPING, pause when EMPTY */
    char reason[64];          /* why it is stopping */
    uint64_t base_rss;        /* after the first task of this exec, 0 before */
    uint64_t oom_kills;       /* before the task began */
    int64_t started_us, started;
    int fast_deaths;
};

struct slots {
    struct slot_options o;
    char *exec_path, *worker_id, *scratch, *store;
    struct slot *list;
    struct work *queue, **tail;
    size_t queued;
};

static void work_free(struct work *w)
{
    if (!w)
        return;
    acsweep__assignment__free_unpacked(w->a, NULL);
    free(w);
}

static void slot_move(struct slot *s, enum slot_state to)
{
    assert(moves[s->state].next & 1u << to);
    log_debug("slot", KV_I64("slot", s->index), KV_STR("from", moves[s->state].name), KV_STR("to", moves[to].name));
    s->state = to;
}

static int dispatch(struct slots *p, struct err *e);

/* ---- answers ------------------------------------------------------------------------------------------------------
 */

static int answer(struct slot *s, Acsweep__Outcome outcome, Acsweep__FailureClass class, const char *message,
                  struct err *e)
{
    Acsweep__Cost cost = ACSWEEP__COST__INIT;
    Acsweep__Result r = ACSWEEP__RESULT__INIT;
    struct work *w = TAKE(s->work);
    cost.wall_seconds = (double)(mono_now() - s->started) / (double)NS_PER_S;
    r.token = w->a->token;
    r.outcome = outcome;
    r.failure = class;
    r.message = (char *)message;
    r.cost = &cost;
    r.slot = s->index;
    r.started_unix_us = s->started_us;
    r.finished_unix_us = wall_now_us();
    int done = s->pool->o.on.on_result(&r, s->pool->o.on.arg, e);
    work_free(w);
    return done;
}

static const struct {
    const char *reason;
    Acsweep__Outcome outcome;
    Acsweep__FailureClass class;
    const char *message;
} stops[] = {
    { "timeout", ACSWEEP__OUTCOME__FAILED, ACSWEEP__FAILURE_CLASS__TIMEOUT, "ran past its time limit and was stopped" },
    { "drain", ACSWEEP__OUTCOME__FAILED, ACSWEEP__FAILURE_CLASS__PREEMPTED, "stopped because the worker drains" },
    { "cut_off", ACSWEEP__OUTCOME__FAILED, ACSWEEP__FAILURE_CLASS__PREEMPTED,
      "stopped because the worker was cut off from the coordinator for longer than disconnect_grace" },
    { "cancelled", ACSWEEP__OUTCOME__CANCELLED, ACSWEEP__FAILURE_CLASS__FAILURE_NONE, "cancelled" },
};

/* The answer for a task that was stopped by us and had nothing better to say. */
static int answer_stopped(struct slot *s, struct err *e)
{
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(stops) && strcmp(stops[i].reason, s->reason) != 0)
        i++;
    return answer(s, stops[i].outcome, stops[i].class, stops[i].message, e);
}

static int answer_died(struct slot *s, int status, const char *broken, struct err *e)
{
    char text[512];
    bool oom = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && proctree_oom_kills() > s->oom_kills;
    /* scancel and a shutdown of the node send SIGTERM to every process of ours, and exec may go before we hear of it.
     */
    bool asked_to_end = WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT);
    if (broken[0])
        snprintf(text, sizeof text, "acsweep-exec broke the protocol and was killed: %s", broken);
    else if (oom)
        snprintf(text, sizeof text, "the kernel's out-of-memory killer ended acsweep-exec");
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "acsweep-exec died of signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(text, sizeof text, "acsweep-exec ended with code %d in the middle of the task", WEXITSTATUS(status));
    log_warn("slot.exec_died", KV_I64("slot", s->index), KV_I64("task", s->work->a->token->task_id),
             KV_STR("error", text));
    return answer(s, ACSWEEP__OUTCOME__FAILED,
                  oom            ? ACSWEEP__FAILURE_CLASS__HOST_OOM
                  : asked_to_end ? ACSWEEP__FAILURE_CLASS__PREEMPTED
                                 : ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE,
                  text, e);
}

/* ---- the exec's news ----------------------------------------------------------------------------------------------
 */

static void replace_exec(struct slot *s)
{
    loop_timer_disarm(s->timer);
    slot_move(s, DYING);
    slot_exec_kill(s->exec);
}

/* An exec keeps what it loaded, so some growth is its purpose; past the limit it is a leak. */
static bool leaks(struct slot *s)
{
    uint64_t rss = proctree_rss(slot_exec_pid(s->exec));
    if (!s->base_rss)
        s->base_rss = rss;
    return s->pool->o.leak_limit_bytes && rss > s->base_rss + s->pool->o.leak_limit_bytes;
}

static int lied(struct slot *s, const Acsweep__Result *r, struct err *e)
{
    char text[200];
    const Acsweep__Token *t = r->token;
    snprintf(text, sizeof text, "acsweep-exec answered for task %llu attempt %u, which it was not given",
             t ? (unsigned long long)t->task_id : 0, t ? t->attempt : 0);
    log_error("slot.wrong_token", KV_I64("slot", s->index), KV_STR("error", text));
    TRY(answer(s, ACSWEEP__OUTCOME__FAILED, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE, text, e));
    replace_exec(s);
    return 0;
}

static int finish_stopping(struct slot *s, const Acsweep__Result *r, struct err *e)
{
    bool kept = r->outcome == ACSWEEP__OUTCOME__SUCCEEDED || r->outcome == ACSWEEP__OUTCOME__CHECKPOINTED;
    if (kept) { /* it ended, or saved its state, before the stop took effect: that is worth keeping */
        struct work *w = TAKE(s->work);
        int done = s->pool->o.on.on_result(r, s->pool->o.on.arg, e);
        work_free(w);
        TRY(done);
    } else {
        TRY(answer_stopped(s, e));
    }
    replace_exec(s);
    return 0;
}

static int take_result(struct slot *s, const Acsweep__Result *r, struct err *e)
{
    if (!s->work) {
        log_warn("slot.late_result", KV_I64("slot", s->index));
        return 0;
    }
    s->fast_deaths = 0;
    if (!token_equal(r->token, s->work->a->token))
        return lied(s, r, e);
    if (s->state == STOPPING)
        return finish_stopping(s, r, e);
    if (s->state != BUSY)
        return 0;
    loop_timer_disarm(s->timer);
    slot_move(s, IDLE);
    struct work *w = TAKE(s->work);
    int done = s->pool->o.on.on_result(r, s->pool->o.on.arg, e);
    work_free(w);
    TRY(done);
    if (s->state == IDLE && leaks(s)) {
        log_warn("slot.leak", KV_I64("slot", s->index), KV_I64("rss", proctree_rss(slot_exec_pid(s->exec))));
        replace_exec(s);
    }
    return dispatch(s->pool, e);
}

static int on_message(const envelope *m, void *arg, struct err *e)
{
    struct slot *s = arg;
    const struct slot_handlers *on = &s->pool->o.on;
    bool live = s->work && (s->state == BUSY || s->state == STOPPING);
    switch (m->body_case) {
    case ACSWEEP__ENVELOPE__BODY_STARTED:
        return live && token_equal(m->started->token, s->work->a->token) ? on->on_started(m->started, on->arg, e) : 0;
    case ACSWEEP__ENVELOPE__BODY_PROGRESS:
        return live && token_equal(m->progress->token, s->work->a->token) ? on->on_progress(m->progress, on->arg, e)
                                                                          : 0;
    case ACSWEEP__ENVELOPE__BODY_RESULTS:
        for (size_t i = 0; i < m->results->n_results; i++)
            TRY(take_result(s, m->results->results[i], e));
        return 0;
    default:
        return 0;
    }
}

/* What a dead exec left running became our child; it holds memory and devices, so it must go. */
static void kill_strays(struct slots *p)
{
    pid_t children[256];
    size_t n = proctree_children(getpid(), children, ARRAY_LEN(children));
    for (size_t i = 0; i < n; i++) {
        bool ours = false;
        for (size_t k = 0; k < p->o.n; k++)
            ours |= p->list[k].exec && slot_exec_pid(p->list[k].exec) == children[i];
        if (ours)
            continue;
        log_warn("slot.stray", KV_I64("pid", children[i]));
        proctree_kill_with_root(children[i]);
        waitpid(children[i], NULL, 0);
    }
}

static int on_end(int status, const char *broken, void *arg, struct err *e)
{
    struct slot *s = arg;
    bool was_stopping = s->reason[0] != '\0', first = s->base_rss == 0;
    char why[240]; /* the text belongs to the exec, which goes before the answer does */
    snprintf(why, sizeof why, "%s", broken);
    loop_timer_disarm(s->timer);
    slot_exec_destroy(TAKE(s->exec));
    slot_move(s, EMPTY);
    s->base_rss = 0;
    s->fast_deaths = first && !was_stopping ? s->fast_deaths + 1 : 0;
    if (s->pool->o.adopt_strays)
        kill_strays(s->pool);
    int done = 0;
    if (s->work)
        done = was_stopping ? answer_stopped(s, e) : answer_died(s, status, why, e);
    s->reason[0] = '\0';
    TRY(done);
    if (s->fast_deaths >= FAST_DEATHS) {
        loop_timer_arm(s->timer, RESPAWN_WAIT, 0);
        return 0;
    }
    return dispatch(s->pool, e);
}

/* ---- giving work to slots ------------------------------------------------------------------------------------------
 */

static size_t device_count(const struct slot *s, size_t *first)
{
    const struct slot_options *o = &s->pool->o;
    *first = s->index * o->devices_per_slot;
    if (*first >= o->n_devices)
        return 0;
    return o->n_devices - *first < o->devices_per_slot ? o->n_devices - *first : o->devices_per_slot;
}

static int start_exec(struct slot *s, struct err *e)
{
    struct slots *p = s->pool;
    size_t first, n = device_count(s, &first);
    const struct slot_exec_options o = { .loop = p->o.loop,
                                         .path = p->exec_path,
                                         .worker_id = p->worker_id,
                                         .scratch = p->scratch,
                                         .store = p->store,
                                         .slot = s->index,
                                         .devices = n ? p->o.devices + first : NULL,
                                         .n_devices = n,
                                         .on = { on_message, on_end, s } };
    s->exec = slot_exec_spawn(&o, e);
    if (!s->exec)
        return -1;
    slot_move(s, IDLE);
    return 0;
}

static int send_assign(struct slot *s, struct err *e)
{
    Acsweep__Assign assign = ACSWEEP__ASSIGN__INIT;
    assign.n_assignments = 1;
    assign.assignments = &s->work->a;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_ASSIGN;
    m.assign = &assign;
    return slot_exec_send(s->exec, &m, e);
}

static int start_work(struct slot *s, struct work *w, struct err *e)
{
    s->work = w;
    s->started = mono_now();
    s->started_us = wall_now_us();
    struct err why = { 0 };
    if (s->state == EMPTY && start_exec(s, &why) < 0) {
        log_error("slot.spawn", KV_I64("slot", s->index), KV_ERR(&why));
        s->fast_deaths = FAST_DEATHS;
        loop_timer_arm(s->timer, RESPAWN_WAIT, 0);
        return answer(s, ACSWEEP__OUTCOME__FAILED, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE, why.text, e);
    }
    s->oom_kills = proctree_oom_kills();
    slot_move(s, BUSY);
    uint64_t limit = w->a->spec->time_limit_ms;
    if (limit && limit < (uint64_t)(INT64_MAX / NS_PER_MS))
        loop_timer_arm(s->timer, (int64_t)limit * NS_PER_MS, 0);
    return send_assign(s, e);
}

/* The first in the queue that may run here: a GPU task stays with the slot whose devices it was given. */
static struct work *next_for(struct slots *p, const struct slot *s)
{
    for (struct work **at = &p->queue; *at; at = &(*at)->next) {
        const Acsweep__Resources *r = (*at)->a->spec->resources;
        if (r && r->gpus > 0 && (*at)->a->slot < p->o.n && (*at)->a->slot != s->index)
            continue;
        struct work *w = *at;
        *at = w->next;
        if (p->tail == &w->next)
            p->tail = at;
        w->next = NULL;
        p->queued--;
        return w;
    }
    return NULL;
}

static int dispatch(struct slots *p, struct err *e)
{
    for (size_t i = 0; i < p->o.n && p->queue; i++) {
        struct slot *s = &p->list[i];
        bool paused = s->state == EMPTY && loop_timer_armed(s->timer);
        if ((s->state != EMPTY && s->state != IDLE) || paused)
            continue;
        struct work *w = next_for(p, s);
        if (w)
            TRY(start_work(s, w, e));
    }
    return 0;
}

static int stop(struct slot *s, const char *reason, int64_t grace_ns, struct err *e)
{
    Acsweep__Cancel c = ACSWEEP__CANCEL__INIT;
    c.token = s->work->a->token;
    c.reason = (char *)reason;
    c.grace_ms = (uint64_t)(grace_ns / NS_PER_MS);
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_CANCEL;
    m.cancel = &c;
    snprintf(s->reason, sizeof s->reason, "%s", reason);
    slot_move(s, STOPPING);
    /* A little longer than the exec has for its own tree, so that it can still tell how that went. */
    loop_timer_arm(s->timer, grace_ns + NS_PER_S, 0);
    return slot_exec_send(s->exec, &m, e);
}

static int on_timer(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct slot *s = arg;
    switch (s->state) {
    case BUSY:
        return stop(s, "timeout", TIMEOUT_GRACE, e);
    case STOPPING:
        s->pool->o.on.on_killed(s->work->a->token, s->reason, s->pool->o.on.arg);
        replace_exec(s);
        return 0;
    case EMPTY: /* the pause after execs that died at once */
        s->fast_deaths = 0;
        return dispatch(s->pool, e);
    default:
        return 0;
    }
}

/* ---- the pool -----------------------------------------------------------------------------------------------------
 */

static int copy_options(struct slots *p, const struct slot_options *o, struct err *e)
{
    p->o = *o;
    p->tail = &p->queue;
    p->exec_path = strdup(o->exec_path);
    p->worker_id = strdup(o->worker_id);
    p->scratch = strdup(o->scratch);
    p->store = strdup(o->store);
    p->list = calloc(o->n, sizeof *p->list);
    return p->exec_path && p->worker_id && p->scratch && p->store && p->list ? 0 : FAIL_NOMEM(e);
}

struct slots *slots_create(const struct slot_options *o, struct err *e)
{
    AUTO(slots_destroy) struct slots *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    if (copy_options(p, o, e) < 0)
        return NULL;
    for (size_t i = 0; i < o->n; i++) {
        struct slot *s = &p->list[i];
        s->pool = p;
        s->index = (uint32_t)i;
        s->timer = loop_add_timer(o->loop, -1, 0, on_timer, s, e);
        if (!s->timer)
            return NULL;
    }
    return TAKE(p);
}

void slots_destroy(struct slots *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->list && i < p->o.n; i++) {
        slot_exec_destroy(p->list[i].exec);
        work_free(p->list[i].work);
        loop_remove_timer(p->list[i].timer);
    }
    while (p->queue) {
        struct work *w = p->queue;
        p->queue = w->next;
        work_free(w);
    }
    free(p->list);
    free(p->exec_path);
    free(p->worker_id);
    free(p->scratch);
    free(p->store);
    free(p);
}

int slots_set_store(struct slots *p, const char *store, struct err *e)
{
    char *copy = strdup(store);
    if (!copy)
        return FAIL_NOMEM(e);
    free(p->store);
    p->store = copy;
    return 0;
}

static struct slot *slot_of(const struct slots *p, const Acsweep__Token *t)
{
    for (size_t i = 0; i < p->o.n; i++)
        if (p->list[i].work && token_equal(p->list[i].work->a->token, t))
            return &p->list[i];
    return NULL;
}

static struct work **queued_at(const struct slots *p, const Acsweep__Token *t)
{
    for (struct work *const *at = &p->queue; *at; at = &(*at)->next)
        if (token_equal((*at)->a->token, t))
            return (struct work **)at;
    return NULL;
}

static struct work *unlink_work(struct slots *p, struct work **at)
{
    struct work *w = *at;
    *at = w->next;
    if (p->tail == &w->next)
        p->tail = at;
    p->queued--;
    return w;
}

bool slots_holds(const struct slots *p, const Acsweep__Token *t)
{
    return slot_of(p, t) || queued_at(p, t);
}

int slots_add(struct slots *p, Acsweep__Assignment **a, struct err *e)
{
    if (slots_holds(p, (*a)->token))
        return 1;
    if (p->queued == QUEUE_MAX)
        return FAIL(e, ERR_PEER, "over %d assignments in advance", QUEUE_MAX);
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return FAIL_NOMEM(e);
    w->a = TAKE(*a);
    *p->tail = w;
    p->tail = &w->next;
    p->queued++;
    return dispatch(p, e);
}

int slots_cancel(struct slots *p, const Acsweep__Token *t, const char *reason, int64_t grace_ns, bool *here,
                 struct err *e)
{
    struct slot *s = slot_of(p, t);
    struct work **at = queued_at(p, t);
    *here = s || at;
    if (at) { /* never started: nothing to stop */
        struct slot none = {
            .pool = p, .work = unlink_work(p, at), .started = mono_now(), .started_us = wall_now_us()
        };
        snprintf(none.reason, sizeof none.reason, "%s", reason);
        return answer_stopped(&none, e);
    }
    return s && s->state == BUSY ? stop(s, reason, grace_ns, e) : 0;
}

int slots_cancel_all(struct slots *p, const char *reason, int64_t grace_ns, struct err *e)
{
    for (size_t i = 0; i < p->o.n; i++)
        if (p->list[i].state == BUSY)
            TRY(stop(&p->list[i], reason, grace_ns, e));
    return 0;
}

void slots_fence(struct slots *p, const Acsweep__Token *t)
{
    struct work **at = queued_at(p, t);
    if (at) {
        work_free(unlink_work(p, at));
        return;
    }
    struct slot *s = slot_of(p, t);
    if (!s)
        return;
    p->o.on.on_killed(t, "fenced", p->o.on.arg);
    work_free(TAKE(s->work));
    if (s->state == BUSY || s->state == STOPPING)
        replace_exec(s);
}

int slots_give_back(struct slots *p, Acsweep__Token **tokens, size_t *n, struct err *e)
{
    *n = 0;
    *tokens = calloc(p->queued + 1, sizeof **tokens);
    if (!*tokens)
        return FAIL_NOMEM(e);
    while (p->queue) {
        struct work *w = unlink_work(p, &p->queue);
        (*tokens)[(*n)++] = token_copy(w->a->token);
        work_free(w);
    }
    return 0;
}

size_t slots_running(const struct slots *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->o.n; i++)
        n += p->list[i].work != NULL;
    return n;
}

size_t slots_held(const struct slots *p)
{
    return slots_running(p) + p->queued;
}

size_t slots_tokens(const struct slots *p, Acsweep__Token *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < p->o.n && n < room; i++)
        if (p->list[i].work)
            out[n++] = token_copy(p->list[i].work->a->token);
    for (const struct work *w = p->queue; w && n < room; w = w->next)
        out[n++] = token_copy(w->a->token);
    return n;
}
