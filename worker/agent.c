/* All of the agent's decisions. Results never go out directly: they enter the spool, and one tick per round of the loop
 * makes them durable together and sends them together. */
#include "worker/agent.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mono.h"
#include "worker/agent_hello.h"
#include "worker/history.h"
#include "worker/slot.h"
#include "worker/spool.h"
#include "worker/token.h"
#include "worker/uplink.h"

#define RESULTS_PER_MESSAGE 256
#define BYTES_PER_MESSAGE ((size_t)2 << 20)
#define ACK_WAIT (10 * NS_PER_S)      /* at the end, for the last acknowledgements */
#define CUT_OFF_GRACE (2 * NS_PER_S)  /* for a checkpoint, when disconnect_grace is over */
#define LINGER (200 * NS_PER_MS)      /* for the Bye to leave the socket */
#define HEARTBEAT_DEFAULT (2 * NS_PER_S)
#define RECENT 4096
#define GIVEN_BACK_MAX 100000

enum state { JOINING, READY, CUT_OFF, DRAINING, LEAVING };
enum event { WELCOMED, LOST, GRACE_OVER, TERMINATE, DRAINED, LINGERED };

struct agent {
    struct agent_options o;
    struct slots *slots;
    struct spool *spool;
    struct history *history;
    struct uplink *uplink;
    struct loop_timer *tick, *heartbeat, *resend, *grace, *end;
    enum state state;
    struct hello_facts facts;      /* what Hello says about this node */
    int64_t grace_ns;              /* for being cut off */
    char end_reason[128];
    int64_t drain_grace_ns;        /* 0 = let running tasks finish */
    bool out_of_time;
    Acsweep__Token *given_back;    /* goes into the Bye */
    size_t n_given_back;
    Acsweep__Token recent[RECENT]; /* results acknowledged lately: a replayed Assign of one is ignored */
};

static int happen(struct agent *a, enum event event, struct err *e);

static void tick_soon(struct agent *a)
{
    if (!loop_timer_armed(a->tick))
        loop_timer_arm(a->tick, 0, 0);
}

static Acsweep__Token *recent_at(struct agent *a, const Acsweep__Token *t)
{
    return &a->recent[(t->task_id * 0x9e3779b97f4a7c15u >> 20) % RECENT];
}

/* ---- results ------------------------------------------------------------------------------------------------------ */

static const char *outcome_name(const Acsweep__Result *r)
{
    switch (r->outcome) {
    case ACSWEEP__OUTCOME__SUCCEEDED:
        return "succeeded";
    case ACSWEEP__OUTCOME__FAILED:
        return "failed";
    case ACSWEEP__OUTCOME__CHECKPOINTED:
        return "checkpointed";
    case ACSWEEP__OUTCOME__CANCELLED:
        return "cancelled";
    default:
        return "unknown";
    }
}

static int on_result(const Acsweep__Result *r, void *arg, struct err *e)
{
    struct agent *a = arg;
    history_add(a->history, "finished", r->token, outcome_name(r));
    tick_soon(a);
    return spool_add(a->spool, r, e);
}

static void results_free(Acsweep__Results *r)
{
    for (size_t i = 0; i < r->n_results; i++)
        acsweep__result__free_unpacked(r->results[i], NULL);
}

/* Gather entries that have not been sent, from *at on. */
static int gather(struct spool *s, struct spool_entry **at, Acsweep__Results *out, struct spool_entry **sent, struct err *e)
{
    size_t bytes = 0;
    for (; *at && out->n_results < RESULTS_PER_MESSAGE; *at = spool_next(s, *at)) {
        if ((*at)->sent)
            continue;
        if (out->n_results && bytes + (*at)->len > BYTES_PER_MESSAGE)
            return 0;
        Acsweep__Result *r = acsweep__result__unpack(NULL, (*at)->len, (*at)->bytes);
        if (!r)
            return FAIL_NOMEM(e);
        bytes += (*at)->len;
        sent[out->n_results] = *at;
        out->results[out->n_results++] = r;
    }
    return 0;
}

static int send_batch(struct agent *a, struct spool_entry **at, bool *more, struct err *e)
{
    Acsweep__Result *list[RESULTS_PER_MESSAGE];
    struct spool_entry *entries[RESULTS_PER_MESSAGE];
    Acsweep__Results results = ACSWEEP__RESULTS__INIT;
    results.results = list;
    int done = gather(a->spool, at, &results, entries, e);
    *more = done == 0 && results.n_results > 0;
    if (*more) {
        envelope m = ACSWEEP__ENVELOPE__INIT;
        m.body_case = ACSWEEP__ENVELOPE__BODY_RESULTS;
        m.results = &results;
        done = uplink_send(a->uplink, &m, e);
        *more = done == 0;
        int64_t now = mono_now();
        for (size_t i = 0; done == 0 && i < results.n_results; i++) {
            entries[i]->sent = now;
            history_add(a->history, "sent", &entries[i]->token, NULL);
        }
    }
    results_free(&results);
    return done < 0 ? -1 : 0;
}

static int send_results(struct agent *a, struct err *e)
{
    struct spool_entry *at = spool_next(a->spool, NULL);
    bool more = uplink_is_up(a->uplink);
    while (more)
        TRY(send_batch(a, &at, &more, e));
    return 0;
}

static void flush_history(struct agent *a)
{
    struct err e = { 0 };
    if (history_flush(a->history, &e) < 0) {
        log_error("history", KV_ERR(&e), KV_STR("action", "no further history is written"));
        history_close(TAKE(a->history));
    }
}

static int on_tick(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct agent *a = arg;
    flush_history(a);
    TRY(spool_commit(a->spool, e));
    TRY(send_results(a, e));
    flush_history(a);
    bool acknowledged = spool_count(a->spool) == 0 || !uplink_is_up(a->uplink) || a->out_of_time;
    if (a->state == DRAINING && slots_held(a->slots) == 0 && acknowledged)
        return happen(a, DRAINED, e);
    return 0;
}

static void send_all_again(struct agent *a, int64_t older_than)
{
    for (struct spool_entry *x = spool_next(a->spool, NULL); x; x = spool_next(a->spool, x))
        if (x->sent && x->sent <= older_than)
            x->sent = 0;
    tick_soon(a);
}

static int on_resend(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    (void)e;
    struct agent *a = arg;
    if (spool_count(a->spool))
        send_all_again(a, mono_now() - a->o.resend_ns);
    return 0;
}

static int on_acks(struct agent *a, const Acsweep__ResultAcks *acks, struct err *e)
{
    for (size_t i = 0; i < acks->n_acks; i++) {
        const Acsweep__ResultAck *ack = acks->acks[i];
        bool here = false;
        if (!ack->token || ack->verdict == ACSWEEP__VERDICT__VERDICT_UNSPECIFIED)
            continue;
        TRY(spool_ack(a->spool, ack->token, &here, e));
        if (!here)
            continue;
        *recent_at(a, ack->token) = token_copy(ack->token);
        history_add(a->history, "acked", ack->token, ack->verdict == ACSWEEP__VERDICT__FENCED ? "fenced" : "committed");
    }
    tick_soon(a);
    return 0;
}

/* ---- the slots' news ----------------------------------------------------------------------------------------------- */

static int on_started(const Acsweep__Started *s, void *arg, struct err *e)
{
    struct agent *a = arg;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_STARTED;
    m.started = (Acsweep__Started *)s;
    history_add(a->history, "started", s->token, NULL);
    tick_soon(a);
    return uplink_send(a->uplink, &m, e) < 0 ? -1 : 0; /* lost while cut off: the lease list tells as much */
}

static int on_progress(const Acsweep__Progress *p, void *arg, struct err *e)
{
    struct agent *a = arg;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_PROGRESS;
    m.progress = (Acsweep__Progress *)p;
    return uplink_send(a->uplink, &m, e) < 0 ? -1 : 0;
}

static void on_killed(const Acsweep__Token *t, const char *why, void *arg)
{
    struct agent *a = arg;
    history_add(a->history, "killed", t, why);
    tick_soon(a);
}

/* ---- the coordinator's messages ------------------------------------------------------------------------------------ */

static int give_back(struct agent *a, const Acsweep__Token *t, struct err *e)
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

/* Nothing to run: answered here, so that the cost of coordination can be measured without that of processes. */
static int run_noop(struct agent *a, const Acsweep__Assignment *x, struct err *e)
{
    Acsweep__Token token = token_copy(x->token);
    Acsweep__Result r = ACSWEEP__RESULT__INIT;
    r.token = &token;
    r.outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    r.slot = x->slot;
    r.started_unix_us = r.finished_unix_us = wall_now_us();
    return on_result(&r, a, e);
}

static int take_assignment(struct agent *a, Acsweep__Assignment **x, struct err *e)
{
    const Acsweep__Token *t = (*x)->token;
    if (!t || !(*x)->spec) {
        log_error("assign.empty", KV_STR("action", "ignored"));
        return 0;
    }
    bool known = slots_holds(a->slots, t) || spool_holds(a->spool, t) || token_equal(recent_at(a, t), t);
    history_add(a->history, known ? "duplicate" : "assign", t, NULL);
    if (known)
        return 0;
    if (a->state == DRAINING || a->state == LEAVING)
        return give_back(a, t, e);
    if (strcmp((*x)->spec->executor, "noop") == 0)
        return run_noop(a, *x, e);
    return slots_add(a->slots, x, e) < 0 ? -1 : 0;
}

static int on_assign(struct agent *a, Acsweep__Assign *assign, struct err *e)
{
    for (size_t i = 0; i < assign->n_assignments; i++)
        TRY(take_assignment(a, &assign->assignments[i], e));
    tick_soon(a);
    return 0;
}

static int64_t ms_to_ns(uint64_t ms)
{
    return ms > (uint64_t)(INT64_MAX / NS_PER_MS) ? INT64_MAX / 2 : (int64_t)ms * NS_PER_MS;
}

static int on_cancel(struct agent *a, const Acsweep__Cancel *c, struct err *e)
{
    bool here = false;
    if (!c->token)
        return 0;
    tick_soon(a);
    if (strcmp(c->reason, "fenced") == 0) {
        slots_fence(a->slots, c->token);
        return 0;
    }
    TRY(slots_cancel(a->slots, c->token, c->reason, ms_to_ns(c->grace_ms), &here, e));
    if (!here)
        log_info("cancel.unknown", KV_I64("task", c->token->task_id), KV_I64("attempt", c->token->attempt));
    return 0;
}

static int start_ending(struct agent *a, const char *reason, int64_t grace_ns, struct err *e)
{
    if (a->state == DRAINING || a->state == LEAVING)
        return 0;
    snprintf(a->end_reason, sizeof a->end_reason, "%s", reason);
    a->drain_grace_ns = grace_ns;
    return happen(a, TERMINATE, e);
}

static int on_message(envelope **m, void *arg, struct err *e)
{
    struct agent *a = arg;
    switch ((*m)->body_case) {
    case ACSWEEP__ENVELOPE__BODY_ASSIGN:
        return on_assign(a, (*m)->assign, e);
    case ACSWEEP__ENVELOPE__BODY_RESULT_ACKS:
        return on_acks(a, (*m)->result_acks, e);
    case ACSWEEP__ENVELOPE__BODY_CANCEL:
        return on_cancel(a, (*m)->cancel, e);
    case ACSWEEP__ENVELOPE__BODY_DRAIN:
        return start_ending(a, (*m)->drain->reason[0] ? (*m)->drain->reason : "drained", ms_to_ns((*m)->drain->grace_ms), e);
    default:
        log_warn("message.unknown", KV_I64("body", (*m)->body_case));
        return 0;
    }
}

/* ---- joining ------------------------------------------------------------------------------------------------------ */

/* What we hold: running, queued, and done but not acknowledged. NULL only without memory. */
static Acsweep__Token *held_tokens(struct agent *a, size_t *n, struct err *e)
{
    size_t room = slots_held(a->slots) + spool_count(a->spool);
    Acsweep__Token *list = calloc(room + 1, sizeof *list);
    if (!list)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    *n = slots_tokens(a->slots, list, room);
    for (struct spool_entry *x = spool_next(a->spool, NULL); x && *n < room; x = spool_next(a->spool, x))
        list[(*n)++] = x->token;
    return list;
}

static int on_greet(void *arg, struct err *e)
{
    struct agent *a = arg;
    size_t n;
    AUTO(free) Acsweep__Token *held = held_tokens(a, &n, e);
    if (!held)
        return -1;
    return hello_send(a->uplink, &a->facts, held, n, e);
}

static int on_heartbeat(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct agent *a = arg;
    size_t n;
    if (!uplink_is_up(a->uplink))
        return 0;
    AUTO(free) Acsweep__Token *held = held_tokens(a, &n, e);
    if (!held)
        return -1;
    return heartbeat_send(a->uplink, held, n, e);
}

/* The store is shared when its challenge file can be read under the path that the coordinator told. */
static int check_store(struct agent *a, const Acsweep__Welcome *w, struct err *e)
{
    AUTO(free) char *path = NULL;
    if (!w->store[0] || !w->store_challenge[0])
        return slots_set_store(a->slots, "", e);
    if (asprintf(&path, "%s/%s", w->store, w->store_challenge) < 0)
        return FAIL_NOMEM(e);
    bool shared = access(path, R_OK) == 0;
    TRY(slots_set_store(a->slots, shared ? w->store : "", e));
    if (shared == a->facts.shared_store)
        return 0;
    a->facts.shared_store = shared;
    log_info("store", KV_STR("path", w->store), KV_STR("shared", shared ? "yes" : "no"));
    return on_greet(a, e);
}

static int on_welcome(const Acsweep__Welcome *w, void *arg, struct err *e)
{
    struct agent *a = arg;
    for (size_t i = 0; i < w->n_fenced; i++)
        slots_fence(a->slots, w->fenced[i]);
    int64_t beat = w->heartbeat_ms ? ms_to_ns(w->heartbeat_ms) : HEARTBEAT_DEFAULT;
    loop_timer_arm(a->heartbeat, beat, beat);
    if (!a->o.disconnect_grace_ns && w->disconnect_grace_ms)
        a->grace_ns = ms_to_ns(w->disconnect_grace_ms);
    TRY(check_store(a, w, e));
    return happen(a, WELCOMED, e);
}

static int on_lost(void *arg, struct err *e)
{
    return happen(arg, LOST, e);
}

static int on_writable(void *arg, struct err *e)
{
    (void)e;
    tick_soon(arg);
    return 0;
}

/* ---- states ------------------------------------------------------------------------------------------------------- */

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
    send_all_again(a, INT64_MAX); /* what was on the way when the line broke may be lost */
    return 0;
}

static int do_wait_for_line(struct agent *a, struct err *e)
{
    (void)e;
    log_warn("cut_off", KV_I64("held", slots_held(a->slots)), KV_I64("grace_s", a->grace_ns / NS_PER_S));
    loop_timer_arm(a->grace, a->grace_ns, 0);
    return 0;
}

static int do_kill_all(struct agent *a, struct err *e)
{
    size_t n = slots_held(a->slots);
    AUTO(free) Acsweep__Token *held = calloc(n + 1, sizeof *held);
    if (!held)
        return FAIL_NOMEM(e);
    n = slots_tokens(a->slots, held, n);
    for (size_t i = 0; i < n; i++)
        slots_fence(a->slots, &held[i]);
    log_warn("killed_all", KV_I64("attempts", n));
    return 0;
}

/* Told as preempted, so that it costs the task none of its tries: it did nothing wrong. */
static int do_give_up(struct agent *a, struct err *e)
{
    size_t n = slots_held(a->slots);
    AUTO(free) Acsweep__Token *held = calloc(n + 1, sizeof *held);
    if (!held)
        return FAIL_NOMEM(e);
    n = slots_tokens(a->slots, held, n);
    log_warn("cut_off.too_long", KV_I64("stopped", n), KV_I64("grace_s", a->grace_ns / NS_PER_S));
    for (size_t i = 0; i < n; i++) {
        bool here;
        TRY(slots_cancel(a->slots, &held[i], "cut_off", CUT_OFF_GRACE, &here, e));
    }
    return 0;
}

static int do_drain(struct agent *a, struct err *e)
{
    AUTO(free) Acsweep__Token *queued = NULL;
    size_t n;
    log_info("drain", KV_STR("reason", a->end_reason), KV_I64("running", slots_running(a->slots)));
    TRY(slots_give_back(a->slots, &queued, &n, e));
    for (size_t i = 0; i < n; i++)
        TRY(give_back(a, &queued[i], e));
    if (a->drain_grace_ns > 0) {
        TRY(slots_cancel_all(a->slots, "drain", a->drain_grace_ns, e));
        loop_timer_arm(a->end, a->drain_grace_ns + ACK_WAIT, 0);
    }
    tick_soon(a);
    return 0;
}

static int do_leave(struct agent *a, struct err *e)
{
    TRY(bye_send(a->uplink, a->end_reason, a->given_back, a->n_given_back, e));
    log_info("leave", KV_STR("reason", a->end_reason), KV_I64("returned", a->n_given_back),
             KV_I64("unacknowledged", spool_count(a->spool)));
    flush_history(a);
    loop_timer_arm(a->end, LINGER, 0);
    return 0;
}

static int do_kill_and_leave(struct agent *a, struct err *e)
{
    size_t n = slots_held(a->slots);
    AUTO(free) Acsweep__Token *held = calloc(n + 1, sizeof *held);
    if (!held)
        return FAIL_NOMEM(e);
    n = slots_tokens(a->slots, held, n);
    for (size_t i = 0; i < n; i++)
        TRY(give_back(a, &held[i], e));
    TRY(do_kill_all(a, e));
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
    enum state from;
    enum event event;
    enum state to;
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
    { DRAINING, DRAINED, LEAVING, do_leave },
    { DRAINING, TERMINATE, LEAVING, do_kill_and_leave }, /* asked twice, or out of time */
    { LEAVING, LINGERED, LEAVING, do_end },
    { LEAVING, TERMINATE, LEAVING, do_end },
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
    return happen(a, a->state == DRAINING ? TERMINATE : LINGERED, e);
}

int agent_terminate(struct agent *a, const char *reason, struct err *e)
{
    if (a->state == DRAINING || a->state == LEAVING)
        return happen(a, TERMINATE, e);
    return start_ending(a, reason, a->o.drain_grace_ns, e);
}

/* ---- life --------------------------------------------------------------------------------------------------------- */

static int make_timers(struct agent *a, struct err *e)
{
    const struct {
        struct loop_timer **timer;
        loop_timer_fn *fn;
        int64_t every;
    } wanted[] = {
        { &a->tick, on_tick, 0 },
        { &a->heartbeat, on_heartbeat, 0 },
        { &a->resend, on_resend, a->o.resend_ns },
        { &a->grace, on_grace, 0 },
        { &a->end, on_end_timer, 0 },
    };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        int64_t first = wanted[i].every ? wanted[i].every : -1;
        *wanted[i].timer = loop_add_timer(a->o.loop, first, wanted[i].every, wanted[i].fn, a, e);
        if (!*wanted[i].timer)
            return -1;
    }
    return 0;
}

static int make_slots(struct agent *a, struct err *e)
{
    const struct slot_options o = {
        .loop = a->o.loop,
        .exec_path = a->o.exec_path,
        .worker_id = a->o.worker_id,
        .scratch = a->o.scratch,
        .store = "",
        .n = a->facts.slots,
        .devices = a->facts.device_uuids,
        .n_devices = a->facts.n_devices,
        .devices_per_slot = a->o.devices_per_slot,
        .leak_limit_bytes = a->o.leak_limit_bytes,
        .adopt_strays = true,
        .on = { on_started, on_progress, on_result, on_killed, a },
    };
    a->slots = slots_create(&o, e);
    return a->slots ? 0 : -1;
}

static int make_uplink(struct agent *a, struct err *e)
{
    const struct uplink_options o = {
        .loop = a->o.loop,
        .zmq = a->o.zmq,
        .join = a->o.join,
        .keys = a->o.keys,
        .worker_id = a->o.worker_id,
        .on = { on_greet, on_welcome, on_message, on_lost, on_writable, a },
    };
    a->uplink = uplink_create(&o, e);
    return a->uplink ? 0 : -1;
}

/* A killed agent may have left a result in the spool, and its history line unwritten: the log must tell of it. */
static int log_found(struct agent *a, struct err *e)
{
    for (struct spool_entry *x = spool_next(a->spool, NULL); x; x = spool_next(a->spool, x)) {
        Acsweep__Result *r = acsweep__result__unpack(NULL, x->len, x->bytes);
        if (!r)
            return FAIL_NOMEM(e);
        history_add(a->history, "found", &x->token, outcome_name(r));
        acsweep__result__free_unpacked(r, NULL);
    }
    flush_history(a);
    return 0;
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
    return a->history ? log_found(a, e) : -1;
}

struct agent *agent_create(const struct agent_options *o, struct err *e)
{
    AUTO(agent_destroy) struct agent *a = calloc(1, sizeof *a);
    if (!a)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    a->o = *o;
    a->grace_ns = o->disconnect_grace_ns ? o->disconnect_grace_ns : INT64_C(86400) * NS_PER_S;
    if (hello_facts_make(&a->facts, o, e) < 0 || open_files(a, e) < 0 || make_timers(a, e) < 0 || make_slots(a, e) < 0 ||
        make_uplink(a, e) < 0)
        return NULL;
    return TAKE(a);
}

void agent_destroy(struct agent *a)
{
    if (!a)
        return;
    uplink_destroy(a->uplink);
    slots_destroy(a->slots);
    spool_close(a->spool);
    history_close(a->history);
    struct loop_timer *const timers[] = { a->tick, a->heartbeat, a->resend, a->grace, a->end };
    for (size_t i = 0; i < ARRAY_LEN(timers); i++)
        loop_remove_timer(timers[i]);
    free(a->given_back);
    free(a);
}
