/* What the files of the database door share: the connection, argument conversion, and error sorting. Not for other rooms. */
#ifndef ACSWEEP_SQL_DB_INTERNAL_H
#define ACSWEEP_SQL_DB_INTERNAL_H

#include <libpq-fe.h>

#include "common/buf.h"
#include "sql/db.h"

/* One queued result of a pipeline: the statement it belongs to, or a PREPARE / BEGIN in between. */
struct pipe_step {
    enum { STEP_BEGIN, STEP_PREPARE, STEP_STATEMENT } what;
    enum sql_id id;
    int64_t expect;
};

struct db {
    PGconn *pg;
    enum db_role role;
    bool prepared[SQL_COUNT + 1];
    bool piping;
    struct pipe_step *steps;
    size_t n_steps, cap_steps;
    struct buf copy; /* COPY rows on their way; empty outside of a COPY */
};

struct db_rows {
    PGresult *res;
    bool *decoded; /* per field: bytea already decoded in place */
};

/* Advisory lock keys: class 0x61637377 ("acsw"), then which. The same in every database of every version. */
#define LOCK_CLASS 0x61637377
enum { LOCK_LEADER = 1, LOCK_MIGRATE = 2 };

/* Arguments in the form libpq wants. Text and bytes are pointed at, the rest is rendered into `text`. */
struct db_params {
    const char **values;
    int *lengths;
    int *formats;
    struct buf text;
};
MUST_USE int db_params_init(struct db_params *p, const struct sql_arg *args, size_t n, struct err *e);
void db_params_free(struct db_params *p);
/* Append one argument as COPY text (escaped, \N for NULL). */
void db_copy_put(struct buf *b, struct buf *scratch, const struct sql_arg *a);

/* Fill `e` from a failed result (or, with res NULL, from the connection). `what` names the statement; `own` tells whether
 * its text is ours (a syntax error is then ERR_BUG) or the user's (ERR_INPUT). */
enum db_text_owner { TEXT_OURS, TEXT_USERS };
int db_fail(struct db *d, const PGresult *res, enum db_text_owner own, const char *what, struct err *e);
/* Hide passwords: `password=...`, `//user:...@`, and the literal `secret` (may be NULL), in place. */
void db_scrub(char *text, const char *secret);

struct db_rows *db_rows_wrap(PGresult *res, struct err *e); /* takes res, also on failure */
/* Rows returned, or rows affected where none are returned. */
int64_t db_result_count(const PGresult *res);
MUST_USE int db_count_check(enum sql_id id, const PGresult *res, int64_t expect, struct err *e);

/* A statement without arguments or rows, such as BEGIN. */
MUST_USE int db_simple(struct db *d, const char *text, struct err *e);

#endif
