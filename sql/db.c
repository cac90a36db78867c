/* Connections, statements and transactions. Pipelines and COPY are in db_pipe.c, errors in db_error.c.
 *
 * Only one thread may use a connection at a time; nothing here is global. A statement whose row count matters runs inside
 * a transaction (its own, when the caller has none), because the count is the fence: a wrong one must not be committed. */
#include "sql/db.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "sql/db_internal.h"

/* ---- connecting ------------------------------------------------------------------------------------------------ */

/* Session settings by role. The reasons for the leader's planner settings are in sql/README.md: each of these plans cost
 * 3 to 500 times the right one, and the right one is always a nested loop over the primary key. */
static const char *const role_settings[] = {
    [DB_LEADER] = ("SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off; SET jit = off;"
                   "SET plan_cache_mode = force_generic_plan;"
                   "SET synchronous_commit = on; SET lock_timeout = '30s';"
                   "SET idle_in_transaction_session_timeout = '60s'"),
    [DB_READER] = ("SET default_transaction_read_only = on; SET jit = off; SET statement_timeout = '60s';"
                   "SET idle_in_transaction_session_timeout = '60s'; SET lock_timeout = '10s'"),
    [DB_ADMIN] = "SET synchronous_commit = on; SET lock_timeout = '60s'; SET client_min_messages = warning",
};

static const char common_settings[] =
    "SET search_path = acsweep; SET bytea_output = hex; SET DateStyle = ISO; SET IntervalStyle = iso_8601;"
    "SET extra_float_digits = 1; SET standard_conforming_strings = on;"
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;"
    "SET tcp_user_timeout = 10000; SET client_connection_check_interval = '200ms'";

/* Before the user's conninfo, so that it wins; after it, what must not change. */
static const char *const before_keys[] = { "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval",
                                           "keepalives_count", "tcp_user_timeout", "fallback_application_name" };
static const char *const before_values[] = { "10", "1", "5", "2", "3", "10000", "acsweep" };

#define N_BEFORE ARRAY_LEN(before_keys)
#define MIN_SERVER_VERSION 140000 /* client_connection_check_interval */

struct conn_params {
    const char *keys[N_BEFORE + 3], *values[N_BEFORE + 3];
};

static struct conn_params conn_params_of(const char *conninfo)
{
    struct conn_params p = { 0 };
    memcpy(p.keys, before_keys, sizeof before_keys);
    memcpy(p.values, before_values, sizeof before_values);
    p.keys[N_BEFORE] = "dbname"; /* a whole conninfo string or URI: expand_dbname */
    p.values[N_BEFORE] = conninfo;
    p.keys[N_BEFORE + 1] = "client_encoding";
    p.values[N_BEFORE + 1] = "UTF8";
    return p;
}

/* Why the server was not reached, by asking it again without credentials rather than by reading translated messages. */
static int fail_connect(PGconn *pg, const struct conn_params *p, struct err *e)
{
    char text[700];
    snprintf(text, sizeof text, "%s", PQerrorMessage(pg));
    for (char *nl = text; (nl = strchr(nl, '\n'));)
        *nl = nl[1] ? ' ' : '\0';
    db_scrub(text, PQpass(pg));
    switch (PQpingParams(p->keys, p->values, 1)) {
    case PQPING_OK:
        return FAIL(e, ERR_DB, "PostgreSQL refuses the connection: %s", text);
    case PQPING_REJECT:
        return FAIL(e, ERR_DB_RETRY, "PostgreSQL is starting or stopping: %s", text);
    case PQPING_NO_ATTEMPT:
        return FAIL(e, ERR_INPUT, "the database address is not a libpq string or URI: %s", text);
    default:
        return FAIL(e, ERR_ENV, "%s; start the server, or correct the database address", text);
    }
}

static int check_conninfo(const char *conninfo, struct err *e)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &message);
    if (options) {
        PQconninfoFree(options);
        return 0;
    }
    char text[500];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(message ? message : "out of memory", "\n"),
             message ? message : "out of memory");
    PQfreemem(message);
    db_scrub(text, NULL);
    return FAIL(e, ERR_INPUT, "the database address is not a libpq string or URI: %s", text);
}

static void ignore_notice(void *arg, const PGresult *res)
{
    (void)arg, (void)res;
}

static int settle(struct db *d, struct err *e)
{
    int version = PQserverVersion(d->pg);
    if (version < MIN_SERVER_VERSION)
        return FAIL(e, ERR_ENV, "PostgreSQL %d at %s is too old: acsweep needs 14 or newer", version / 10000,
                    PQhost(d->pg));
    TRY(db_simple(d, common_settings, e));
    return db_simple(d, role_settings[d->role], e);
}

struct db *db_open(const char *conninfo, enum db_role role, struct err *e)
{
    if (check_conninfo(conninfo, e) < 0)
        return NULL;
    AUTO(db_close) struct db *d = calloc(1, sizeof *d);
    if (!d)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    d->role = role;
    struct conn_params p = conn_params_of(conninfo);
    d->pg = PQconnectdbParams(p.keys, p.values, 1);
    if (!d->pg)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    if (PQstatus(d->pg) != CONNECTION_OK) {
        fail_connect(d->pg, &p, e);
        return NULL;
    }
    PQsetNoticeReceiver(d->pg, ignore_notice, NULL); /* "already exists, skipping" is not for stderr */
    if (settle(d, e) < 0)
        return NULL;
    return TAKE(d);
}

void db_close(struct db *d)
{
    if (!d)
        return;
    PQfinish(d->pg);
    buf_free(&d->copy);
    free(d->steps);
    free(d);
}

int db_backend_pid(const struct db *d)
{
    return PQbackendPID(d->pg);
}

int db_socket(const struct db *d)
{
    return PQsocket(d->pg);
}

bool db_alive(struct db *d)
{
    /* The first read after a lost connection only delivers the server's farewell; the loss shows on the next one. */
    for (int reads = 0; PQstatus(d->pg) == CONNECTION_OK && reads < 16; reads++) {
        struct pollfd fd = { .fd = PQsocket(d->pg), .events = POLLIN };
        if (poll(&fd, 1, 0) <= 0)
            break;
        if (!PQconsumeInput(d->pg))
            return false;
        for (PGnotify *n; (n = PQnotifies(d->pg));)
            PQfreemem(n);
    }
    return PQstatus(d->pg) == CONNECTION_OK;
}

/* ---- statements ------------------------------------------------------------------------------------------------ */

int db_count_check(enum sql_id id, const PGresult *res, int64_t expect, struct err *e)
{
    int64_t n = db_result_count(res);
    if (expect == ROWS_ANY || n == expect || (expect == ROWS_0_OR_1 && (n == 0 || n == 1)))
        return 0;
    const char *name = sql_statements[id].name;
    if (expect == ROWS_0_OR_1)
        return FAIL(e, ERR_DB, "sql/queries/%s.sql touched %lld rows, expected 0 or 1", name, (long long)n);
    return FAIL(e, ERR_DB, "sql/queries/%s.sql touched %lld rows, expected %lld", name, (long long)n,
                (long long)expect);
}

static bool result_ok(const PGresult *res)
{
    ExecStatusType s = PQresultStatus(res);
    return s == PGRES_TUPLES_OK || s == PGRES_COMMAND_OK || s == PGRES_EMPTY_QUERY;
}

/* Refuse anything but pipeline calls while a pipeline or COPY is open: libpq would answer with a riddle. */
static int check_idle(struct db *d, const char *what, struct err *e)
{
    if (d->piping)
        return FAIL(e, ERR_BUG, "%s inside a pipeline", what);
    return 0;
}

int db_simple(struct db *d, const char *text, struct err *e)
{
    PGresult *res = PQexec(d->pg, text);
    int rc = result_ok(res) ? 0 : db_fail(d, res, TEXT_OURS, text, e);
    PQclear(res);
    return rc;
}

static void statement_place(char *out, size_t size, enum sql_id id)
{
    snprintf(out, size, "sql/queries/%s.sql", sql_statements[id].name);
}

static int prepare(struct db *d, enum sql_id id, struct err *e)
{
    if (d->prepared[id])
        return 0;
    PGresult *res = PQprepare(d->pg, sql_statements[id].name, sql_statements[id].text, 0, NULL);
    d->prepared[id] = result_ok(res);
    if (!d->prepared[id]) {
        char what[128];
        statement_place(what, sizeof what, id);
        db_fail(d, res, TEXT_OURS, what, e);
    }
    PQclear(res);
    return d->prepared[id] ? 0 : -1;
}

static int run_prepared(struct db *d, enum sql_id id, const struct db_params *p, size_t n_args, int64_t expect,
                        struct db_rows **rows, struct err *e)
{
    TRY(prepare(d, id, e));
    PGresult *res = PQexecPrepared(d->pg, sql_statements[id].name, (int)n_args, p->values, p->lengths, p->formats, 0);
    int rc = 0;
    if (!result_ok(res)) {
        char what[128];
        statement_place(what, sizeof what, id);
        rc = db_fail(d, res, TEXT_OURS, what, e);
    } else {
        rc = db_count_check(id, res, expect, e);
    }
    if (rc < 0 || !rows) {
        PQclear(res);
        return rc;
    }
    *rows = db_rows_wrap(res, e);
    return *rows ? 0 : -1;
}

int db_exec(struct db *d, enum sql_id id, const struct sql_arg *args, size_t n_args, int64_t expect,
            struct db_rows **rows, struct err *e)
{
    if (rows)
        *rows = NULL;
    TRY(check_idle(d, sql_statements[id].name, e));
    struct db_params p;
    int rc = db_params_init(&p, args, n_args, e);
    /* A wrong count in a statement of its own would be found after its commit. */
    bool wrap = rc == 0 && expect != ROWS_ANY && PQtransactionStatus(d->pg) == PQTRANS_IDLE;
    if (wrap)
        rc = db_begin(d, e);
    if (rc == 0)
        rc = run_prepared(d, id, &p, n_args, expect, rows, e);
    if (rc == 0 && wrap)
        rc = db_commit(d, e);
    if (rc < 0 && rows) {
        db_rows_free(*rows);
        *rows = NULL;
    }
    if (rc < 0 && wrap)
        db_rollback(d);
    db_params_free(&p);
    return rc;
}

int db_script(struct db *d, const char *text, struct err *e)
{
    TRY(check_idle(d, "a script", e));
    PGresult *res = PQexec(d->pg, text);
    int rc = 0;
    if (!result_ok(res)) {
        const char *at = res ? PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION) : NULL;
        char what[64] = "SQL script";
        if (at)
            snprintf(what, sizeof what, "SQL script at character %s", at);
        rc = db_fail(d, res, TEXT_OURS, what, e);
    }
    PQclear(res);
    return rc;
}

int db_query(struct db *d, const char *text, const struct sql_arg *args, size_t n_args, struct db_rows **rows,
             struct err *e)
{
    if (rows)
        *rows = NULL;
    TRY(check_idle(d, "a query", e));
    struct db_params p;
    int rc = db_params_init(&p, args, n_args, e);
    if (rc == 0) {
        /* The extended protocol takes exactly one statement, so a user's text cannot smuggle in a second. */
        PGresult *res = PQexecParams(d->pg, text, (int)n_args, NULL, p.values, p.lengths, p.formats, 0);
        if (!result_ok(res)) {
            rc = db_fail(d, res, TEXT_USERS, "query", e);
        } else if (rows) {
            *rows = db_rows_wrap(res, e);
            res = NULL;
            rc = *rows ? 0 : -1;
        }
        PQclear(res);
    }
    db_params_free(&p);
    return rc;
}

/* ---- transactions and locks ------------------------------------------------------------------------------------ */

int db_begin(struct db *d, struct err *e)
{
    TRY(check_idle(d, "BEGIN", e));
    return db_simple(d, "BEGIN", e);
}

int db_commit(struct db *d, struct err *e)
{
    TRY(check_idle(d, "COMMIT", e));
    /* COMMIT of a failed transaction "succeeds" as ROLLBACK; that must not look like a commit. */
    PGresult *res = PQexec(d->pg, "COMMIT");
    int rc = 0;
    if (!result_ok(res))
        rc = db_fail(d, res, TEXT_OURS, "COMMIT", e);
    else if (strcmp(PQcmdStatus(res), "COMMIT") != 0)
        rc = FAIL(e, ERR_BUG, "COMMIT of a transaction that had failed: it was rolled back");
    PQclear(res);
    return rc;
}

int db_try_leader_lock(struct db *d, bool *got, struct err *e)
{
    const struct sql_arg args[] = { SQL_I64(LOCK_CLASS), SQL_I64(LOCK_LEADER) };
    AUTO(db_rows_free) struct db_rows *rows = NULL;
    TRY(db_query(d, "SELECT pg_catalog.pg_try_advisory_lock($1::int, $2::int)", args, ARRAY_LEN(args), &rows, e));
    *got = db_bool(rows, 0, 0);
    return 0;
}
