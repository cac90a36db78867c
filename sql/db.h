/* The one door to libpq: a connection, a statement from sql/queries, typed arguments, rows, and SQLSTATE -> err kind.
 *
 * A statement is a file sql/queries/<noun>_<verb>.sql, embedded at build time; `enum sql_id` in the generated
 * "sql/sql_text.h" names it: sql/queries/task_lease.sql -> SQL_TASK_LEASE. Each is prepared on its first use. */
#ifndef ACSWEEP_SQL_DB_H
#define ACSWEEP_SQL_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "sql/sql_text.h"

struct db;     /* one connection; one thread at a time */
struct db_rows; /* the rows of a finished statement */

/* What the connection is for; sets its planner and timeout settings (sql/README.md says why). */
enum db_role {
    DB_LEADER,  /* the coordinator's only writer: planner traps off, tcp_user_timeout, keepalives, no JIT */
    DB_READER,  /* command line and report: read only, statement and snapshot timeouts */
    DB_ADMIN,   /* migrations and roles */
};

/* Connect. `conninfo` is a libpq string or URI. NULL on error: ERR_ENV when no server answers (text names the address and
 * the remedy), ERR_DB when it refuses. search_path is set to acsweep. Passwords never appear in an error text. */
struct db *db_open(const char *conninfo, enum db_role role, struct err *e);
void db_close(struct db *d);
DEFINE_CLEANUP(db_close, struct db *)

/* The libpq connection's backend pid and socket, for supervision (poll, cancel). */
int db_backend_pid(const struct db *d);
int db_socket(const struct db *d);
/* False once the connection is lost; the advisory lock is lost with it. */
bool db_alive(struct db *d);

/* Typed arguments; all are sent as text except bytea. Arrays become array literals built safely (quotes, NULLs). The
 * argument memory must live until the call returns. */
struct sql_arg {
    enum {
        SQL_ARG_NULL, SQL_ARG_I64, SQL_ARG_F64, SQL_ARG_BOOL, SQL_ARG_TEXT, SQL_ARG_BYTES,
        SQL_ARG_I64S, SQL_ARG_F64S, SQL_ARG_TEXTS, SQL_ARG_BOOLS
    } type;
    union {
        int64_t i64;
        double f64;
        bool boolean;
        const char *text;            /* NULL = SQL NULL; also json, timestamptz, enum values */
        const void *bytes;
        const int64_t *i64s;         /* INT64_MIN = NULL */
        const double *f64s;          /* NaN = NULL */
        const char *const *texts;    /* NULL element = NULL */
        const bool *bools;
    } v;
    size_t n; /* length of bytes or of the array */
};
#define SQL_NULL ((struct sql_arg){ .type = SQL_ARG_NULL })
#define SQL_I64(x) ((struct sql_arg){ .type = SQL_ARG_I64, .v.i64 = (x) })
#define SQL_F64(x) ((struct sql_arg){ .type = SQL_ARG_F64, .v.f64 = (x) })
#define SQL_BOOL(x) ((struct sql_arg){ .type = SQL_ARG_BOOL, .v.boolean = (x) })
#define SQL_TEXT(x) ((struct sql_arg){ .type = SQL_ARG_TEXT, .v.text = (x) })
#define SQL_BYTES(p, len) ((struct sql_arg){ .type = SQL_ARG_BYTES, .v.bytes = (p), .n = (len) })
#define SQL_I64S(p, len) ((struct sql_arg){ .type = SQL_ARG_I64S, .v.i64s = (p), .n = (len) })
#define SQL_F64S(p, len) ((struct sql_arg){ .type = SQL_ARG_F64S, .v.f64s = (p), .n = (len) })
#define SQL_TEXTS(p, len) ((struct sql_arg){ .type = SQL_ARG_TEXTS, .v.texts = (p), .n = (len) })
#define SQL_BOOLS(p, len) ((struct sql_arg){ .type = SQL_ARG_BOOLS, .v.bools = (p), .n = (len) })

/* How many rows (returned, or affected when none are returned) a statement may have; anything else is ERR_DB "sql/queries/
 * X.sql touched N rows, expected M": the check is the fence. */
#define ROWS_ANY (-1)
#define ROWS_0_OR_1 (-2)

/* Run one statement. `expect` is ROWS_ANY, ROWS_0_OR_1 or an exact count. *rows may be NULL when rows are not wanted. */
MUST_USE int db_exec(struct db *d, enum sql_id id, const struct sql_arg *args, size_t n_args, int64_t expect,
                     struct db_rows **rows, struct err *e);
/* Free SQL text (several statements allowed, no arguments), for migrations and DDL. */
MUST_USE int db_script(struct db *d, const char *text, struct err *e);
/* Free SQL text of exactly one statement with arguments: `acsweep sql -c` and tests. A mistake in it is ERR_INPUT. */
MUST_USE int db_query(struct db *d, const char *text, const struct sql_arg *args, size_t n_args, struct db_rows **rows,
                      struct err *e);

/* Transactions. db_rollback never fails (it is for error paths). */
MUST_USE int db_begin(struct db *d, struct err *e);
MUST_USE int db_commit(struct db *d, struct err *e);
void db_rollback(struct db *d);

/* Pipelined transaction: queue statements, send them as one, check every row count, commit all or nothing (two round trips).
 *
 *     db_pipe_begin(d); db_pipe_add(d, SQL_A, ...); db_pipe_add(d, SQL_B, ...); db_pipe_commit(d, &results, &e)
 *
 * BEGIN and COMMIT are added. After a failing db_pipe_add call db_rollback; a failing db_pipe_commit has done so. results[i] (may be NULL pointers where no rows) belong to the caller until
 * db_pipe_results_free. Any failing statement or row count rolls everything back. */
MUST_USE int db_pipe_begin(struct db *d, struct err *e);
MUST_USE int db_pipe_add(struct db *d, enum sql_id id, const struct sql_arg *args, size_t n_args, int64_t expect,
                         struct err *e);
MUST_USE int db_pipe_commit(struct db *d, struct db_rows ***results, size_t *n_results, struct err *e);
void db_pipe_results_free(struct db_rows **results, size_t n_results);

/* COPY into `table (columns)` from text rows built by db_copy_*; for bulk inserts. */
MUST_USE int db_copy_begin(struct db *d, const char *table_and_columns, struct err *e);
MUST_USE int db_copy_row(struct db *d, const struct sql_arg *args, size_t n_args, struct err *e);
MUST_USE int db_copy_end(struct db *d, int64_t *rows, struct err *e);

/* Rows. Getters on a NULL field return 0, NaN, false, NULL or "". */
int64_t db_rows_count(const struct db_rows *r);
int db_rows_columns(const struct db_rows *r);
const char *db_rows_name(const struct db_rows *r, int col);
int db_rows_column(const struct db_rows *r, const char *name); /* -1 when absent */
int64_t db_rows_affected(const struct db_rows *r);
/* What a column holds, as far as JSON tells things apart. */
enum db_type { DB_TYPE_TEXT, DB_TYPE_INTEGER, DB_TYPE_REAL, DB_TYPE_BOOL, DB_TYPE_JSON };
enum db_type db_rows_type(const struct db_rows *r, int col);
bool db_is_null(const struct db_rows *r, int64_t row, int col);
int64_t db_i64(const struct db_rows *r, int64_t row, int col);
double db_f64(const struct db_rows *r, int64_t row, int col);
bool db_bool(const struct db_rows *r, int64_t row, int col);
const char *db_text(const struct db_rows *r, int64_t row, int col);
/* bytea field, decoded in place. */
const void *db_bytes(const struct db_rows *r, int64_t row, int col, size_t *len);
void db_rows_free(struct db_rows *r);
DEFINE_CLEANUP(db_rows_free, struct db_rows *)

/* Try once for the leader's advisory lock. It belongs to the connection: lost with it, given back by closing it. Each
 * successful call holds it once more, so ask only while not holding it. */
MUST_USE int db_try_leader_lock(struct db *d, bool *got, struct err *e);

#endif
