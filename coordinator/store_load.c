/* How a sweep stands, from the rows: states, values, artifacts, failures, rounds. */
#include <string.h>

#include "coordinator/commit.h"
#include "coordinator/store.h"

static int load_tasks(struct db *d, struct stored_sweep *s, struct map *by_id, struct err *e)
{
    struct map identities = { 0 };
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg id[] = { SQL_I64(s->id) };
    int rc = store_map_identities(s->plan, &identities, e);
    if (rc == 0)
        rc = db_exec(d, SQL_SWEEP_TASK_LIST, id, 1, ROWS_ANY, &rows, e);
    for (int64_t r = 0; rc == 0 && r < db_rows_count(rows); r++) {
        const struct plan_task *p = store_by_identity(&identities, db_text(rows, r, 0));
        if (!p)
            continue; /* of an older plan of this sweep */
        struct stored_task *t = &s->tasks[p - s->plan->tasks];
        rc = store_take_state(t, rows, r, e);
        t->round = (int)db_i64(rows, r, 7);
        t->cached = db_bool(rows, r, 8);
        t->cancel_wanted = db_bool(rows, r, 9);
        if (rc == 0)
            rc = map_put(by_id, &t->id, sizeof t->id, t, e);
    }
    map_free(&identities);
    return rc;
}

static struct stored_task *row_task(const struct map *by_id, const struct db_rows *rows, int64_t r)
{
    uint64_t id = (uint64_t)db_i64(rows, r, 0);
    return map_get(by_id, &id, sizeof id);
}

static int load_values(struct db *d, struct stored_sweep *s, const struct map *by_id, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg id[] = { SQL_I64(s->id) };
    TRY(db_exec(d, SQL_SWEEP_VALUE_LIST, id, 1, ROWS_ANY, &rows, e));
    for (int64_t r = 0; r < db_rows_count(rows); r++) {
        struct stored_task *t = row_task(by_id, rows, r);
        if (t)
            s->value[t - s->tasks] = db_f64(rows, r, 1);
    }
    return 0;
}

static int load_artifact(struct stored_sweep *s, size_t i, const struct db_rows *rows, int64_t r, struct err *e)
{
    struct task_artifact *more = realloc(s->artifacts[i], (s->n_artifacts[i] + 1) * sizeof *more);
    if (!more)
        return FAIL_NOMEM(e);
    s->artifacts[i] = more;
    struct task_artifact *a = &more[s->n_artifacts[i]++];
    size_t len = 0;
    const void *content = db_is_null(rows, r, 6) ? NULL : db_bytes(rows, r, 6, &len);
    *a = (struct task_artifact){ .name = strdup(db_text(rows, r, 1)),
                                 .digest = strdup(db_text(rows, r, 2)),
                                 .bytes = (uint64_t)db_i64(rows, r, 3),
                                 .store = strdup(db_text(rows, r, 4)),
                                 .path = strdup(db_text(rows, r, 5)) };
    if (content && (a->content = malloc(len ? len : 1)))
        memcpy(a->content, content, len);
    if (!a->name || !a->digest || !a->store || !a->path || (content && !a->content))
        return FAIL_NOMEM(e);
    return 0;
}

static int load_artifacts(struct db *d, struct stored_sweep *s, const struct map *by_id, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg id[] = { SQL_I64(s->id) };
    for (size_t i = 0; i < s->plan->n_tasks; i++) {
        task_artifacts_free(s->artifacts[i], s->n_artifacts[i]);
        s->artifacts[i] = NULL;
        s->n_artifacts[i] = 0;
    }
    TRY(db_exec(d, SQL_SWEEP_ARTIFACT_LIST, id, 1, ROWS_ANY, &rows, e));
    for (int64_t r = 0; r < db_rows_count(rows); r++) {
        struct stored_task *t = row_task(by_id, rows, r);
        if (t)
            TRY(load_artifact(s, (size_t)(t - s->tasks), rows, r, e));
    }
    return 0;
}

static int load_failures(struct db *d, struct stored_sweep *s, const struct map *by_id, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg id[] = { SQL_I64(s->id) };
    TRY(db_exec(d, SQL_SWEEP_FAILURE_LIST, id, 1, ROWS_ANY, &rows, e));
    for (int64_t r = 0; r < db_rows_count(rows); r++) {
        struct stored_task *t = row_task(by_id, rows, r);
        for (int k = 1; t && k < 8; k++)
            if (strcmp(failure_class_name(k), db_text(rows, r, 1)) == 0)
                t->failures[k] = (uint8_t)db_i64(rows, r, 2);
    }
    return 0;
}

static int load_rounds(struct db *d, struct stored_sweep *s, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rounds = NULL;
    AUTO(db_rows_free) struct db_rows *choices = NULL;
    const struct sql_arg id[] = { SQL_I64(s->id) };
    s->n_chosen = 0;
    TRY(db_exec(d, SQL_POLICY_ROUND_LIST, id, 1, ROWS_ANY, &rounds, e));
    for (int64_t r = 0; r < db_rows_count(rounds); r++) {
        const char *state = db_text(rounds, r, 1);
        s->finished = strcmp(state, "final") == 0;
        s->round = (int)db_i64(rounds, r, 0);
        s->round_open = strcmp(state, "open") == 0;
        snprintf(s->note, sizeof s->note, "%s", db_text(rounds, r, 2));
    }
    TRY(db_exec(d, SQL_POLICY_CHOICE_LIST, id, 1, ROWS_ANY, &choices, e));
    for (int64_t r = 0; r < db_rows_count(choices); r++)
        for (size_t i = 0; i < s->plan->n_representations; i++)
            if (s->representation_ids[i] == db_i64(choices, r, 1) && s->n_chosen < s->plan->n_representations) {
                s->chosen[s->n_chosen] = i;
                s->chosen_round[s->n_chosen++] = (int)db_i64(choices, r, 0);
            }
    return 0;
}

static int load_cost(struct db *d, struct stored_sweep *s, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg id[] = { SQL_I64(s->id) };
    TRY(db_exec(d, SQL_SWEEP_GPU_SECONDS, id, 1, 1, &rows, e));
    s->gpu_seconds = db_f64(rows, 0, 0);
    return 0;
}

int store_load_rest(struct db *d, struct stored_sweep *s, struct err *e)
{
    struct map by_id = { 0 };
    int rc = load_tasks(d, s, &by_id, e);
    if (rc == 0)
        rc = load_values(d, s, &by_id, e);
    if (rc == 0)
        rc = load_artifacts(d, s, &by_id, e);
    if (rc == 0)
        rc = load_failures(d, s, &by_id, e);
    map_free(&by_id);
    if (rc == 0)
        rc = load_cost(d, s, e);
    return rc < 0 ? -1 : load_rounds(d, s, e);
}
