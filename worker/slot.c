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

/* One attempt's times, and its share of what `together` of them have used since the last result. By the monotonic
 * clock, so that a wall clock that is set meanwhile makes no attempt end before it began. */
static void fill_times(const struct slot *s, size_t together, Acsweep__Result *r, Acsweep__Cost *cost)
{
    int64_t now = mono_now(), ns = s->started ? now - s->started : 0, used = s->started ? now - s->counted : 0;
    cost->wall_seconds = (double)used / (double)NS_PER_S / (double)together;
    cost->gpu_seconds = cost->wall_seconds * (double)s->n_devices;
    r->started_unix_us = s->started ? s->started_us : wall_now_us();
    r->finished_unix_us = r->started_unix_us + ns / NS_PER_US;
    r->cost = cost;
}

struct ending { /* how the pool itself answers */
    Acsweep__Outcome outcome;
    Acsweep__FailureClass class;
    const char *message;
    size_t together; /* attempts that end by this */
};

static int answer_for(const struct slot *s, struct work *w, const struct ending *end, struct err *e)
{
    const struct slot_handlers *on = &s->pool->o.on;
    char *devices[GPU_MAX], text[600]; /* a path in it may be anything */
    Acsweep__Cost cost = ACSWEEP__COST__INIT;
    Acsweep__Result r = ACSWEEP__RESULT__INIT;
    slots_forget(s->pool, w);
    if (end->together > 1)
        snprintf(text, sizeof text, "%.500s (with %zu others of its bundle)", end->message, end->together - 1);
    else
        snprintf(text, sizeof text, "%s", end->message);
    utf8_mend(text);
    fill_times(s, end->together, &r, &cost);
    r.token = w->a->token;
    r.outcome = end->outcome;
    r.failure = end->class;
    r.message = text;
    r.ended_together = end->together > 1 ? (uint32_t)end->together : 0;
    r.slot = s->index;
    r.n_devices = device_texts(s, devices);
    r.devices = devices;
    int done = on->on_result(&r, w->a->spec, on->arg, e);
    work_free(w);
    return done;
}

/* For all of the bundle that still needs an answer. */
static int answer(struct slot *s, const struct ending *how, struct err *e)
{
    struct ending end = *how;
    end.together = s->bundle->held;
    for (struct work *w = s->bundle->first; w; w = w->next)
        if (w->held) {
            TRY(answer_for(s, w, &end, e));
            w->reported = true; /* nothing more is to come */
        }
    s->counted = mono_now();
    return 0;
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

/* The answer for what was stopped by us and had nothing better to say. */
static struct ending stopped(const char *reason)
{
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(stops) && strcmp(stops[i].reason, reason) != 0)
        i++;
    return (struct ending){ stops[i].outcome, stops[i].class, stops[i].message, 1 };
}

static int answer_stopped(struct slot *s, const char *reason, struct err *e)
{
    struct ending end = stopped(reason);
    return answer(s, &end, e);
}

static int answer_broken(struct slot *s, const char *why, struct err *e)
{
    struct ending end = { ACSWEEP__OUTCOME__FAILED, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE, why, 1 };
    return answer(s, &end, e);
}

int slot_answer_stopped(struct slots *p, struct work *w, const char *reason, struct err *e)
{
    const struct slot none = { .pool = p };
    struct ending end = stopped(reason);
    return answer_for(&none, w, &end, e);
}

int slot_answer_unstarted(struct slots *p, struct work *w, Acsweep__FailureClass class, const char *why, struct err *e)
{
    const struct slot none = { .pool = p };
    struct ending end = { ACSWEEP__OUTCOME__FAILED, class, why, 1 };
    return answer_for(&none, w, &end, e);
}

/* What was used for it so far is for those to account for that go on. */
int slot_leave_out(struct slot *s, struct work *w, const char *reason, struct err *e)
{
    struct slot free_of_charge = *s;
    struct ending end = stopped(reason);
    free_of_charge.counted = mono_now();
    return answer_for(&free_of_charge, w, &end, e);
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
    log_warn("slot.exec_died", KV_I64("slot", s->index), KV_I64("task", s->bundle->first->a->token->task_id),
             KV_I64("tasks", s->bundle->held), KV_STR("error", text));
    struct ending end = { ACSWEEP__OUTCOME__FAILED,
                          oom            ? ACSWEEP__FAILURE_CLASS__HOST_OOM
                          : asked_to_end ? ACSWEEP__FAILURE_CLASS__PREEMPTED
                                         : ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE,
                          text, 1 };
    return answer(s, &end, e);
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
    TRY(answer_broken(s, text, e));
    slot_replace(s);
    return slots_dispatch(s->pool, e);
}

static int hand_on(struct slot *s, struct work *w, const Acsweep__Result *r, struct err *e)
{
    const struct slot_handlers *on = &s->pool->o.on;
    slots_forget(s->pool, w);
    return on->on_result(r, w->a->spec, on->arg, e);
}

static bool has_work(const struct slot *s)
{
    return s->bundle && s->bundle->held;
}

static struct work *find_work(const struct slot *s, const Acsweep__Token *t)
{
    struct work *w = s->bundle ? s->bundle->first : NULL;
    while (w && !token_equal(w->a->token, t))
        w = w->next;
    return w;
}

/* Half-made artifacts, and of those that nobody holds any more the rest as well. */
static void tell_debris(struct slot *s, const struct work *w)
{
    const struct slot_handlers *on = &s->pool->o.on;
    on->on_debris(w->a->token, w->a->spec, !w->held, on->arg);
}

/* It ended, or saved its state, before the stop took effect: that is worth keeping. */
static bool worth_keeping(const Acsweep__Result *r)
{
    return r->outcome == ACSWEEP__OUTCOME__SUCCEEDED || r->outcome == ACSWEEP__OUTCOME__CHECKPOINTED;
}

static int settle(struct slot *s, struct work *w, const Acsweep__Result *r, struct err *e)
{
    w->reported = true;
    s->bundle->reported++;
    s->suspect |= r->suspect;
    if (!w->held) { /* it was taken out, and so is what it made */
        tell_debris(s, w);
        return 0;
    }
    if (s->state == SLOT_STOPPING && !worth_keeping(r)) {
        struct ending end = stopped(s->reason);
        TRY(answer_for(s, w, &end, e));
    } else {
        TRY(hand_on(s, w, r, e));
    }
    s->counted = mono_now();
    return 0;
}

/* Every attempt of the bundle is reported, or nobody wants what is not. */
static int finish(struct slot *s, struct err *e)
{
    bool all = s->bundle->reported == s->bundle->n;
    if (all)
        bundle_free(TAKE(s->bundle));
    if (all && s->state == SLOT_BUSY)
        rest(s);
    if (s->state != SLOT_IDLE || s->suspect || leaks(s))
        slot_replace(s);
    return slots_dispatch(s->pool, e);
}

static int take_result(struct slot *s, const Acsweep__Result *r, struct err *e)
{
    if (!has_work(s)) {
        log_warn("slot.late_result", KV_I64("slot", s->index));
        return 0;
    }
    s->answered = true;
    s->pool->fast_deaths = 0;
    if (s->state != SLOT_BUSY && s->state != SLOT_STOPPING)
        return 0;
    struct work *w = find_work(s, r->token);
    if (!w || w->reported)
        return lied(s, r, e);
    TRY(settle(s, w, r, e));
    return s->bundle->reported == s->bundle->n || !s->bundle->held ? finish(s, e) : 0;
}

static int on_message(const envelope *m, void *arg, struct err *e)
{
    struct slot *s = arg;
    const struct slot_handlers *on = &s->pool->o.on;
    const bool live = s->state == SLOT_BUSY || s->state == SLOT_STOPPING;
    const struct work *w;
    switch (m->body_case) {
    case ACSWEEP__ENVELOPE__BODY_STARTED:
        w = live ? find_work(s, m->started->token) : NULL;
        return w && w->held ? on->on_started(m->started, on->arg, e) : 0;
    case ACSWEEP__ENVELOPE__BODY_PROGRESS:
        w = live ? find_work(s, m->progress->token) : NULL;
        return w && w->held ? on->on_progress(m->progress, on->arg, e) : 0;
    case ACSWEEP__ENVELOPE__BODY_RESULTS:
        for (size_t i = 0; i < m->results->n_results; i++)
            TRY(take_result(s, m->results->results[i], e));
        return 0;
    default:
        return 0;
    }
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
    for (const struct work *w = s->bundle ? s->bundle->first : NULL; w; w = w->next)
        if (!w->reported)
            tell_debris(s, w);
    int done = 0;
    if (has_work(s))
        done = stopping ? answer_stopped(s, reason, e) : answer_died(s, status, why, e);
    bundle_free(TAKE(s->bundle));
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
    AUTO(free) Acsweep__Assignment **list = calloc(s->bundle->n, sizeof *list);
    if (!list)
        return FAIL_NOMEM(e);
    Acsweep__Assign assign = ACSWEEP__ASSIGN__INIT;
    assign.assignments = list;
    for (struct work *w = s->bundle->first; w; w = w->next)
        list[assign.n_assignments++] = w->a;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_ASSIGN;
    m.assign = &assign;
    return slot_exec_send(s->exec, &m, e);
}

/* The largest of its tasks' limits; 0 = one of them has none. */
static uint64_t time_limit(const struct bundle *b)
{
    uint64_t most = 0;
    for (const struct work *w = b->first; w; w = w->next) {
        if (!w->a->spec->time_limit_ms)
            return 0;
        if (w->a->spec->time_limit_ms > most)
            most = w->a->spec->time_limit_ms;
    }
    return most;
}

int slot_start(struct slot *s, struct bundle *b, size_t n, struct err *e)
{
    struct err why = { 0 };
    s->bundle = b;
    s->suspect = false;
    s->started = s->counted = mono_now();
    s->started_us = wall_now_us();
    if (s->state == SLOT_EMPTY && start_exec(s, n, &why) < 0) {
        log_error("slot.spawn", KV_I64("slot", s->index), KV_ERR(&why));
        slots_exec_died(s->pool, true);
        loop_timer_arm(s->pool->pause, SLOTS_PAUSE, 0);
        int done = answer_broken(s, why.text, e);
        bundle_free(TAKE(s->bundle));
        return done;
    }
    s->oom_kills = proctree_oom_kills();
    slot_move(s, SLOT_BUSY);
    loop_timer_disarm(s->timer);
    uint64_t limit = time_limit(b);
    if (limit && limit < (uint64_t)(INT64_MAX / NS_PER_MS))
        loop_timer_arm(s->timer, (int64_t)limit * NS_PER_MS, 0);
    return send_assign(s, e);
}

int slot_stop(struct slot *s, const char *reason, int64_t grace_ns, struct err *e)
{
    Acsweep__Cancel c = ACSWEEP__CANCEL__INIT;
    c.token = s->bundle->first->a->token; /* any of them stands for all */
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
    if (has_work(s))
        TRY(s->reason[0] ? answer_stopped(s, s->reason, e) : answer_broken(s, text, e));
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
        for (const struct work *w = s->bundle->first; w; w = w->next)
            if (w->held)
                s->pool->o.on.on_killed(w->a->token, s->reason, s->pool->o.on.arg);
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
