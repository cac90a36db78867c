/* acsweep db init, db migrate, sql: the database as such.
 *
 * All three work on --database, or on the private cluster of --state, which is started for as long as the command takes
 * (or only attached to, when a run already has it up). */
#include "cli/commands.h"

#include <errno.h>
#include <libpq-fe.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/output.h"
#include "cli/show.h"
#include "cli/state.h"
#include "sql/migrate.h"

/* ---- db init, db migrate ---------------------------------------------------------------------------------------- */

static int bring_up_to_date(const struct opts *o, bool create, struct err *e)
{
    AUTO(place_close) struct place *p = place_open(o, create, e);
    AUTO(db_close) struct db *d = p ? db_open(place_conninfo(p), DB_ADMIN, e) : NULL;
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

enum form { FORM_TABLE, FORM_JSON, FORM_CSV };

static int run_query(const char *conninfo, const char *query, enum form form, struct err *e)
{
    AUTO(db_close) struct db *d = db_open(conninfo, DB_READER, e);
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    if (!d)
        return -1;
    TRY(db_query(d, query, NULL, 0, &rows, e));
    if (form == FORM_JSON)
        return show_rows_json(rows, e);
    if (form == FORM_CSV)
        return show_rows_csv(rows, e);
    return db_rows_columns(rows) ? show_rows(rows, NULL, e) : 0;
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
    enum form form = opts_flag(o, "csv") ? FORM_CSV : opts_flag(o, "json") ? FORM_JSON : FORM_TABLE;
    if (!query && form != FORM_TABLE)
        return FAIL(e, ERR_USAGE, "--%s needs a query: -c QUERY", form == FORM_CSV ? "csv" : "json");
    if (opts_flag(o, "csv") && opts_flag(o, "json"))
        return FAIL(e, ERR_USAGE, "--csv and --json exclude each other");
    AUTO(place_close) struct place *p = place_open(o, false, e);
    if (!p)
        return -1;
    return query ? run_query(place_conninfo(p), query, form, e) : run_psql(place_conninfo(p), e);
}

static const struct opt sql_options[] = {
    { .name = "command", .letter = 'c', .type = OPT_TEXT, .value = "QUERY", .help = "run this query and print its rows" },
    { .name = "csv", .type = OPT_FLAG, .help = "print CSV with a header line and all digits" },
    { 0 },
};

const struct cmd cmd_sql = {
    .name = "sql",
    .summary = "Ask the database in SQL, read only; without -c in psql",
    .details = "The views are described in docs/sql.md, e.g.\n"
               "  acsweep sql -c 'SELECT * FROM ranking'\n"
               "  acsweep sql -c 'SELECT * FROM why_waiting' --json\n"
               "  acsweep sql -c 'SELECT representation, benchmark, value FROM performances' --csv >truth.csv",
    .options = { cli_state_options, cli_database_options, cli_json_options, sql_options },
    .run = run_sql,
};
