/* Reading commands: a query of sql/queries (mostly a public view) shown as a table or as JSON. */
#ifndef ACSWEEP_CLI_SHOW_H
#define ACSWEEP_CLI_SHOW_H

#include "common/err.h"
#include "common/own.h"
#include "sql/db.h"

/* Rows as a table on stdout; `none` is printed when there are no rows. */
MUST_USE int show_rows(const struct db_rows *rows, const char *none, struct err *e);
/* Rows as a JSON array of objects on stdout, numbers as numbers. */
MUST_USE int show_rows_json(const struct db_rows *rows, struct err *e);
/* Rows as CSV on stdout (RFC 4180, but lines end in LF): a header line, texts in quotes where they need them, nothing for NULL. */
MUST_USE int show_rows_csv(const struct db_rows *rows, struct err *e);
/* The rows of a statement as one JSON text, an array of objects; and as a table under a title, nothing when there are none. */
MUST_USE int show_json(struct db *d, enum sql_id id, const struct sql_arg *args, size_t n, struct err *e);
MUST_USE int show_titled(struct db *d, enum sql_id id, const struct sql_arg *arg, size_t n, const char *title,
                         struct err *e);
/* The name of a sweep: as given, else the newest. ERR_INPUT when there is none (of that name). malloc'ed. */
char *show_sweep_name(struct db *d, const char *given, struct err *e);
/* The ranking of a sweep for people, and its note. */
MUST_USE int show_ranking(struct db *d, const char *sweep, struct err *e);

#endif
