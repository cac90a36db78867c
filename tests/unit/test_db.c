/* The door to libpq: arguments there and back, row counts as fences, error kinds, pipelines, COPY, lost connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/mono.h"
#include "sql/cluster.h"
#include "sql/db.h"
#include "sql/db_internal.h"
#include "tests/lib/pgtest.h"

static struct db *admin(void **state)
{
    return pgtest_open(pgtest_conninfo(*state), DB_ADMIN);
}

static void scalars_there_and_back(void **state)
{
    AUTO(db_close) struct db *d = admin(state);
    struct err e = { 0 };
    const unsigned char bytes[] = { 0, 255, '\\', '\'', 10 };
    const struct sql_arg args[] = { SQL_I64(INT64_MIN), SQL_F64(0.1),  SQL_BOOL(true), SQL_TEXT("it's \"\\ \xc3\xa9"),
                                    SQL_BYTES(bytes, sizeof bytes), SQL_NULL, SQL_TEXT(NULL), SQL_F64(-INFINITY),
                                    SQL_BYTES(bytes, 0) };
    AUTO(db_rows_free) struct db_rows *r = NULL;
    assert_int_equal(db_query(d,
                              "SELECT $1::bigint, $2::float8, $3::bool, $4::text, $5::bytea, $6::text, $7::text, "
                              "$8::float8, $9::bytea AS nine",
                              args, ARRAY_LEN(args), &r, &e),
                     0);
    assert_true(db_i64(r, 0, 0) == INT64_MIN);
    assert_true(db_f64(r, 0, 1) == 0.1);
    assert_true(db_bool(r, 0, 2));
    assert_string_equal(db_text(r, 0, 3), "it's \"\\ \xc3\xa9");
    size_t n = 0;
    for (int again = 0; again < 2; again++) { /* the second read must not decode twice */
        const void *p = db_bytes(r, 0, 4, &n);
        assert_int_equal(n, sizeof bytes);
        assert_memory_equal(p, bytes, n);
    }
    assert_true(db_is_null(r, 0, 5) && db_is_null(r, 0, 6));
    assert_string_equal(db_text(r, 0, 5), "");
    assert_true(isnan(db_f64(r, 0, 5)));
    assert_int_equal(db_i64(r, 0, 5), 0);
    assert_true(db_f64(r, 0, 7) == -INFINITY);
    assert_false(db_is_null(r, 0, 8));
    assert_non_null(db_bytes(r, 0, 8, &n));
    assert_int_equal(n, 0);
    assert_int_equal(db_rows_column(r, "nine"), 8);
    assert_int_equal(db_rows_column(r, "absent"), -1);
    assert_string_equal(db_rows_name(r, 8), "nine");
    assert_int_equal(db_rows_columns(r), 9);
    assert_true(db_is_null(r, 1, 0) && db_is_null(r, 0, 99)); /* outside is NULL, not a crash */
}

static void arrays_there_and_back(void **state)
{
    AUTO(db_close) struct db *d = admin(state);
    struct err e = { 0 };
    const char *texts[] = { "NULL", "a\"b", "c\\d", "", "{e,f}", NULL };
    const int64_t ints[] = { 0, INT64_MAX, -5, 7, 8, INT64_MIN };
    const double reals[] = { 1e-300, 0.1, INFINITY, -2, 0, NAN };
    const bool bools[] = { true, false, true, true, false, true };
    const struct sql_arg args[] = { SQL_TEXTS(texts, 6), SQL_I64S(ints, 6), SQL_F64S(reals, 6), SQL_BOOLS(bools, 6) };
    AUTO(db_rows_free) struct db_rows *r = NULL;
    assert_int_equal(
        db_query(d, "SELECT * FROM unnest($1::text[], $2::bigint[], $3::float8[], $4::bool[])", args, 4, &r, &e), 0);
    assert_int_equal(db_rows_count(r), 6);
    for (int i = 0; i < 5; i++) {
        assert_false(db_is_null(r, i, 0));
        assert_string_equal(db_text(r, i, 0), texts[i]);
        assert_true(db_i64(r, i, 1) == ints[i]);
        assert_true(db_f64(r, i, 2) == reals[i]);
        assert_true(db_bool(r, i, 3) == bools[i]);
    }
    assert_true(db_is_null(r, 5, 0) && db_is_null(r, 5, 1) && db_is_null(r, 5, 2));
    const struct sql_arg empty[] = { SQL_I64S(ints, 0) };
    AUTO(db_rows_free) struct db_rows *none = NULL;
    assert_int_equal(db_query(d, "SELECT unnest($1::bigint[])", empty, 1, &none, &e), 0);
    assert_int_equal(db_rows_count(none), 0);
}

static void errors_have_kinds(void **state)
{
    AUTO(db_close) struct db *d = admin(state);
    static const struct {
        const char *text;
        enum err_kind kind;
        const char *says;
    } cases[] = {
        { "SELEC 1", ERR_INPUT, "syntax" },
        { "SELECT 1; SELECT 2", ERR_INPUT, "multiple commands" },
        { "SELECT 1/0", ERR_DB, "division by zero" },
        { "SELECT * FROM nowhere", ERR_INPUT, "nowhere" },
        { "DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", ERR_DB_RETRY, "40001" },
        { "DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", ERR_DB_RETRY, "40P01" },
        { "DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", ERR_DB_RETRY, "free disk space" },
        { "DO $$ BEGIN RAISE SQLSTATE '23505'; END $$", ERR_DB, "23505" },
        { "DO $$ BEGIN RAISE SQLSTATE '42501'; END $$", ERR_DB, "coordinator's role" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        assert_int_equal(db_query(d, cases[i].text, NULL, 0, NULL, &e), -1);
        assert_int_equal(e.kind, cases[i].kind);
        assert_non_null(strstr(e.text, cases[i].says));
    }
    struct err e = { 0 };
    assert_int_equal(db_script(d, "SELEC 1", &e), -1); /* the same mistake in our own text is a bug */
    assert_int_equal(e.kind, ERR_BUG);
}

static void roles_keep_their_limits(void **state)
{
    AUTO(db_close) struct db *reader = pgtest_open(pgtest_conninfo(*state), DB_READER);
    struct err e = { 0 };
    assert_int_equal(db_query(reader, "CREATE TABLE x ()", NULL, 0, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_DB);
    assert_non_null(strstr(e.text, "may only read"));
    pgtest_script(reader, "SET statement_timeout = 20");
    err_clear(&e);
    assert_int_equal(db_query(reader, "SELECT pg_sleep(5)", NULL, 0, NULL, &e), -1);
    assert_non_null(strstr(e.text, "longer than its limit"));

    AUTO(db_close) struct db *leader = pgtest_open(pgtest_conninfo(*state), DB_LEADER);
    static const char *const off[] = { "enable_hashjoin", "enable_mergejoin", "enable_seqscan", "jit" };
    for (size_t i = 0; i < ARRAY_LEN(off); i++) {
        char query[96];
        snprintf(query, sizeof query, "SELECT (current_setting('%s') = 'off')::int", off[i]);
        assert_int_equal(pgtest_number(leader, query), 1);
    }
    assert_int_equal(pgtest_number(leader, "SELECT (current_setting('synchronous_commit') = 'on')::int"), 1);
}

static void transactions(void **state)
{
    AUTO(db_close) struct db *d = admin(state);
    struct err e = { 0 };
    pgtest_script(d, "CREATE TEMP TABLE t (x int PRIMARY KEY)");
    assert_int_equal(db_begin(d, &e), 0);
    pgtest_script(d, "INSERT INTO t VALUES (1)");
    db_rollback(d);
    assert_int_equal(pgtest_number(d, "SELECT count(*) FROM t"), 0);
    db_rollback(d); /* nothing open: nothing happens */

    assert_int_equal(db_begin(d, &e), 0);
    assert_int_equal(db_query(d, "SELECT 1/0", NULL, 0, NULL, &e), -1);
    err_clear(&e);
    assert_int_equal(db_commit(d, &e), -1); /* a failed transaction must not look committed */
    assert_int_equal(e.kind, ERR_BUG);
}

/* The two statements about migrations serve as guinea pigs: one inserts a row, one lists all. */
static int record(struct db *d, int64_t version, int64_t expect, struct err *e)
{
    const struct sql_arg args[] = { SQL_I64(version), SQL_TEXT("x"), SQL_TEXT("y") };
    return db_exec(d, SQL_SCHEMA_RECORD, args, 3, expect, NULL, e);
}

static int queue(struct db *d, int64_t version, int64_t expect, struct err *e)
{
    const struct sql_arg args[] = { SQL_I64(version), SQL_TEXT("x"), SQL_TEXT("y") };
    return db_pipe_add(d, SQL_SCHEMA_RECORD, args, 3, expect, e);
}

#define COUNT "SELECT count(*) FROM schema_migration"

static void wrong_row_count_is_not_committed(void **state)
{
    AUTO(db_close) struct db *d = pgtest_open(pgtest_database(*state, "counts"), DB_LEADER);
    struct err e = { 0 };
    int64_t before = pgtest_number(d, COUNT);
    assert_int_equal(record(d, 101, 2, &e), -1);
    assert_int_equal(e.kind, ERR_DB);
    assert_string_equal(e.text, "sql/queries/schema_record.sql touched 1 rows, expected 2");
    assert_int_equal(pgtest_number(d, COUNT), before);
    err_clear(&e);
    assert_int_equal(record(d, 101, 1, &e), 0);
    assert_int_equal(record(d, 102, ROWS_0_OR_1, &e), 0);
    assert_int_equal(record(d, 103, ROWS_ANY, &e), 0);
    assert_int_equal(pgtest_number(d, COUNT), before + 3);
    assert_int_equal(record(d, 101, 1, &e), -1); /* a double key */
    assert_int_equal(e.kind, ERR_DB);
    assert_non_null(strstr(e.text, "schema_record.sql"));
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    err_clear(&e);
    assert_int_equal(db_exec(d, SQL_SCHEMA_LIST, NULL, 0, ROWS_0_OR_1, &rows, &e), -1);
    assert_null(rows);
}

static void pipeline_is_all_or_nothing(void **state)
{
    AUTO(db_close) struct db *d = pgtest_open(pgtest_database(*state, "pipes"), DB_LEADER);
    struct err e = { 0 };
    int64_t before = pgtest_number(d, COUNT);

    assert_int_equal(db_pipe_begin(d, &e), 0);
    for (int64_t i = 0; i < 300; i++)
        assert_int_equal(queue(d, 1000 + i, 1, &e), 0);
    assert_int_equal(db_pipe_add(d, SQL_SCHEMA_LIST, NULL, 0, before + 300, &e), 0);
    struct db_rows **results = NULL;
    size_t n = 0;
    assert_int_equal(db_pipe_commit(d, &results, &n, &e), 0);
    assert_int_equal(n, 301);
    assert_int_equal(db_rows_affected(results[0]), 1);
    assert_int_equal(db_i64(results[300], before, 0), 1000);
    db_pipe_results_free(results, n);
    assert_int_equal(pgtest_number(d, COUNT), before + 300);

    /* A wrong count, then a failing statement in the middle: nothing stays, and the connection goes on. */
    assert_int_equal(db_pipe_begin(d, &e), 0);
    assert_int_equal(queue(d, 2000, 1, &e), 0);
    assert_int_equal(queue(d, 2001, 7, &e), 0);
    assert_int_equal(db_pipe_commit(d, &results, &n, &e), -1);
    assert_non_null(strstr(e.text, "expected 7"));
    assert_null(results);
    err_clear(&e);
    assert_int_equal(db_pipe_begin(d, &e), 0);
    assert_int_equal(queue(d, 2000, 1, &e), 0);
    assert_int_equal(queue(d, 1000, 1, &e), 0);
    assert_int_equal(queue(d, 2002, 1, &e), 0);
    assert_int_equal(db_pipe_commit(d, NULL, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_DB);
    assert_non_null(strstr(e.text, "23505"));
    assert_int_equal(pgtest_number(d, COUNT), before + 300);

    err_clear(&e); /* abandoned half way */
    assert_int_equal(db_pipe_begin(d, &e), 0);
    assert_int_equal(queue(d, 2000, 1, &e), 0);
    assert_int_equal(db_script(d, "SELECT 1", &e), -1);
    assert_int_equal(e.kind, ERR_BUG);
    db_rollback(d);
    assert_int_equal(pgtest_number(d, COUNT), before + 300);
    err_clear(&e);
    assert_int_equal(db_pipe_begin(d, &e), 0); /* an empty one is fine */
    assert_int_equal(db_pipe_commit(d, NULL, NULL, &e), 0);
}

static void pipeline_notices_a_lost_connection(void **state)
{
    AUTO(db_close) struct db *killer = admin(state);
    AUTO(db_close) struct db *d = pgtest_open(pgtest_database(*state, "cut"), DB_LEADER);
    struct err e = { 0 };
    assert_int_equal(db_pipe_begin(d, &e), 0);
    assert_int_equal(queue(d, 1000, 1, &e), 0);
    char query[64];
    snprintf(query, sizeof query, "SELECT pg_terminate_backend(%d, 5000)::int", db_backend_pid(d));
    assert_int_equal(pgtest_number(killer, query), 1);
    assert_int_equal(db_pipe_commit(d, NULL, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_DB_RETRY);
    assert_false(db_alive(d));
    db_rollback(d);
}

static void copy_loads_what_it_was_given(void **state)
{
    AUTO(db_close) struct db *d = admin(state);
    struct err e = { 0 };
    pgtest_script(d, "CREATE TEMP TABLE c (i bigint, t text, f float8, a text[], b bytea)");
    const char *odd[] = { "tab\t\"q\"", NULL, "back\\slash" };
    const unsigned char bytes[] = { 0, 9, 92, 255 };
    assert_int_equal(db_copy_begin(d, "c (i, t, f, a, b)", &e), 0);
    for (int64_t i = 0; i < 5000; i++) {
        const struct sql_arg row[] = { SQL_I64(i), SQL_TEXT(i % 2 ? "line\nbreak\t\\N" : NULL), SQL_F64(0.1),
                                       SQL_TEXTS(odd, 3), SQL_BYTES(bytes, sizeof bytes) };
        assert_int_equal(db_copy_row(d, row, ARRAY_LEN(row), &e), 0);
    }
    int64_t n = 0;
    assert_int_equal(db_copy_end(d, &n, &e), 0);
    assert_int_equal(n, 5000);
    assert_int_equal(pgtest_number(d, "SELECT count(*) FROM c WHERE t = E'line\\nbreak\\t\\\\N' AND f = 0.1"), 2500);
    assert_int_equal(pgtest_number(d, "SELECT count(*) FROM c WHERE a = ARRAY[E'tab\\t\"q\"', NULL, E'back\\\\slash'] "
                                      "AND b = '\\x00095cff'"),
                     5000);

    assert_int_equal(db_copy_begin(d, "c (i)", &e), 0);
    const struct sql_arg wrong[] = { SQL_TEXT("no number") };
    assert_int_equal(db_copy_row(d, wrong, 1, &e), 0);
    assert_int_equal(db_copy_end(d, &n, &e), -1);
    assert_int_equal(e.kind, ERR_DB);
    assert_int_equal(pgtest_number(d, "SELECT count(*) FROM c"), 5000); /* and the connection goes on */

    err_clear(&e);
    assert_int_equal(db_copy_begin(d, "c (i)", &e), 0);
    db_rollback(d); /* abandoned */
    assert_int_equal(pgtest_number(d, "SELECT count(*) FROM c"), 5000);
}

static void lost_connection_is_noticed(void **state)
{
    AUTO(db_close) struct db *killer = admin(state);
    AUTO(db_close) struct db *victim = pgtest_open(pgtest_conninfo(*state), DB_LEADER);
    AUTO(db_close) struct db *standby = pgtest_open(pgtest_conninfo(*state), DB_LEADER);
    struct err e = { 0 };
    bool got = false, second = true;
    assert_int_equal(db_try_leader_lock(victim, &got, &e), 0);
    assert_int_equal(db_try_leader_lock(standby, &second, &e), 0);
    assert_true(got);
    assert_false(second);
    assert_true(db_alive(victim));

    char query[64];
    snprintf(query, sizeof query, "SELECT pg_terminate_backend(%d)::int", db_backend_pid(victim));
    assert_int_equal(pgtest_number(killer, query), 1);
    int64_t deadline = mono_now() + 5 * NS_PER_S;
    while (db_alive(victim) && mono_now() < deadline)
        mono_sleep(5 * NS_PER_MS);
    assert_false(db_alive(victim));
    assert_int_equal(db_query(victim, "SELECT 1", NULL, 0, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_DB_RETRY);
    err_clear(&e);
    while (!second && mono_now() < deadline)
        assert_int_equal(db_try_leader_lock(standby, &second, &e), 0);
    assert_true(second); /* the lock went with the connection */
}

static void bad_addresses_say_so(void **state)
{
    (void)state;
    static const struct {
        const char *conninfo;
        enum err_kind kind;
    } cases[] = {
        { "host=/nonexistent dbname=x password=hunter2", ERR_ENV },
        { "host=127.0.0.1 port=1 password='hunter2' connect_timeout=2", ERR_ENV },
        { "postgresql://user:hunter2@127.0.0.1:1/x", ERR_ENV },
        { "postgresql://user:hunter2@127.0.0.1:badport/x", ERR_ENV },
        { "postgresql//user:hunter2@host/x", ERR_INPUT },
        { "no such thing password = hunter2", ERR_INPUT },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        assert_null(db_open(cases[i].conninfo, DB_READER, &e));
        assert_int_equal(e.kind, cases[i].kind);
        assert_null(strstr(e.text, "hunter2"));
    }
}

static void absent_database_is_refused(void **state)
{
    char conninfo[1024];
    snprintf(conninfo, sizeof conninfo, "%s dbname=absent", pgtest_conninfo(*state));
    struct err e = { 0 };
    assert_null(db_open(conninfo, DB_READER, &e));
    assert_int_equal(e.kind, ERR_DB);
    assert_non_null(strstr(e.text, "absent"));
}

static void scrub_hides_passwords(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "password=abc host=x", "password=*** host=x" },
        { "PASSWORD = 'a\\'b c' host=x", "PASSWORD = '***' host=x" },
        { "postgres://me:s3cret@host/db", "postgres://me:***@host/db" },
        { "postgres://me@host/db", "postgres://me@host/db" },
        { "literally TOPSECRET twice TOPSECRET", "literally *** twice ***" },
        { "password=ab", "password=**" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[128];
        snprintf(text, sizeof text, "%s", cases[i][0]);
        db_scrub(text, "TOPSECRET");
        assert_string_equal(text, cases[i][1]);
    }
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
        cmocka_unit_test(scalars_there_and_back),   cmocka_unit_test(arrays_there_and_back),
        cmocka_unit_test(errors_have_kinds),        cmocka_unit_test(roles_keep_their_limits),
        cmocka_unit_test(transactions),             cmocka_unit_test(wrong_row_count_is_not_committed),
        cmocka_unit_test(pipeline_is_all_or_nothing), cmocka_unit_test(pipeline_notices_a_lost_connection),
            cmocka_unit_test(copy_loads_what_it_was_given),
        cmocka_unit_test(lost_connection_is_noticed), cmocka_unit_test(bad_addresses_say_so),
        cmocka_unit_test(absent_database_is_refused), cmocka_unit_test(scrub_hides_passwords),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
