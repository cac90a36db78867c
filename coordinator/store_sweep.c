/* Sweeps in the database: taking a submission in, loading a sweep as it stands. A sweep is always planned again from
 * its stored submission, so the rows need not hold what the plan says. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "common/digest.h"
#include "coordinator/store.h"

static const char *const sweep_names[] = { "running", "done", "failed", "cancelled" };

const char *sweep_state_name(enum sweep_state s)
{
    return sweep_names[s];
}

static enum sweep_state sweep_state_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(sweep_names); i++)
        if (strcmp(sweep_names[i], name) == 0)
            return (enum sweep_state)i;
    return SWEEP_RUNNING;
}

void stored_sweep_destroy(struct stored_sweep *s)
{
    if (!s || s->refs-- > 0)
        return;
    for (size_t i = 0; s->plan && i < s->plan->n_tasks; i++) {
        if (s->tasks)
            free(s->tasks[i].worker_id);
        if (s->artifacts)
            task_artifacts_free(s->artifacts[i], s->n_artifacts[i]);
    }
    free(s->tasks);
    free(s->artifacts);
    free(s->n_artifacts);
    free(s->value);
    free(s->config_digest);
    free(s->representation_ids);
    free(s->benchmark_ids);
    free(s->chosen);
    free(s->chosen_round);
    plan_destroy(s->plan);
    free(s);
}

/* ---- planning from a submission ---- */

static char *read_sent_file(const char *name, void *arg, struct err *e)
{
    const struct submission *s = arg;
    for (size_t i = 0; i < s->n_files; i++)
        if (strcmp(s->file_names[i], name) == 0) {
            char *text = strdup(s->file_texts[i]);
            return text ? text : FAIL_NULL(e, ERR_ENV, "out of memory");
        }
    return FAIL_NULL(e, ERR_INPUT, "the file '%s' was not sent along with the config", name);
}

/* `asks`: content that is not known may be looked at. A sweep that was stored by a program that did not look goes on by
 * the names, as it began. */
static struct stored_sweep *stored_create(const struct submission *s, bool asks, struct err *e)
{
    struct stored_sweep *out = calloc(1, sizeof *out);
    if (!out)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    const struct plan_known known = { s->looks ? s->looks : "", (const char *const *)s->content_names,
                                      (const char *const *)s->content_digests, s->n_content };
    out->plan = plan_load(s->config, s->place, read_sent_file, (void *)s, asks ? &known : NULL, e);
    if (!out->plan) {
        stored_sweep_destroy(out);
        return NULL;
    }
    const struct plan *p = out->plan;
    out->tasks = calloc(p->n_tasks + 1, sizeof *out->tasks);
    out->artifacts = calloc(p->n_tasks + 1, sizeof *out->artifacts);
    out->n_artifacts = calloc(p->n_tasks + 1, sizeof *out->n_artifacts);
    out->value = malloc((p->n_tasks + 1) * sizeof *out->value);
    out->representation_ids = calloc(plan_scored(p) + 1, sizeof *out->representation_ids);
    out->benchmark_ids = calloc(p->n_benchmarks + 1, sizeof *out->benchmark_ids);
    out->chosen = calloc(p->n_representations + 1, sizeof *out->chosen);
    out->chosen_round = calloc(p->n_representations + 1, sizeof *out->chosen_round);
    out->config_digest = strdup(p->config_digest);
    if (!out->tasks || !out->artifacts || !out->n_artifacts || !out->value || !out->representation_ids ||
        !out->benchmark_ids || !out->chosen || !out->chosen_round || !out->config_digest) {
        stored_sweep_destroy(out);
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    }
    for (size_t i = 0; i < p->n_tasks; i++)
        out->value[i] = NAN;
    return out;
}

/* ---- the sweep's own row ---- */

static int clear_old_plan(struct db *d, int64_t sweep_id, struct err *e)
{
    static const enum sql_id clear[] = {
        SQL_SWEEP_CLEAR_POLICY_PREDICTION, SQL_SWEEP_CLEAR_POLICY_FIT, SQL_SWEEP_CLEAR_POLICY_CHOICE,
        SQL_SWEEP_CLEAR_POLICY_ROUND,      SQL_SWEEP_CLEAR_TASK,       SQL_SWEEP_CLEAR_REPRESENTATION,
        SQL_SWEEP_CLEAR_BENCHMARK
    };
    const struct sql_arg id[] = { SQL_I64(sweep_id) };
    for (size_t i = 0; i < ARRAY_LEN(clear); i++)
        TRY(db_exec(d, clear[i], id, 1, ROWS_ANY, NULL, e));
    return 0;
}

static const char *const mode_names[] = { "paper", "default", "exhaustive" };

/* The rounds of another config go; while content is looked at, it is not known yet whether it is another one. */
static int settle_old(struct db *d, const struct plan *p, const struct db_rows *old, struct err *e)
{
    if (db_rows_count(old) == 0)
        return 0;
    int64_t id = db_i64(old, 0, 0);
    const char *before = db_text(old, 0, 3);
    const struct sql_arg args[] = { SQL_I64(id) };
    if (p->identifies)
        return db_exec(d, SQL_SWEEP_CLEAR_IDENTIFY, args, 1, ROWS_ANY, NULL, e);
    return before[0] && strcmp(before, p->config_digest) != 0 ? clear_old_plan(d, id, e) : 0;
}

static int write_sweep(struct db *d, const struct submission *sub, struct stored_sweep *s, struct err *e)
{
    const struct plan *p = s->plan;
    AUTO(db_rows_free) struct db_rows *old = NULL;
    const struct sql_arg name[] = { SQL_TEXT(p->name) };
    TRY(db_exec(d, SQL_SWEEP_FIND, name, 1, ROWS_0_OR_1, &old, e));
    s->all_new = db_rows_count(old) == 0;
    TRY(settle_old(d, p, old, e));
    AUTO(free) char *plan_json = submission_json(sub, e);
    if (!plan_json)
        return -1;
    char policy[400];
    snprintf(policy, sizeof policy,
             "{\"mode\":\"%s\",\"batch\":%d,\"fine_tunes\":%d,\"gpu_hours\":%.17g,\"direction_prior\":%.17g,"
             "\"stop_confidence\":%.17g,\"screen\":\"%s\",\"screen_members\":%d,\"screen_batch\":%d}",
             mode_names[p->policy.mode], p->policy.batch, p->policy.budget_fine_tunes, p->policy.budget_gpu_hours,
             p->policy.direction_prior, p->policy.stop_confidence, p->policy.small_first ? "small_first" : "all",
             p->policy.screen_members, p->policy.screen_batch);
    return ONE_ID(d, SQL_SWEEP_UPSERT, &s->id, e, SQL_TEXT(p->name), SQL_TEXT(sub->config), SQL_TEXT(p->config_digest),
                  SQL_TEXT(plan_json), SQL_TEXT(policy), SQL_I64((int64_t)p->policy.seed), SQL_TEXT(p->note));
}

/* ---- the entry points ---- */

static int submit_in_transaction(struct db *d, const struct submission *sub, struct stored_sweep *s, struct err *e)
{
    const struct plan *p = s->plan;
    AUTO(store_ids_free) struct store_ids ids = { 0 };
    AUTO(free) size_t *index = calloc(p->n_tasks + 1, sizeof *index);
    if (!index)
        return FAIL_NOMEM(e);
    TRY(store_ids_alloc(&ids, p, e));
    if (p->identifies) {
        TRY(write_sweep(d, sub, s, e));
        for (size_t i = 0; i < p->n_tasks; i++)
            index[i] = i;
        return store_write_tasks(d, s, &ids, index, p->n_tasks, 0, e);
    }
    TRY(store_write_models(d, p, &ids, e));
    TRY(store_write_data(d, p, &ids, s, e));
    TRY(write_sweep(d, sub, s, e));
    TRY(store_write_space(d, p, &ids, s, e));
    AUTO(db_rows_free) struct db_rows *revived = NULL;
    const struct sql_arg id[] = { SQL_I64(s->id) };
    TRY(db_exec(d, SQL_SWEEP_REVIVE, id, 1, ROWS_ANY, &revived, e));
    s->revived = db_rows_count(revived) > 0;
    size_t n = 0;
    for (size_t i = 0; i < p->n_tasks; i++)
        if (!p->tasks[i].deferred && !p->tasks[i].on_demand)
            index[n++] = i;
    return store_write_tasks(d, s, &ids, index, n, 0, e);
}

/* Content has to be looked at. A sweep that runs with the same config goes on with what it knows; else this is another
 * look, and what an older one found does not count. */
static struct stored_sweep *look_at_content(struct db *d, struct submission *sub, const struct plan *p, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *old = NULL;
    const struct sql_arg name[] = { SQL_TEXT(p->name) };
    if (db_exec(d, SQL_SWEEP_SUBMISSION, name, 1, ROWS_0_OR_1, &old, e) < 0)
        return NULL;
    bool known = db_rows_count(old) == 1;
    bool goes_on = known && strcmp(db_text(old, 0, 2), "running") == 0 && strcmp(db_text(old, 0, 0), sub->config) == 0;
    if (goes_on ? submission_adopt(sub, db_text(old, 0, 1), e) < 0
                : submission_look(sub, known ? db_text(old, 0, 3) : "", e) < 0)
        return NULL;
    return stored_create(sub, sub->looks != NULL, e);
}

static struct stored_sweep *plan_submission(struct db *d, struct submission *sub, struct err *e)
{
    AUTO(stored_sweep_destroy) struct stored_sweep *first = stored_create(sub, true, e);
    if (first && first->plan->identifies && !sub->looks)
        return look_at_content(d, sub, first->plan, e);
    return TAKE(first);
}

struct stored_sweep *store_submit(struct db *d, struct submission *sub, const char *store, struct err *e)
{
    AUTO(stored_sweep_destroy) struct stored_sweep *s = plan_submission(d, sub, e);
    if (s && s->plan->store[0] && strcmp(s->plan->store, store) != 0)
        return FAIL_NULL(e, ERR_INPUT,
                         "artifacts.store is '%s', but this coordinator's is '%s': leave it out of the sweep, or "
                         "start the coordinator with --store",
                         s->plan->store, store);
    if (!s || db_begin(d, e) < 0)
        return NULL;
    if (submit_in_transaction(d, sub, s, e) < 0 || db_commit(d, e) < 0) {
        db_rollback(d);
        return NULL;
    }
    /* What the database knew nothing about is known here in full. */
    if (!s->all_new && store_load_rest(d, s, e) < 0)
        return NULL;
    return TAKE(s);
}

struct stored_sweep *store_replan(struct db *d, const struct stored_sweep *s, const char *const *digests,
                                  const char *store, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *row = NULL;
    const struct sql_arg id[] = { SQL_I64(s->id) };
    if (db_exec(d, SQL_SWEEP_GET, id, 1, 1, &row, e) < 0)
        return NULL;
    AUTO(submission_free) struct submission sub = { 0 };
    if (submission_of_json(db_text(row, 0, 0), db_text(row, 0, 1), &sub, e) < 0)
        return NULL;
    for (size_t i = 0; i < s->plan->n_tasks; i++)
        if (submission_add_content(&sub, plan_identified(s->plan, i), digests[i], e) < 0)
            return NULL;
    free(TAKE(sub.before));
    return store_submit(d, &sub, store, e);
}

struct stored_sweep *store_load(struct db *d, int64_t sweep_id, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *row = NULL;
    const struct sql_arg id[] = { SQL_I64(sweep_id) };
    if (db_exec(d, SQL_SWEEP_GET, id, 1, 1, &row, e) < 0)
        return NULL;
    AUTO(submission_free) struct submission sub = { 0 };
    if (submission_of_json(db_text(row, 0, 0), db_text(row, 0, 1), &sub, e) < 0)
        return NULL;
    AUTO(stored_sweep_destroy) struct stored_sweep *s = stored_create(&sub, sub.looks != NULL, e);
    AUTO(store_ids_free) struct store_ids ids = { 0 };
    if (!s)
        return NULL;
    s->id = sweep_id;
    s->state = sweep_state_of(db_text(row, 0, 3));
    if ((!s->plan->identifies && store_load_ids(d, s, &ids, e) < 0) || store_load_rest(d, s, e) < 0)
        return NULL;
    return TAKE(s);
}

int store_running(struct db *d, int64_t **ids, size_t *n, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_exec(d, SQL_SWEEP_RUNNING, NULL, 0, ROWS_ANY, &rows, e));
    *n = (size_t)db_rows_count(rows);
    *ids = calloc(*n + 1, sizeof **ids);
    if (!*ids)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < *n; i++)
        (*ids)[i] = db_i64(rows, (int64_t)i, 0);
    return 0;
}
