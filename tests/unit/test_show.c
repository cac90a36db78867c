/* Every statement of the reading commands runs against the schema as migrated, and tables look as they should. */
#include "cli/output.h"
#include "cli/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/pgtest.h"

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

static void test_statements(void **state)
{
    struct err e = { 0 };
    AUTO(db_close) struct db *d = pgtest_open(pgtest_database(*state, "show"), DB_ADMIN);
    assert_null(show_sweep_name(d, NULL, &e));
    assert_int_equal(e.kind, ERR_INPUT);
    err_clear(&e);
    pgtest_script(d, "SET search_path = acsweep;"
                     "INSERT INTO sweep (name, config, config_digest, plan, policy) VALUES ('paper', '', '', '{}', '{}');"
                     "INSERT INTO task (task_id, kind, executor, identity, label, params) VALUES "
                     "(7, 'stage1', 'fake', 'i7', 'stage1 X', '{}'), (8, 'stage2', 'fake', 'i8', 'stage2 X', '{}');"
                     "INSERT INTO task_input VALUES (8, 7, 'connector');"
                     "INSERT INTO sweep_task (sweep_id, task_id) SELECT sweep_id, t FROM sweep, (VALUES (7), (8)) v (t);");
    static const struct {
        enum sql_id id;
        bool takes_sweep, takes_task;
        int64_t rows;
    } cases[] = {
        { SQL_SHOW_SWEEPS, false, false, 1 },        { SQL_SHOW_RANKING, true, false, 0 },
        { SQL_SHOW_RANKING_FULL, true, false, 0 },   { SQL_SHOW_PROGRESS, true, false, 2 },
        { SQL_SHOW_WAITING, true, false, 2 },        { SQL_SHOW_WORKERS, false, false, 0 },
        { SQL_SHOW_OUTCOME, true, false, 1 },
        { SQL_SHOW_TASK, false, true, 1 },           { SQL_SHOW_TASK_INPUTS, false, true, 1 },
        { SQL_SHOW_TASK_ATTEMPTS, false, true, 0 },  { SQL_SHOW_TASK_RELATIVES, false, true, 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct sql_arg arg = cases[i].takes_task ? SQL_I64(8) : SQL_TEXT("paper");
        AUTO(db_rows_free) struct db_rows *rows = NULL;
        if (db_exec(d, cases[i].id, &arg, cases[i].takes_sweep || cases[i].takes_task, cases[i].rows, &rows, &e) < 0)
            fail_msg("%s: %s", sql_statements[cases[i].id].name, e.text);
    }
    AUTO(free) char *newest = show_sweep_name(d, NULL, &e);
    assert_string_equal(newest, "paper");
    assert_null(show_sweep_name(d, "papr", &e));
    assert_string_equal(e.text, "there is no sweep 'papr'; did you mean 'paper'?");
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = { "7", "stage1 X", "no such" };
        const struct sql_arg arg = SQL_TEXT(names[i]);
        AUTO(db_rows_free) struct db_rows *rows = NULL;
        err_clear(&e);
        assert_int_equal(db_exec(d, SQL_SHOW_TASK_NAMED, &arg, 1, i < 2, &rows, &e), 0);
        assert_true(i == 2 || db_i64(rows, 0, 0) == 7);
    }
}

static void test_table(void **state)
{
    (void)state;
    struct err e = { 0 };
    char *text = NULL;
    size_t len = 0;
    AUTO(table_free) struct table *t = table_create((const char *const[]){ "name", "n", "note" }, 3, &e);
    assert_int_equal(table_add(t, (const char *const[]){ "CLIP×SD", "7", "a\033[2Jb" }, &e), 0);
    assert_int_equal(table_add(t, (const char *const[]){ "x", NULL, NULL }, &e), 0);
    assert_int_equal(table_add(t, (const char *const[]){ "y", "12.5", "" }, &e), 0);
    assert_int_equal(table_rows(t), 3);
    FILE *f = open_memstream(&text, &len);
    table_print(t, f);
    fclose(f);
    assert_string_equal(text, "name        n  note\n"
                              "CLIP×SD     7  a [2Jb\n"
                              "x           -  -\n"
                              "y        12.5  \n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_statements), cmocka_unit_test(test_table) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
