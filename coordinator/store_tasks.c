/* The graph's rows: new tasks by COPY, known ones joined. */
#include <string.h>

#include "coordinator/store.h"

int store_take_state(struct stored_task *t, const struct db_rows *rows, int64_t r, struct err *e)
{
    t->id = (uint64_t)db_i64(rows, r, 1);
    if (!task_state_of_stored(db_text(rows, r, 2), &t->state))
        return FAIL(e, ERR_DB, "task %llu has the unknown state '%s'", (unsigned long long)t->id, db_text(rows, r, 2));
    t->attempt = (uint32_t)db_i64(rows, r, 3);
    t->epoch = (uint64_t)db_i64(rows, r, 4);
    t->charged = (int)db_i64(rows, r, 5);
    free(t->worker_id);
    t->worker_id = NULL;
    if (db_text(rows, r, 6)[0] && !(t->worker_id = strdup(db_text(rows, r, 6))))
        return FAIL_NOMEM(e);
    return 0;
}

int store_map_identities(const struct plan *p, struct map *m, struct err *e)
{
    for (size_t i = 0; i < p->n_tasks; i++)
        TRY(map_put(m, p->tasks[i].identity, DIGEST_HEX_SIZE - 1, &p->tasks[i], e));
    return 0;
}

const struct plan_task *store_by_identity(const struct map *m, const char *identity)
{
    return strlen(identity) == DIGEST_HEX_SIZE - 1 ? map_get(m, identity, DIGEST_HEX_SIZE - 1) : NULL;
}

#define CHUNK ((size_t)5000) /* tasks in one statement */

/* Look the tasks `index` (n of them) up by identity; those the database knows get their id and state. */
static int find_tasks(struct db *d, struct stored_sweep *s, const struct map *identities, const size_t *index, size_t n,
                      struct err *e)
{
    AUTO(free) const char **text = calloc(CHUNK, sizeof *text);
    if (!text)
        return FAIL_NOMEM(e);
    for (size_t at = 0; at < n; at += CHUNK) {
        size_t m = n - at < CHUNK ? n - at : CHUNK;
        for (size_t i = 0; i < m; i++)
            text[i] = s->plan->tasks[index[at + i]].identity;
        AUTO(db_rows_free) struct db_rows *rows = NULL;
        const struct sql_arg args[] = { SQL_TEXTS(text, m) };
        TRY(db_exec(d, SQL_TASK_FIND, args, 1, ROWS_ANY, &rows, e));
        for (int64_t r = 0; r < db_rows_count(rows); r++) {
            const struct plan_task *t = store_by_identity(identities, db_text(rows, r, 0));
            if (t)
                TRY(store_take_state(&s->tasks[t - s->plan->tasks], rows, r, e));
            if (t)
                s->tasks[t - s->plan->tasks].cancel_wanted = db_bool(rows, r, 7);
        }
    }
    return 0;
}

static struct sql_arg optional_id(size_t index, const int64_t *ids)
{
    return index == PLAN_NONE ? SQL_NULL : SQL_I64(ids[index]);
}

void store_resources_json(const struct plan_resources *r, char *text, size_t size)
{
    const struct {
        const char *name;
        uint64_t value;
    } parts[] = { /* sorted by name, as canonical JSON is */
                  { "compute_capability", r->compute_capability },
                  { "cpus", r->cpus },
                  { "gpu_memory_bytes", r->gpu_memory_bytes },
                  { "gpus", r->gpus },
                  { "host_memory_bytes", r->host_memory_bytes }
    };
    size_t n = (size_t)snprintf(text, size, "{");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i].value && n < size)
            n += (size_t)snprintf(text + n, size - n, "%s\"%s\":%llu", n > 1 ? "," : "", parts[i].name,
                                  (unsigned long long)parts[i].value);
    if (n < size)
        snprintf(text + n, size - n, "}");
}

static int copy_task(struct db *d, const struct stored_sweep *s, const struct store_ids *ids, size_t i, struct err *e)
{
    const struct plan_task *t = &s->plan->tasks[i];
    char resources[200];
    store_resources_json(&t->resources, resources, sizeof resources);
    const struct sql_arg row[] = {
        SQL_I64((int64_t)s->tasks[i].id),
        SQL_TEXT(t->kind),
        SQL_TEXT(t->executor),
        SQL_TEXT(t->identity),
        SQL_TEXT(t->label),
        SQL_TEXT(t->params),
        SQL_TEXT(resources),
        SQL_I64(t->priority),
        optional_id(t->encoder, ids->encoder),
        optional_id(t->representation, s->representation_ids),
        optional_id(t->benchmark, s->benchmark_ids),
        optional_id(t->correspondence_set, ids->correspondence_set),
        optional_id(t->image_set, ids->image_set),
        optional_id(t->score_setting, ids->score_setting),
        t->shard < 0 ? SQL_NULL : SQL_I64(t->shard),
    };
    return db_copy_row(d, row, ARRAY_LEN(row), e);
}

static const char task_columns[] =
    "task (task_id, kind, executor, identity, label, params, resources, priority, encoder_id, representation_id, "
    "benchmark_id, correspondence_set_id, image_set_id, score_setting_id, shard)";

static int insert_new(struct db *d, struct stored_sweep *s, const struct store_ids *ids, const size_t *new_ones,
                      size_t n, struct err *e)
{
    if (!n)
        return 0;
    int64_t copied;
    TRY(db_copy_begin(d, task_columns, e));
    for (size_t i = 0; i < n; i++)
        TRY(copy_task(d, s, ids, new_ones[i], e));
    TRY(db_copy_end(d, &copied, e));
    TRY(db_copy_begin(d, "task_input (task_id, input_task_id, name)", e));
    for (size_t i = 0; i < n; i++) {
        const struct plan_task *t = &s->plan->tasks[new_ones[i]];
        for (size_t k = 0; k < t->n_inputs; k++) {
            const struct sql_arg row[] = { SQL_I64((int64_t)s->tasks[new_ones[i]].id),
                                           SQL_I64((int64_t)s->tasks[t->inputs[k].task].id),
                                           SQL_TEXT(t->inputs[k].name) };
            TRY(db_copy_row(d, row, ARRAY_LEN(row), e));
        }
    }
    return db_copy_end(d, &copied, e);
}

/* Inputs that are no part of an identity, of tasks whose way is another one now. */
static int write_cache_inputs(struct db *d, const struct stored_sweep *s, const size_t *index, size_t n, struct err *e)
{
    int64_t copied;
    TRY(db_copy_begin(d, "task_input (task_id, input_task_id, name)", e));
    for (size_t i = 0; i < n; i++) {
        const struct plan_task *t = &s->plan->tasks[index[i]];
        for (size_t k = 0; k < t->n_inputs; k++) {
            const struct sql_arg row[] = { SQL_I64((int64_t)s->tasks[index[i]].id),
                                           SQL_I64((int64_t)s->tasks[t->inputs[k].task].id),
                                           SQL_TEXT(t->inputs[k].name) };
            if (strncmp(t->inputs[k].name, PLAN_CACHE_INPUT, strlen(PLAN_CACHE_INPUT)) == 0)
                TRY(db_copy_row(d, row, ARRAY_LEN(row), e));
        }
    }
    return db_copy_end(d, &copied, e);
}

/* Params of those that wait, where they changed; which ones come back by their ids. */
static int renew_params(struct db *d, const struct stored_sweep *s, const size_t *index, size_t n, struct db_rows **rows,
                        struct err *e)
{
    AUTO(free) int64_t *id = calloc(n + 1, sizeof *id);
    AUTO(free) const char **params = calloc(n + 1, sizeof *params);
    size_t m = 0;
    if (!id || !params)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        if (s->tasks[index[i]].state == TASK_PENDING && strcmp(s->plan->tasks[index[i]].kind, "fake") != 0) {
            id[m] = (int64_t)s->tasks[index[i]].id;
            params[m++] = s->plan->tasks[index[i]].params;
        }
    const struct sql_arg args[] = { SQL_I64((int64_t)m), SQL_I64S(id, m), SQL_TEXTS(params, m) };
    return m ? db_exec(d, SQL_TASK_RENEW, args, ARRAY_LEN(args), ROWS_ANY, rows, e) : 0;
}

/* Tasks that wait are done in the way of the newest submission (take_newer_way in sweeps.c): rows say so, too. */
static int renew_waiting(struct db *d, const struct stored_sweep *s, const size_t *index, size_t n, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(renew_params(d, s, index, n, &rows, e));
    size_t m = rows ? (size_t)db_rows_count(rows) : 0, k = 0;
    AUTO(free) int64_t *id = calloc(m + 1, sizeof *id);
    AUTO(free) size_t *renewed = calloc(m + 1, sizeof *renewed);
    if (!id || !renewed)
        return FAIL_NOMEM(e);
    for (size_t r = 0; r < m; r++)
        id[r] = db_i64(rows, (int64_t)r, 0);
    const struct sql_arg gone[] = { SQL_I64S(id, m) };
    if (!m)
        return 0;
    TRY(db_exec(d, SQL_TASK_INPUT_CLEAR, gone, 1, ROWS_ANY, NULL, e));
    struct map by_id = { 0 };
    int rc = 0;
    for (size_t r = 0; r < m && rc == 0; r++)
        rc = map_put(&by_id, &id[r], sizeof id[r], &id[r], e);
    for (size_t i = 0; i < n && rc == 0; i++) {
        int64_t task = (int64_t)s->tasks[index[i]].id;
        if (map_get(&by_id, &task, sizeof task))
            renewed[k++] = index[i];
    }
    map_free(&by_id);
    return rc < 0 ? -1 : write_cache_inputs(d, s, renewed, k, e);
}

/* Those the database has already: failed and cancelled ones are tried again, those asked to stop go on; done ones are
 * found in the cache. */
static int join_old(struct db *d, struct stored_sweep *s, const size_t *index, size_t n, int round, struct err *e)
{
    if (!n)
        return 0;
    AUTO(free) int64_t *id = calloc(n, sizeof *id);
    AUTO(free) int64_t *revive = calloc(n, sizeof *revive);
    AUTO(free) int64_t *wanted = calloc(n, sizeof *wanted);
    AUTO(free) bool *cached = calloc(n, sizeof *cached);
    if (!id || !revive || !wanted || !cached)
        return FAIL_NOMEM(e);
    size_t n_revive = 0, n_wanted = 0;
    for (size_t i = 0; i < n; i++) {
        struct stored_task *t = &s->tasks[index[i]];
        id[i] = (int64_t)t->id;
        cached[i] = t->cached = t->state == TASK_DONE;
        t->round = round;
        if (t->state == TASK_FAILED || t->state == TASK_CANCELLED) {
            revive[n_revive++] = id[i];
            t->state = TASK_PENDING;
            t->charged = 0;
        }
        if (t->cancel_wanted)
            wanted[n_wanted++] = id[i];
        t->cancel_wanted = false;
    }
    s->revived |= n_revive > 0;
    const struct sql_arg revived[] = { SQL_I64S(revive, n_revive) };
    if (n_revive)
        TRY(db_exec(d, SQL_TASK_REVIVE, revived, 1, (int64_t)n_revive, NULL, e));
    const struct sql_arg go_on[] = { SQL_I64S(wanted, n_wanted) };
    if (n_wanted)
        TRY(db_exec(d, SQL_TASK_WANTED, go_on, 1, ROWS_ANY, NULL, e));
    for (size_t at = 0; at < n; at += CHUNK)
        TRY(renew_waiting(d, s, index + at, n - at < CHUNK ? n - at : CHUNK, e));
    const struct sql_arg args[] = { SQL_I64(s->id), SQL_I64S(id, n), SQL_BOOLS(cached, n), SQL_I64(round) };
    return db_exec(d, SQL_SWEEP_TASK_INSERT, args, ARRAY_LEN(args), ROWS_ANY, NULL, e);
}

/* New tasks are in no sweep yet, so nothing can clash. */
static int join_new(struct db *d, struct stored_sweep *s, const size_t *index, size_t n, int round, struct err *e)
{
    if (!n)
        return 0;
    TRY(db_copy_begin(d, "sweep_task (sweep_id, task_id, round)", e));
    for (size_t i = 0; i < n; i++) {
        const struct sql_arg row[] = { SQL_I64(s->id), SQL_I64((int64_t)s->tasks[index[i]].id), SQL_I64(round) };
        s->tasks[index[i]].round = round;
        TRY(db_copy_row(d, row, ARRAY_LEN(row), e));
    }
    int64_t copied;
    return db_copy_end(d, &copied, e);
}

/* Bring the tasks `index` of the plan into the database and the sweep. */
int store_write_tasks(struct db *d, struct stored_sweep *s, const struct store_ids *ids, const size_t *index, size_t n,
                      int round, struct err *e)
{
    struct map identities = { 0 };
    int rc = store_map_identities(s->plan, &identities, e);
    if (rc == 0)
        rc = find_tasks(d, s, &identities, index, n, e);
    map_free(&identities);
    TRY(rc);
    int64_t last;
    TRY(store_one_id(d, SQL_TASK_LAST_ID, NULL, 0, &last, e));
    AUTO(free) size_t *new_ones = calloc(n + 1, sizeof *new_ones);
    AUTO(free) size_t *old_ones = calloc(n + 1, sizeof *old_ones);
    if (!new_ones || !old_ones)
        return FAIL_NOMEM(e);
    size_t n_new = 0, n_old = 0;
    for (size_t i = 0; i < n; i++) {
        struct stored_task *t = &s->tasks[index[i]];
        if (t->id) {
            old_ones[n_old++] = index[i];
            continue;
        }
        t->id = (uint64_t)++last;
        t->state = TASK_PENDING;
        new_ones[n_new++] = index[i];
    }
    s->all_new = s->all_new && !n_old;
    TRY(insert_new(d, s, ids, new_ones, n_new, e));
    TRY(join_new(d, s, new_ones, n_new, round, e));
    return join_old(d, s, old_ones, n_old, round, e);
}
