/* Sweeps in the database: writing a submission, loading a sweep as it stands, rounds. On the database thread; a sweep
 * is always planned again from its stored submission, so the rows need not hold what the plan says. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "common/digest.h"
#include "common/map.h"
#include "coordinator/commit.h"
#include "coordinator/sweep.h"
#include "policy/choose.h"

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

/* ---- names to ids ---- */

static int one_id(struct db *d, enum sql_id id, const struct sql_arg *args, size_t n, int64_t *out, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_exec(d, id, args, n, 1, &rows, e));
    *out = db_i64(rows, 0, 0);
    return 0;
}
#define ONE_ID(d, id, out, e, ...)                                                                                   \
    one_id((d), (id), (const struct sql_arg[]){ __VA_ARGS__ }, ARRAY_LEN(((const struct sql_arg[]){ __VA_ARGS__ })), \
           (out), (e))

struct ids { /* of everything a plan names, by plan index */
    int64_t *checkpoint, *encoder, *image_set, *correspondence_set, *score_setting;
};

static void ids_free_cleanup(struct ids *ids)
{
    free(ids->checkpoint);
    free(ids->encoder);
    free(ids->image_set);
    free(ids->correspondence_set);
    free(ids->score_setting);
}

static int ids_alloc(struct ids *ids, const struct plan *p, struct err *e)
{
    ids->checkpoint = calloc(p->n_checkpoints + 1, sizeof(int64_t));
    ids->encoder = calloc(p->n_encoders + 1, sizeof(int64_t));
    ids->image_set = calloc(p->n_image_sets + 1, sizeof(int64_t));
    ids->correspondence_set = calloc(p->n_correspondence_sets + 1, sizeof(int64_t));
    ids->score_setting = calloc(p->n_score_settings + 1, sizeof(int64_t));
    if (!ids->checkpoint || !ids->encoder || !ids->image_set || !ids->correspondence_set || !ids->score_setting)
        return FAIL_NOMEM(e);
    return 0;
}

static int write_models(struct db *d, const struct plan *p, struct ids *ids, struct err *e)
{
    for (size_t i = 0; i < p->n_checkpoints; i++) {
        const struct plan_checkpoint *c = &p->checkpoints[i];
        TRY(ONE_ID(d, SQL_CHECKPOINT_UPSERT, &ids->checkpoint[i], e, SQL_TEXT(c->name), SQL_TEXT(c->role),
                   SQL_TEXT(c->source), SQL_TEXT(c->digest)));
    }
    for (size_t i = 0; i < p->n_encoders; i++) {
        const struct plan_encoder *c = &p->encoders[i];
        TRY(ONE_ID(d, SQL_ENCODER_UPSERT, &ids->encoder[i], e, SQL_TEXT(c->name),
                   SQL_I64(ids->checkpoint[c->checkpoint]), SQL_I64(c->resolution), SQL_I64(c->grid),
                   SQL_I64(c->channels), SQL_TEXT(c->options), SQL_TEXT(c->identity)));
    }
    return 0;
}

static int write_representation(struct db *d, const struct plan_representation *r, const struct ids *ids, int64_t *id,
                                struct err *e)
{
    TRY(ONE_ID(d, SQL_REPRESENTATION_UPSERT, id, e, SQL_TEXT(r->name), SQL_I64(r->target_grid), SQL_TEXT(r->options),
               SQL_TEXT(r->identity)));
    AUTO(free) int64_t *members = calloc(r->n_members + 1, sizeof *members);
    if (!members)
        return FAIL_NOMEM(e);
    for (size_t m = 0; m < r->n_members; m++)
        members[m] = ids->encoder[r->members[m]];
    const struct sql_arg args[] = { SQL_I64(*id), SQL_I64S(members, r->n_members) };
    return db_exec(d, SQL_REPRESENTATION_MEMBER_INSERT, args, ARRAY_LEN(args), ROWS_ANY, NULL, e);
}

static int write_data(struct db *d, const struct plan *p, struct ids *ids, struct stored_sweep *s, struct err *e)
{
    for (size_t i = 0; i < p->n_image_sets; i++) {
        const struct plan_image_set *x = &p->image_sets[i];
        TRY(ONE_ID(d, SQL_IMAGE_SET_UPSERT, &ids->image_set[i], e, SQL_TEXT(x->name), SQL_TEXT(x->role),
                   SQL_I64(x->images), SQL_TEXT(x->digest)));
    }
    for (size_t i = 0; i < p->n_correspondence_sets; i++) {
        const struct plan_correspondence_set *x = &p->correspondence_sets[i];
        TRY(ONE_ID(d, SQL_CORRESPONDENCE_SET_UPSERT, &ids->correspondence_set[i], e, SQL_TEXT(x->name),
                   x->image_set == PLAN_NONE ? SQL_NULL : SQL_I64(ids->image_set[x->image_set]), SQL_I64(x->pairs),
                   SQL_TEXT(x->split)));
    }
    for (size_t i = 0; i < p->n_benchmarks; i++) {
        const struct plan_benchmark *x = &p->benchmarks[i];
        TRY(ONE_ID(d, SQL_BENCHMARK_UPSERT, &s->benchmark_ids[i], e, SQL_TEXT(x->name), SQL_TEXT(x->metric),
                   SQL_I64(x->questions), SQL_F64(x->maximum)));
    }
    for (size_t i = 0; i < p->n_score_settings; i++) {
        const struct plan_score_setting *x = &p->score_settings[i];
        TRY(ONE_ID(d, SQL_SCORE_SETTING_UPSERT, &ids->score_setting[i], e, SQL_TEXT(x->score), SQL_TEXT(x->settings),
                   SQL_TEXT(x->identity)));
    }
    for (size_t i = 0; i < p->n_representations; i++)
        TRY(write_representation(d, &p->representations[i], ids, &s->representation_ids[i], e));
    return 0;
}

static int write_space(struct db *d, const struct plan *p, const struct ids *ids, struct stored_sweep *s, struct err *e)
{
    size_t n = p->n_representations;
    AUTO(free) int64_t *position = calloc(n + 1, sizeof *position);
    AUTO(free) const char **label = calloc(n + 1, sizeof *label);
    if (!position || !label)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        position[i] = (int64_t)i;
        label[i] = p->representations[i].name;
    }
    const struct sql_arg reps[] = { SQL_I64(s->id), SQL_I64S(s->representation_ids, n), SQL_I64S(position, n),
                                    SQL_TEXTS(label, n) };
    TRY(db_exec(d, SQL_SWEEP_REPRESENTATION_INSERT, reps, ARRAY_LEN(reps), ROWS_ANY, NULL, e));
    for (size_t i = 0; i < p->n_benchmarks; i++) {
        const struct plan_benchmark *b = &p->benchmarks[i];
        const struct sql_arg args[] = {
            SQL_I64(s->id), SQL_I64(s->benchmark_ids[i]), SQL_I64((int64_t)i), SQL_F64(b->weight),
            b->correspondence_set == PLAN_NONE ? SQL_NULL : SQL_I64(ids->correspondence_set[b->correspondence_set])
        };
        TRY(db_exec(d, SQL_SWEEP_BENCHMARK_INSERT, args, ARRAY_LEN(args), 1, NULL, e));
    }
    return 0;
}

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

/* ---- tasks ---- */

static int take_state(struct stored_task *t, const struct db_rows *rows, int64_t r, struct err *e)
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

static int map_identities(const struct plan *p, struct map *m, struct err *e)
{
    for (size_t i = 0; i < p->n_tasks; i++)
        TRY(map_put(m, p->tasks[i].identity, DIGEST_HEX_SIZE - 1, &p->tasks[i], e));
    return 0;
}

static const struct plan_task *by_identity(const struct map *m, const char *identity)
{
    return strlen(identity) == DIGEST_HEX_SIZE - 1 ? map_get(m, identity, DIGEST_HEX_SIZE - 1) : NULL;
}

#define FIND_CHUNK 5000

/* Look the tasks `index` (n of them) up by identity; those the database knows get their id and state. */
static int find_tasks(struct db *d, struct stored_sweep *s, const struct map *identities, const size_t *index, size_t n,
                      struct err *e)
{
    AUTO(free) const char **text = calloc(FIND_CHUNK, sizeof *text);
    if (!text)
        return FAIL_NOMEM(e);
    for (size_t at = 0; at < n; at += FIND_CHUNK) {
        size_t m = n - at < FIND_CHUNK ? n - at : FIND_CHUNK;
        for (size_t i = 0; i < m; i++)
            text[i] = s->plan->tasks[index[at + i]].identity;
        AUTO(db_rows_free) struct db_rows *rows = NULL;
        const struct sql_arg args[] = { SQL_TEXTS(text, m) };
        TRY(db_exec(d, SQL_TASK_FIND, args, 1, ROWS_ANY, &rows, e));
        for (int64_t r = 0; r < db_rows_count(rows); r++) {
            const struct plan_task *t = by_identity(identities, db_text(rows, r, 0));
            if (t)
                TRY(take_state(&s->tasks[t - s->plan->tasks], rows, r, e));
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
    snprintf(text, size,
             "{\"gpus\":%u,\"gpu_memory_bytes\":%llu,\"compute_capability\":%u,\"cpus\":%u,\"host_memory_bytes\":%llu}",
             r->gpus, (unsigned long long)r->gpu_memory_bytes, r->compute_capability, r->cpus,
             (unsigned long long)r->host_memory_bytes);
}

static int copy_task(struct db *d, const struct stored_sweep *s, const struct ids *ids, size_t i, struct err *e)
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

static int insert_new(struct db *d, struct stored_sweep *s, const struct ids *ids, const size_t *new_ones, size_t n,
                      struct err *e)
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

/* Those the database has already: failed and cancelled ones are tried again; done ones are found in the cache. */
static int join_old(struct db *d, struct stored_sweep *s, const size_t *index, size_t n, int round, struct err *e)
{
    if (!n)
        return 0;
    AUTO(free) int64_t *id = calloc(n, sizeof *id);
    AUTO(free) int64_t *revive = calloc(n, sizeof *revive);
    AUTO(free) bool *cached = calloc(n, sizeof *cached);
    if (!id || !revive || !cached)
        return FAIL_NOMEM(e);
    size_t n_revive = 0;
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
    }
    s->revived |= n_revive > 0;
    const struct sql_arg revived[] = { SQL_I64S(revive, n_revive) };
    if (n_revive)
        TRY(db_exec(d, SQL_TASK_REVIVE, revived, 1, (int64_t)n_revive, NULL, e));
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
static int write_tasks(struct db *d, struct stored_sweep *s, const struct ids *ids, const size_t *index, size_t n,
                       int round, struct err *e)
{
    struct map identities = { 0 };
    int rc = map_identities(s->plan, &identities, e);
    if (rc == 0)
        rc = find_tasks(d, s, &identities, index, n, e);
    map_free(&identities);
    TRY(rc);
    int64_t last;
    TRY(one_id(d, SQL_TASK_LAST_ID, NULL, 0, &last, e));
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

/* ---- loading ---- */

static int load_tasks(struct db *d, struct stored_sweep *s, struct map *by_id, struct err *e)
{
    struct map identities = { 0 };
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg id[] = { SQL_I64(s->id) };
    int rc = map_identities(s->plan, &identities, e);
    if (rc == 0)
        rc = db_exec(d, SQL_SWEEP_TASK_LIST, id, 1, ROWS_ANY, &rows, e);
    for (int64_t r = 0; rc == 0 && r < db_rows_count(rows); r++) {
        const struct plan_task *p = by_identity(&identities, db_text(rows, r, 0));
        if (!p)
            continue; /* of an older plan of this sweep */
        struct stored_task *t = &s->tasks[p - s->plan->tasks];
        rc = take_state(t, rows, r, e);
        t->round = (int)db_i64(rows, r, 7);
        t->cached = db_bool(rows, r, 8);
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

/* Everything the rows know; s->id and s->plan are set. */
static int load_rest(struct db *d, struct stored_sweep *s, struct err *e)
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

/* ---- the entry points ---- */

static int submit_in_transaction(struct db *d, const struct submission *sub, struct stored_sweep *s, struct err *e)
{
    const struct plan *p = s->plan;
    struct ids ids __attribute__((cleanup(ids_free_cleanup))) = { 0 };
    AUTO(free) size_t *index = calloc(p->n_tasks + 1, sizeof *index);
    if (!index)
        return FAIL_NOMEM(e);
    TRY(ids_alloc(&ids, p, e));
    TRY(write_models(d, p, &ids, e));
    TRY(write_data(d, p, &ids, s, e));
    TRY(write_sweep(d, sub, s, e));
    TRY(write_space(d, p, &ids, s, e));
    AUTO(db_rows_free) struct db_rows *revived = NULL;
    const struct sql_arg id[] = { SQL_I64(s->id) };
    TRY(db_exec(d, SQL_SWEEP_REVIVE, id, 1, ROWS_ANY, &revived, e));
    s->revived = db_rows_count(revived) > 0;
    size_t n = 0;
    for (size_t i = 0; i < p->n_tasks; i++)
        if (!p->tasks[i].deferred && !p->tasks[i].on_demand)
            index[n++] = i;
    return write_tasks(d, s, &ids, index, n, 0, e);
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
    if (!s->all_new && load_rest(d, s, e) < 0)
        return NULL;
    return TAKE(s);
}

/* Ids of representations and benchmarks by plan index; all of them exist since the submission. */
static int load_ids(struct db *d, struct stored_sweep *s, struct ids *ids, struct err *e)
{
    TRY(ids_alloc(ids, s->plan, e));
    TRY(write_models(d, s->plan, ids, e));
    return write_data(d, s->plan, ids, s, e);
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
    struct ids ids __attribute__((cleanup(ids_free_cleanup))) = { 0 };
    if (!s)
        return NULL;
    s->id = sweep_id;
    s->state = sweep_state_of(db_text(row, 0, 3));
    if (load_ids(d, s, &ids, e) < 0 || load_rest(d, s, e) < 0)
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

/* ---- rounds ---- */

static int write_fits(struct db *d, const struct stored_sweep *s, const struct round_rows *r, struct err *e)
{
    for (size_t b = 0; b < r->answer->m; b++) {
        const struct policy_fit *f = &r->answer->fits[b];
        const double v[] = { f->r2,      f->r2_adjusted, f->r2_loo,  f->spearman, f->intercept,
                             f->coef[0], f->coef[1],     f->coef[2], f->coef[3],  f->coef[4] };
        const struct sql_arg args[] = { SQL_I64(s->id), SQL_I64(r->round), SQL_I64(s->benchmark_ids[b]),
                                        SQL_I64((int64_t)f->n_train), SQL_F64S(v, ARRAY_LEN(v)) };
        TRY(db_exec(d, SQL_POLICY_FIT_INSERT, args, ARRAY_LEN(args), 1, NULL, e));
    }
    return 0;
}

static int write_predictions(struct db *d, const struct stored_sweep *s, const struct round_rows *r, struct err *e)
{
    size_t n = r->answer->n;
    AUTO(free) int64_t *id = calloc(2 * n + 1, sizeof *id);
    AUTO(free) double *mean = calloc(2 * n + 1, sizeof *mean);
    if (!id || !mean)
        return FAIL_NOMEM(e);
    for (size_t b = 0; b <= r->answer->m; b++) {
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
            const struct policy_prediction *p = policy_answer_prediction(r->answer, b, i);
            if (isnan(p->mean) || p->rank == 0)
                continue;
            id[k] = s->representation_ids[i];
            mean[k] = p->mean;
            mean[n + k] = p->sd;
            id[n + k] = p->rank;
            k++;
        }
        const struct sql_arg args[] = {
            SQL_I64(s->id),     SQL_I64(r->round), SQL_I64(b == r->answer->m ? 0 : s->benchmark_ids[b]),
            SQL_I64S(id, k),    SQL_F64S(mean, k), SQL_F64S(mean + n, k),
            SQL_I64S(id + n, k)
        };
        TRY(db_exec(d, SQL_POLICY_PREDICTION_INSERT, args, ARRAY_LEN(args), (int64_t)k, NULL, e));
    }
    return 0;
}

static int write_choices(struct db *d, struct stored_sweep *s, const struct round_rows *r, struct err *e)
{
    const struct plan *p = s->plan;
    struct ids ids __attribute__((cleanup(ids_free_cleanup))) = { 0 };
    AUTO(free) size_t *index = calloc(p->n_tasks + 1, sizeof *index);
    if (!index)
        return FAIL_NOMEM(e);
    TRY(load_ids(d, s, &ids, e));
    size_t n = 0;
    for (size_t c = 0; c < r->answer->n_choices; c++) {
        const struct policy_choice *choice = &r->answer->choices[c];
        const struct sql_arg args[] = { SQL_I64(s->id),         SQL_I64(r->round),
                                        SQL_I64((int64_t)c),    SQL_I64(s->representation_ids[choice->representation]),
                                        SQL_F64(choice->value), SQL_TEXT(choice->reason) };
        TRY(db_exec(d, SQL_POLICY_CHOICE_INSERT, args, ARRAY_LEN(args), 1, NULL, e));
        for (size_t i = 0; i < p->n_tasks; i++)
            if (p->tasks[i].deferred && p->tasks[i].representation == choice->representation)
                index[n++] = i;
    }
    for (size_t w = 0; w < r->answer->n_wants; w++)
        for (size_t i = 0; i < p->n_tasks; i++)
            if (p->tasks[i].on_demand && p->tasks[i].representation == r->answer->wants[w].representation)
                index[n++] = i;
    return write_tasks(d, s, &ids, index, n, r->round, e);
}

static int round_in_transaction(struct db *d, struct stored_sweep *s, const struct round_rows *r, struct err *e)
{
    const struct sql_arg args[] = { SQL_I64(s->id),
                                    SQL_I64(r->round),
                                    SQL_TEXT(r->mode),
                                    SQL_TEXT(r->observations),
                                    SQL_TEXT(r->final ? "final" : "open"),
                                    SQL_TEXT(r->note) };
    TRY(db_exec(d, SQL_POLICY_ROUND_INSERT, args, ARRAY_LEN(args), 1, NULL, e));
    TRY(write_fits(d, s, r, e));
    TRY(write_predictions(d, s, r, e));
    if (!r->final)
        return write_choices(d, s, r, e);
    const struct sql_arg end[] = { SQL_I64(s->id), SQL_TEXT("done"), SQL_TEXT(r->note) };
    return db_exec(d, SQL_SWEEP_END, end, ARRAY_LEN(end), 1, NULL, e);
}

int store_round(struct db *d, struct stored_sweep *s, const struct round_rows *r, struct err *e)
{
    TRY(db_begin(d, e));
    if (round_in_transaction(d, s, r, e) < 0 || db_commit(d, e) < 0) {
        db_rollback(d);
        return -1;
    }
    return r->final ? 0 : load_rest(d, s, e);
}

int store_round_measured(struct db *d, int64_t sweep_id, int round, struct err *e)
{
    const struct sql_arg args[] = { SQL_I64(sweep_id), SQL_I64(round) };
    return db_exec(d, SQL_POLICY_ROUND_MEASURED, args, ARRAY_LEN(args), ROWS_0_OR_1, NULL, e);
}

int store_is_stale(struct db *d, const struct stored_sweep *s, bool *stale, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg name[] = { SQL_TEXT(s->plan->name) };
    TRY(db_exec(d, SQL_SWEEP_FIND, name, 1, ROWS_0_OR_1, &rows, e));
    *stale = db_rows_count(rows) != 1 || strcmp(db_text(rows, 0, 1), s->config_digest) != 0 ||
             strcmp(db_text(rows, 0, 2), "running") != 0;
    return 0;
}

int store_sweep_end(struct db *d, int64_t sweep_id, enum sweep_state state, const char *note, struct err *e)
{
    const struct sql_arg args[] = { SQL_I64(sweep_id), SQL_TEXT(sweep_state_name(state)), SQL_TEXT(note) };
    return db_exec(d, SQL_SWEEP_END, args, ARRAY_LEN(args), 1, NULL, e);
}
