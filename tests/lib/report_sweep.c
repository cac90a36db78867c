#include "tests/lib/report_sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "policy/fit.h"

struct writer {
    struct db *d;
    const struct policy_table *t;
    const char *executor;
    int64_t sweep, task;
    double clock[4]; /* when each worker is free again, seconds */
};

static int64_t one(struct db *d, const char *text, const struct sql_arg *args, size_t n)
{
    struct err e = { 0 };
    struct db_rows *rows = NULL;
    if (db_query(d, text, args, n, &rows, &e) < 0) {
        fprintf(stderr, "report_sweep: %s\n", e.text);
        abort();
    }
    int64_t value = db_rows_count(rows) ? db_i64(rows, 0, 0) : 0;
    db_rows_free(rows);
    return value;
}

static int64_t by_name(struct writer *w, const char *text, const char *name)
{
    const struct sql_arg args[] = { SQL_TEXT(name) };
    return one(w->d, text, args, 1);
}

/* A finished task with its attempt and metric, on the worker that is free first. Ids of 0 are NULL. */
static void add_task(struct writer *w, const char *kind, int64_t representation, int64_t benchmark, int64_t set,
                     const char *metric, double value, double seconds, double not_before)
{
    size_t worker = 0;
    for (size_t k = 1; k < ARRAY_LEN(w->clock); k++)
        worker = w->clock[k] < w->clock[worker] ? k : worker;
    double start = fmax(w->clock[worker], not_before), end = start + seconds;
    w->clock[worker] = end;
    bool recorded = !strcmp(w->executor, "replay");
    char worker_id[32], label[64], gpu[16];
    snprintf(worker_id, sizeof worker_id, "boot-%zu", worker + 1);
    snprintf(label, sizeof label, "%s #%lld", kind, (long long)++w->task);
    snprintf(gpu, sizeof gpu, "GPU-%zu", worker);
    const struct sql_arg args[] = {
        SQL_I64(w->task),  SQL_TEXT(kind), SQL_TEXT(w->executor), SQL_TEXT(label),
        representation ? SQL_I64(representation) : SQL_NULL, benchmark ? SQL_I64(benchmark) : SQL_NULL,
        set ? SQL_I64(set) : SQL_NULL, SQL_TEXT(worker_id), SQL_F64(start), SQL_F64(end),
        SQL_F64(recorded ? 0 : seconds), SQL_TEXT(metric), SQL_F64(value), SQL_I64(w->sweep),
    };
    one(w->d,
        "WITH t AS (INSERT INTO task (task_id, state, attempt, kind, executor, identity, label, params, representation_id,"
        "     benchmark_id, correspondence_set_id, worker_id)"
        "   VALUES ($1::bigint, 'done', 1, $2, $3, $14::bigint || '-task-' || $1, $4, '{}', $5::bigint, $6::bigint,"
        "     $7::bigint, $8)),"
        " s AS (INSERT INTO sweep_task (sweep_id, task_id) VALUES ($14::bigint, $1::bigint)),"
        " a AS (INSERT INTO attempt (task_id, attempt, epoch, worker_id, slot, outcome, started_at, finished_at, wall_seconds,"
        "     gpu_seconds, cpu_seconds)"
        "   VALUES ($1::bigint, 1, 1, $8, 0, 'succeeded', '2030-01-01Z'::timestamptz + $9::float8 * interval '1 second',"
        "     '2030-01-01Z'::timestamptz + $10::float8 * interval '1 second', $10::float8 - $9::float8, $11::float8, 1))"
        " INSERT INTO metric (task_id, name, value) SELECT $1::bigint, $12::text, $13::float8 WHERE $12::text IS NOT NULL"
        "   AND $13::float8 <> 'NaN'",
        args, ARRAY_LEN(args));
}

static void add_names(struct writer *w, int64_t *reps, int64_t *benches, int64_t set)
{
    for (size_t i = 0; i < policy_table_representations(w->t); i++) {
        const char *name = policy_table_representation(w->t, i);
        reps[i] = by_name(w, "INSERT INTO representation (name, identity) VALUES ($1, 'rep-' || $1)"
                             " ON CONFLICT (identity) DO UPDATE SET name = $1 RETURNING representation_id", name);
        const struct sql_arg args[] = { SQL_I64(w->sweep), SQL_I64(reps[i]), SQL_I64((int64_t)i), SQL_TEXT(name) };
        one(w->d, "INSERT INTO sweep_representation VALUES ($1::bigint, $2::bigint, $3::int, $4)", args, ARRAY_LEN(args));
    }
    for (size_t b = 0; b < policy_table_benchmarks(w->t); b++) {
        benches[b] = by_name(w, "INSERT INTO benchmark (name, metric) VALUES ($1, 'score')"
                                " ON CONFLICT (name) DO UPDATE SET metric = 'score' RETURNING benchmark_id",
                             policy_table_benchmark(w->t, b));
        const struct sql_arg args[] = { SQL_I64(w->sweep), SQL_I64(benches[b]), SQL_I64((int64_t)b), SQL_I64(set) };
        one(w->d, "INSERT INTO sweep_benchmark VALUES ($1::bigint, $2::bigint, $3::int, 1, $4::bigint)", args,
            ARRAY_LEN(args));
    }
}

/* Mean of A and C over all benchmarks, normalised: the order of the choices. What has no score comes last. */
static void sums(const struct policy_table *t, double *sum, double *performance)
{
    struct err e = { 0 };
    for (size_t b = 0; b < policy_table_benchmarks(t); b++) {
        AUTO(policy_points_free) struct policy_points p = { 0 };
        if (policy_points_init(&p, t, b, POLICY_NORMALISE_WHOLE, NULL, &e) < 0)
            abort();
        for (size_t i = 0; i < p.n; i++) {
            bool scored = isfinite(p.a[i]) && isfinite(p.c[i]);
            sum[i] += (scored ? (p.a[i] + p.c[i]) / 2 : -1) / (double)policy_table_benchmarks(t);
            performance[i] += (isfinite(p.y[i]) ? p.y[i] : 0) / (double)policy_table_benchmarks(t);
        }
    }
}

static size_t next_best(const double *sum, const bool *taken, size_t n)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < n; i++)
        if (!taken[i] && (best == SIZE_MAX || sum[i] > sum[best]))
            best = i;
    return best;
}

static void add_fits(struct writer *w, int round, const bool *train, const int64_t *benches)
{
    struct err e = { 0 };
    for (size_t b = 0; b < policy_table_benchmarks(w->t); b++) {
        AUTO(policy_points_free) struct policy_points p = { 0 };
        struct policy_fit f;
        if (policy_points_init(&p, w->t, b, POLICY_NORMALISE_TRAIN, train, &e) < 0 ||
            policy_fit(&p, train, (struct policy_shape){ POLICY_COLUMNS_AC, 2 }, &f, &e) < 0)
            abort();
        const struct sql_arg args[] = { SQL_I64(w->sweep),     SQL_I64(round),          SQL_I64(benches[b]),
                                        SQL_I64((int64_t)f.n_train), SQL_F64(f.r2),     SQL_F64(f.r2_adjusted),
                                        SQL_F64(f.r2_loo),     SQL_F64(f.spearman),     SQL_F64(f.intercept),
                                        SQL_F64(f.coef[0]),    SQL_F64(f.coef[1]),      SQL_F64(f.coef[2]),
                                        SQL_F64(f.coef[3]),    SQL_F64(f.coef[4]) };
        one(w->d, "INSERT INTO policy_fit SELECT $1::bigint, $2::int, $3::bigint, $4::int, nullif($5::float8, 'NaN'),"
                  " nullif($6::float8, 'NaN'), nullif($7::float8, 'NaN'), nullif($8::float8, 'NaN'), nullif($9::float8, 'NaN'),"
                  " $10::float8, $11::float8, $12::float8, $13::float8, $14::float8", args, ARRAY_LEN(args));
    }
}

static void add_ranking(struct writer *w, int round, const bool *train, const double *sum, const double *performance,
                        const int64_t *reps)
{
    size_t n = policy_table_representations(w->t);
    AUTO(free) double *value = calloc(n + 1, sizeof *value);
    AUTO(free) bool *taken = calloc(n + 1, sizeof *taken);
    for (size_t i = 0; i < n; i++)
        value[i] = train[i] ? performance[i] : sum[i];
    for (size_t rank = 1; rank <= n; rank++) {
        size_t i = next_best(value, taken, n);
        taken[i] = true;
        const struct sql_arg args[] = { SQL_I64(w->sweep), SQL_I64(round), SQL_I64(reps[i]), SQL_F64(value[i]),
                                        SQL_F64(train[i] ? 0.02 : 0.09), SQL_I64((int64_t)rank) };
        one(w->d, "INSERT INTO policy_prediction VALUES ($1::bigint, $2::int, 0, $3::bigint, $4::float8, $5::float8, $6::int)",
            args, ARRAY_LEN(args));
    }
}

/* Before anything of the round is measured: a straight line in A + C between the worst and best measured, none at first. */
static void add_expectations(struct writer *w, int round, const bool *train, const double *sum, const int64_t *reps,
                             const int64_t *benches)
{
    struct err e = { 0 };
    for (size_t b = 0; b < policy_table_benchmarks(w->t); b++) {
        AUTO(policy_points_free) struct policy_points p = { 0 };
        if (policy_points_init(&p, w->t, b, POLICY_NORMALISE_TRAIN, train, &e) < 0)
            abort();
        for (size_t i = 0; i < p.n && p.y_range > 0; i++) {
            const struct sql_arg args[] = { SQL_I64(w->sweep),  SQL_I64(round),
                                            SQL_I64(benches[b]), SQL_I64(reps[i]),
                                            SQL_F64(p.y_low + p.y_range * sum[i]), SQL_F64(0.1 * p.y_range) };
            one(w->d, "INSERT INTO policy_prediction VALUES ($1::bigint, $2::int, $3::bigint, $4::bigint, $5::float8,"
                      " $6::float8, 1)", args, ARRAY_LEN(args));
        }
    }
}

static void add_round(struct writer *w, int round, size_t chosen, const double *sum, const int64_t *reps)
{
    const struct sql_arg args[] = { SQL_I64(w->sweep), SQL_I64(round) };
    one(w->d, "INSERT INTO policy_round (sweep_id, round, mode, observations, state, finished_at)"
              " VALUES ($1::bigint, $2::int, 'default', '', 'measured', now())", args, 2);
    char reason[200];
    snprintf(reason, sizeof reason, "largest A + C among those not measured (%.3f)", sum[chosen]);
    const struct sql_arg choice[] = { SQL_I64(w->sweep), SQL_I64(round), SQL_I64(reps[chosen]), SQL_F64(sum[chosen]),
                                      SQL_TEXT(reason) };
    one(w->d, "INSERT INTO policy_choice VALUES ($1::bigint, $2::int, 0, $3::bigint, $4::float8, $5)", choice,
        ARRAY_LEN(choice));
}

static double latest(const struct writer *w)
{
    double t = 0;
    for (size_t k = 0; k < ARRAY_LEN(w->clock); k++)
        t = fmax(t, w->clock[k]);
    return t;
}

void report_sweep_insert(struct db *d, const char *name, const struct policy_table *t, size_t fine_tunes,
                         const char *executor)
{
    size_t n = policy_table_representations(t), n_benches = policy_table_benchmarks(t);
    struct writer w = { .d = d, .t = t, .executor = executor };
    AUTO(free) int64_t *reps = calloc(n + 1, sizeof *reps), *benches = calloc(n_benches + 1, sizeof *benches);
    AUTO(free) double *sum = calloc(n + 1, sizeof *sum), *performance = calloc(n + 1, sizeof *performance);
    AUTO(free) bool *train = calloc(n + 1, sizeof *train);
    w.sweep = by_name(&w, "INSERT INTO sweep (name, state, config, config_digest, plan, policy, seed, finished_at) VALUES ($1,"
                          " 'done', 'sweep: { name = \"' || $1 || '\"; };', repeat('ab', 32), '{}', '{\"mode\": \"default\"}',"
                          " 7, now() + interval '95 seconds') RETURNING sweep_id", name);
    w.task = one(d, "SELECT coalesce(max(task_id), 0) FROM task", NULL, 0);
    int64_t set = one(d, "WITH s AS (INSERT INTO correspondence_set (name) VALUES ('pairs') ON CONFLICT DO NOTHING RETURNING *)"
                         " SELECT correspondence_set_id FROM s UNION ALL SELECT correspondence_set_id FROM correspondence_set"
                         " WHERE name = 'pairs' LIMIT 1", NULL, 0);
    one(d, "INSERT INTO worker (worker_id, node, boot_id, version, cpus, memory_bytes, slots, state)"
           " SELECT 'boot-' || i, 'node' || (i + 1) / 2, 'b', '0', 2, 1, 1, 'left' FROM generate_series(1, 4) i"
           " ON CONFLICT DO NOTHING", NULL, 0);
    add_names(&w, reps, benches, set);
    for (size_t i = 0; i < n; i++) {
        add_task(&w, "stage1", reps[i], 0, 0, NULL, 0, 3 + (double)(i % 4), 0);
        add_task(&w, "score_c", reps[i], 0, set, "c", policy_table_c(t, i, 0), 0.8, 0);
        for (size_t b = 0; b < n_benches; b++)
            add_task(&w, "score_a", reps[i], benches[b], 0, "a", policy_table_a(t, i, b), 0.4, 0);
    }
    sums(t, sum, performance);
    for (size_t round = 1; round <= fine_tunes; round++) {
        size_t chosen = next_best(sum, train, n);
        add_round(&w, (int)round, chosen, sum, reps);
        add_expectations(&w, (int)round, train, sum, reps, benches);
        train[chosen] = true;
        add_task(&w, "stage2", reps[chosen], 0, 0, NULL, 0, 12, latest(&w));
        double trained = latest(&w);
        for (size_t b = 0; b < n_benches; b++)
            add_task(&w, "evaluate", reps[chosen], benches[b], 0, "performance", policy_table_perf(t, chosen, b), 1.5, trained);
        add_fits(&w, (int)round, train, benches);
        add_ranking(&w, (int)round, train, sum, performance, reps);
    }
}
