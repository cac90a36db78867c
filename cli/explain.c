/* acsweep explain: one task, why it stands as it does, and, when others of its name exist, what makes it another one. */
#include "cli/commands.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/changes.h"
#include "cli/output.h"
#include "cli/show.h"
#include "cli/state.h"
#include "common/digest.h"

/* A task may be named by number or by its label; of several of one label the newest is meant. */
static int64_t task_number(struct db *d, const char *text, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg arg = SQL_TEXT(text);
    TRY(db_exec(d, SQL_SHOW_TASK_NAMED, &arg, 1, ROWS_ANY, &rows, e));
    bool later = strncmp(text, "stage2 ", 7) == 0 || strncmp(text, "evaluate ", 9) == 0;
    if (db_rows_count(rows) == 0)
        return FAIL(e, ERR_INPUT, "there is no task with the number or label '%s'%s", text,
                    later ? "; stage2 and evaluate exist once the policy has chosen their representation" : "");
    return db_i64(rows, 0, 0);
}

/* ---- what changed ----------------------------------------------------------------------------------------------- */

static json_t *cell_json(const struct db_rows *rows, int64_t row, const char *column)
{
    int c = db_rows_column(rows, column);
    json_t *v = db_is_null(rows, row, c) ? NULL : json_loads(db_text(rows, row, c), JSON_DECODE_ANY, NULL);
    return v ? v : json_object();
}

/* Inputs are compared by identity and shown as the tasks that made them. */
static int input_changes(json_t *list, const json_t *was, const json_t *is, struct err *e)
{
    const char *name;
    json_t *both = json_copy((json_t *)was), *value;
    int rc = !both || json_object_update_missing(both, (json_t *)is) < 0 ? FAIL_NOMEM(e) : 0;
    json_object_foreach(both, name, value)
    {
        json_t *a = json_object_get(was, name), *b = json_object_get(is, name);
        if (rc < 0 || (a && b && json_equal(json_object_get(a, "identity"), json_object_get(b, "identity"))))
            continue;
        json_t *one = json_pack("{s:s+, s:O?, s:O?}", "field", "input ", name, "was", json_object_get(a, "task"), "is",
                                json_object_get(b, "task"));
        rc = json_array_append_new(list, one) < 0 ? FAIL_NOMEM(e) : 0;
    }
    json_decref(both);
    return rc;
}

/* The changes from row `row` to row 0, which is the task itself. New reference. */
static json_t *changes_from(const struct db_rows *rows, int64_t row, struct err *e)
{
    AUTO(json_decref) json_t *list = json_array();
    AUTO(json_decref) json_t *was = cell_json(rows, row, "parameters"), *is = cell_json(rows, 0, "parameters");
    AUTO(json_decref) json_t *was_in = cell_json(rows, row, "inputs"), *is_in = cell_json(rows, 0, "inputs");
    if (!list || !was || !is || !was_in || !is_in)
        return FAIL_NOMEM(e), NULL;
    if (changes_find(list, "", was, is, e) < 0 || input_changes(list, was_in, is_in, e) < 0)
        return NULL;
    return TAKE(list);
}

/* Of the others of this name the one that is most alike: {"task", "sweeps", "changes"}, or null when there is none. */
static json_t *nearest(struct db *d, int64_t task, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    const struct sql_arg arg = SQL_I64(task);
    if (db_exec(d, SQL_SHOW_TASK_RELATIVES, &arg, 1, ROWS_ANY, &rows, e) < 0)
        return NULL;
    AUTO(json_decref) json_t *best = NULL;
    int64_t best_row = 0;
    for (int64_t row = 1; row < db_rows_count(rows); row++) {
        AUTO(json_decref) json_t *changes = changes_from(rows, row, e);
        if (!changes)
            return NULL;
        if (best && json_array_size(best) <= json_array_size(changes))
            continue;
        json_decref(best);
        best = TAKE(changes);
        best_row = row;
    }
    if (!best)
        return json_null();
    int sweeps = db_rows_column(rows, "sweeps");
    json_t *found = json_pack("{s:I, s:s?, s:O}", "task", (json_int_t)db_i64(rows, best_row, 0), "sweeps",
                              db_is_null(rows, best_row, sweeps) ? NULL : db_text(rows, best_row, sweeps), "changes", best);
    return found ? found : (FAIL_NOMEM(e), NULL);
}

/* A side of a change for people; inputs are numbers of tasks. */
static char *shown(const json_t *change, const char *side)
{
    const json_t *value = json_object_get(change, side);
    char text[40];
    if (json_is_null(value))
        return strdup("-");
    if (strncmp(json_string_value(json_object_get(change, "field")), "input ", 6) != 0)
        return json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    snprintf(text, sizeof text, "task %lld", (long long)json_integer_value(value));
    return strdup(text);
}

static int print_changes(const json_t *near, struct err *e)
{
    if (json_is_null(near))
        return 0;
    const char *sweeps = json_string_value(json_object_get(near, "sweeps"));
    AUTO(table_free) struct table *t = table_create((const char *const[]){ "field", "there", "here" }, 3, e);
    size_t i;
    json_t *one;
    if (!t)
        return -1;
    json_array_foreach(json_object_get(near, "changes"), i, one)
    {
        AUTO(free) char *was = shown(one, "was"), *is = shown(one, "is");
        if (!was || !is)
            return FAIL_NOMEM(e);
        TRY(table_add(t, (const char *const[]){ json_string_value(json_object_get(one, "field")), was, is }, e));
    }
    printf("\n%sNot the same as task %lld%s%s, which has the same name%s\n", out_style(stdout, OUT_BOLD),
           (long long)json_integer_value(json_object_get(near, "task")), sweeps ? " of sweep " : "", sweeps ? sweeps : "",
           out_style(stdout, OUT_PLAIN));
    table_print(t, stdout);
    return 0;
}

/* ---- the command ------------------------------------------------------------------------------------------------ */

static void print_fields(const struct db_rows *rows)
{
    for (int c = 0; c < db_rows_columns(rows); c++)
        if (!db_is_null(rows, 0, c) && *db_text(rows, 0, c))
            printf("%-12s %s\n", db_rows_name(rows, c), db_text(rows, 0, c));
}

static int explain_json(struct db *d, int64_t task, const json_t *near, struct err *e)
{
    const struct sql_arg arg = SQL_I64(task);
    AUTO(free) char *differs = json_dumps(near, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    if (!differs)
        return FAIL_NOMEM(e);
    printf("{\"task\": ");
    TRY(show_json(d, SQL_SHOW_TASK, &arg, 1, e));
    printf(", \"inputs\": ");
    TRY(show_json(d, SQL_SHOW_TASK_INPUTS, &arg, 1, e));
    printf(", \"attempts\": ");
    TRY(show_json(d, SQL_SHOW_TASK_ATTEMPTS, &arg, 1, e));
    printf(", \"differs_from\": %s}\n", differs);
    return 0;
}

static int run_explain(const struct opts *o, struct err *e)
{
    AUTO(reader_close) struct reader *r = reader_open(o, DB_READER, e);
    if (!r)
        return -1;
    struct db *d = reader_db(r);
    int64_t task = task_number(d, opts_arg(o, 0), e);
    AUTO(json_decref) json_t *near = task < 0 ? NULL : nearest(d, task, e);
    if (!near)
        return -1;
    if (opts_flag(o, "json"))
        return explain_json(d, task, near, e);
    const struct sql_arg arg = SQL_I64(task);
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_exec(d, SQL_SHOW_TASK, &arg, 1, 1, &rows, e));
    print_fields(rows);
    TRY(show_titled(d, SQL_SHOW_TASK_INPUTS, &arg, 1, "Inputs", e));
    TRY(show_titled(d, SQL_SHOW_TASK_ATTEMPTS, &arg, 1, "Attempts", e));
    return print_changes(near, e);
}

const struct cmd cmd_explain = {
    .name = "explain",
    .summary = "Say why a task is not running, where it ran, why it was retried, or that it was found in the cache",
    .args = "TASK",
    .options = { cli_state_options, cli_database_options, cli_json_options },
    .details = "TASK is a number, or a label such as \"stage1 CLIP@336\" (of several of one name the newest). When other tasks "
               "have the same name, it also says which field makes this one another result, so that it was not found in the "
               "cache.",
    .run = run_explain,
};
