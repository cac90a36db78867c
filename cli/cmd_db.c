/* acsweep db init, db migrate, sql: the database as such.
 *
 * All three work on --database, or on the private cluster of --state, which is started for as long as the command takes
 * (or only attached to, when a run already has it up). */
#include "cli/commands.h"

#include <errno.h>
#include <libpq-fe.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cli/output.h"
#include "sql/cluster.h"
#include "sql/db.h"
#include "sql/migrate.h"

/* ---- which database --------------------------------------------------------------------------------------------- */

struct place {
    struct cluster *cluster; /* NULL with --database */
    const char *conninfo;
};

static void place_close(struct place p)
{
    cluster_stop(p.cluster);
}
DEFINE_CLEANUP(place_close, struct place)

/* `create`: make the private cluster when there is none; else its absence is the user's error. */
static int place_open(struct place *p, const struct opts *o, bool create, struct err *e)
{
    p->conninfo = opts_text(o, "database");
    if (p->conninfo)
        return 0;
    AUTO(free) char *dir = cluster_state_dir(opts_text(o, "state"), e);
    if (!dir)
        return -1;
    char data[4096 + 16];
    snprintf(data, sizeof data, "%s/postgres", dir);
    if (!create && access(data, F_OK) != 0)
        return FAIL(e, ERR_INPUT,
                    "no sweep was ever run with state directory %s: start one with `acsweep run`, or make an empty "
                    "database with `acsweep db init`",
                    opts_text(o, "state"));
    p->cluster = cluster_start(dir, e);
    if (!p->cluster)
        return -1;
    p->conninfo = cluster_conninfo(p->cluster);
    return 0;
}

/* ---- db init, db migrate ---------------------------------------------------------------------------------------- */

static int bring_up_to_date(const struct opts *o, bool create, struct err *e)
{
    AUTO(place_close) struct place p = { 0 };
    TRY(place_open(&p, o, create, e));
    AUTO(db_close) struct db *d = db_open(p.conninfo, DB_ADMIN, e);
    if (!d)
        return -1;
    int from, to;
    TRY(migrate_run(d, &from, &to, e));
    if (opts_flag(o, "json"))
        return out_json(json_pack("{s:i, s:i}", "from", from, "to", to), e);
    if (from == to)
        printf("schema version %d, nothing to do\n", to);
    else
        printf("schema version %d -> %d\n", from, to);
    return 0;
}

static int run_init(const struct opts *o, struct err *e)
{
    return bring_up_to_date(o, true, e);
}

static int run_migrate(const struct opts *o, struct err *e)
{
    return bring_up_to_date(o, false, e);
}

static const struct cmd cmd_db_init = {
    .name = "init",
    .summary = "Make the database: the private cluster if needed, and the schema",
    .options = { cli_state_options, cli_database_options, cli_json_options },
    .run = run_init,
};
static const struct cmd cmd_db_migrate = {
    .name = "migrate",
    .summary = "Bring the schema of an existing database up to date",
    .options = { cli_state_options, cli_database_options, cli_json_options },
    .run = run_migrate,
};
const struct cmd cmd_db = {
    .name = "db",
    .summary = "Make or migrate the database",
    .sub = (const struct cmd *const[]){ &cmd_db_init, &cmd_db_migrate, NULL },
};

/* ---- sql -c QUERY ----------------------------------------------------------------------------------------------- */

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

static int print_json(const struct db_rows *rows, struct err *e)
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

static int print_table(const struct db_rows *rows, struct err *e)
{
    size_t n = (size_t)db_rows_columns(rows);
    AUTO(free) const char **cells = calloc(n + 1, sizeof *cells);
    if (!cells)
        return FAIL_NOMEM(e);
    for (size_t c = 0; c < n; c++)
        cells[c] = db_rows_name(rows, (int)c);
    AUTO(table_free) struct table *t = table_create(cells, n, e);
    if (!t)
        return -1;
    for (int64_t i = 0; i < db_rows_count(rows); i++) {
        for (size_t c = 0; c < n; c++)
            cells[c] = db_is_null(rows, i, (int)c) ? NULL : db_text(rows, i, (int)c);
        TRY(table_add(t, cells, e));
    }
    table_print(t, stdout);
    return 0;
}

static int run_query(const char *conninfo, const char *query, bool json, struct err *e)
{
    AUTO(db_close) struct db *d = db_open(conninfo, DB_READER, e);
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!d)
        return -1;
    TRY(db_query(d, query, NULL, 0, &rows, e));
    if (json)
        return print_json(rows, e);
    return db_rows_columns(rows) ? print_table(rows, e) : 0;
}

/* ---- sql without a query: psql ----------------------------------------------------------------------------------- */

/* By environment and not by argument, where other users could read a password. */
static int export_conninfo(const char *conninfo, struct err *e)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    if (!options)
        return FAIL(e, ERR_INPUT, "the database address is not a libpq string or URI");
    for (const PQconninfoOption *p = options; p->keyword; p++) {
        if (p->envvar && p->val && *p->val)
            setenv(p->envvar, p->val, 1);
        else if (p->envvar && p->val)
            unsetenv(p->envvar);
    }
    PQconninfoFree(options);
    setenv("PGOPTIONS",
           "-c default_transaction_read_only=on -c search_path=acsweep -c idle_in_transaction_session_timeout=60s "
           "-c jit=off",
           1);
    return 0;
}

static int run_psql(const char *conninfo, struct err *e)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
    sigaction(SIGINT, &ignore, &old); /* ^C is for psql: it cancels a query */
    pid_t pid = fork();
    if (pid == 0) {
        sigaction(SIGINT, &old, NULL);
        if (export_conninfo(conninfo, NULL) == 0)
            execlp("psql", "psql", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    sigaction(SIGINT, &old, NULL);
    if (pid < 0)
        return FAIL(e, ERR_ENV, "cannot start psql: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return FAIL(e, ERR_ENV, "psql is missing: install it (Debian: apt-get install postgresql-client), or ask one "
                                "question with -c");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : FAIL(e, ERR_ENV, "psql ended with an error");
}

static int run_sql(const struct opts *o, struct err *e)
{
    const char *query = opts_text(o, "command");
    if (!query && opts_flag(o, "json"))
        return FAIL(e, ERR_USAGE, "--json needs a query: -c QUERY");
    AUTO(place_close) struct place p = { 0 };
    TRY(place_open(&p, o, false, e));
    return query ? run_query(p.conninfo, query, opts_flag(o, "json"), e) : run_psql(p.conninfo, e);
}

static const struct opt sql_options[] = {
    { .name = "command", .letter = 'c', .type = OPT_TEXT, .value = "QUERY", .help = "run this query and print its rows" },
    { 0 },
};

const struct cmd cmd_sql = {
    .name = "sql",
    .summary = "Ask the database in SQL, read only; without -c in psql",
    .details = "The views are described in docs/sql.md, e.g.\n"
               "  acsweep sql -c 'SELECT * FROM ranking'\n"
               "  acsweep sql -c 'SELECT * FROM why_waiting' --json",
    .options = { cli_state_options, cli_database_options, cli_json_options, sql_options },
    .run = run_sql,
};
