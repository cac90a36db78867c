/* What the command line asks: submit, cancel, retry, drain, explain, shutdown; and snapshots for those who watch. */
#include <jansson.h>
#include <string.h>

#include "common/digest.h"
#include "common/log.h"
#include "common/mono.h"
#include "coordinator/coord.h"

static int send_quietly(struct coord *c, const struct peer_id *to, envelope *m, bool *gone, struct err *e)
{
    struct err why = { 0 };
    int rc = chan_send(c->chan, to, m, &why);
    *gone = rc != 0; /* a client that went away or does not read gets nothing more */
    if (rc < 0 && why.kind == ERR_BUG) {
        if (e)
            *e = why;
        return -1;
    }
    return 0;
}

int control_answer(struct coord *c, const struct peer_id *to, uint64_t answers, const struct err *why, const char *text,
                   const char *json, struct err *e)
{
    Acsweep__ControlReply reply = ACSWEEP__CONTROL_REPLY__INIT;
    reply.ok = !why;
    reply.error_kind = (char *)(why ? err_kind_name(why->kind) : "");
    reply.text = (char *)(why ? why->text : text);
    reply.json = (char *)json;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.answers = answers;
    m.body_case = ACSWEEP__ENVELOPE__BODY_CONTROL_REPLY;
    m.control_reply = &reply;
    bool gone;
    return send_quietly(c, to, &m, &gone, e);
}

struct request {
    struct coord *c;
    const struct peer_id *from;
    uint64_t id;
    const Acsweep__ControlRequest *body;
};

static int refuse(const struct request *r, enum err_kind kind, const char *text, struct err *e)
{
    struct err why = { 0 };
    FAIL(&why, kind, "%s", text);
    return control_answer(r->c, r->from, r->id, &why, "", "", e);
}

static int answer(const struct request *r, const char *text, struct err *e)
{
    return control_answer(r->c, r->from, r->id, NULL, text, "", e);
}

/* ---- cancel and retry ---- */

static bool runs_elsewhere(const struct task *t, const struct sweep *s)
{
    for (const struct task_sweep *l = t->sweeps; l; l = l->next)
        if (l->sweep != s && l->sweep->state == SWEEP_RUNNING)
            return true;
    return false;
}

bool control_wanted_elsewhere(const struct task *t, const struct sweep *s)
{
    bool wanted = runs_elsewhere(t, s);
    /* Features in files are not in the plan of a sweep that would have its tasks compute them; but one of these may be
     * waiting for them. */
    for (size_t i = 0; !wanted && i < t->n_successors; i++)
        wanted = !task_state_terminal(t->successors[i]->state) && runs_elsewhere(t->successors[i], s);
    return wanted;
}

int control_cancel(struct coord *c, struct task *t, const char *reason, struct err *e)
{
    switch (t->state) {
    case TASK_PENDING:
    case TASK_READY:
        return coord_mark(c, t, EV_CANCELLED, reason, e);
    case TASK_LEASING:
    case TASK_ENDING:
        t->cancel_wanted = true;
        return 0;
    case TASK_LEASED:
        t->cancel_wanted = true;
        if (!t->worker) {
            c->n_orphans -= c->n_orphans > 0;
            return coord_end_attempt(c, t, "cancelled", ACSWEEP__FAILURE_CLASS__FAILURE_NONE, false, reason, e);
        }
        TRY(commit_add_cancel(c->gathering, t, e));
        return peers_cancel(c, t, "cancelled", e);
    default:
        return 0;
    }
}

struct end_job {
    struct db_job job;
    struct coord *c;
    struct peer_id from;
    uint64_t answers;
    int64_t sweep_id;
};

static int end_run(struct db_job *j, struct db *d, struct err *e)
{
    return store_sweep_end(d, ((struct end_job *)j)->sweep_id, SWEEP_CANCELLED, "cancelled by request", e);
}

static int cancel_tasks(struct coord *c, struct sweep *s, struct err *e)
{
    for (size_t i = 0; i < s->plan->n_tasks; i++)
        if (s->tasks[i] && !control_wanted_elsewhere(s->tasks[i], s))
            TRY(control_cancel(c, s->tasks[i], "the sweep was cancelled", e));
    return 0;
}

/* The row says "cancelled" now, so whatever goes on under its id ends: also what a submission has brought that came
 * before this request and was taken in after it. */
static int end_sweep(struct coord *c, int64_t id, struct err *e)
{
    struct sweep *s = c->sweeps;
    while (s && s->id != id)
        s = s->next;
    if (!s)
        return 0;
    if (s->state == SWEEP_RUNNING)
        TRY(cancel_tasks(c, s, e));
    TRY(sweeps_end(c, s, SWEEP_CANCELLED, e));
    return coord_kick(c, e);
}

static int end_done(struct db_job *job, const struct err *why, struct err *e)
{
    struct end_job *j = (struct end_job *)job;
    int rc = 0;
    if (why) {
        if (e)
            *e = *why;
        rc = -1;
    } else {
        rc = end_sweep(j->c, j->sweep_id, e);
        if (rc == 0)
            rc = control_answer(j->c, &j->from, j->answers, NULL, "cancelled; running tasks are being stopped", "", e);
    }
    free(j);
    return rc;
}

static int on_cancel_sweep(const struct request *r, struct err *e)
{
    struct sweep *s = coord_sweep(r->c, r->body->cancel_sweep->name);
    if (!s || s->state != SWEEP_RUNNING)
        return refuse(r, ERR_INPUT, "no running sweep has that name", e);
    struct end_job *j = calloc(1, sizeof *j);
    if (!j)
        return FAIL_NOMEM(e);
    if (cancel_tasks(r->c, s, e) < 0) {
        free(j);
        return -1;
    }
    s->state = SWEEP_CANCELLED;
    j->job.run = end_run;
    j->job.done = end_done;
    j->c = r->c;
    j->from = *r->from;
    j->answers = r->id;
    j->sweep_id = s->id;
    dbthread_post(r->c->db, &j->job);
    return coord_kick(r->c, e);
}

static int on_cancel_task(const struct request *r, struct err *e)
{
    struct task *t = graph_find(&r->c->graph, r->body->cancel_task->task_id);
    if (!t || task_state_terminal(t->state))
        return refuse(r, ERR_INPUT, "no task with that number is waiting or running", e);
    TRY(control_cancel(r->c, t, r->body->cancel_task->reason[0] ? r->body->cancel_task->reason : "cancelled by request",
                       e));
    TRY(coord_kick(r->c, e));
    return answer(r, "cancelled", e);
}

static int revive_one(struct coord *c, struct task *t, struct task **list, struct err *e)
{
    if (t->state != TASK_FAILED && t->state != TASK_CANCELLED)
        return 0;
    TRY(coord_revive(c, t, "tried again by request", e));
    t->doomed_next = *list;
    *list = t;
    return 0;
}

/* Revive a failed or cancelled task, and with it the failed ones that it needs and that need it. A list instead of
 * recursion: chains may be longer than a stack is deep. */
static int revive(struct coord *c, struct task *t, size_t *n, struct err *e)
{
    struct task *list = NULL;
    TRY(revive_one(c, t, &list, e));
    while (list) {
        struct task *next = list;
        list = next->doomed_next;
        ++*n;
        for (size_t i = 0; i < next->n_inputs; i++)
            TRY(revive_one(c, next->inputs[i].task, &list, e));
        for (size_t i = 0; i < next->n_successors; i++)
            TRY(revive_one(c, next->successors[i], &list, e));
        TRY(coord_settle(c, next, e));
    }
    return 0;
}

static int on_retry(const struct request *r, struct err *e)
{
    size_t n = 0;
    if (r->body->retry->task_id) {
        struct task *t = graph_find(&r->c->graph, r->body->retry->task_id);
        if (!t || !control_wanted_elsewhere(t, NULL))
            return refuse(r, ERR_INPUT, "no running sweep has a task with that number; submit its sweep again", e);
        TRY(revive(r->c, t, &n, e));
    } else {
        struct sweep *s = coord_sweep(r->c, r->body->retry->sweep);
        if (!s || s->state != SWEEP_RUNNING)
            return refuse(r, ERR_INPUT, "no running sweep has that name; submit it again to retry what failed", e);
        for (size_t i = 0; i < s->plan->n_tasks; i++)
            if (s->tasks[i])
                TRY(revive(r->c, s->tasks[i], &n, e));
    }
    char text[80];
    snprintf(text, sizeof text, "%zu task%s will be tried again", n, n == 1 ? "" : "s");
    TRY(answer(r, text, e));
    return coord_kick(r->c, e);
}

/* ---- drain, shutdown, submit ---- */

static int on_drain(const struct request *r, struct err *e)
{
    const Acsweep__DrainWorker *d = r->body->drain_worker;
    struct worker *w;
    size_t n = 0;
    for (size_t i = 0; (w = map_next(&r->c->roster.by_id, &i));) {
        if (w->state != WORKER_JOINED || (strcmp(d->worker, w->id) && strcmp(d->worker, w->node) && d->worker[0]))
            continue;
        Acsweep__Drain body = ACSWEEP__DRAIN__INIT;
        body.reason = d->reason;
        body.grace_ms = d->grace_ms;
        envelope m = ACSWEEP__ENVELOPE__INIT;
        m.body_case = ACSWEEP__ENVELOPE__BODY_DRAIN;
        m.drain = &body;
        bool gone;
        w->draining = true;
        TRY(coord_worker_state(r->c, w, WORKER_DRAINING, d->reason, e));
        TRY(send_quietly(r->c, &w->peer, &m, &gone, e));
        TRY(coord_event(r->c, "worker.draining", NULL, 0, 0, w->id, d->reason, e));
        n++;
    }
    if (!n)
        return refuse(r, ERR_INPUT, "no joined worker has that id or node name", e);
    char text[60];
    snprintf(text, sizeof text, "%zu worker%s draining", n, n == 1 ? "" : "s");
    return answer(r, text, e);
}

static int on_shutdown(const struct request *r, struct err *e)
{
    TRY(answer(r, "stopping", e));
    coord_stop(r->c);
    return 0;
}

static int on_submit(const struct request *r, struct err *e)
{
    return sweeps_submit(r->c, r->from, r->id, r->body->submit, e);
}

/* ---- status and explain ---- */

static size_t kind_index(Acsweep__StageCount *counts, size_t *n, const char *kind)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(counts[i].kind, kind) == 0)
            return i;
    counts[*n] = (Acsweep__StageCount)ACSWEEP__STAGE_COUNT__INIT;
    counts[*n].kind = (char *)kind;
    return (*n)++;
}

#define KINDS_MAX 16

static size_t count_stages(const struct sweep *s, Acsweep__StageCount counts[KINDS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < s->plan->n_tasks; i++) {
        const struct task *t = s->tasks[i];
        if (!t)
            continue;
        Acsweep__StageCount *k = &counts[kind_index(counts, &n, t->kind)];
        uint64_t *const by_state[TASK_STATES] = {
            [TASK_PENDING] = &k->waiting, [TASK_READY] = &k->ready,         [TASK_LEASING] = &k->ready,
            [TASK_LEASED] = &k->running,  [TASK_ENDING] = &k->running,      [TASK_DONE] = &k->done,
            [TASK_FAILED] = &k->failed,   [TASK_CANCELLED] = &k->cancelled,
        };
        k->total++;
        ++*by_state[t->state];
        k->cached += s->stored->tasks[i].cached;
    }
    return n;
}

static int send_snapshot(struct coord *c, const struct sweep *s, const struct peer_id *to, uint64_t answers, bool *gone,
                         struct err *e)
{
    Acsweep__StageCount counts[KINDS_MAX], *list[KINDS_MAX];
    Acsweep__Snapshot body = ACSWEEP__SNAPSHOT__INIT;
    body.n_stages = count_stages(s, counts);
    for (size_t i = 0; i < body.n_stages; i++)
        list[i] = &counts[i];
    body.stages = list;
    body.sweep = s->plan->name;
    body.state = (char *)sweep_state_name(s->state);
    body.round = (uint32_t)s->round;
    body.round_note = (char *)s->note;
    body.fine_tunes_budget = s->plan->n_representations ? (uint32_t)s->plan->policy.budget_fine_tunes : 0;
    for (size_t r = 0; r < s->plan->n_representations; r++)
        body.fine_tunes_done += s->reps[r] == REP_MEASURED || s->reps[r] == REP_FAILED;
    const struct worker *w;
    for (size_t i = 0; (w = map_next(&c->roster.by_id, &i));) {
        if (w->state == WORKER_LEFT || w->state == WORKER_SILENT)
            continue;
        body.workers++;
        body.slots += w->slots;
        for (uint32_t k = 0; k < w->slots; k++)
            body.busy += w->in_flight[k] > 0;
    }
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.answers = answers;
    m.body_case = ACSWEEP__ENVELOPE__BODY_SNAPSHOT;
    m.snapshot = &body;
    return send_quietly(c, to, &m, gone, e);
}

#define WATCHERS_MAX 1000 /* one that watches a sweep that never comes is never found to be gone */

int control_watch(struct coord *c, const struct peer_id *from, const Acsweep__Watch *w, struct err *e)
{
    struct watcher *new = calloc(1, sizeof *new);
    if (!new || !(new->sweep = strdup(w->sweep))) {
        free(new);
        return FAIL_NOMEM(e);
    }
    uint64_t ms = w->interval_ms < 100 ? 100 : w->interval_ms > 60000 ? 60000 : w->interval_ms;
    new->peer = *from;
    new->interval_ns = (int64_t)ms *NS_PER_MS;
    size_t n = 0;
    for (struct watcher **at = &c->watchers;
         *at;) { /* asking again replaces the old wish; so does the newest of many */
        struct watcher *old = *at;
        if (!peer_id_equal(&old->peer, from) && ++n < WATCHERS_MAX) {
            at = &old->link;
            continue;
        }
        *at = old->link;
        free(old->sweep);
        free(old);
    }
    new->link = c->watchers;
    c->watchers = new;
    return 0;
}

int control_tick(struct coord *c, int64_t now, struct err *e)
{
    for (struct watcher **at = &c->watchers; *at;) {
        struct watcher *w = *at;
        bool gone = false;
        if (w->next <= now) {
            w->next = mono_now() + w->interval_ns;
            for (const struct sweep *s = c->sweeps; s && !gone; s = s->next)
                if (!w->sweep[0] || strcmp(w->sweep, s->plan->name) == 0)
                    TRY(send_snapshot(c, s, &w->peer, 0, &gone, e));
        }
        if (!gone) {
            at = &w->link;
            continue;
        }
        *at = w->link;
        free(w->sweep);
        free(w);
    }
    return 0;
}

static json_t *stage_json(const Acsweep__StageCount *k)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "kind", k->kind, "total", (json_int_t)k->total,
                     "done", (json_int_t)k->done, "running", (json_int_t)k->running, "ready", (json_int_t)k->ready,
                     "waiting", (json_int_t)k->waiting, "failed", (json_int_t)k->failed, "cancelled",
                     (json_int_t)k->cancelled, "cached", (json_int_t)k->cached);
}

static int answer_json(const struct request *r, json_t *j, struct err *e)
{
    AUTO(free) char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    if (!text)
        return refuse(r, ERR_ENV, "out of memory, or a text that is not UTF-8", e);
    return control_answer(r->c, r->from, r->id, NULL, "", text, e);
}

static int on_status(const struct request *r, struct err *e)
{
    json_t *all = json_array();
    for (const struct sweep *s = r->c->sweeps; s; s = s->next) {
        if (r->body->status->name[0] && strcmp(r->body->status->name, s->plan->name))
            continue;
        Acsweep__StageCount counts[KINDS_MAX];
        size_t n = count_stages(s, counts);
        json_t *stages = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(stages, stage_json(&counts[i]));
        json_array_append_new(all, json_pack("{s:s, s:s, s:i, s:o}", "sweep", s->plan->name, "state",
                                             sweep_state_name(s->state), "round", s->round, "stages", stages));
    }
    return answer_json(r, all, e);
}

static const char *why_waiting(const struct coord *c, const struct task *t, char *text, size_t size)
{
    if (t->state == TASK_PENDING && t->open_inputs)
        snprintf(text, size, "waits for %u of its %zu inputs", t->open_inputs, t->n_inputs);
    else if (t->state == TASK_PENDING)
        snprintf(text, size, "waits %.1f s before its next attempt", (double)(t->not_before - mono_now()) / NS_PER_S);
    else if (t->state == TASK_READY)
        snprintf(text, size, "%s",
                 c->graph.shapes[t->shape].reason[0] ? c->graph.shapes[t->shape].reason : "is about to be placed");
    else
        snprintf(text, size, "%s", t->note ? t->note : "");
    text_cut(text, size);
    return text;
}

#define EXPLAIN_INPUTS_MAX 1000 /* the answer is one message */

static int on_explain(const struct request *r, struct err *e)
{
    const struct task *t = graph_find(&r->c->graph, r->body->explain->task_id);
    if (!t)
        return refuse(r, ERR_INPUT, "no running sweep has a task with that number", e);
    char why[300];
    json_t *inputs = json_array();
    for (size_t i = 0; i < t->n_inputs && i < EXPLAIN_INPUTS_MAX; i++)
        json_array_append_new(inputs, json_pack("{s:I, s:s, s:s, s:s}", "task", (json_int_t)t->inputs[i].task->id,
                                                "name", t->inputs[i].name, "label", t->inputs[i].task->label, "state",
                                                task_state_name(t->inputs[i].task->state)));
    return answer_json(r,
                       json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s?, s:o}", "task", (json_int_t)t->id,
                                 "label", t->label, "kind", t->kind, "executor", t->executor, "identity", t->identity,
                                 "state", task_state_name(t->state), "attempt", (int)t->attempt, "charged",
                                 (int)t->charged, "why", why_waiting(r->c, t, why, sizeof why), "worker",
                                 t->worker ? t->worker->id : t->worker_id, "inputs", inputs),
                       e);
}

/* ---- routes ---- */

static const struct {
    int op;
    int (*handle)(const struct request *r, struct err *e);
} routes[] = {
    { ACSWEEP__CONTROL_REQUEST__OP_SUBMIT, on_submit },
    { ACSWEEP__CONTROL_REQUEST__OP_CANCEL_SWEEP, on_cancel_sweep },
    { ACSWEEP__CONTROL_REQUEST__OP_CANCEL_TASK, on_cancel_task },
    { ACSWEEP__CONTROL_REQUEST__OP_RETRY, on_retry },
    { ACSWEEP__CONTROL_REQUEST__OP_DRAIN_WORKER, on_drain },
    { ACSWEEP__CONTROL_REQUEST__OP_STATUS, on_status },
    { ACSWEEP__CONTROL_REQUEST__OP_EXPLAIN, on_explain },
    { ACSWEEP__CONTROL_REQUEST__OP_SHUTDOWN, on_shutdown },
};

int control_request(struct coord *c, const struct peer_id *from, const envelope *m, struct err *e)
{
    const struct request r = { c, from, m->message_id, m->control_request };
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (routes[i].op == (int)r.body->op_case)
            return routes[i].handle(&r, e);
    return refuse(&r, ERR_USAGE, "this coordinator does not know that request: upgrade it", e);
}
