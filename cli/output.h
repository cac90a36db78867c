/* What people and programs see on stdout: tables, colours, JSON. Text from outside is shown without control bytes. */
#ifndef ACSWEEP_CLI_OUTPUT_H
#define ACSWEEP_CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "common/err.h"
#include "common/own.h"

/* Columns of the terminal behind `f`, or 0 when it is none. */
int out_tty_width(FILE *f);
/* Colours are wanted: a terminal, NO_COLOR unset or empty, TERM not "dumb". */
bool out_colour(FILE *f);

enum out_style { OUT_PLAIN, OUT_BOLD, OUT_DIM, OUT_GREEN, OUT_YELLOW, OUT_RED };
/* The escape sequence that begins a style (OUT_PLAIN ends one), or "" without colours. */
const char *out_style(FILE *f, enum out_style style);

/* Columns a UTF-8 text takes, roughly: code points. */
size_t out_width(const char *text);
/* Bytes of the first `width` columns of it, for "%.*s". */
int out_bytes_within(const char *text, size_t width);

/* A table: cells are copied, columns are as wide as their widest cell, numbers stand right. */
struct table;
struct table *table_create(const char *const *columns, size_t n, struct err *e);
void table_free(struct table *t);
DEFINE_CLEANUP(table_free, struct table *)
/* One row of exactly n cells; NULL is shown as "-". */
MUST_USE int table_add(struct table *t, const char *const *cells, struct err *e);
size_t table_rows(const struct table *t);
/* Print; on a terminal the last column is cut to its width. */
void table_print(const struct table *t, FILE *f);

/* Print a JSON value (indented on a terminal) and drop the reference to it. NULL (no memory) is an error. */
MUST_USE int out_json(json_t *value, struct err *e);

#endif
