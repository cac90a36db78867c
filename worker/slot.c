/* What may happen to a slot is the table `moves`; every change of state goes through slot_move(), so that an impossible
 * one is found at once. */
#include "worker/slot.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "common/log.h"
#include "common/mono.h"
#include "common/utf8.h"
#include "worker/proctree.h"

#define TIMEOUT_GRACE (10 * NS_PER_S) /* between "your time is up" and the kill */
#define DIE_WAIT (20 * NS_PER_S)      /* for SIGKILL to take effect; a process in a stuck driver call does not end */

static const struct {
    const char *name;
    unsigned next; /* bit set of states that may follow */
} moves[] = {
    [SLOT_EMPTY] = { "empty", 1u << SLOT_IDLE },
    [SLOT_IDLE] = { "idle", 1u << SLOT_BUSY | 1u << SLOT_DYING | 1u << SLOT_EMPTY },
    [SLOT_BUSY] = { "busy", 1u << SLOT_IDLE | 1u << SLOT_STOPPING | 1u << SLOT_DYING | 1u << SLOT_EMPTY },
    [SLOT_STOPPING] = { "stopping", 1u << SLOT_DYING | 1u << SLOT_EMPTY },
    [SLOT_DYING] = { "dying", 1u << SLOT_EMPTY },
};

static void slot_move(struct slot *s, enum slot_state to)
{
    assert(moves[s->state].next & 1u << to);
    log_debug("slot", KV_I64("slot", s->index), KV_STR("from", moves[s->state].name), KV_STR("to", moves[to].name));
    s->state = to;
}

/* With an exec that waits for its next task. */
static void rest(struct slot *s)
{
    slot_move(s, SLOT_IDLE);
    loop_timer_disarm(s->timer);
    if (s->pool->o.keep_idle_ns > 0)
        loop_timer_arm(s->timer, s->pool->o.keep_idle_ns, 0);
}

void slot_replace(struct slot *s)
{
    slot_move(s, SLOT_DYING);
    s->kill = true;
    loop_timer_arm(s->timer, DIE_WAIT, 0);
    loop_timer_arm(s->pool->killer, 0, 0);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static size_t device_texts(const struct slot *s, char *texts[GPU_MAX])
{
    for (size_t i = 0; i < s->n_devices; i++)
        texts[i] = (char *)devices_uuid(s->pool->o.devices, s->which[i]);
    return s->n_devices;
}

/* By the monotonic clock, so that a wall clock that is set meanwhile makes no attempt end before it began. */
static void fill_times(const struct slot *s, Acsweep__Result *r, Acsweep__Cost *cost)
{
    int64_t ns = s->started ? mono_now() - s->started : 0;
    cost->wall_seconds = (double)ns / (double)NS_PER_S;
    cost->gpu_seconds = cost->wall_seconds * (double)s->n_devices;
    r->started_unix_us = s->started ? s->started_us : wall_now_us();
    r->finished_unix_us = r->started_unix_us + ns / NS_PER_US;
    r->cost = cost;
}

/* The pool's own answer for the work, which it takes. */
static int answer_for(const struct slot *s, struct work *w, Acsweep__Outcome outcome, Acsweep__FailureClass class,
                      const char *message, struct err *e)
{
    const struct slot_handlers *on = &s->pool->o.on;
    char *devices[GPU_MAX], text[600]; /* a path in it may be anything */
    Acsweep__Cost cost = ACSWEEP__COST__INIT;
    Acsweep__Result r = ACSWEEP__RESULT__INIT;
    slots_forget(s->pool, w);
    snprintf(text, sizeof text, "%s", message);
    utf8_mend(text);
    fill_times(s, &r, &cost);
    r.token = w->a->token;
    r.outcome = outcome;
    r.failure = class;
    r.message = text;
    r.slot = s->index;
    r.n_devices = device_texts(s, devices);
    r.devices = devices;
    int done = on->on_result(&r, w->a->spec, on->arg, e);
    work_free(w);
    return done;
}

static int answer(struct slot *s, Acsweep__Outcome outcome, Acsweep__FailureClass class, const char *message,
                  struct err *e)
{
    return answer_for(s, s->work, outcome, class, message, e);
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
static int answer_stopped(const struct slot *s, struct work *w, const char *reason, struct err *e)
{
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(stops) && strcmp(stops[i].reason, reason) != 0)
        i++;
    return answer_for(s, w, stops[i].outcome, stops[i].class, stops[i].message, e);
}

int slot_answer_stopped(struct slots *p, struct work *w, const char *reason, struct err *e)
{
    const struct slot none = { .pool = p };
    return answer_stopped(&none, w, reason, e);
}

int slot_answer_unstarted(struct slots *p, struct work *w, Acsweep__FailureClass class, const char *why, struct err *e)
{
    const struct slot none = { .pool = p };
    return answer_for(&none, w, ACSWEEP__OUTCOME__FAILED, class, why, e);
}

static void describe_death(int status, bool oom, const char *broken, char *text, size_t room)
{
    if (broken[0])
        snprintf(text, room, "acsweep-exec broke the protocol and was killed: %s", broken);
    else if (oom)
        snprintf(text, room, "the kernel's out-of-memory killer ended acsweep-exec");
    else if (WIFSIGNALED(status))
        snprintf(text, room, "acsweep-exec died of signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, room, "acsweep-exec ended with code %d in the middle of the task", WEXITSTATUS(status));
}

static int answer_died(struct slot *s, int status, const char *broken, struct err *e)
{
    char text[512];
    bool oom = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && proctree_oom_kills() > s->oom_kills;
    /* scancel and a shutdown of the node send SIGTERM to every process of ours; an exec that has just begun may die of
     * it. */
    bool asked_to_end = WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT);
    describe_death(status, oom, broken, text, sizeof text);
    log_warn("slot.exec_died", KV_I64("slot", s->index), KV_I64("task", s->work->a->token->task_id),
             KV_STR("error", text));
    return answer(s, ACSWEEP__OUTCOME__FAILED,
                  oom            ? ACSWEEP__FAILURE_CLASS__HOST_OOM
                  : asked_to_end ? ACSWEEP__FAILURE_CLASS__PREEMPTED
                                 : ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE,
                  text, e);
}

/* ---- the exec's news --------------------------------------------------------------------------------------------- */

/* An exec keeps what it loaded, so some growth is its purpose; past the limit it is a leak. */
static bool leaks(struct slot *s)
{
    uint64_t rss = proctree_rss(slot_exec_pid(s->exec));
    if (!s->base_rss)
        s->base_rss = rss;
    bool yes = s->pool->o.leak_limit_bytes && rss > s->base_rss + s->pool->o.leak_limit_bytes;
    if (yes)
        log_warn("slot.leak", KV_I64("slot", s->index), KV_I64("rss", rss));
    return yes;
}

static int lied(struct slot *s, const Acsweep__Result *r, struct err *e)
{
    char text[200];
    const Acsweep__Token *t = r->token;
    snprintf(text, sizeof text, "acsweep-exec answered for task %llu attempt %u, which it was not given",
             t ? (unsigned long long)t->task_id : 0, t ? t->attempt : 0);
    log_error("slot.wrong_token", KV_I64("slot", s->index), KV_STR("error", text));
    TRY(answer(s, ACSWEEP__OUTCOME__FAILED, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE, text, e));
    slot_replace(s);
    return slots_dispatch(s->pool, e);
}

static int hand_on(struct slot *s, const Acsweep__Result *r, struct err *e)
{
    const struct slot_handlers *on = &s->pool->o.on;
    struct work *w = slots_forget(s->pool, s->work);
    int done = on->on_result(r, w->a->spec, on->arg, e);
    work_free(w);
    return done;
}

static int finish_stopping(struct slot *s, const Acsweep__Result *r, struct err *e)
{
    /* It ended, or saved its state, before the stop took effect: that is worth keeping. */
    bool kept = r->outcome == ACSWEEP__OUTCOME__SUCCEEDED || r->outcome == ACSWEEP__OUTCOME__CHECKPOINTED;
    TRY(kept ? hand_on(s, r, e) : answer_stopped(s, s->work, s->reason, e));
    slot_replace(s);
    return slots_dispatch(s->pool, e);
}

static int take_result(struct slot *s, const Acsweep__Result *r, struct err *e)
{
    if (!s->work) {
        log_warn("slot.late_result", KV_I64("slot", s->index));
        return 0;
    }
    s->answered = true;
    s->pool->fast_deaths = 0;
    if (s->state != SLOT_BUSY && s->state != SLOT_STOPPING)
        return 0;
    if (!token_equal(r->token, s->work->a->token))
        return lied(s, r, e);
    if (s->state == SLOT_STOPPING)
        return finish_stopping(s, r, e);
    rest(s);
    bool suspect = r->suspect;
    TRY(hand_on(s, r, e));
    if (s->state == SLOT_IDLE && (suspect || leaks(s)))
        slot_replace(s);
    return slots_dispatch(s->pool, e);
}

static int on_message(const envelope *m, void *arg, struct err *e)
{
    struct slot *s = arg;
    const struct slot_handlers *on = &s->pool->o.on;
    const Acsweep__Token *live =
        s->work && (s->state == SLOT_BUSY || s->state == SLOT_STOPPING) ? s->work->a->token : NULL;
    switch (m->body_case) {
    case ACSWEEP__ENVELOPE__BODY_STARTED:
        return token_equal(m->started->token, live) ? on->on_started(m->started, on->arg, e) : 0;
    case ACSWEEP__ENVELOPE__BODY_PROGRESS:
        return token_equal(m->progress->token, live) ? on->on_progress(m->progress, on->arg, e) : 0;
    case ACSWEEP__ENVELOPE__BODY_RESULTS:
        for (size_t i = 0; i < m->results->n_results; i++)
            TRY(take_result(s, m->results->results[i], e));
        return 0;
    default:
        return 0;
    }
}

static void tell_debris(struct slot *s)
{
    const struct slot_handlers *on = &s->pool->o.on;
    const struct work *w = s->fenced ? s->fenced : s->work;
    if (w)
        on->on_debris(w->a->token, w->a->spec, w == s->fenced, on->arg);
    work_free(TAKE(s->fenced));
}

static int on_end(int status, const char *broken, void *arg, struct err *e)
{
    struct slot *s = arg;
    bool stopping = s->reason[0] != '\0', too_fast = !s->answered && !stopping && s->state != SLOT_DYING;
    char reason[sizeof s->reason], why[240]; /* the text belongs to the exec, which goes before the answer does */
    memcpy(reason, s->reason, sizeof reason);
    snprintf(why, sizeof why, "%s", broken);
    loop_timer_disarm(s->timer);
    slot_exec_destroy(TAKE(s->exec));
    slot_move(s, SLOT_EMPTY);
    s->kill = false;
    s->reason[0] = '\0';
    slots_exec_died(s->pool, too_fast);
    tell_debris(s);
    int done = 0;
    if (s->work)
        done = stopping ? answer_stopped(s, s->work, reason, e) : answer_died(s, status, why, e);
    if (s->n_devices)
        devices_release(s->pool->o.devices, s->which, s->n_devices);
    s->n_devices = 0;
    TRY(done);
    return slots_dispatch(s->pool, e);
}

/* ---- work and time ----------------------------------------------------------------------------------------------- */

static int start_exec(struct slot *s, size_t n, struct err *e)
{
    struct slots *p = s->pool;
    char *devices[GPU_MAX];
    if (n && !devices_take(p->o.devices, n, s->which))
        return FAIL(e, ERR_BUG, "no %zu free devices for slot %u", n, s->index);
    s->n_devices = n;
    const struct slot_exec_options o = { .loop = p->o.loop,
                                         .path = p->exec_path,
                                         .worker_id = p->worker_id,
                                         .scratch = p->scratch,
                                         .store = p->store,
                                         .paths = p->o.paths,
                                         .slot = s->index,
                                         .devices = devices,
                                         .n_devices = device_texts(s, devices),
                                         .on = { on_message, on_end, s } };
    s->exec = slot_exec_spawn(&o, e);
    if (!s->exec) {
        if (n)
            devices_release(p->o.devices, s->which, n);
        s->n_devices = 0;
        return -1;
    }
    s->answered = false;
    s->base_rss = 0;
    rest(s);
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

int slot_start(struct slot *s, struct work *w, size_t n, struct err *e)
{
    struct err why = { 0 };
    s->work = w;
    s->started = mono_now();
    s->started_us = wall_now_us();
    if (s->state == SLOT_EMPTY && start_exec(s, n, &why) < 0) {
        log_error("slot.spawn", KV_I64("slot", s->index), KV_ERR(&why));
        slots_exec_died(s->pool, true);
        loop_timer_arm(s->pool->pause, SLOTS_PAUSE, 0);
        return answer(s, ACSWEEP__OUTCOME__FAILED, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE, why.text, e);
    }
    s->oom_kills = proctree_oom_kills();
    slot_move(s, SLOT_BUSY);
    loop_timer_disarm(s->timer);
    uint64_t limit = w->a->spec->time_limit_ms;
    if (limit && limit < (uint64_t)(INT64_MAX / NS_PER_MS))
        loop_timer_arm(s->timer, (int64_t)limit * NS_PER_MS, 0);
    return send_assign(s, e);
}

int slot_stop(struct slot *s, const char *reason, int64_t grace_ns, struct err *e)
{
    Acsweep__Cancel c = ACSWEEP__CANCEL__INIT;
    c.token = s->work->a->token;
    c.reason = (char *)reason;
    c.grace_ms = (uint64_t)(grace_ns / NS_PER_MS);
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_CANCEL;
    m.cancel = &c;
    snprintf(s->reason, sizeof s->reason, "%s", reason);
    slot_move(s, SLOT_STOPPING);
    /* A little longer than the exec has for its own tree, so that it can still tell how that went. */
    s->kill_at = mono_now() + grace_ns + NS_PER_S;
    loop_timer_arm(s->timer, grace_ns + NS_PER_S, 0);
    return slot_exec_send(s->exec, &m, e);
}

/* Killed long ago, and still there: its devices and its place are lost until it goes, its task is not. */
static int give_up(struct slot *s, struct err *e)
{
    struct slots *p = s->pool;
    char text[120];
    snprintf(text, sizeof text, "process %d cannot be killed; it is stuck in a driver or on a file system",
             (int)slot_exec_pid(s->exec));
    log_error("slot.stuck", KV_I64("slot", s->index), KV_STR("error", text));
    if (s->work)
        TRY(s->reason[0] ? answer_stopped(s, s->work, s->reason, e)
                         : answer(s, ACSWEEP__OUTCOME__FAILED, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE, text, e));
    if (s->n_devices) {
        devices_lose(p->o.devices, s->which, s->n_devices, text);
        TRY(p->o.on.on_fewer(p->o.on.arg, e));
    }
    return slots_dispatch(p, e);
}

int slot_on_timer(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct slot *s = arg;
    switch (s->state) {
    case SLOT_BUSY:
        return slot_stop(s, "timeout", TIMEOUT_GRACE, e);
    case SLOT_STOPPING:
        s->pool->o.on.on_killed(s->work->a->token, s->reason, s->pool->o.on.arg);
        slot_replace(s);
        return 0;
    case SLOT_DYING:
        return give_up(s, e);
    case SLOT_IDLE: /* long enough: its devices and memory are for others, and can be looked at */
        slot_replace(s);
        return 0;
    case SLOT_EMPTY:
        break;
    }
    return 0;
}
