/* Results never go out directly: they enter the spool, and one tick per round of the loop makes them durable together
 * and sends them together, again and again until each is acknowledged. */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "worker/agent_internal.h"
#include "worker/layout.h"

#define RESULTS_PER_MESSAGE 256
#define BYTES_PER_MESSAGE ((size_t)2 << 20)

Acsweep__Token *agent_recent_at(struct agent *a, const Acsweep__Token *t)
{
    return &a->recent[(t->task_id * 0x9e3779b97f4a7c15u >> 20) % RECENT];
}

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

/* ---- keeping ----------------------------------------------------------------------------------------------------- */

static bool leaves_files(const Acsweep__TaskSpec *spec)
{
    static const char *const without[] = { "noop", "fake", "replay" };
    for (size_t i = 0; spec && i < ARRAY_LEN(without); i++)
        if (strcmp(spec->executor, without[i]) == 0)
            return false;
    return spec && layout_is_identity(spec->identity);
}

/* In place of a result that cannot be had: what must be said of the attempt, and why it failed. */
static void make_failure(const Acsweep__Result *from, Acsweep__FailureClass class, const char *why, Acsweep__Result *r)
{
    acsweep__result__init(r);
    r->token = from->token;
    r->outcome = ACSWEEP__OUTCOME__FAILED;
    r->failure = class;
    r->message = (char *)why;
    r->cost = from->cost;
    r->slot = from->slot;
    r->started_unix_us = from->started_unix_us;
    r->finished_unix_us = from->finished_unix_us;
    r->identity = from->identity;
}

int agent_keep_result(struct agent *a, const Acsweep__Result *r, const Acsweep__TaskSpec *spec, struct err *e)
{
    Acsweep__Result kept = *r, failure;
    kept.suspect = false;
    kept.identity = (char *)(leaves_files(spec) ? spec->identity : "");
    bool too_large = acsweep__result__get_packed_size(&kept) > SPOOL_MAX_BYTES;
    if (too_large)
        make_failure(&kept, ACSWEEP__FAILURE_CLASS__CODE, "its result is larger than a message may be", &failure);
    const Acsweep__Result *x = too_large ? &failure : &kept;
    history_add(a->history, "finished", x->token, outcome_name(x));
    agent_flush_history(a); /* first: killed behind the next line, we would have a result of an attempt never assigned */
    agent_tick_soon(a);
    return spool_add(a->spool, x, e);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static void results_free(Acsweep__Results *r)
{
    for (size_t i = 0; i < r->n_results; i++)
        acsweep__result__free_unpacked(r->results[i], NULL);
}

static Acsweep__Result *unpack_for_sending(const struct spool_entry *x, struct err *e)
{
    Acsweep__Result *r = acsweep__result__unpack(NULL, x->len, x->bytes);
    if (!r)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    if (r->identity != protobuf_c_empty_string) { /* our own note */
        free(r->identity);
        r->identity = (char *)protobuf_c_empty_string;
    }
    return r;
}

/* Gather entries that have not been sent, from *at on. */
static int gather(struct spool *s, struct spool_entry **at, Acsweep__Results *out, struct spool_entry **sent,
                  struct err *e)
{
    size_t bytes = 0;
    for (; *at && out->n_results < RESULTS_PER_MESSAGE; *at = spool_next(s, *at)) {
        struct spool_entry *x = *at;
        if (x->sent)
            continue;
        if (out->n_results && (x->alone || bytes + x->len > BYTES_PER_MESSAGE))
            return 0;
        Acsweep__Result *r = unpack_for_sending(x, e);
        if (!r)
            return -1;
        bytes += x->alone ? BYTES_PER_MESSAGE : x->len;
        sent[out->n_results] = x;
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
            entries[i]->message_id = m.message_id;
            history_add(a->history, "sent", &entries[i]->token, NULL);
        }
    }
    results_free(&results);
    return done < 0 ? -1 : 0;
}

int agent_send_results(struct agent *a, struct err *e)
{
    struct spool_entry *at = spool_next(a->spool, NULL);
    bool more = uplink_is_up(a->uplink);
    while (more)
        TRY(send_batch(a, &at, &more, e));
    return 0;
}

void agent_send_again(struct agent *a, int64_t older_than)
{
    for (struct spool_entry *x = spool_next(a->spool, NULL); x; x = spool_next(a->spool, x))
        if (x->sent && x->sent <= older_than)
            x->sent = x->message_id = 0;
    agent_tick_soon(a);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static int clear_up(struct agent *a, struct spool_entry *x, bool committed, struct err *e)
{
    Acsweep__Result *r = acsweep__result__unpack(NULL, x->len, x->bytes);
    if (!r)
        return FAIL_NOMEM(e);
    spool_settle(a->spool, x);
    int done = leftovers_acknowledged(a->leftovers, r, committed, a->store, e);
    acsweep__result__free_unpacked(r, NULL);
    return done;
}

int agent_on_cleared(const Acsweep__Token *t, void *arg, struct err *e)
{
    (void)e;
    struct agent *a = arg;
    spool_ack(a->spool, t);
    return 0;
}

int agent_on_acks(struct agent *a, const Acsweep__ResultAcks *acks, struct err *e)
{
    for (size_t i = 0; i < acks->n_acks; i++) {
        const Acsweep__ResultAck *ack = acks->acks[i];
        struct spool_entry *x = ack->token ? spool_find(a->spool, ack->token) : NULL;
        if (!x || x->settled || ack->verdict == ACSWEEP__VERDICT__VERDICT_UNSPECIFIED)
            continue;
        bool committed = ack->verdict != ACSWEEP__VERDICT__FENCED;
        *agent_recent_at(a, ack->token) = token_copy(ack->token);
        history_add(a->history, "acked", ack->token, committed ? "committed" : "fenced");
        if (x->leaves)
            TRY(clear_up(a, x, committed, e));
        else
            spool_ack(a->spool, ack->token);
    }
    agent_tick_soon(a);
    return 0;
}

/* The coordinator will never take this result: say so in its place, so that its task goes on. */
static int replace_refused(struct agent *a, const struct spool_entry *x, const char *reason, struct err *e)
{
    char why[400];
    Acsweep__Token token = x->token;
    Acsweep__Result failure, *r = acsweep__result__unpack(NULL, x->len, x->bytes);
    if (!r)
        return FAIL_NOMEM(e);
    snprintf(why, sizeof why, "the coordinator does not take its result: %.300s", reason);
    log_error("result.refused", KV_I64("task", token.task_id), KV_STR("error", why));
    make_failure(r, ACSWEEP__FAILURE_CLASS__CODE, why, &failure);
    spool_ack(a->spool, &token);
    int done = spool_add(a->spool, &failure, e);
    acsweep__result__free_unpacked(r, NULL);
    TRY(done);
    spool_find(a->spool, &token)->refused = true;
    return 0;
}

/* One result of that message is not to the coordinator's liking; the others it has taken. When it came alone, we know
 * which; else each goes alone next time. */
int agent_on_refused(const Acsweep__Refused *r, uint64_t answers, void *arg, struct err *e)
{
    struct agent *a = arg;
    struct spool_entry *only = NULL;
    size_t n = 0;
    for (struct spool_entry *x = spool_next(a->spool, NULL); answers && x; x = spool_next(a->spool, x)) {
        if (!x->sent || x->message_id != answers)
            continue;
        x->sent = x->message_id = 0;
        x->alone = true;
        only = x;
        n++;
    }
    agent_tick_soon(a);
    if (n != 1)
        return 0;
    if (!only->refused)
        return replace_refused(a, only, r->reason, e);
    log_error("result.dropped", KV_I64("task", only->token.task_id), KV_STR("reason", r->reason));
    spool_ack(a->spool, &only->token);
    return 0;
}

/* ---- history ----------------------------------------------------------------------------------------------------- */

void agent_flush_history(struct agent *a)
{
    struct err e = { 0 };
    if (history_flush(a->history, &e) < 0) {
        log_error("history", KV_ERR(&e), KV_STR("action", "no further history is written"));
        history_close(TAKE(a->history));
    }
}

/* A killed agent may have left a result in the spool, and its history line unwritten: the log must tell of it. */
int agent_log_found(struct agent *a, struct err *e)
{
    for (struct spool_entry *x = spool_next(a->spool, NULL); x; x = spool_next(a->spool, x)) {
        Acsweep__Result *r = acsweep__result__unpack(NULL, x->len, x->bytes);
        if (!r)
            return FAIL_NOMEM(e);
        history_add(a->history, "found", &x->token, outcome_name(r));
        acsweep__result__free_unpacked(r, NULL);
    }
    agent_flush_history(a);
    return 0;
}
