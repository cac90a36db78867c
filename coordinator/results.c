/* Results: sorted into what follows (done, again, for good), gathered for the next commit, and acknowledged after it.
 */
#include <string.h>

#include "common/log.h"
#include "common/mono.h"
#include "coordinator/checks.h"
#include "coordinator/peers.h"

/* ---- acknowledging ---- */

static int send_acks(struct coord *c, const struct peer_id *to, Acsweep__ResultAck **acks, size_t n, struct err *e)
{
    Acsweep__ResultAcks list = ACSWEEP__RESULT_ACKS__INIT;
    list.n_acks = n;
    list.acks = acks;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_RESULT_ACKS;
    m.result_acks = &list;
    return peers_send(c, to, &m, e);
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

/* All of them after the same pause, so that they come back together. */
static enum task_event again_in_smaller_bundles(struct coord *c, struct task *t, uint32_t together, struct err *e,
                                                int *rc)
{
    const struct plan_retry *retry = retry_of(t);
    t->not_before = mono_now() + (retry ? retry->backoff_ns : 0);
    *rc = coord_smaller_bundles(c, t, together, e);
    return EV_STORED_RETRY;
}

/* `together` results tell of the same failure, and are one strike. */
static void strike(struct coord *c, struct worker *w, bool good, uint32_t together)
{
    if (!good && together > 1 && ++w->ended_together < together)
        return;
    w->ended_together = 0;
    w->strikes = good ? 0 : w->strikes + 1;
    if (!c->opt.quarantine_strikes || w->strikes < c->opt.quarantine_strikes)
        return;
    w->strikes = 0;
    w->quarantined_until = mono_now() + c->opt.quarantine_ns;
    log_warn("worker.quarantined", KV_STR("worker", w->id), KV_STR("node", w->node));
}

/* A result that cannot be stored is a failure of its attempt: its worker would send it for ever, and another try give
 * it again. */
static void judge_broken(struct commit_end *end, const char *why)
{
    end->outcome = "failed";
    end->failure = ACSWEEP__FAILURE_CLASS__DATA;
    end->charged = true;
    end->message = (char *)why;
    end->next = end->task->cancel_wanted ? EV_CANCELLED : EV_STORED_FAILED;
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
        strike(c, end->ack, true, 0);
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
    bool preempted = end->failure == ACSWEEP__FAILURE_CLASS__PREEMPTED;
    bool shared = !preempted && r->ended_together > 1 && t->bundle_max > 1; /* whose fault it was, nobody knows */
    end->charged = !preempted && !shared;
    if (end->failure == ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE)
        strike(c, end->ack, false, shared ? r->ended_together : 1);
    if (t->cancel_wanted)
        end->next = EV_CANCELLED;
    else if (preempted)
        end->next = EV_STORED_RETRY;
    else if (shared)
        end->next = again_in_smaller_bundles(c, t, r->ended_together, e, &rc);
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
    struct task *t = peers_token_task(c, r->token);
    if (!t || t->state != TASK_LEASED)
        return NULL;
    if (peers_held_by(c, p->w, r->token))
        return t;
    const char *holder = t->worker ? t->worker->id : t->worker_id ? t->worker_id : "";
    if (strncmp(holder, p->w->id, BOOT_ID_LENGTH) != 0 || (t->worker && strcmp(t->worker->user, p->w->user) != 0))
        return NULL;
    c->n_orphans -= !t->worker;
    return t;
}
#endif

/* `broken`: why the result cannot be stored as it is, or NULL. */
static int take_result(const struct peer_call *p, const Acsweep__Result *r, const char *broken, bool *kept,
                       struct err *e)
{
    struct task *t = result_task(p, r);
    if (!t)
        return answer_stale(p, r->token, e);
    char *holder = t->worker ? t->worker->id : t->worker_id;
    struct commit_end end = { .task = t, .result = r, .message = r->message, .worker_id = holder, .ack = p->w };
    if (broken)
        judge_broken(&end, broken);
    else
        TRY(judge(p->c, &end, e));
    TRY(graph_move(&p->c->graph, t, EV_OUTCOME_IN, e));
    *kept = true;
    return commit_add_end(p->c->gathering, &end, e);
}

int peers_on_results(const struct peer_call *p, struct err *e)
{
    const Acsweep__Results *list = (*p->m)->results;
    bool kept = false;
    struct err why = { 0 }; /* one line for all of the message */
    if (list->n_results > CHECK_RESULTS_MAX)
        FAIL(&why, ERR_PEER, "%zu results in one message; at most %d are allowed", list->n_results, CHECK_RESULTS_MAX);
    for (size_t i = 0; i < list->n_results && i < CHECK_RESULTS_MAX; i++) {
        const Acsweep__Result *r = list->results[i];
        struct err broken = { 0 };
        if (check_result_token(r, &why) < 0)
            continue;
        if (check_result(r, &broken) < 0 && !why.kind)
            why = broken;
        TRY(take_result(p, r, broken.kind ? broken.text : NULL, &kept, e));
    }
    if (why.kind) {
        log_warn("result.refused", KV_STR("worker", p->w->id), KV_ERR(&why));
        TRY(peers_refuse(p->c, p->from, (*p->m)->message_id, "result", why.text, e));
    }
    if (kept)
        TRY(commit_keep(p->c->gathering, p->m, e));
    return coord_kick(p->c, e);
}
