/* Every statement of sql/queries is prepared against the schema, as the leader would; and no task_* statement may read the
 * whole task table, not even with statistics from the time when it was small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "tests/lib/pgtest.h"

/* Full scans on purpose: what a new leader loads at take-over. Each needs its reason here. */
static const char *const may_scan[] = { "task_load", "task_load_all" };

static bool scan_allowed(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(may_scan); i++)
        if (strcmp(name, may_scan[i]) == 0)
            return true;
    return false;
}

static int64_t parameter_count(struct db *d, const char *name)
{
    char query[256];
    snprintf(query, sizeof query, "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = '%s'", name);
    return pgtest_number(d, query);
}

static int prepare(struct db *d, const struct sql_statement *s, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(1 << 20);
    buf_printf(&text, "PREPARE %s AS %s", s->name, s->text);
    return db_script(d, buf_text(&text), e);
}

/* The generic plan, as one text. */
static int explain(struct db *d, const struct sql_statement *s, struct buf *plan, struct err *e)
{
    TRY(prepare(d, s, e));
    int64_t n = parameter_count(d, s->name);
    AUTO(buf_free) struct buf text = BUF_INIT(1 << 16);
    buf_printf(&text, "EXPLAIN EXECUTE %s", s->name);
    for (int64_t i = 0; i < n; i++)
        buf_puts(&text, i ? ", NULL" : "(NULL");
    buf_puts(&text, n ? ")" : "");
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_query(d, buf_text(&text), NULL, 0, &rows, e));
    for (int64_t i = 0; i < db_rows_count(rows); i++)
        buf_printf(plan, "%s\n", db_text(rows, i, 0));
    return 0;
}

static void every_statement_fits_the_schema(void **state)
{
    struct db *d = *state;
    int bad = 0;
    for (int id = 0; id < SQL_COUNT; id++) {
        struct err e = { 0 };
        AUTO(buf_free) struct buf plan = BUF_INIT(1 << 20);
        if (explain(d, &sql_statements[id], &plan, &e) < 0) {
            print_error("sql/queries/%s.sql: %s\n", sql_statements[id].name, e.text);
            bad++;
        } else if (strncmp(sql_statements[id].name, "task_", 5) == 0 && !scan_allowed(sql_statements[id].name) &&
                   (strstr(buf_text(&plan), "Seq Scan on task ") || strstr(buf_text(&plan), "Hash Join"))) {
            print_error("sql/queries/%s.sql reads the whole task table:\n%s\n", sql_statements[id].name, buf_text(&plan));
            bad++;
        }
    }
    assert_int_equal(bad, 0);
    assert_true(SQL_COUNT > 0);
}

/* The check above can fail: a statement that must scan is seen to. */
static void a_scan_is_seen(void **state)
{
    struct db *d = *state;
    struct err e = { 0 };
    AUTO(buf_free) struct buf plan = BUF_INIT(1 << 16);
    const struct sql_statement bad = { "task_bad", "UPDATE task SET reason = 'x' WHERE label = $1::text" };
    assert_int_equal(explain(d, &bad, &plan, &e), 0);
    assert_non_null(strstr(buf_text(&plan), "Seq Scan on task "));
}

int main(void)
{
    struct pgtest *pg = pgtest_start();
    if (!pg)
        return 1;
    const char *conninfo = pgtest_database(pg, "plans");
    struct db *d = pgtest_open(conninfo, DB_LEADER);
    /* Statistics from a nearly empty table, then 20,000 rows: the worst case that was met in practice. */
    pgtest_script(d, "ALTER TABLE task SET (autovacuum_enabled = off); ALTER TABLE attempt SET (autovacuum_enabled = off);"
                     "INSERT INTO task (task_id, kind, executor, identity, label, params) VALUES "
                     "(0, 'fake', 'fake', 'i0', 'l', '{}')");
    pgtest_script(d, "ANALYZE task, attempt, task_input, metric");
    pgtest_script(d, "INSERT INTO task (task_id, state, kind, executor, identity, label, params) "
                     "SELECT i, CASE WHEN i % 2 = 0 THEN 'leased' ELSE 'pending' END::task_state, 'fake', 'fake', 'i' || i, "
                     "       'l', '{}' FROM generate_series(1, 20000) i;"
                     "INSERT INTO task_input SELECT i, i - 1, 'x' FROM generate_series(2, 20000) i;");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(every_statement_fits_the_schema, d),
        cmocka_unit_test_prestate(a_scan_is_seen, d),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_close(d);
    pgtest_stop(pg);
    return failed;
}
