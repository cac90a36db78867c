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

void submission_free(struct submission *s)
{
    for (size_t i = 0; i < s->n_files; i++) {
        free(s->file_names[i]);
        free(s->file_texts[i]);
    }
    free(s->file_names);
    free(s->file_texts);
    free(s->config);
    free(s->place);
    *s = (struct submission){ 0 };
}

static void submission_free_cleanup(struct submission *s)
{
    submission_free(s);
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

static struct stored_sweep *stored_create(const struct submission *s, struct err *e)
{
    struct stored_sweep *out = calloc(1, sizeof *out);
    if (!out)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    out->plan = plan_load(s->config, s->place, read_sent_file, (void *)s, e);
    if (!out->plan) {
        stored_sweep_destroy(out);
        return NULL;
    }
    const struct plan *p = out->plan;
    out->tasks = calloc(p->n_tasks + 1, sizeof *out->tasks);
    out->artifacts = calloc(p->n_tasks + 1, sizeof *out->artifacts);
    out->n_artifacts = calloc(p->n_tasks + 1, sizeof *out->n_artifacts);
    out->value = malloc((p->n_tasks + 1) * sizeof *out->value);
    out->representation_ids = calloc(p->n_representations + 1, sizeof *out->representation_ids);
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

/* The submission as JSON, kept with the sweep: {"place": ..., "files": {NAME: TEXT}}. */
static char *submission_json(const struct submission *s, struct err *e)
{
    AUTO(json_decref) json_t *j = json_pack("{s:s, s:{}}", "place", s->place, "files");
    for (size_t i = 0; j && i < s->n_files; i++)
        if (json_object_set_new(json_object_get(j, "files"), s->file_names[i], json_string(s->file_texts[i])) < 0)
            return FAIL_NULL(e, ERR_INPUT, "the file '%s' is not UTF-8 text", s->file_names[i]);
    return j ? json_canonical(j, e) : FAIL_NULL(e, ERR_INPUT, "the config's path is not UTF-8 text");
}

static int submission_of_json(const char *config, const char *json, struct submission *s, struct err *e)
{
    AUTO(json_decref) json_t *j = json_loads(json, 0, NULL);
    json_t *files = json_object_get(j, "files"), *text;
    const char *name, *place = json_string_value(json_object_get(j, "place"));
    if (!place || !json_is_object(files))
        return FAIL(e, ERR_DB, "the stored submission of a sweep cannot be read");
    size_t n = json_object_size(files);
    *s = (struct submission){ .config = strdup(config), .place = strdup(place), .n_files = 0 };
    s->file_names = calloc(n + 1, sizeof *s->file_names);
    s->file_texts = calloc(n + 1, sizeof *s->file_texts);
    if (!s->config || !s->place || !s->file_names || !s->file_texts)
        return FAIL_NOMEM(e);
    json_object_foreach(files, name, text)
    {
        s->file_names[s->n_files] = strdup(name);
        s->file_texts[s->n_files++] = strdup(json_string_value(text) ? json_string_value(text) : "");
    }
    return 0;
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

static int write_sweep(struct db *d, const struct submission *sub, struct stored_sweep *s, struct err *e)
{
    const struct plan *p = s->plan;
    AUTO(db_rows_free) struct db_rows *old = NULL;
    const struct sql_arg name[] = { SQL_TEXT(p->name) };
    TRY(db_exec(d, SQL_SWEEP_FIND, name, 1, ROWS_0_OR_1, &old, e));
    s->all_new = db_rows_count(old) == 0;
    if (db_rows_count(old) == 1 && strcmp(db_text(old, 0, 1), p->config_digest) != 0)
        TRY(clear_old_plan(d, db_i64(old, 0, 0), e));
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
                  SQL_TEXT(plan_json), SQL_TEXT(policy), SQL_I64((int64_t)p->policy.seed));
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

struct stored_sweep *store_submit(struct db *d, const struct submission *sub, const char *store, struct err *e)
{
    AUTO(stored_sweep_destroy) struct stored_sweep *s = stored_create(sub, e);
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

struct stored_sweep *store_load(struct db *d, int64_t sweep_id, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *row = NULL;
    const struct sql_arg id[] = { SQL_I64(sweep_id) };
    if (db_exec(d, SQL_SWEEP_GET, id, 1, 1, &row, e) < 0)
        return NULL;
    struct submission sub __attribute__((cleanup(submission_free_cleanup))) = { 0 };
    if (submission_of_json(db_text(row, 0, 0), db_text(row, 0, 1), &sub, e) < 0)
        return NULL;
    AUTO(stored_sweep_destroy) struct stored_sweep *s = stored_create(&sub, e);
    AUTO(store_ids_free) struct store_ids ids = { 0 };
    if (!s)
        return NULL;
    s->id = sweep_id;
    s->state = sweep_state_of(db_text(row, 0, 3));
    if (store_load_ids(d, s, &ids, e) < 0 || store_load_rest(d, s, e) < 0)
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
