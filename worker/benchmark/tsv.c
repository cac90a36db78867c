#include "worker/benchmark/tsv.h"

#include <string.h>

#include "common/buf.h"

#define COLUMNS_MOST 256
#define FIELD_MOST ((size_t)64 << 20)

struct tsv {
    const char *text;
    size_t len, at, line, row_line;
    char *name;
    char *columns[COLUMNS_MOST];
    size_t n_columns;
    struct buf field;
};

void tsv_close(struct tsv *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_columns; i++)
        free(t->columns[i]);
    buf_free(&t->field);
    free(t->name);
    free(t);
}

static int fail_row(const struct tsv *t, struct err *e, const char *what)
{
    return FAIL(e, ERR_INPUT, "%s:%zu: %s", t->name, t->row_line, what);
}

/* ---- fields ---------------------------------------------------------------------------------------------------------
 */

/* The rest of a field behind its opening quote, up to the closing one. */
static int quoted(struct tsv *t, struct err *e)
{
    while (t->at < t->len) {
        const char *end = memchr(t->text + t->at, '"', t->len - t->at);
        size_t n = end ? (size_t)(end - t->text) - t->at : t->len - t->at;
        buf_add(&t->field, t->text + t->at, n);
        for (const char *p = t->text + t->at; (p = memchr(p, '\n', (size_t)(t->text + t->at + n - p))); p++)
            t->line++;
        t->at += n + (end != NULL);
        if (!end)
            break;
        if (t->at == t->len || t->text[t->at] != '"')
            return 0;
        buf_add(&t->field, "\"", 1);
        t->at++;
    }
    return fail_row(t, e, "a quote that is opened here is never closed; is the file complete?");
}

static void bare(struct tsv *t)
{
    size_t n = 0;
    while (t->at + n < t->len && t->text[t->at + n] != '\t' && t->text[t->at + n] != '\n')
        n++;
    bool cr = n && t->text[t->at + n - 1] == '\r' && (t->at + n == t->len || t->text[t->at + n] == '\n');
    buf_add(&t->field, t->text + t->at, n - cr);
    t->at += n;
}

/* One field into t->field; 1: another one follows in its row, 0: it was the last. */
static int next_field(struct tsv *t, struct err *e)
{
    buf_clear(&t->field);
    bool quote = t->at < t->len && t->text[t->at] == '"';
    t->at += quote;
    if (quote)
        TRY(quoted(t, e));
    else
        bare(t);
    if (t->field.failed)
        return fail_row(t, e, "a field of more than 64 MiB; is this a table of questions?");
    if (t->field.len && memchr(t->field.data, '\0', t->field.len))
        return fail_row(t, e, "a byte 0 in a field; is this a text file?");
    if (t->at < t->len && t->text[t->at] == '\t') {
        t->at++;
        return 1;
    }
    if (t->at < t->len && t->text[t->at] == '\r')
        t->at++;
    if (t->at < t->len && t->text[t->at] != '\n')
        return fail_row(t, e, "a tab or the end of the line is wanted after a closing quote");
    t->at++;
    t->line++;
    return 0;
}

/* ---- rows -----------------------------------------------------------------------------------------------------------
 */

static int read_header(struct tsv *t, struct err *e)
{
    int more = 1;
    t->row_line = t->line;
    while (more) {
        more = next_field(t, e);
        if (more < 0)
            return -1;
        if (t->n_columns == COLUMNS_MOST || !t->field.len)
            return fail_row(t, e, "the first line is no header of named columns, separated by tabs");
        if (!(t->columns[t->n_columns] = strdup(buf_text(&t->field))))
            return FAIL_NOMEM(e);
        t->n_columns++;
    }
    return t->n_columns > 1 ? 0 : fail_row(t, e, "one column only; columns must be separated by tabs");
}

struct tsv *tsv_from(const char *text, size_t len, const char *name, struct err *e)
{
    AUTO(tsv_close) struct tsv *t = calloc(1, sizeof *t);
    if (!t || !(t->name = strdup(name)))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    t->text = text;
    t->len = len;
    t->line = 1;
    t->field = BUF_INIT(FIELD_MOST);
    t->at = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    return read_header(t, e) < 0 ? NULL : TAKE(t);
}

static int put_field(const struct tsv *t, size_t column, json_t *row, struct err *e)
{
    if (column >= t->n_columns)
        return FAIL(e, ERR_INPUT, "%s:%zu: more fields than the %zu columns of the header", t->name, t->row_line,
                    t->n_columns);
    if (t->field.len == 0)
        return 0;
    json_t *text = json_stringn(t->field.data, t->field.len);
    if (!text)
        return FAIL(e, ERR_INPUT, "%s:%zu: field '%.60s' is no UTF-8", t->name, t->row_line, t->columns[column]);
    return json_object_set_new(row, t->columns[column], text) < 0 ? fail_row(t, e, "a column's name is no UTF-8") : 0;
}

static int read_row(struct tsv *t, json_t *row, struct err *e)
{
    size_t column = 0;
    for (int more = 1; more; column++) {
        more = next_field(t, e);
        if (more < 0 || put_field(t, column, row, e) < 0)
            return -1;
    }
    if (column < t->n_columns)
        return FAIL(e, ERR_INPUT, "%s:%zu: %zu fields, but the header has %zu columns", t->name, t->row_line, column,
                    t->n_columns);
    return 0;
}

int tsv_next(struct tsv *t, json_t **row, struct err *e)
{
    while (t->at < t->len && t->text[t->at] == '\n') {
        t->at++;
        t->line++;
    }
    if (t->at >= t->len)
        return 0;
    t->row_line = t->line;
    json_t *new = json_object();
    if (!new)
        return FAIL_NOMEM(e);
    if (read_row(t, new, e) < 0) {
        json_decref(new);
        return -1;
    }
    *row = new;
    return 1;
}

size_t tsv_line(const struct tsv *t)
{
    return t->row_line;
}
