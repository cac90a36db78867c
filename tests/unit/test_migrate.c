/* Migrations: from nothing to the newest, again, checksums, a newer database, two at once, and COMMENT ON everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "sql/migrate.h"
#include "sql/sql_text.h"
#include "tests/lib/pgtest.h"

static struct db *fresh(void **state, const char *name)
{
    /* A database without any migration: the helper's ones come migrated. */
    AUTO(db_close) struct db *maker = pgtest_open(pgtest_conninfo(*state), DB_ADMIN);
    char text[1024];
    snprintf(text, sizeof text, "CREATE DATABASE %s", name);
    pgtest_script(maker, text);
    snprintf(text, sizeof text, "%s dbname=%s", pgtest_conninfo(*state), name);
    return pgtest_open(text, DB_ADMIN);
}

static void from_nothing_and_again(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "from_nothing");
    struct err e = { 0 };
    int version = -1, from = -1, to = -1;
    assert_int_equal(migrate_current(d, &version, &e), 0);
    assert_int_equal(version, 0);
    assert_int_equal(migrate_check(d, &e), -1);
    assert_int_equal(e.kind, ERR_DB);
    assert_non_null(strstr(e.text, "acsweep db migrate"));
    err_clear(&e);

    assert_int_equal(migrate_run(d, &from, &to, &e), 0);
    assert_int_equal(from, 0);
    assert_int_equal(to, migrate_latest());
    assert_true(to >= 1);
    assert_int_equal(pgtest_number(d, "SELECT count(*) FROM schema_migration"), to);
    assert_int_equal(pgtest_number(d, "SELECT count(*) FROM task"), 0);
    assert_int_equal(migrate_check(d, &e), 0);

    assert_int_equal(migrate_run(d, &from, &to, &e), 0);
    assert_int_equal(from, migrate_latest());
    assert_int_equal(to, migrate_latest());
}

static void edited_migration_is_refused(void **state)
{
    AUTO(db_close) struct db *d = pgtest_open(pgtest_database(*state, "edited"), DB_ADMIN);
    struct err e = { 0 };
    pgtest_script(d, "UPDATE schema_migration SET checksum = 'other' WHERE version = 1");
    assert_int_equal(migrate_run(d, NULL, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_DB);
    assert_non_null(strstr(e.text, "0001_core"));
}

static void newer_database_is_refused(void **state)
{
    AUTO(db_close) struct db *d = pgtest_open(pgtest_database(*state, "newer"), DB_ADMIN);
    struct err e = { 0 };
    pgtest_script(d, "INSERT INTO schema_migration (version, name, checksum) VALUES (9999, 'future', 'x')");
    assert_int_equal(migrate_run(d, NULL, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_DB);
    assert_non_null(strstr(e.text, "newer program"));
    err_clear(&e);
    assert_int_equal(migrate_check(d, &e), -1);
    assert_non_null(strstr(e.text, "9999"));
}

static void failed_step_leaves_nothing(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "failed_step");
    struct err e = { 0 };
    pgtest_script(d, "CREATE SCHEMA acsweep; CREATE TABLE acsweep.leader ()"); /* in the way of 0001 */
    assert_int_equal(migrate_run(d, NULL, NULL, &e), -1);
    assert_non_null(strstr(e.text, "0001_core"));
    assert_int_equal(pgtest_number(d, "SELECT count(*) FROM pg_class WHERE relname = 'checkpoint'"), 0);
    pgtest_script(d, "DROP TABLE acsweep.leader");
    err_clear(&e);
    assert_int_equal(migrate_run(d, NULL, NULL, &e), 0); /* the lock was given back, too */
}

struct racer {
    struct db *d;
    int rc, from;
    struct err e;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    int to;
    r->rc = migrate_run(r->d, &r->from, &to, &r->e);
    return NULL;
}

static void two_at_once(void **state)
{
    struct racer racers[2] = { 0 };
    char conninfo[1024];
    snprintf(conninfo, sizeof conninfo, "%s dbname=at_once", pgtest_conninfo(*state));
    racers[0].d = fresh(state, "at_once");
    racers[1].d = pgtest_open(conninfo, DB_ADMIN);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(racers[i].rc, 0);
    assert_int_equal(racers[0].from + racers[1].from, migrate_latest()); /* one did it all, one found it done */
    for (int i = 0; i < 2; i++)
        db_close(racers[i].d);
}

/* Rows that an older program left: what 0007 rewrites keeps its meaning, and the trigger does the keys' work. */
static void lighter_task_keeps_rows(void **state)
{
    AUTO(db_close) struct db *d = fresh(state, "lighter");
    struct err e = { 0 };
    pgtest_script(
        d, "CREATE SCHEMA acsweep; CREATE TABLE acsweep.schema_migration (version int, name text, checksum text, "
           "applied_at timestamptz)");
    for (size_t i = 0; i < 6; i++)
        pgtest_script(d, sql_migrations[i].text);
    pgtest_script(d,
                  "SET search_path = acsweep; INSERT INTO benchmark (name, metric) VALUES ('mme', 'points');"
                  "INSERT INTO task (task_id, kind, executor, identity, label, params, resources, benchmark_id) VALUES "
                  "(1, 'evaluate', 'fake', 'i1', 'one', '{\"identity\": {\"b\": 1}, \"execution\": {}}', "
                  "'{\"cpus\": 1, \"gpus\": 0, \"gpu_memory_bytes\": 7, \"host_memory_bytes\": 0}', 1);");
    pgtest_script(d, sql_migrations[6].text);
    assert_int_equal(
        pgtest_number(d, "SELECT (resources::text = '{\"cpus\":1,\"gpu_memory_bytes\":7}')::int FROM task"), 1);
    assert_int_equal(pgtest_number(d, "SELECT (params -> 'identity' ->> 'b')::int FROM task"), 1);
    assert_int_equal(pgtest_number(d, "SELECT count(*) FROM why_waiting"), 0);
    const char *const bad = "INSERT INTO task (task_id, kind, executor, identity, label, params, benchmark_id) "
                            "VALUES (2, 'evaluate', 'fake', 'i2', 'two', '{}', 9)";
    assert_int_equal(db_query(d, bad, NULL, 0, NULL, &e), -1);
    assert_non_null(strstr(e.text, "task 2 names what does not exist: benchmark 9"));
}

static int setup(void **state)
{
    *state = pgtest_start();
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    pgtest_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_nothing_and_again),
        cmocka_unit_test(edited_migration_is_refused),
        cmocka_unit_test(newer_database_is_refused),
        cmocka_unit_test(failed_step_leaves_nothing),
        cmocka_unit_test(two_at_once),
        cmocka_unit_test(lighter_task_keeps_rows),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
