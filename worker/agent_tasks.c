/* What is run here: the coordinator's orders one way, the slots' news the other. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/agent_internal.h"

/* ---- the slots' news --------------------------------------------------------------------------------------------- */

static int on_started(const Acsweep__Started *s, void *arg, struct err *e)
{
    struct agent *a = arg;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_STARTED;
    m.started = (Acsweep__Started *)s;
    history_add(a->history, "started", s->token, NULL);
    agent_tick_soon(a);
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

static int on_result(const Acsweep__Result *r, const Acsweep__TaskSpec *spec, void *arg, struct err *e)
{
    return agent_keep_result(arg, r, spec, e);
}

static void on_killed(const Acsweep__Token *t, const char *why, void *arg)
{
    struct agent *a = arg;
    history_add(a->history, "killed", t, why);
    agent_tick_soon(a);
}

static void on_debris(const Acsweep__Token *t, const Acsweep__TaskSpec *spec, bool fenced, void *arg)
{
    struct agent *a = arg;
    struct err e = { 0 };
    if (leftovers_debris(a->leftovers, t, spec->identity, fenced, a->store, &e) < 0)
        log_warn("leftovers", KV_ERR(&e));
}

const struct slot_handlers agent_slot_handlers = {
    on_started, on_progress, on_result, on_killed, on_debris, NULL, NULL
};

/* ---- the coordinator's orders ------------------------------------------------------------------------------------ */

/* Nothing to run: answered here, so that the cost of coordination can be measured without that of processes. */
static int run_noop(struct agent *a, const Acsweep__Assignment *x, struct err *e)
{
    Acsweep__Token token = token_copy(x->token);
    Acsweep__Result r = ACSWEEP__RESULT__INIT;
    r.token = &token;
    r.outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    r.slot = x->slot;
    r.started_unix_us = r.finished_unix_us = wall_now_us();
    return agent_keep_result(a, &r, NULL, e);
}

/* 1: it is to be run by the pool; 0: it is dealt with. */
static int take_assignment(struct agent *a, const Acsweep__Assignment *x, struct err *e)
{
    const Acsweep__Token *t = x->token;
    if (!t || !x->spec) {
        log_error("assign.empty", KV_STR("action", "ignored"));
        return 0;
    }
    bool known = slots_holds(a->slots, t) || spool_find(a->spool, t) || token_equal(agent_recent_at(a, t), t);
    history_add(a->history, known ? "duplicate" : "assign", t, NULL);
    if (known)
        return 0;
    if (a->state == DRAINING || a->state == LEAVING)
        return agent_give_back(a, t, e);
    if (strcmp(x->spec->executor, "noop") == 0)
        return run_noop(a, x, e);
    return 1;
}

/* How many assignments from the first on are one bundle. */
static size_t bundle_length(Acsweep__Assignment *const *list, size_t n)
{
    size_t m = 1;
    while (list[0]->bundle && m < n && list[m]->bundle == list[0]->bundle)
        m++;
    return m;
}

static int on_assign(struct agent *a, Acsweep__Assign *assign, struct err *e)
{
    Acsweep__Assignment **list = assign->assignments;
    for (size_t i = 0, m; i < assign->n_assignments; i += m) {
        size_t n = 0; /* of the bundle, to be run: moved to its front */
        m = bundle_length(&list[i], assign->n_assignments - i);
        for (size_t k = i; k < i + m; k++) {
            int take = take_assignment(a, list[k], e);
            TRY(take);
            if (!take)
                continue;
            Acsweep__Assignment *swap = list[i + n];
            list[i + n++] = list[k];
            list[k] = swap;
        }
        if (n)
            TRY(slots_add(a->slots, &list[i], n, e));
    }
    agent_tick_soon(a);
    return 0;
}

static int on_cancel(struct agent *a, const Acsweep__Cancel *c, struct err *e)
{
    bool here = false;
    if (!c->token)
        return 0;
    agent_tick_soon(a);
    if (strcmp(c->reason, "fenced") == 0) {
        slots_fence(a->slots, c->token);
        return 0;
    }
    TRY(slots_cancel(a->slots, c->token, c->reason, agent_ms_to_ns(c->grace_ms), &here, e));
    if (!here)
        log_info("cancel.unknown", KV_I64("task", c->token->task_id), KV_I64("attempt", c->token->attempt));
    return 0;
}

int agent_on_message(envelope **m, void *arg, struct err *e)
{
    struct agent *a = arg;
    switch ((*m)->body_case) {
    case ACSWEEP__ENVELOPE__BODY_ASSIGN:
        return on_assign(a, (*m)->assign, e);
    case ACSWEEP__ENVELOPE__BODY_RESULT_ACKS:
        return agent_on_acks(a, (*m)->result_acks, e);
    case ACSWEEP__ENVELOPE__BODY_CANCEL:
        return on_cancel(a, (*m)->cancel, e);
    case ACSWEEP__ENVELOPE__BODY_DRAIN:
        return agent_drain(a, (*m)->drain->reason[0] ? (*m)->drain->reason : "drained",
                           agent_ms_to_ns((*m)->drain->grace_ms), e);
    default:
        log_warn("message.unknown", KV_I64("body", (*m)->body_case));
        return 0;
    }
}

Acsweep__Token *agent_tokens(const struct agent *a, bool results, size_t *n, struct err *e)
{
    size_t room = slots_held(a->slots) + (results ? spool_count(a->spool) : 0);
    Acsweep__Token *list = calloc(room + 1, sizeof *list);
    if (!list)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    *n = slots_tokens(a->slots, list, room);
    for (struct spool_entry *x = spool_next(a->spool, NULL); x && *n < room; x = spool_next(a->spool, x))
        list[(*n)++] = x->token;
    return list;
}
