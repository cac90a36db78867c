/* The agent's states and its life. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/agent_internal.h"

#define ACK_WAIT (10 * NS_PER_S)     /* at the end, for the last acknowledgements */
#define CUT_OFF_GRACE (2 * NS_PER_S) /* for a checkpoint, when disconnect_grace is over */
#define LINGER (200 * NS_PER_MS)     /* for the Bye to leave the socket */
#define SIGNALS_APART NS_PER_S       /* two signals within this are one */
#define HEARTBEAT_DEFAULT (2 * NS_PER_S)
#define PROBE_WAIT (60 * NS_PER_S)
#define GIVEN_BACK_MAX 100000

enum event { WELCOMED, LOST, GRACE_OVER, TERMINATE, HURRY, KILL, DRAINED, LINGERED };

static int happen(struct agent *a, enum event event, struct err *e);

void agent_tick_soon(struct agent *a)
{
    if (!loop_timer_armed(a->tick))
        loop_timer_arm(a->tick, 0, 0);
}

int64_t agent_ms_to_ns(uint64_t ms)
{
    return ms > (uint64_t)(INT64_MAX / NS_PER_MS / 2) ? INT64_MAX / 2 : (int64_t)ms * NS_PER_MS;
}

/* ---- saying what we are ------------------------------------------------------------------------------------------ */

static int on_greet(void *arg, struct err *e)
{
    struct agent *a = arg;
    size_t n;
    AUTO(free) Acsweep__Token *held = agent_tokens(a, true, &n, e);
    if (!held)
        return -1;
    hello_facts_make(&a->facts, a->devices, slots_open(a->slots), a->facts.shared_store);
    int later = hello_send(a->uplink, &a->o, &a->facts, a->devices, held, n, e);
    TRY(later);
    a->announce = later > 0;
    return 0;
}

static bool may_announce(const struct agent *a)
{
    return uplink_is_up(a->uplink) && (a->state == READY || a->state == JOINING);
}

/* Slots and devices as they are now, when they are not as the coordinator was told: another Hello says so. */
int agent_announce(struct agent *a, struct err *e)
{
    struct hello_facts now;
    hello_facts_make(&now, a->devices, slots_open(a->slots), a->facts.shared_store);
    if (!a->announce && hello_facts_equal(&now, &a->facts))
        return 0;
    a->announce = true;
    return may_announce(a) ? on_greet(a, e) : 0;
}

/* A device is free, or out, or back. With fewer sets than before, what waits for one is better off elsewhere. */
static int on_devices(void *arg, struct err *e)
{
    struct agent *a = arg;
    uint32_t slots = a->facts.slots;
    TRY(agent_announce(a, e));
    if (slots_open(a->slots) < slots || devices_sets(a->devices) == 0)
        TRY(slots_turn_away(a->slots, "given back: its GPU was taken out of service", e));
    return slots_dispatch(a->slots, e);
}

static int on_heartbeat(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct agent *a = arg;
    size_t n;
    if (!uplink_is_up(a->uplink))
        return 0;
    AUTO(free) Acsweep__Token *held = agent_tokens(a, true, &n, e);
    if (!held)
        return -1;
    uint64_t looks = devices_looks(a->devices);
    int later = heartbeat_send(a->uplink, looks != a->looks_told ? a->devices : NULL, held, n, e);
    TRY(later);
    if (!later)
        a->looks_told = looks;
    return 0;
}

static int on_welcome(const Acsweep__Welcome *w, void *arg, struct err *e)
{
    struct agent *a = arg;
    for (size_t i = 0; i < w->n_fenced; i++)
        slots_fence(a->slots, w->fenced[i]);
    int64_t beat = w->heartbeat_ms ? agent_ms_to_ns(w->heartbeat_ms) : HEARTBEAT_DEFAULT;
    loop_timer_arm(a->heartbeat, beat, beat);
    if (!a->o.disconnect_grace_ns && w->disconnect_grace_ms)
        a->grace_ns = agent_ms_to_ns(w->disconnect_grace_ms);
    TRY(agent_look_for_store(a, w, e));
    return happen(a, WELCOMED, e);
}

static int on_lost(void *arg, struct err *e)
{
    return happen(arg, LOST, e);
}

static int on_writable(void *arg, struct err *e)
{
    struct agent *a = arg;
    agent_tick_soon(a);
    return a->announce ? agent_announce(a, e) : 0;
}

/* ---- states ------------------------------------------------------------------------------------------------------ */

static int do_nothing(struct agent *a, struct err *e)
{
    (void)a;
    (void)e;
    return 0;
}

static int do_resume(struct agent *a, struct err *e)
{
    (void)e;
    loop_timer_disarm(a->grace);
    agent_send_again(a, INT64_MAX); /* what was on the way when the line broke may be lost */
    return 0;
}

static int do_wait_for_line(struct agent *a, struct err *e)
{
    (void)e;
    log_warn("cut_off", KV_I64("held", slots_held(a->slots)), KV_I64("grace_s", a->grace_ns / NS_PER_S));
    loop_timer_arm(a->grace, a->grace_ns, 0);
    return 0;
}

/* Told as preempted, so that it costs the task none of its tries: it did nothing wrong. */
static int do_give_up(struct agent *a, struct err *e)
{
    size_t n;
    AUTO(free) Acsweep__Token *held = agent_tokens(a, false, &n, e);
    if (!held)
        return -1;
    log_warn("cut_off.too_long", KV_I64("stopped", n), KV_I64("grace_s", a->grace_ns / NS_PER_S));
    for (size_t i = 0; i < n; i++) {
        bool here;
        TRY(slots_cancel(a->slots, &held[i], "cut_off", CUT_OFF_GRACE, &here, e));
    }
    return 0;
}

static int do_hurry(struct agent *a, struct err *e)
{
    agent_tick_soon(a);
    if (a->drain_grace_ns <= 0)
        return 0;
    TRY(slots_cancel_all(a->slots, "drain", a->drain_grace_ns, e));
    loop_timer_arm(a->end, a->drain_grace_ns + ACK_WAIT, 0);
    return 0;
}

static int do_drain(struct agent *a, struct err *e)
{
    AUTO(free) Acsweep__Token *queued = NULL;
    size_t n;
    log_info("drain", KV_STR("reason", a->end_reason), KV_I64("running", slots_running(a->slots)));
    TRY(slots_give_back(a->slots, &queued, &n, e));
    for (size_t i = 0; i < n; i++)
        TRY(agent_give_back(a, &queued[i], e));
    return do_hurry(a, e);
}

static int do_leave(struct agent *a, struct err *e)
{
    TRY(bye_send(a->uplink, a->end_reason, a->given_back, a->n_given_back, e));
    log_info("leave", KV_STR("reason", a->end_reason), KV_I64("returned", a->n_given_back),
             KV_I64("unacknowledged", spool_count(a->spool)));
    agent_flush_history(a);
    loop_timer_arm(a->end, LINGER, 0);
    return 0;
}

static int do_kill_and_leave(struct agent *a, struct err *e)
{
    size_t n;
    AUTO(free) Acsweep__Token *held = agent_tokens(a, false, &n, e);
    if (!held)
        return -1;
    for (size_t i = 0; i < n; i++)
        TRY(agent_give_back(a, &held[i], e));
    slots_fence_all(a->slots);
    log_warn("killed_all", KV_I64("attempts", n));
    return do_leave(a, e);
}

static int do_end(struct agent *a, struct err *e)
{
    (void)e;
    loop_stop(a->o.loop);
    return 0;
}

static const char *const state_names[] = { "joining", "ready", "cut_off", "draining", "leaving" };

static const struct {
    enum agent_state from;
    enum event event;
    enum agent_state to;
    int (*act)(struct agent *a, struct err *e);
} moves[] = {
    { JOINING, WELCOMED, READY, do_resume },
    { JOINING, LOST, JOINING, do_nothing },
    { JOINING, TERMINATE, DRAINING, do_drain },
    { READY, WELCOMED, READY, do_resume }, /* the answer to a second Hello */
    { READY, LOST, CUT_OFF, do_wait_for_line },
    { READY, TERMINATE, DRAINING, do_drain },
    { CUT_OFF, WELCOMED, READY, do_resume },
    { CUT_OFF, GRACE_OVER, CUT_OFF, do_give_up },
    { CUT_OFF, TERMINATE, DRAINING, do_drain },
    { DRAINING, WELCOMED, DRAINING, do_resume },
    { DRAINING, LOST, DRAINING, do_nothing },
    { DRAINING, HURRY, DRAINING, do_hurry },
    { DRAINING, DRAINED, LEAVING, do_leave },
    { DRAINING, KILL, LEAVING, do_kill_and_leave }, /* a second signal, or out of time */
    { LEAVING, LINGERED, LEAVING, do_end },
    { LEAVING, KILL, LEAVING, do_end },
};

static int happen(struct agent *a, enum event event, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
        if (moves[i].from != a->state || moves[i].event != event)
            continue;
        if (moves[i].to != a->state)
            log_info("state", KV_STR("from", state_names[a->state]), KV_STR("to", state_names[moves[i].to]));
        a->state = moves[i].to;
        return moves[i].act(a, e);
    }
    return 0; /* means nothing in this state, e.g. LOST while leaving */
}

int agent_give_back(struct agent *a, const Acsweep__Token *t, struct err *e)
{
    if (a->n_given_back >= GIVEN_BACK_MAX)
        return FAIL(e, ERR_PEER, "the coordinator goes on assigning to a worker that drains");
    Acsweep__Token *grown = realloc(a->given_back, (a->n_given_back + 1) * sizeof *grown);
    if (!grown)
        return FAIL_NOMEM(e);
    a->given_back = grown;
    a->given_back[a->n_given_back++] = token_copy(t);
    history_add(a->history, "returned", t, NULL);
    return 0;
}

int agent_drain(struct agent *a, const char *reason, int64_t grace_ns, struct err *e)
{
    bool shorter = grace_ns > 0 && (a->drain_grace_ns <= 0 || grace_ns < a->drain_grace_ns);
    if (a->state == DRAINING && !shorter)
        return 0;
    if (a->state != DRAINING && a->state != LEAVING)
        snprintf(a->end_reason, sizeof a->end_reason, "%s", reason);
    a->drain_grace_ns = grace_ns;
    return happen(a, a->state == DRAINING ? HURRY : TERMINATE, e);
}

int agent_terminate(struct agent *a, const char *reason, struct err *e)
{
    int64_t now = mono_now();
    if (a->signalled && now - a->signalled < SIGNALS_APART)
        return 0;
    if (a->signalled || a->state == LEAVING)
        return happen(a, KILL, e);
    a->signalled = now;
    return agent_drain(a, reason, a->o.drain_grace_ns, e);
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */

static int on_tick(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct agent *a = arg;
    agent_flush_history(a);
    spool_commit(a->spool);
    TRY(agent_send_results(a, e));
    agent_flush_history(a);
    bool acknowledged = spool_count(a->spool) == 0 || !uplink_is_up(a->uplink) || a->out_of_time;
    if (a->state == DRAINING && slots_held(a->slots) == 0 && acknowledged)
        return happen(a, DRAINED, e);
    return 0;
}

static int on_resend(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    (void)e;
    struct agent *a = arg;
    spool_retry(a->spool);
    if (spool_count(a->spool))
        agent_send_again(a, mono_now() - a->o.resend_ns);
    return 0;
}

static int on_grace(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    return happen(arg, GRACE_OVER, e);
}

static int on_end_timer(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct agent *a = arg;
    a->out_of_time = true;
    return happen(a, a->state == DRAINING ? KILL : LINGERED, e);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static int make_timers(struct agent *a, struct err *e)
{
    const struct {
        struct loop_timer **timer;
        loop_timer_fn *fn;
        int64_t every;
    } wanted[] = {
        { &a->tick, on_tick, 0 },   { &a->heartbeat, on_heartbeat, 0 }, { &a->resend, on_resend, a->o.resend_ns },
        { &a->grace, on_grace, 0 }, { &a->end, on_end_timer, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        int64_t first = wanted[i].every ? wanted[i].every : -1;
        *wanted[i].timer = loop_add_timer(a->o.loop, first, wanted[i].every, wanted[i].fn, a, e);
        if (!*wanted[i].timer)
            return -1;
    }
    return 0;
}

static int make_devices(struct agent *a, struct err *e)
{
    const struct devices_options o = {
        .loop = a->o.loop,
        .exec_path = a->o.exec_path,
        .first = a->o.gpus,
        .per_set = a->o.devices_per_slot,
        .sets_max = a->o.slots,
        .leak_bytes = a->o.gpu_leak_bytes,
        .check_ns = a->o.gpu_check_ns,
        .return_ns = a->o.gpu_return_ns,
        .retry_ns = a->o.gpu_retry_ns,
        .timeout_ns = PROBE_WAIT,
        .on_change = on_devices,
        .arg = a,
    };
    a->devices = devices_create(&o, e);
    if (!a->devices)
        return -1;
    if (a->o.gpus->n && devices_sets(a->devices) < a->o.slots)
        log_warn(
            "slots", KV_I64("asked", a->o.slots), KV_I64("sets_of_gpus", devices_sets(a->devices)),
            KV_STR("action", "as many tasks at a time as there are sets of healthy GPUs that no other worker has"));
    return 0;
}

static int make_slots(struct agent *a, struct err *e)
{
    struct slot_options o = {
        .loop = a->o.loop,
        .exec_path = a->o.exec_path,
        .worker_id = a->o.worker_id,
        .scratch = a->o.scratch,
        .store = "",
        .paths = a->o.paths,
        .n = a->o.slots,
        .devices = a->devices,
        .per_set = a->o.devices_per_slot,
        .keep_idle_ns = a->o.keep_idle_ns,
        .leak_limit_bytes = a->o.leak_limit_bytes,
        .adopt_strays = true,
        .on = agent_slot_handlers,
    };
    o.on.on_fewer = on_devices;
    o.on.arg = a;
    a->slots = slots_create(&o, e);
    return a->slots ? 0 : -1;
}

static int make_leftovers(struct agent *a, struct err *e)
{
    const struct leftovers_options o = { a->o.loop, a->o.scratch, agent_on_cleared, a };
    a->leftovers = leftovers_create(&o, e);
    a->looks = a->leftovers ? errands_create(a->o.loop, e) : NULL;
    return a->looks ? 0 : -1;
}

static int make_uplink(struct agent *a, struct err *e)
{
    const struct uplink_options o = {
        .loop = a->o.loop,
        .zmq = a->o.zmq,
        .join = a->o.join,
        .keys = a->o.keys,
        .worker_id = a->o.worker_id,
        .on = { on_greet, on_welcome, agent_on_message, agent_on_refused, on_lost, on_writable, a },
    };
    a->uplink = uplink_create(&o, e);
    return a->uplink ? 0 : -1;
}

static int open_files(struct agent *a, struct err *e)
{
    a->spool = spool_open(a->o.state_dir, e);
    if (!a->spool)
        return -1;
    if (spool_count(a->spool))
        log_info("spool.found", KV_I64("results", spool_count(a->spool)));
    if (!a->o.history)
        return 0;
    a->history = history_open(a->o.state_dir, a->o.worker_id, e);
    return a->history ? agent_log_found(a, e) : -1;
}

struct agent *agent_create(const struct agent_options *o, struct err *e)
{
    AUTO(agent_destroy) struct agent *a = calloc(1, sizeof *a);
    if (!a)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    a->o = *o;
    a->store = strdup("");
    a->grace_ns = o->disconnect_grace_ns ? o->disconnect_grace_ns : INT64_C(86400) * NS_PER_S;
    if (!a->store)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    if (open_files(a, e) < 0 || make_timers(a, e) < 0 || make_devices(a, e) < 0 || make_slots(a, e) < 0 ||
        make_leftovers(a, e) < 0 || make_uplink(a, e) < 0)
        return NULL;
    return TAKE(a);
}

void agent_destroy(struct agent *a)
{
    if (!a)
        return;
    uplink_destroy(a->uplink);
    slots_destroy(a->slots);
    devices_destroy(a->devices);
    leftovers_destroy(a->leftovers);
    errands_destroy(a->looks);
    spool_close(a->spool);
    history_close(a->history);
    struct loop_timer *const timers[] = { a->tick, a->heartbeat, a->resend, a->grace, a->end };
    for (size_t i = 0; i < ARRAY_LEN(timers); i++)
        loop_remove_timer(timers[i]);
    free(a->given_back);
    free(a->store);
    free(a);
}
