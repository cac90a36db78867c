/* Reading commands. Each is a line in a table: a statement of sql/queries, and what it is called with. With --json the
 * database itself makes the JSON from the same statement, so numbers keep all their digits. */
#include "cli/show.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/state.h"
#include "common/buf.h"
#include "common/parse.h"

int show_rows(const struct db_rows *rows, const char *none, struct err *e)
{
    size_t n = (size_t)db_rows_columns(rows);
    if (db_rows_count(rows) == 0 && none) {
        printf("%s\n", none);
        return 0;
    }
    AUTO(free) const char **cells = calloc(n + 1, sizeof *cells);
    if (!cells)
        return FAIL_NOMEM(e);
    for (size_t c = 0; c < n; c++)
        cells[c] = db_rows_name(rows, (int)c);
    AUTO(table_free) struct table *t = table_create(cells, n, e);
    if (!t)
        return -1;
    for (int64_t row = 0; row < db_rows_count(rows); row++) {
        for (size_t c = 0; c < n; c++)
            cells[c] = db_is_null(rows, row, (int)c) ? NULL : db_text(rows, row, (int)c);
        TRY(table_add(t, cells, e));
    }
    table_print(t, stdout);
    return 0;
}

static json_t *json_field(const struct db_rows *rows, int64_t row, int col)
{
    const char *text = db_text(rows, row, col);
    if (db_is_null(rows, row, col))
        return json_null();
    switch (db_rows_type(rows, col)) {
    case DB_TYPE_INTEGER:
        return json_integer(db_i64(rows, row, col));
    case DB_TYPE_REAL: {
        double x = db_f64(rows, row, col);
        return isfinite(x) ? json_real(x) : json_null();
    }
    case DB_TYPE_BOOL:
        return json_boolean(db_bool(rows, row, col));
    case DB_TYPE_JSON: {
        json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
        return value ? value : json_string(text); /* deeper than our library reads */
    }
    default:
        return json_string(text);
    }
}

int show_rows_json(const struct db_rows *rows, struct err *e)
{
    json_t *all = json_array();
    for (int64_t i = 0; all && i < db_rows_count(rows); i++) {
        json_t *row = json_object();
        for (int c = 0; c < db_rows_columns(rows); c++)
            if (json_object_set_new(row, db_rows_name(rows, c), json_field(rows, i, c)) < 0)
                break;
        if (json_array_append_new(all, row) < 0)
            break;
    }
    return out_json(all, e);
}

static void print_csv(const char *text, bool last)
{
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    fputs(quoted ? "\"" : "", stdout);
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    fputs(quoted ? "\"" : "", stdout);
    putchar(last ? '\n' : ',');
}

int show_rows_csv(const struct db_rows *rows, struct err *e)
{
    int n = db_rows_columns(rows);
    for (int c = 0; c < n; c++)
        print_csv(db_rows_name(rows, c), c + 1 == n);
    for (int64_t row = 0; row < db_rows_count(rows); row++)
        for (int c = 0; c < n; c++)
            print_csv(db_is_null(rows, row, c) ? "" : db_text(rows, row, c), c + 1 == n);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : FAIL(e, ERR_ENV, "cannot write to stdout");
}

int show_json(struct db *d, enum sql_id id, const struct sql_arg *args, size_t n, struct err *e)
{
    struct buf text = BUF_INIT(1 << 16);
    buf_printf(&text, "SELECT coalesce(json_agg(t), '[]')::text FROM (\n%s\n) t", sql_statements[id].text);
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    int rc = buf_check(&text, "statement", e);
    if (rc == 0)
        rc = db_query(d, buf_text(&text), args, n, &rows, e);
    buf_free(&text);
    if (rc == 0)
        printf("%s\n", db_text(rows, 0, 0));
    return rc;
}

char *show_sweep_name(struct db *d, const char *given, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (db_exec(d, SQL_SHOW_SWEEPS, NULL, 0, ROWS_ANY, &rows, e) < 0)
        return NULL;
    int64_t n = db_rows_count(rows);
    const char *found = n > 0 && !given ? db_text(rows, 0, 0) : NULL;
    const char *names[256];
    size_t n_names = 0;
    for (int64_t i = 0; i < n && given && !found; i++) {
        if (strcmp(db_text(rows, i, 0), given) == 0)
            found = given;
        if (n_names < ARRAY_LEN(names))
            names[n_names++] = db_text(rows, i, 0);
    }
    if (!found && !given)
        return FAIL_NULL(e, ERR_INPUT, "the database holds no sweep yet; start one with 'acsweep run' or 'acsweep submit'");
    const char *near = found ? NULL : parse_nearest(given, names, n_names);
    if (near)
        return FAIL_NULL(e, ERR_INPUT, "there is no sweep '%s'; did you mean '%s'?", given, near);
    if (!found)
        return FAIL_NULL(e, ERR_INPUT, "there is no sweep '%s'; 'acsweep status' lists them all", given);
    char *copy = strdup(found);
    if (!copy)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    return copy;
}

int show_titled(struct db *d, enum sql_id id, const struct sql_arg *arg, size_t n, const char *title, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_exec(d, id, arg, n, ROWS_ANY, &rows, e));
    if (db_rows_count(rows) == 0)
        return 0;
    printf("\n%s%s%s\n", out_style(stdout, OUT_BOLD), title, out_style(stdout, OUT_PLAIN));
    return show_rows(rows, NULL, e);
}

/* What the ranked ones are to be compared with; nothing without floors. */
static int show_floors(struct db *d, const char *sweep, struct err *e)
{
    return show_titled(d, SQL_SHOW_FLOORS, (const struct sql_arg[]){ SQL_TEXT(sweep) }, 1, "Floors", e);
}

static int show_note(struct db *d, const char *sweep, struct err *e)
{
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_exec(d, SQL_SHOW_OUTCOME, (const struct sql_arg[]){ SQL_TEXT(sweep) }, 1, 1, &rows, e));
    const char *note = db_text(rows, 0, db_rows_column(rows, "note"));
    if (*note)
        printf("%s%s%s\n", out_style(stdout, OUT_YELLOW), note, out_style(stdout, OUT_PLAIN));
    return 0;
}

static int show_below_ranking(struct db *d, const char *sweep, struct err *e)
{
    TRY(show_floors(d, sweep, e));
    return show_note(d, sweep, e);
}

int show_ranking(struct db *d, const char *sweep, struct err *e)
{
    char title[256];
    snprintf(title, sizeof title, "Ranking of sweep %.200s", sweep);
    TRY(show_titled(d, SQL_SHOW_RANKING, (const struct sql_arg[]){ SQL_TEXT(sweep) }, 1, title, e));
    return show_below_ranking(d, sweep, e);
}

/* ---- commands that are one statement ------------------------------------------------------------------------------ */

static const struct view {
    const char *command;
    enum sql_id id, full; /* for people; for programs */
    bool by_sweep; /* $1 is the sweep's name */
    const char *none;
    int (*foot)(struct db *d, const char *sweep, struct err *e); /* may be NULL */
} views[] = {
    { "rank", SQL_SHOW_RANKING, SQL_SHOW_RANKING_FULL, true, "No round of the policy has ranked anything yet.",
      show_below_ranking },
    { "workers", SQL_SHOW_WORKERS, SQL_SHOW_WORKERS, false, "No worker has joined yet.", NULL },
};

static int run_view(const struct opts *o, struct err *e)
{
    const struct view *v = views;
    while (strcmp(v->command, opts_cmd(o)->name) != 0)
        v++;
    AUTO(reader_close) struct reader *r = reader_open(o, DB_READER, e);
    if (!r)
        return -1;
    struct db *d = reader_db(r);
    AUTO(free) char *sweep = v->by_sweep ? show_sweep_name(d, opts_arg(o, 0), e) : NULL;
    if (v->by_sweep && !sweep)
        return -1;
    const struct sql_arg arg = SQL_TEXT(sweep);
    if (opts_flag(o, "json"))
        return show_json(d, v->full, &arg, v->by_sweep, e);
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_exec(d, v->id, &arg, v->by_sweep, ROWS_ANY, &rows, e));
    TRY(show_rows(rows, v->none, e));
    return v->foot ? v->foot(d, sweep, e) : 0;
}

const struct cmd cmd_rank = {
    .name = "rank",
    .summary = "Show the ranking of the representations, with what was measured and what is predicted",
    .args = "[SWEEP]",
    .options = { cli_state_options, cli_database_options, cli_json_options },
    .details = "Without a name: the newest sweep. Its floors, if it has any, stand below.",
    .run = run_view,
};
const struct cmd cmd_workers = {
    .name = "workers",
    .summary = "Show the workers, what they offer and what they do",
    .options = { cli_state_options, cli_database_options, cli_json_options },
    .run = run_view,
};

/* ---- status ----------------------------------------------------------------------------------------------------- */

static int print_status_json(struct db *d, const struct sql_arg *arg, struct err *e)
{
    printf("{\"sweeps\": ");
    TRY(show_json(d, SQL_SHOW_SWEEPS, NULL, 0, e));
    printf(", \"progress\": ");
    TRY(show_json(d, SQL_SHOW_PROGRESS, arg, 1, e));
    printf(", \"why_waiting\": ");
    TRY(show_json(d, SQL_SHOW_WAITING, arg, 1, e));
    printf("}\n");
    return 0;
}

static int run_status(const struct opts *o, struct err *e)
{
    AUTO(reader_close) struct reader *r = reader_open(o, DB_READER, e);
    if (!r)
        return -1;
    struct db *d = reader_db(r);
    AUTO(free) char *sweep = show_sweep_name(d, opts_arg(o, 0), e);
    if (!sweep)
        return -1;
    const struct sql_arg arg = SQL_TEXT(sweep);
    if (opts_flag(o, "json"))
        return print_status_json(d, &arg, e);
    AUTO(db_rows_free) struct db_rows *sweeps = NULL;
    TRY(db_exec(d, SQL_SHOW_SWEEPS, NULL, 0, ROWS_ANY, &sweeps, e));
    TRY(show_rows(sweeps, NULL, e));
    char title[256];
    snprintf(title, sizeof title, "Progress of sweep %.200s", sweep);
    TRY(show_titled(d, SQL_SHOW_PROGRESS, &arg, 1, title, e));
    return show_titled(d, SQL_SHOW_WAITING, &arg, 1, "Why tasks wait", e);
}

const struct cmd cmd_status = {
    .name = "status",
    .summary = "Show the sweeps, the progress of one, and why tasks wait",
    .args = "[SWEEP]",
    .options = { cli_state_options, cli_database_options, cli_json_options },
    .details = "Without a name: the newest sweep.",
    .run = run_status,
};
