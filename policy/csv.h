/* A cursor over CSV text that people wrote: quoted fields, LF or CRLF, blank lines passed over, a byte order mark
 * skipped. Every refusal is ERR_INPUT and names place, line, column and remedy. */
#ifndef ACSWEEP_POLICY_CSV_H
#define ACSWEEP_POLICY_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/table.h"

enum { CSV_MAX_CELL = POLICY_MAX_NAME + sizeof "perf:" };

struct csv {
    const char *at, *end, *place;
    size_t line, field; /* from 1, of the cell read last */
    char cell[CSV_MAX_CELL + 1];
    size_t len;
    bool last_of_line;
};

/* `text` and `place` stay the caller's and must outlive the cursor. ERR_INPUT beyond POLICY_MAX_CSV bytes. */
MUST_USE int csv_begin(struct csv *c, const char *text, size_t len, const char *place, struct err *e);

/* True when a further line was begun, and false at the end of the text. */
bool csv_next_line(struct csv *c);

/* The next cell of the line: c->cell, NUL-terminated, of c->len bytes; c->last_of_line tells when to stop. */
MUST_USE int csv_next_cell(struct csv *c, struct err *e);

/* The cell as a number, NaN when it is empty; `column` is for the message. The magnitude is at most 1e100, so that no
 * square of a difference can overflow. */
MUST_USE int csv_number(const struct csv *c, const char *column, double *out, struct err *e);

/* "PLACE: line 3, column 2: WHAT"; returns -1. */
int csv_fail(const struct csv *c, struct err *e, const char *what);

#endif
