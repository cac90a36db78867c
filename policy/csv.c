#include "policy/csv.h"

#include <math.h>
#include <string.h>

#include "common/parse.h"

int csv_begin(struct csv *c, const char *text, size_t len, const char *place, struct err *e)
{
    if (len > POLICY_MAX_CSV)
        return FAIL(e, ERR_INPUT, "%s: the table is over %d bytes; split it", place, POLICY_MAX_CSV);
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark, as spreadsheets write it */
        text += 3;
        len -= 3;
    }
    *c = (struct csv){ .at = text, .end = text + len, .place = place };
    return 0;
}

int csv_fail(const struct csv *c, struct err *e, const char *what)
{
    return FAIL(e, ERR_INPUT, "%s: line %zu, column %zu: %s", c->place, c->line, c->field, what);
}

static int put(struct csv *c, char ch, struct err *e)
{
    if (ch == '\0')
        return csv_fail(c, e, "a NUL byte; save the table as UTF-8 text");
    if (ch == '\n' || ch == '\r')
        return csv_fail(c, e, "a line break inside quotes; close the quote on the same line");
    if (c->len >= CSV_MAX_CELL)
        return csv_fail(c, e, "the cell is longer than 255 bytes; shorten the name or number");
    c->cell[c->len++] = ch;
    return 0;
}

static int read_quoted(struct csv *c, struct err *e)
{
    for (c->at++; c->at < c->end; c->at++) {
        if (*c->at != '"') {
            TRY(put(c, *c->at, e));
        } else if (c->at + 1 < c->end && c->at[1] == '"') {
            c->at++;
            TRY(put(c, '"', e));
        } else {
            c->at++;
            return 0;
        }
    }
    return csv_fail(c, e, "the quote is never closed; add the missing \"");
}

static int read_plain(struct csv *c, struct err *e)
{
    for (; c->at < c->end && *c->at != ',' && *c->at != '\n' && *c->at != '\r'; c->at++) {
        if (*c->at == '"')
            return csv_fail(c, e, "a quote in the middle of a cell; quote the whole cell and double quotes inside it");
        TRY(put(c, *c->at, e));
    }
    return 0;
}

/* Step over what ends a cell: a comma, a line break, or the end of the text. */
static int end_cell(struct csv *c, struct err *e)
{
    c->last_of_line = true;
    if (c->at == c->end)
        return 0;
    if (*c->at == ',') {
        c->last_of_line = false;
        c->at++;
        return 0;
    }
    if (*c->at == '\r')
        c->at++;
    if (c->at < c->end && *c->at == '\n') {
        c->at++;
        return 0;
    }
    return csv_fail(c, e, "expected a comma or the end of the line after the cell");
}

int csv_next_cell(struct csv *c, struct err *e)
{
    c->len = 0;
    c->field++;
    TRY(c->at < c->end && *c->at == '"' ? read_quoted(c, e) : read_plain(c, e));
    c->cell[c->len] = '\0';
    return end_cell(c, e);
}

bool csv_next_line(struct csv *c)
{
    for (;;) {
        c->line++;
        c->field = 0;
        const char *p = c->at;
        if (p < c->end && *p == '\r')
            p++;
        if (p < c->end && *p == '\n')
            c->at = p + 1;
        else
            return c->at < c->end;
    }
}

int csv_number(const struct csv *c, const char *column, double *out, struct err *e)
{
    *out = NAN;
    if (c->len == 0)
        return 0;
    struct err inner = { 0 };
    if (parse_double(c->cell, out, &inner) < 0 || fabs(*out) > 1e100)
        return FAIL(
            e, ERR_INPUT,
            "%s: line %zu, column %zu (%s): '%s' is not a number; write one like 64.26, or leave the cell empty",
            c->place, c->line, c->field, column, c->cell);
    return 0;
}
