/* The public SQL interface on a small known sweep: every view's meaning, comments on everything, roles, and every query of
 * docs/sql.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "sql/migrate.h"
#include "tests/lib/pgtest.h"

struct world {
    struct pgtest *pg;
    const char *conninfo;
    struct db *d;
};

/* Two sweeps over three representations and two benchmarks. In s1: stage1 done; scores of r1, r2 done and of r3 partly;
 * r1 and r2 measured, r3's stage 2 failed once and runs again, its evaluation waits. s2 found stage1 and r1's A in the
 * cache; one of its tasks can never run. */
static const char fixture[] =
    "INSERT INTO checkpoint (name, role) VALUES ('clip', 'encoder');"
    "INSERT INTO encoder (name, checkpoint_id, resolution, identity) VALUES ('e1', 1, 224, 'e1'), ('e2', 1, 336, 'e2');"
    "INSERT INTO representation (name, identity) VALUES ('r1', 'r1'), ('r2', 'r2'), ('r3', 'r3');"
    "INSERT INTO representation_member VALUES (1, 0, 1), (2, 0, 2), (3, 0, 2), (3, 1, 1);"
    "INSERT INTO correspondence_set (name) VALUES ('spair');"
    "INSERT INTO benchmark (name, metric, maximum) VALUES ('mm', 'accuracy', 100), ('mme', 'points', 2000);"
    "INSERT INTO sweep (name, config, config_digest, plan, policy, note) VALUES ('s1', '', 'd1', '{}', '{}', ''), "
    "    ('s2', '', 'd2', '{}', '{\"mode\": \"paper\"}', 'a toy');"
    "INSERT INTO sweep_representation SELECT s, r, r - 1, 'r' || r FROM generate_series(1, 2) s, generate_series(1, 3) r;"
    "INSERT INTO sweep_benchmark (sweep_id, benchmark_id, position, weight) VALUES (1, 1, 0, 3), (1, 2, 1, 1), (2, 1, 0, 1);"
    "INSERT INTO worker (worker_id, node, boot_id, version, cpus, memory_bytes, slots, state) VALUES "
    "    ('w1', 'n1', 'b', '1', 4, 1, 2, 'joined'), ('idle', 'n2', 'b', '1', 4, 1, 2, 'joined');"
    "INSERT INTO device (worker_id, uuid, name, memory_bytes, compute_capability) VALUES ('w1', 'u1', 'G', 1, 90);"
    "INSERT INTO task (task_id, state, attempt, kind, executor, identity, label, params, representation_id, benchmark_id, "
    "                  correspondence_set_id, worker_id, leased_at, reason) VALUES "
    "    (1, 'done', 1, 'stage1', 'fake', 'i1', 'stage1 r1', '{}', 1, NULL, NULL, NULL, NULL, ''),"
    "    (2, 'done', 1, 'score_a', 'fake', 'i2', 'A r1 mm', '{}', 1, 1, NULL, NULL, NULL, ''),"
    "    (3, 'done', 1, 'score_c', 'fake', 'i3', 'C r1', '{}', 1, NULL, 1, NULL, NULL, ''),"
    "    (4, 'done', 1, 'evaluate', 'fake', 'i4', 'eval r1 mm', '{}', 1, 1, NULL, NULL, NULL, ''),"
    "    (5, 'done', 1, 'evaluate', 'fake', 'i5', 'eval r1 mme', '{}', 1, 2, NULL, NULL, NULL, ''),"
    "    (6, 'done', 1, 'evaluate', 'fake', 'i6', 'eval r2 mm', '{}', 2, 1, NULL, NULL, NULL, ''),"
    "    (7, 'done', 1, 'evaluate', 'fake', 'i7', 'eval r2 mme', '{}', 2, 2, NULL, NULL, NULL, ''),"
    "    (8, 'leased', 2, 'stage2', 'fake', 'i8', 'stage2 r3', '{}', 3, NULL, NULL, 'w1', now() - interval '9 s', ''),"
    "    (9, 'pending', 0, 'evaluate', 'fake', 'i9', 'eval r3 mm', '{}', 3, 1, NULL, NULL, NULL, ''),"
    "    (10, 'failed', 1, 'stage1', 'fake', 'i10', 'stage1 r2', '{}', 2, NULL, NULL, NULL, NULL, 'no such file'),"
    "    (11, 'pending', 0, 'stage2', 'fake', 'i11', 'stage2 r2', '{}', 2, NULL, NULL, NULL, NULL, ''),"
    "    (12, 'pending', 0, 'score_a', 'fake', 'i12', 'A r3', '{}', 3, 1, NULL, NULL, NULL, '');"
    "UPDATE task SET resources = '{\"gpus\": 1}' WHERE task_id = 12;"
    "INSERT INTO task_input VALUES (2, 1, 'connector'), (9, 8, 'model'), (11, 10, 'connector');"
    "INSERT INTO sweep_task (sweep_id, task_id, round, cached) SELECT 1, t, 0, false FROM generate_series(1, 9) t;"
    "INSERT INTO sweep_task (sweep_id, task_id, round, cached) VALUES (2, 1, 0, true), (2, 2, 0, true), (2, 10, 0, false), "
    "    (2, 11, 1, false), (2, 12, 0, false);"
    "INSERT INTO attempt (task_id, attempt, epoch, worker_id, outcome, failure, wall_seconds, gpu_seconds) VALUES "
    "    (1, 1, 1, 'w1', 'succeeded', 'none', 10, 20), (2, 1, 1, 'w1', 'succeeded', 'none', 1, 1),"
    "    (8, 1, 1, 'w1', 'failed', 'gpu_oom', 5, 7), (10, 1, 1, 'w1', 'failed', 'data', 1, 0);"
    "INSERT INTO metric VALUES (2, 'a', 0.5), (2, 'loss', 9), (3, 'c', 0.25), (3, 'pck_0.05', 0.1), "
    "    (4, 'performance', 60), (5, 'performance', 1000), (6, 'performance', 50), (7, 'performance', 1800), "
    "    (4, 'chance', 25), (4, 'ci_low', 51.5), (4, 'ci_high', 68), (6, 'chance', 50), (6, 'ci_low', 40), (6, 'ci_high', 60);"
    "INSERT INTO placement (shape, reason, tasks) VALUES ('fake {\"gpus\": 1}', 'no worker has a GPU', 1);"
    "INSERT INTO policy_round (sweep_id, round, mode, observations, state) VALUES (1, 1, 'default', 'o1', 'measured'), "
    "    (1, 2, 'default', 'o2', 'measured'), (1, 3, 'default', 'o3', 'open');"
    "INSERT INTO policy_choice VALUES (1, 1, 0, 1, 0.5, 'first'), (1, 2, 0, 2, 0.4, 'second'), (1, 3, 0, 3, NULL, 'last');"
    "INSERT INTO representation (name, identity) VALUES ('x1', 'x1'), ('x2', 'x2'), ('x3', 'x3');"
    "INSERT INTO policy_prediction (sweep_id, round, benchmark_id, representation_id, mean, sd, rank) VALUES "
    "    (1, 1, 0, 1, .1, .1, 4), (1, 1, 0, 2, .2, .1, 2), (1, 2, 0, 1, .5, .1, 2), (1, 2, 0, 2, .1, .1, 3),"
    "    (1, 3, 0, 1, .9, .1, 1), (1, 3, 0, 2, .1, .1, 5), (1, 3, 0, 3, .5, .2, 2), (1, 3, 1, 1, .8, .1, 1);"
    "INSERT INTO policy_fit (sweep_id, round, benchmark_id, n_train, r2) VALUES (1, 2, 1, 1, NULL), (1, 3, 1, 2, 0.9);"
    /* A floor of s1, worse than all; in s2 the same is a member of the search space. What a score says of the position comes with
     * those of s1 twice. */
    "INSERT INTO representation (representation_id, name, identity) OVERRIDING SYSTEM VALUE VALUES (100, 'random', 'random');"
    "INSERT INTO sweep_representation (sweep_id, representation_id, position, label, floor) VALUES (1, 100, 3, 'random', true),"
    "    (2, 100, 3, 'random', false);"
    "INSERT INTO task (task_id, state, attempt, kind, executor, identity, label, params, representation_id, benchmark_id, "
    "                  correspondence_set_id) VALUES "
    "    (20, 'done', 1, 'score_a', 'fake', 'i20', 'A random mm', '{}', 100, 1, NULL),"
    "    (21, 'done', 1, 'score_c', 'fake', 'i21', 'C random', '{}', 100, NULL, 1),"
    "    (22, 'done', 1, 'evaluate', 'fake', 'i22', 'eval random mm', '{}', 100, 1, NULL),"
    "    (23, 'done', 1, 'evaluate', 'fake', 'i23', 'eval random mme', '{}', 100, 2, NULL);"
    "INSERT INTO sweep_task (sweep_id, task_id, round, cached) SELECT s, t, 0, s = 2 FROM generate_series(1, 2) s, "
    "    generate_series(20, 23) t;"
    "INSERT INTO metric VALUES (20, 'a', 0.01), (21, 'c', 0.02), (21, 'pck_0.05', 0.005), (21, 'geo', 0.5), (22, 'performance', 99),"
    "    (23, 'performance', 1999), (3, 'position_c', 0.125), (3, 'position_pck_0.05', 0.0625), (21, 'position_c', 0.125),"
    "    (21, 'position_pck_0.05', 0.0625);"
    "INSERT INTO attempt (task_id, attempt, epoch, worker_id, outcome, gpu_seconds) VALUES (20, 1, 1, 'gone', 'succeeded', 3);"
    "INSERT INTO event (kind, sweep_id, task_id) VALUES ('joined', NULL, NULL), ('stale', NULL, 1), ('round', 1, NULL);";

/* Each query must give this number. */
static const struct {
    const char *query;
    int64_t expect;
} facts[] = {
    { "SELECT count(*) FROM tasks WHERE sweep = 's1'", 13 },
    { "SELECT (status = 'running')::int FROM tasks WHERE sweep = 's1' AND task_id = 8", 1 },
    { "SELECT (status = 'waiting' AND inputs_missing = 1)::int FROM tasks WHERE sweep = 's1' AND task_id = 9", 1 },
    { "SELECT (status = 'blocked')::int FROM tasks WHERE sweep = 's2' AND task_id = 11", 1 },
    { "SELECT (status = 'ready')::int FROM tasks WHERE sweep = 's2' AND task_id = 12", 1 },
    { "SELECT count(*) FROM attempts WHERE sweep = 's1' AND outcome = 'running' AND task_id = 8 AND attempt = 2", 1 },
    { "SELECT count(*) FROM attempts WHERE sweep = 's1'", 5 },
    { "SELECT count(*) FROM attempts WHERE sweep = 's1' AND wall_seconds >= 9 AND outcome = 'running'", 1 },
    { "SELECT count(*) FROM scores WHERE sweep = 's1'", 3 }, /* a, c, pck_0.05, but not loss */
    { "SELECT count(*) FROM scores WHERE sweep = 's2' AND score = 'a' AND value = 0.5 AND cached", 1 },
    { "SELECT count(*) FROM performances WHERE sweep = 's1'", 4 },
    { "SELECT percent FROM performances WHERE representation = 'r2' AND benchmark = 'mme'", 90 },
    { "SELECT count(*) FROM performances WHERE sweep = 's1' AND above_chance AND representation = 'r1' AND benchmark = 'mm' AND "
      "ci_low = 51.5 AND ci_high = 68 AND chance = 25", 1 },
    { "SELECT count(*) FROM performances WHERE sweep = 's1' AND NOT above_chance AND representation = 'r2'", 1 },
    { "SELECT count(*) FROM performances WHERE sweep = 's1' AND above_chance IS NULL AND ci_low IS NULL AND chance IS NULL", 2 },
    /* The target is 3/4 mm + 1/4 mme: r1 = (3*60 + 50)/4 = 57.5, r2 = (3*50 + 90)/4 = 60, so r2 is the best. */
    { "SELECT (10 * measured_percent)::int FROM ranking WHERE sweep = 's1' AND benchmark = 'target' AND "
      "representation = 'r1'", 575 },
    { "SELECT count(*) FROM ranking WHERE sweep = 's1' AND benchmark = 'target' AND round = 3", 3 },
    { "SELECT count(*) FROM ranking WHERE sweep = 's1' AND NOT is_measured AND representation = 'r3' AND members = 'e2 + e1'",
      1 },
    { "SELECT measured FROM ranking WHERE sweep = 's1' AND benchmark = 'mm'", 60 },
    { "SELECT count(*) FROM recall WHERE sweep = 's1' AND benchmark = 'target' AND best = 'r2' AND best_percent = 60", 3 },
    { "SELECT count(*) FROM recall WHERE benchmark = 'target' AND in_top3 AND round IN (1, 2) AND fine_tunes = round - 1", 2 },
    { "SELECT (NOT in_top3 AND hit_so_far AND best_rank = 5)::int FROM recall WHERE benchmark = 'target' AND round = 3", 1 },
    { "SELECT count(*) FROM recall WHERE benchmark = 'mm' AND best = 'r1' AND in_top3", 1 },
    { "SELECT count(*) FROM sweeps WHERE sweep = 's2' AND note = 'a toy' AND mode = 'paper' AND state = 'running'", 1 },
    { "SELECT sum(10 * representations + benchmarks) FROM sweeps", 73 }, /* s1 has a floor, s2 a fourth member */
    { "SELECT count(*) FROM law_fit WHERE sweep = 's1' AND is_newest AND round = 3 AND r2 = 0.9", 1 },
    { "SELECT tasks * 1000 + done * 100 + waiting * 10 + failed FROM progress WHERE sweep = 's1' AND kind = 'evaluate'", 7610 },
    { "SELECT running * 10 + retried FROM progress WHERE sweep = 's1' AND kind = 'stage2'", 11 },
    { "SELECT cached * 100 + failed * 10 + done FROM progress WHERE sweep = 's2' AND kind = 'stage1'", 111 },
    { "SELECT gpu_seconds FROM cost WHERE sweep = 's1' AND kind = 'stage1' AND sharing = 'charged'", 20 },
    { "SELECT gpu_seconds FROM cost WHERE sweep = 's2' AND kind = 'stage1' AND sharing = 'shared'", 20 },
    { "SELECT wasted_gpu_seconds FROM cost WHERE sweep = 's1' AND kind = 'stage2'", 7 },
    { "SELECT count(*) FROM workers WHERE sweep = 's1' AND worker_id = 'w1' AND running = 1 AND succeeded = 2 AND gpus = 1", 1 },
    { "SELECT count(*) FROM workers WHERE worker_id = 'idle' AND sweep = ''", 1 },
    { "SELECT count(*) FROM why_waiting WHERE sweep = 's1'", 1 },
    { "SELECT count(*) FROM why_waiting WHERE task_id = 9 AND reason LIKE '1 of its inputs%stage2 r3 (leased)'", 1 },
    { "SELECT count(*) FROM why_waiting WHERE task_id = 11 AND reason LIKE '%stage1 r2 (failed): no such file'", 1 },
    { "SELECT count(*) FROM why_waiting WHERE task_id = 12 AND reason = 'no worker has a GPU'", 1 },
    { "SELECT count(*) FROM policy_rounds WHERE sweep = 's1' AND status = 'measured' AND round IN (1, 2)", 2 },
    { "SELECT count(*) FROM policy_rounds WHERE sweep = 's1' AND status = 'open' AND representation = 'r3'", 1 },
    /* Nothing of a floor is in what is averaged or ranked, though this one would be the best of all on its benchmarks. */
    { "SELECT count(*) FROM scores WHERE sweep = 's1' AND representation = 'random'", 0 },
    { "SELECT count(*) FROM performances WHERE sweep = 's1' AND representation = 'random'", 0 },
    { "SELECT count(*) FROM scores WHERE sweep = 's2' AND representation = 'random'", 3 },
    { "SELECT count(*) FROM performances WHERE sweep = 's2' AND representation = 'random'", 2 },
    { "SELECT count(*) FROM recall WHERE sweep = 's1' AND best = 'random'", 0 },
    { "SELECT count(*) FROM floors WHERE sweep = 's1' AND floor = 'random'", 5 }, /* a, c, pck_0.05, two performances */
    { "SELECT (10 * percent)::int FROM floors WHERE sweep = 's1' AND floor = 'random' AND benchmark = 'mme'", 1000 },
    { "SELECT count(*) FROM floors WHERE sweep = 's1' AND floor = 'position'", 2 },
    { "SELECT count(*) FROM floors WHERE floor = 'position' AND metric = 'c' AND correspondence_set = 'spair' AND value = 0.125", 2 },
    { "SELECT count(*) FROM floors WHERE sweep = 's2'", 2 }, /* of the position */
    { "SELECT count(*) FROM tasks WHERE sweep = 's1' AND is_floor", 4 },
    { "SELECT count(*) FROM tasks WHERE sweep = 's2' AND is_floor", 0 },
    { "SELECT gpu_seconds FROM cost WHERE sweep = 's1' AND is_floor AND kind = 'score_a'", 3 },
    { "SELECT count(*) FROM cost WHERE sweep = 's1' AND kind = 'score_a' AND NOT is_floor AND gpu_seconds = 1", 1 },
    { "SELECT count(*) FROM events WHERE sweep = 's1' AND kind = 'round'", 1 },
    { "SELECT count(*) FROM events WHERE kind = 'stale' AND label = 'stage1 r1'", 2 }, /* shared by both sweeps */
    { "SELECT count(*) FROM events WHERE kind = 'joined' AND sweep = ''", 1 },
};

static void views_mean_what_they_say(void **state)
{
    struct world *w = *state;
    bool all = true;
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        int64_t got = pgtest_number(w->d, facts[i].query);
        if (got != facts[i].expect) {
            print_error("%s\n  gave %lld, expected %lld\n", facts[i].query, (long long)got, (long long)facts[i].expect);
            all = false;
        }
    }
    assert_true(all);
}

static void every_view_starts_with_the_sweep(void **state)
{
    struct world *w = *state;
    assert_int_equal(pgtest_number(w->d, "SELECT count(*) FROM information_schema.columns c JOIN information_schema.views v "
                                         "USING (table_schema, table_name) WHERE table_schema = 'acsweep' AND "
                                         "ordinal_position = 1 AND column_name <> 'sweep'"),
                     0);
    assert_int_equal(pgtest_number(w->d, "SELECT count(*) FROM information_schema.views WHERE table_schema = 'acsweep'"), 16);
}

static void everything_has_a_comment(void **state)
{
    struct world *w = *state;
    struct err e = { 0 };
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    assert_int_equal(
        db_query(w->d,
                 "SELECT 'column ' || c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
                 "AND a.attnum > 0 AND NOT a.attisdropped WHERE c.relnamespace = 'acsweep'::regnamespace AND c.relkind IN "
                 "('r', 'v') AND col_description(c.oid, a.attnum) IS NULL "
                 "UNION ALL SELECT 'relation ' || relname FROM pg_class WHERE relnamespace = 'acsweep'::regnamespace AND "
                 "relkind IN ('r', 'v') AND obj_description(oid, 'pg_class') IS NULL "
                 "UNION ALL SELECT 'type ' || typname FROM pg_type WHERE typnamespace = 'acsweep'::regnamespace AND "
                 "typtype = 'e' AND obj_description(oid, 'pg_type') IS NULL "
                 "UNION ALL SELECT 'schema' WHERE obj_description('acsweep'::regnamespace, 'pg_namespace') IS NULL",
                 NULL, 0, &rows, &e),
        0);
    for (int64_t i = 0; i < db_rows_count(rows); i++)
        print_error("no comment: %s (sql/migrations/0003_comments.sql)\n", db_text(rows, i, 0));
    assert_int_equal(db_rows_count(rows), 0);
}

static void analyst_reads_but_not_keys(void **state)
{
    struct world *w = *state;
    AUTO(db_close) struct db *d = pgtest_open(w->conninfo, DB_ADMIN);
    struct err e = { 0 };
    pgtest_script(d, "SET ROLE acsweep_analyst");
    assert_int_equal(pgtest_number(d, "SELECT count(*) FROM ranking WHERE sweep = 's1' AND benchmark = 'target'"), 3);
    static const char *const refused[] = { "SELECT * FROM worker_key", "DELETE FROM task", "UPDATE sweep SET note = 'x'" };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        err_clear(&e);
        assert_int_equal(db_query(d, refused[i], NULL, 0, NULL, &e), -1);
        assert_int_equal(e.kind, ERR_DB);
        assert_non_null(strstr(e.text, "42501"));
    }
    pgtest_script(d, "RESET ROLE; SET ROLE acsweep_coordinator");
    pgtest_script(d, "BEGIN; UPDATE task SET priority = 1; DELETE FROM worker_key; "
                     "INSERT INTO event (kind) VALUES ('x'); ROLLBACK");
    err_clear(&e);
    assert_int_equal(db_query(d, "DELETE FROM schema_migration", NULL, 0, NULL, &e), -1);
}

/* Run each ```sql block of docs/sql.md; a block that needs a name uses the fixture's sweep through :sweep. */
static void cookbook_runs(void **state)
{
    struct world *w = *state;
    AUTO(fclose) FILE *f = fopen(SOURCE_DIR "/docs/sql.md", "r");
    assert_non_null(f);
    AUTO(db_close) struct db *d = pgtest_open(w->conninfo, DB_READER);
    AUTO(buf_free) struct buf block = BUF_INIT(1 << 16);
    char line[1024];
    bool inside = false;
    int blocks = 0, bad = 0;
    while (fgets(line, sizeof line, f)) {
        if (!inside && strncmp(line, "```sql", 6) == 0) {
            inside = true;
            buf_clear(&block);
        } else if (inside && strncmp(line, "```", 3) == 0) {
            inside = false;
            blocks++;
            struct err e = { 0 };
            if (db_query(d, buf_text(&block), NULL, 0, NULL, &e) < 0) {
                print_error("%s\n%s\n", e.text, buf_text(&block));
                bad++;
            }
        } else if (inside) {
            buf_puts(&block, line);
        }
    }
    assert_int_equal(bad, 0);
    assert_true(blocks >= 12);
}

/* The documentation names every column of every public view. */
static void documentation_is_complete(void **state)
{
    struct world *w = *state;
    AUTO(fclose) FILE *f = fopen(SOURCE_DIR "/docs/sql.md", "r");
    assert_non_null(f);
    AUTO(buf_free) struct buf text = BUF_INIT(1 << 20);
    char line[4096];
    while (fgets(line, sizeof line, f))
        buf_puts(&text, line);
    struct err e = { 0 };
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    assert_int_equal(db_query(w->d,
                              "SELECT table_name, string_agg('`' || column_name || '`', ', ' ORDER BY ordinal_position) "
                              "FROM information_schema.columns c JOIN information_schema.views v "
                              "USING (table_schema, table_name) WHERE table_schema = 'acsweep' AND "
                              "table_name <> 'measured' GROUP BY table_name",
                              NULL, 0, &rows, &e),
                     0);
    int bad = 0;
    for (int64_t i = 0; i < db_rows_count(rows); i++)
        if (!strstr(buf_text(&text), db_text(rows, i, 1))) {
            print_error("docs/sql.md lacks the columns of %s:\n%s\n", db_text(rows, i, 0), db_text(rows, i, 1));
            bad++;
        }
    assert_int_equal(bad, 0);
}

static int setup(void **state)
{
    static struct world w;
    w.pg = pgtest_start();
    if (!w.pg)
        return -1;
    w.conninfo = pgtest_database(w.pg, "views");
    w.d = pgtest_open(w.conninfo, DB_ADMIN);
    pgtest_script(w.d, fixture);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    db_close(w->d);
    pgtest_stop(w->pg);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_mean_what_they_say), cmocka_unit_test(every_view_starts_with_the_sweep),
        cmocka_unit_test(everything_has_a_comment), cmocka_unit_test(analyst_reads_but_not_keys),
        cmocka_unit_test(cookbook_runs),            cmocka_unit_test(documentation_is_complete),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
