/* Sweeps on the loop thread: taking in a submission, the rounds of the policy, the end of a sweep. */
#include <math.h>
#include <string.h>

#include "common/digest.h"
#include "common/buf.h"
#include "common/log.h"
#include "common/mono.h"
#include "coordinator/coord.h"
#include "policy/choose.h"

struct sweep *coord_sweep(const struct coord *c, const char *name)
{
    for (struct sweep *s = c->sweeps; s; s = s->next)
        if (strcmp(s->plan->name, name) == 0)
            return s;
    return NULL;
}

void sweep_destroy(struct sweep *s)
{
    if (!s)
        return;
    stored_sweep_destroy(s->stored);
    free(s->tasks);
    free(s->value);
    free(s->reps);
    free(s);
}

/* ---- merging what the database knows into the graph ---- */

static int adopt_lease(struct coord *c, struct task *t, const struct stored_task *from, struct err *e)
{
    t->state = TASK_LEASED;
    t->cancel_wanted = from->cancel_wanted;
    t->lease_deadline = mono_now() + c->opt.lease_ns; /* a new leader starts every lease clock anew */
    c->n_orphans++;
    if (!(t->worker_id = strdup(from->worker_id ? from->worker_id : "")))
        return FAIL_NOMEM(e);
    return 0;
}

/* What a task is about, as a number: equal for all tasks of one representation, or of one encoder, in every sweep. */
static uint32_t subject_of(const struct plan *p, const struct plan_task *t)
{
    const char *name = t->representation != PLAN_NONE ? p->representations[t->representation].identity
                       : t->encoder != PLAN_NONE      ? p->encoders[t->encoder].identity
                                                      : NULL;
    /* A SHA-256 in hex: its first digits are as good a number as any. */
    return name ? (uint32_t)strtoul((char[9]){ name[0], name[1], name[2], name[3], name[4], name[5], name[6], name[7] },
                                    NULL, 16) |
                      1u
                : 0;
}

static struct task *input_of(const struct coord *c, const struct plan *plan, const struct plan_task *p, size_t k)
{
    return graph_find_identity(&c->graph, plan->tasks[p->inputs[k].task].identity);
}

static int link_inputs(struct coord *c, const struct plan *plan, const struct plan_task *p, struct task *t, struct err *e)
{
    for (size_t k = 0; k < p->n_inputs; k++) {
        struct task *input = input_of(c, plan, p, k);
        if (!input)
            return FAIL(e, ERR_DB, "task %llu needs one that is not in the database: %s", (unsigned long long)t->id,
                        plan->tasks[p->inputs[k].task].label);
        TRY(graph_link(t, input, p->inputs[k].name, e));
    }
    return 0;
}

/* How a task is done that has not begun is said by the newest sweep that wants it: its command, say, or whether it reads
 * features from files. One that is READY must stay so. */
static int take_newer_way(struct coord *c, const struct plan *plan, const struct plan_task *p, struct task *t, struct err *e)
{
    if ((t->state != TASK_PENDING && t->state != TASK_READY) || strcmp(t->params, p->params) == 0)
        return 0;
    for (size_t k = 0; t->state == TASK_READY && k < p->n_inputs; k++) {
        const struct task *input = input_of(c, plan, p, k);
        if (!input || input->state != TASK_DONE)
            return 0;
    }
    char *params = strdup(p->params);
    if (!params)
        return FAIL_NOMEM(e);
    free(t->params);
    t->params = params;
    graph_unlink_inputs(t);
    return link_inputs(c, plan, p, t, e);
}

static int new_task(struct coord *c, struct sweep *s, size_t i, struct task **out, struct err *e)
{
    const struct stored_task *from = &s->stored->tasks[i];
    const struct plan_task *p = &s->plan->tasks[i];
    struct task *t = graph_add(&c->graph, from->id, p, e);
    if (!t)
        return -1;
    t->subject = subject_of(s->plan, p);
    t->attempt = from->attempt;
    t->epoch = from->epoch;
    t->charged = (uint16_t)from->charged;
    memcpy(t->failures, from->failures, sizeof t->failures);
    TRY(link_inputs(c, s->plan, p, t, e));
    *out = t;
    if (from->state == TASK_LEASED)
        return adopt_lease(c, t, from, e);
    t->state = from->state;
    if (task_state_terminal(t->state))
        c->graph.open--;
    t->artifacts = TAKE(s->stored->artifacts[i]);
    t->n_artifacts = s->stored->n_artifacts[i];
    s->stored->n_artifacts[i] = 0;
    return 0;
}

/* What waits for the task to end: the next round, the end of the sweep, or, for a chosen representation, a look at each
 * (update_standing). */
static size_t *open_count(struct sweep *s, size_t i)
{
    const struct plan_task *k = &s->plan->tasks[i];
    return k->floor ? &s->open_floors : k->deferred ? NULL : &s->open_now;
}

static int join_task(struct coord *c, struct sweep *s, size_t i, struct err *e)
{
    struct task *t = graph_find(&c->graph, s->stored->tasks[i].id);
    if (!t)
        TRY(new_task(c, s, i, &t, e));
    else if (s->stored->tasks[i].state == TASK_PENDING && (t->state == TASK_FAILED || t->state == TASK_CANCELLED))
        TRY(coord_revive(c, t, "submitted again", e));
    else if (!task_state_terminal(t->state))
        t->cancel_wanted = false; /* wanted again */
    TRY(take_newer_way(c, s->plan, &s->plan->tasks[i], t, e));
    struct task_sweep *link = malloc(sizeof *link);
    if (!link)
        return FAIL_NOMEM(e);
    *link = (struct task_sweep){ s, i, t->sweeps };
    t->sweeps = link;
    s->tasks[i] = t;
    size_t *open = open_count(s, i);
    if (open)
        *open += !task_state_terminal(t->state);
    s->value[i] = s->stored->value[i];
    return 0;
}

/* Take in every task that the database has and the graph does not, inputs before successors. */
static int merge(struct coord *c, struct sweep *s, struct err *e)
{
    for (size_t i = 0; i < s->plan->n_tasks; i++)
        if (s->stored->tasks[i].id && !s->tasks[i])
            TRY(join_task(c, s, i, e));
    for (size_t i = 0; i < s->plan->n_tasks; i++) {
        struct task *t = s->tasks[i];
        /* The last leader may have ended after the commit of a failure, before that of what it means for others. */
        if (t && (t->state == TASK_FAILED || t->state == TASK_CANCELLED))
            TRY(coord_fail_successors(c, t, e));
        else if (t)
            TRY(coord_settle(c, t, e));
    }
    return 0;
}

static struct sweep *sweep_take(struct stored_sweep **stored, struct err *e)
{
    struct sweep *s = calloc(1, sizeof *s);
    const struct plan *p = (*stored)->plan;
    if (s) {
        s->tasks = calloc(p->n_tasks + 1, sizeof *s->tasks);
        s->value = malloc((p->n_tasks + 1) * sizeof *s->value);
        s->reps = calloc(p->n_representations + 1, sizeof *s->reps);
    }
    if (!s || !s->tasks || !s->value || !s->reps) {
        sweep_destroy(s);
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    }
    for (size_t i = 0; i < p->n_tasks; i++)
        s->value[i] = NAN;
    s->id = (*stored)->id;
    s->plan = p;
    s->round = (*stored)->round;
    s->gpu_seconds = (*stored)->gpu_seconds;
    s->round_open = (*stored)->round_open;
    s->state = SWEEP_RUNNING;
    s->dirty = true;
    s->stored = TAKE(*stored);
    for (size_t i = 0; i < s->stored->n_chosen; i++)
        s->reps[s->stored->chosen[i]] = REP_CHOSEN;
    return s;
}

/* Tasks that no running sweep wants any more stay in the graph only while something may come back for them (tidy.c). */
static void detach(struct coord *c, struct sweep *s)
{
    for (struct sweep **at = &c->sweeps; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    for (size_t i = 0; i < s->plan->n_tasks; i++)
        for (struct task_sweep **at = s->tasks[i] ? &s->tasks[i]->sweeps : NULL; at && *at; at = &(*at)->next)
            if ((*at)->sweep == s) {
                struct task_sweep *gone = *at;
                *at = gone->next;
                free(gone);
                break;
            }
    sweep_destroy(s);
    if (!c->next_trim)
        c->next_trim = mono_now() + c->opt.lease_ns;
}

/* The submission has revived in the database what had failed of a sweep that is still running. */
static int rejoin(struct coord *c, struct sweep *s, const struct stored_sweep *stored, struct err *e)
{
    for (size_t i = 0; i < s->plan->n_tasks; i++) {
        struct task *t = s->tasks[i];
        bool failed = t && (t->state == TASK_FAILED || t->state == TASK_CANCELLED);
        if (failed && stored->tasks[i].id && stored->tasks[i].state == TASK_PENDING)
            TRY(coord_revive(c, t, "submitted again", e));
    }
    for (size_t i = 0; i < s->plan->n_tasks; i++)
        if (s->tasks[i])
            TRY(coord_settle(c, s->tasks[i], e));
    s->stored->revived |= stored->revived; /* a final round that is there while floors run is not the last, then */
    s->dirty = true;
    return 0;
}

/* Another sweep took the name: what only the old one wanted is stopped. */
static int replace(struct coord *c, struct sweep *old, struct err *e)
{
    for (size_t i = 0; i < old->plan->n_tasks; i++) {
        struct task *t = old->tasks[i];
        if (t && !control_wanted_elsewhere(t, old))
            TRY(control_cancel(c, t, "its sweep was submitted with another config", e));
    }
    detach(c, old);
    return 0;
}

/* A sweep whose content is looked at first leaves the one that had its name in place: until it is planned nobody knows
 * which of the running tasks it wants. (That one begins no rounds meanwhile: its config is no longer the stored one.) */
static int replace_others(struct coord *c, const struct sweep *s, struct err *e)
{
    struct sweep *next;
    for (struct sweep *old = s->plan->identifies ? NULL : c->sweeps; old; old = next) {
        next = old->next;
        if (old != s && strcmp(old->plan->name, s->plan->name) == 0)
            TRY(replace(c, old, e));
    }
    return 0;
}

int sweeps_take_in(struct coord *c, struct stored_sweep **stored, struct sweep **out, struct err *e)
{
    struct sweep *old = coord_sweep(c, (*stored)->plan->name);
    if (old && old->state == SWEEP_RUNNING && strcmp(old->stored->config_digest, (*stored)->config_digest) == 0) {
        *out = old; /* the same sweep again: it goes on */
        return rejoin(c, old, *stored, e);
    }
    struct sweep *s = sweep_take(stored, e);
    if (!s)
        return -1;
    s->next = c->sweeps;
    c->sweeps = s;
    *out = s;
    TRY(merge(c, s, e));
    return replace_others(c, s, e);
}

/* The stored config does not make a plan any more. */
static int give_up(struct db *d, int64_t sweep_id, struct err *e)
{
    struct err why = *e;
    err_clear(e);
    text_cut(why.text, 200);
    log_error("sweep.unreadable", KV_I64("sweep_id", sweep_id), KV_ERR(&why));
    return store_sweep_end(d, sweep_id, SWEEP_FAILED, why.text, e);
}

int sweeps_recover(struct coord *c, struct db *d, struct err *e)
{
    AUTO(free) int64_t *ids = NULL;
    size_t n;
    TRY(store_running(d, &ids, &n, e));
    for (size_t i = 0; i < n; i++) {
        AUTO(stored_sweep_destroy) struct stored_sweep *stored = store_load(d, ids[i], e);
        struct sweep *s;
        if (!stored && e && e->kind == ERR_INPUT) { /* an older program took it; the other sweeps go on */
            TRY(give_up(d, ids[i], e));
            continue;
        }
        if (!stored || sweeps_take_in(c, &stored, &s, e) < 0)
            return err_wrap(e, "sweep %lld", (long long)ids[i]);
        log_info("sweep.recovered", KV_STR("sweep", s->plan->name), KV_I64("leased", c->n_orphans));
    }
    return 0;
}

/* ---- submission ---- */

struct submit_job {
    struct db_job job;
    struct coord *c;
    struct peer_id from;
    uint64_t answers;
    struct submission submission;
    struct stored_sweep *stored;
};

static int submit_run(struct db_job *j, struct db *d, struct err *e)
{
    struct submit_job *s = (struct submit_job *)j;
    s->stored = store_submit(d, &s->submission, s->c->opt.store ? s->c->opt.store : "", e);
    return s->stored ? 0 : -1;
}

static int submit_answer(struct submit_job *j, const struct sweep *s, struct err *e)
{
    size_t now = 0, cached = 0;
    for (size_t i = 0; i < s->plan->n_tasks; i++)
        if (s->tasks[i]) {
            now++;
            cached += s->tasks[i]->state == TASK_DONE;
        }
    char text[300], json[300];
    if (s->plan->identifies)
        snprintf(text, sizeof text, "sweep %.100s: looks at the content of %zu checkpoints and image sets first",
                 s->plan->name, s->plan->n_tasks);
    else
        snprintf(text, sizeof text, "sweep %.100s: %zu representations, %zu tasks now, %zu of them done already",
                 s->plan->name, s->plan->n_representations, now, cached);
    snprintf(json, sizeof json, "{\"sweep_id\":%lld,\"representations\":%zu,\"tasks\":%zu,\"cached\":%zu}",
             (long long)s->id, s->plan->n_representations, now, cached);
    return control_answer(j->c, &j->from, j->answers, NULL, text, json, e);
}

static int submit_done(struct db_job *job, const struct err *why, struct err *e)
{
    struct submit_job *j = (struct submit_job *)job;
    struct sweep *s;
    int rc;
    if (why && why->kind == ERR_DB_RETRY) {
        if (e)
            *e = *why;
        rc = -1;
    } else if (why) {
        rc = control_answer(j->c, &j->from, j->answers, why, "", "", e);
    } else {
        rc = sweeps_take_in(j->c, &j->stored, &s, e);
        if (rc == 0)
            rc = submit_answer(j, s, e);
        if (rc == 0)
            rc = sweeps_advance(j->c, e);
        if (rc == 0)
            rc = coord_kick(j->c, e);
    }
    stored_sweep_destroy(j->stored);
    submission_free(&j->submission);
    free(j);
    return rc;
}

int sweeps_submit(struct coord *c, const struct peer_id *from, uint64_t answers, const Acsweep__Submit *s,
                  struct err *e)
{
    struct submit_job *j = calloc(1, sizeof *j);
    if (!j)
        return FAIL_NOMEM(e);
    j->job.run = submit_run;
    j->job.done = submit_done;
    j->c = c;
    j->from = *from;
    j->answers = answers;
    struct submission *sub = &j->submission;
    sub->config = strdup(s->config);
    sub->place = strdup(s->name[0] ? s->name : "sweep.cfg");
    sub->file_names = calloc(s->n_files + 1, sizeof *sub->file_names);
    sub->file_texts = calloc(s->n_files + 1, sizeof *sub->file_texts);
    bool ok = sub->config && sub->place && sub->file_names && sub->file_texts;
    for (size_t i = 0; ok && i < s->n_files; i++) {
        sub->file_names[i] = strdup(s->files[i]->key);
        sub->file_texts[i] = strdup(s->files[i]->value);
        sub->n_files++;
        ok = sub->file_names[i] && sub->file_texts[i];
    }
    if (!ok) {
        submission_free(sub);
        free(j);
        return FAIL_NOMEM(e);
    }
    dbthread_post(c->db, &j->job);
    return 0;
}

/* ---- rounds ---- */

struct round_job {
    struct db_job job;
    struct coord *c;
    int64_t sweep_id;
    struct stored_sweep *stored; /* shared; the loop leaves it alone while the sweep is busy */
    struct policy_answer *answer;
    struct round_rows rows;
    bool stale; /* the sweep has been cancelled or submitted anew since: nothing was written */
    bool end;   /* no policy: only mark the sweep as ended */
    enum sweep_state state;
    int measured_round; /* > 0: close that round first */
};

static void round_job_destroy(struct round_job *j)
{
    policy_answer_destroy(j->answer);
    stored_sweep_destroy(j->stored);
    free(j);
}

/* The C of a correspondence set counts for the benchmarks that go with it. */
static void observe_c(struct policy_table *t, const struct plan *p, const struct plan_task *k, double value)
{
    for (size_t b = 0; b < p->n_benchmarks; b++)
        if (p->benchmarks[b].correspondence_set == k->correspondence_set)
            policy_table_set_c_of(t, k->representation, b, value);
}

static struct policy_table *observe(const struct sweep *s, bool *excluded, struct err *e)
{
    const struct plan *p = s->plan;
    AUTO(free) const char **reps = calloc(p->n_representations + 1, sizeof *reps);
    AUTO(free) const char **benches = calloc(p->n_benchmarks + 1, sizeof *benches);
    if (!reps || !benches)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    for (size_t i = 0; i < p->n_representations; i++) {
        reps[i] = p->representations[i].name;
        excluded[i] = s->reps[i] == REP_FAILED;
    }
    for (size_t i = 0; i < p->n_benchmarks; i++)
        benches[i] = p->benchmarks[i].name;
    struct policy_table *t = policy_table_create(reps, p->n_representations, benches, p->n_benchmarks, e);
    for (size_t i = 0; t && i < p->n_tasks; i++) {
        const struct plan_task *k = &p->tasks[i];
        if (isnan(s->value[i]) || k->representation == PLAN_NONE || k->floor)
            continue;
        if (strcmp(k->kind, "score_c") == 0)
            observe_c(t, p, k, s->value[i]);
        else if (strcmp(k->kind, "score_a") == 0)
            policy_table_set_a(t, k->representation, k->benchmark, s->value[i]);
        else if (s->reps[k->representation] == REP_MEASURED)
            policy_table_set_perf(t, k->representation, k->benchmark, s->value[i]);
    }
    return t;
}

/* The digest names the set of observations: equal sets, whatever their order of arrival, give equal rounds. */
static int observations_digest(const struct sweep *s, char hex[DIGEST_HEX_SIZE], struct err *e)
{
    AUTO(buf_free) struct buf b = BUF_INIT(256u << 20);
    for (size_t i = 0; i < s->plan->n_tasks; i++) {
        const struct plan_task *k = &s->plan->tasks[i];
        bool counts = k->representation != PLAN_NONE && !k->floor && !isnan(s->value[i]) &&
                      (!k->deferred || s->reps[k->representation] == REP_MEASURED);
        if (counts)
            buf_printf(&b, "%s=%.17g\n", k->identity, s->value[i]);
    }
    for (size_t r = 0; r < s->plan->n_representations; r++)
        if (s->reps[r] == REP_FAILED)
            buf_printf(&b, "failed %s\n", s->plan->representations[r].identity);
    TRY(buf_check(&b, "observations", e));
    digest_bytes(buf_text(&b), b.len, hex);
    return 0;
}

static const enum policy_mode modes[] = {
    [PLAN_POLICY_PAPER] = POLICY_MODE_PAPER,
    [PLAN_POLICY_DEFAULT] = POLICY_MODE_DEFAULT,
    [PLAN_POLICY_EXHAUSTIVE] = POLICY_MODE_EXHAUSTIVE,
};

/* What may still be scored, when not all is scored at once: representations whose tasks are not in the database. */
static int open_screen(const struct sweep *s, struct policy_screen *screen, struct err *e)
{
    const struct plan *p = s->plan;
    const size_t **members = calloc(p->n_representations + 1, sizeof *members);
    size_t *n_members = calloc(p->n_representations + 1, sizeof *n_members);
    bool *asked = calloc(p->n_representations + 1, sizeof *asked);
    *screen = (struct policy_screen){ members, n_members, asked, (size_t)p->policy.screen_batch };
    if (!members || !n_members || !asked)
        return FAIL_NOMEM(e);
    for (size_t r = 0; r < p->n_representations; r++) {
        members[r] = p->representations[r].members;
        n_members[r] = p->representations[r].n_members;
        asked[r] = true;
    }
    for (size_t i = 0; i < p->n_tasks; i++)
        if (p->tasks[i].on_demand && !s->tasks[i] && p->tasks[i].representation != PLAN_NONE)
            asked[p->tasks[i].representation] = false;
    return 0;
}

static void close_screen(struct policy_screen *screen)
{
    free((void *)screen->members);
    free((void *)screen->n_members);
    free((void *)screen->asked);
}

static struct policy_answer *ask_policy(const struct sweep *s, int round, size_t batch, struct err *e)
{
    const struct plan *p = s->plan;
    struct policy_screen screen __attribute__((cleanup(close_screen))) = { 0 };
    AUTO(free) bool *excluded = calloc(p->n_representations + 1, sizeof *excluded);
    AUTO(free) double *weights = calloc(p->n_benchmarks + 1, sizeof *weights);
    if (!excluded || !weights)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    for (size_t i = 0; i < p->n_benchmarks; i++)
        weights[i] = p->benchmarks[i].weight;
    AUTO(policy_table_destroy) struct policy_table *t = observe(s, excluded, e);
    if (!t || (p->policy.small_first && open_screen(s, &screen, e) < 0))
        return NULL;
    const struct policy_question q = {
        .mode = modes[p->policy.mode],
        .seed = p->policy.seed,
        .round = (uint64_t)round,
        .batch = batch,
        .weights = weights,
        .excluded = excluded,
        .direction_prior = p->policy.direction_prior,
        .ranking = p->policy.rank_measured_first ? POLICY_RANKING_MEASURED_FIRST : POLICY_RANKING_PAPER,
        .screen = p->policy.small_first ? &screen : NULL,
    };
    return policy_choose(t, &q, e);
}

static int round_run(struct db_job *job, struct db *d, struct err *e)
{
    struct round_job *j = (struct round_job *)job;
    TRY(store_is_stale(d, j->stored, &j->stale, e));
    if (j->stale)
        return 0;
    if (j->measured_round)
        TRY(store_round_measured(d, j->sweep_id, j->measured_round, e));
    if (j->end)
        return store_sweep_end(d, j->sweep_id, j->state, j->rows.note, e);
    return store_round(d, j->stored, &j->rows, e);
}

static int round_done(struct db_job *job, const struct err *why, struct err *e);

static struct round_job *round_job_create(struct coord *c, struct sweep *s, struct err *e)
{
    struct round_job *j = calloc(1, sizeof *j);
    if (!j)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    j->job.run = round_run;
    j->job.done = round_done;
    j->c = c;
    j->sweep_id = s->id;
    j->stored = s->stored;
    j->stored->refs++;
    s->busy = true;
    return j;
}

int sweeps_start_end(struct coord *c, struct sweep *s, enum sweep_state state, const char *note, struct err *e)
{
    struct round_job *j = round_job_create(c, s, e);
    if (!j)
        return -1;
    j->end = true;
    j->state = state;
    snprintf(j->rows.note, sizeof j->rows.note, "%s", note);
    text_cut(j->rows.note, sizeof j->rows.note);
    dbthread_post(c->db, &j->job);
    return 0;
}

int sweeps_end(struct coord *c, struct sweep *s, enum sweep_state state, struct err *e)
{
    log_info("sweep.ended", KV_STR("sweep", s->plan->name), KV_STR("state", sweep_state_name(state)));
    s->state = state;
    TRY(control_tick(c, INT64_MAX, e)); /* the last snapshot for whoever watches */
    int64_t id = s->id;
    detach(c, s);
    for (s = c->sweeps; s && s->id != id;) /* what had the name, while this one looked at content */
        s = s->next;
    return s ? replace(c, s, e) : 0;
}

static int round_done(struct db_job *job, const struct err *why, struct err *e)
{
    struct round_job *j = (struct round_job *)job;
    struct coord *c = j->c;
    struct sweep *s = c->sweeps;
    int rc = 0;
    while (s && s->stored != j->stored) /* by identity: the name may mean another plan by now */
        s = s->next;
    if (s)
        s->busy = false;
    if (why && why->kind == ERR_DB && s && !j->end) {
        /* Refused for good: the next leader would fare no better, and the other sweeps have no part in it. */
        log_error("sweep.round_refused", KV_STR("sweep", s->plan->name), KV_ERR(why));
        rc = sweeps_start_end(c, s, SWEEP_FAILED, why->text, e);
    } else if (why) {
        if (e)
            *e = *why;
        rc = -1;
    } else if (j->stale || !s) {
        rc = 0;
    } else if (j->end || (j->rows.final && !j->rows.floors)) {
        rc = sweeps_end(c, s, j->end ? j->state : SWEEP_DONE, e);
    } else {
        s->round = j->rows.round;
        s->round_open = !j->rows.final;
        s->dirty = true;
        s->stored->revived &= !j->rows.final;
        for (size_t i = 0; i < j->answer->n_choices; i++)
            s->reps[j->answer->choices[i].representation] = REP_CHOSEN;
        snprintf(s->note, sizeof s->note, "%s", j->answer->n_choices ? j->answer->choices[0].reason : j->rows.note);
        rc = merge(c, s, e);
        if (rc == 0)
            rc = sweeps_advance(c, e);
        if (rc == 0)
            rc = coord_kick(c, e);
    }
    round_job_destroy(j);
    return rc;
}

void sweeps_ended(struct task *t, bool was_terminal)
{
    bool is_terminal = task_state_terminal(t->state);
    for (struct task_sweep *l = t->sweeps; l; l = l->next) {
        l->sweep->dirty = true;
        size_t *open = open_count(l->sweep, l->plan_task);
        if (open)
            *open += (size_t)was_terminal - (size_t)is_terminal;
    }
}

struct standing { /* of the deferred tasks of one representation */
    bool any, open, failed;
};

static void add_standing(struct standing *s, const struct task *t)
{
    s->any = true;
    s->open |= !t || !task_state_terminal(t->state);
    s->failed |= t && (t->state == TASK_FAILED || t->state == TASK_CANCELLED);
}

/* How the chosen representations stand, in one pass over the tasks: a sweep may have as many as 4096 of them, and this
 * runs after every batch. */
static int update_standing(struct sweep *s, struct err *e)
{
    size_t n = s->plan->n_representations;
    AUTO(free) struct standing *of = calloc(n + 1, sizeof *of);
    if (!of)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < s->plan->n_tasks; i++) {
        const struct plan_task *k = &s->plan->tasks[i];
        if (k->deferred && k->representation != PLAN_NONE && !k->floor)
            add_standing(&of[k->representation], s->tasks[i]);
    }
    for (size_t r = 0; r < n; r++)
        if (s->reps[r] == REP_CHOSEN && of[r].any && !of[r].open)
            s->reps[r] = of[r].failed ? REP_FAILED : REP_MEASURED;
    return 0;
}

/* Representations measured, or failed after they were chosen. */
static size_t fine_tunes(const struct sweep *s)
{
    size_t n = 0;
    for (size_t r = 0; r < s->plan->n_representations; r++)
        n += s->reps[r] == REP_MEASURED || s->reps[r] == REP_FAILED;
    return n;
}

static bool some_failed(const struct sweep *s)
{
    for (size_t i = 0; i < s->plan->n_tasks; i++)
        if (s->tasks[i] && (s->tasks[i]->state == TASK_FAILED || s->tasks[i]->state == TASK_CANCELLED))
            return true;
    return false;
}

static bool round_still_open(const struct sweep *s)
{
    for (size_t r = 0; r < s->plan->n_representations; r++)
        if (s->reps[r] == REP_CHOSEN)
            return true;
    return false;
}

/* The policy cannot answer, for instance because no score came out: that ends this sweep, not the coordinator. */
static int no_round(struct coord *c, struct sweep *s, struct err *why, struct err *e)
{
    err_wrap(why, "round %d", s->round + 1);
    log_error("sweep.no_round", KV_STR("sweep", s->plan->name), KV_ERR(why));
    return sweeps_start_end(c, s, SWEEP_FAILED, why->text, e);
}

/* Scores that could not lead to a fine-tune any more are not asked for. */
static void settle_wants(const struct sweep *s, struct round_rows *rows, struct policy_answer *a, size_t tuned)
{
    const struct plan *p = s->plan;
    if (rows->final || (a->n_choices > 0 && tuned + a->n_choices >= (size_t)p->policy.budget_fine_tunes))
        a->n_wants = 0;
    if (a->n_wants > 0)
        snprintf(rows->note, sizeof rows->note, "asks for the scores of %zu more, first %.80s: %.100s", a->n_wants,
                 p->representations[a->wants[0].representation].name, a->wants[0].reason);
    text_cut(rows->note, sizeof rows->note);
}

/* Some of their tasks have not ended, or are not in the database. */
static bool floors_remain(const struct sweep *s)
{
    bool remain = s->open_floors > 0;
    for (size_t i = 0; i < s->plan->n_tasks && !remain; i++)
        remain = s->plan->tasks[i].floor && !s->tasks[i];
    return remain;
}

/* Next round, or the final one when the budget is used, nothing is left to choose, or the list is sure enough. */
static int start_round(struct coord *c, struct sweep *s, size_t tuned, struct err *e)
{
    const struct plan_policy *policy = &s->plan->policy;
    size_t budget = (size_t)policy->budget_fine_tunes, left = budget > tuned ? budget - tuned : 0;
    size_t batch = left < (size_t)policy->batch ? left : (size_t)policy->batch;
    bool spent = policy->budget_gpu_hours > 0 && s->gpu_seconds >= policy->budget_gpu_hours * 3600;
    if (spent)
        batch = 0;
    struct round_job *j = round_job_create(c, s, e);
    if (!j)
        return -1;
    j->rows.round = s->round + 1;
    if (s->round_open)
        j->measured_round = s->round;
    struct err why = { 0 };
    j->answer = ask_policy(s, j->rows.round, batch ? batch : 1, &why);
    if (!j->answer || observations_digest(s, j->rows.observations, &why) < 0) {
        round_job_destroy(j);
        s->busy = false;
        return s->open_floors ? 0 : no_round(c, s, &why, e);
    }
    bool sure = policy->stop_confidence > 0 && j->answer->p_best_in_list >= policy->stop_confidence;
    j->rows.final = batch == 0 || j->answer->n_choices + j->answer->n_wants == 0 || sure;
    if (j->rows.final)
        j->answer->n_choices = 0;
    j->rows.floors = j->rows.final && floors_remain(s);
    j->rows.mode = policy_mode_name(modes[policy->mode]);
    j->rows.answer = j->answer;
    snprintf(j->rows.note, sizeof j->rows.note, "%s%s%s",
             !j->rows.final ? ""
             : sure         ? "sure enough of the list of three"
             : spent        ? "the budget of GPU-hours is used"
             : batch == 0 && j->answer->n_candidates > 0 ? "the budget is used"
                                                         : "nothing is left to choose",
             j->rows.final && j->answer->note[0] ? "; " : "", j->answer->note);
    settle_wants(s, &j->rows, j->answer, tuned);
    dbthread_post(c->db, &j->job);
    return 0;
}

static int advance(struct coord *c, struct sweep *s, struct err *e)
{
    s->dirty = false;
    if (s->open_now)
        return 0;
    if (s->plan->identifies)
        return sweeps_replan(c, s, some_failed(s), e);
    if (s->plan->n_benchmarks == 0 || s->plan->n_representations == 0) {
        bool failed = some_failed(s);
        return sweeps_start_end(c, s, failed ? SWEEP_FAILED : SWEEP_DONE, failed ? "some tasks failed for good" : "", e);
    }
    TRY(update_standing(s, e));
    if (s->stored->finished && !s->stored->revived) /* only floors were left; or it was submitted again, and all was found */
        return s->open_floors ? 0 : sweeps_start_end(c, s, SWEEP_DONE, s->stored->note, e);
    if (s->round_open && round_still_open(s))
        return 0;
    return start_round(c, s, fine_tunes(s), e);
}

int sweeps_advance(struct coord *c, struct err *e)
{
    struct sweep *next;
    for (struct sweep *s = c->sweeps; s; s = next) {
        next = s->next;
        if (s->dirty && !s->busy && s->state == SWEEP_RUNNING)
            TRY(advance(c, s, e));
    }
    return 0;
}
