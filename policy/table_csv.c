/* CSV text, a line for each representation -> table. Nothing is allocated from a number that the text states. */
#include "policy/table.h"

#include <math.h>
#include <string.h>

#include "policy/csv.h"

enum { MAX_COLUMNS = 2 + 3 * POLICY_MAX_BENCHMARKS };

enum column_kind { COLUMN_REPRESENTATION, COLUMN_C, COLUMN_C_OF, COLUMN_A, COLUMN_PERF };

struct column {
    enum column_kind kind;
    size_t benchmark;
};

/* ---- the header ------------------------------------------------------------------------------------------------- */

struct header {
    struct column columns[MAX_COLUMNS];
    size_t n;
    char *names[POLICY_MAX_BENCHMARKS];
    bool has_c_of[POLICY_MAX_BENCHMARKS], has_a[POLICY_MAX_BENCHMARKS], has_perf[POLICY_MAX_BENCHMARKS];
    bool has_name, has_c;
    size_t n_benchmarks;
};

static void header_destroy(struct header *h)
{
    for (size_t i = 0; h && i < h->n_benchmarks; i++)
        free(h->names[i]);
    free(h);
}
DEFINE_CLEANUP(header_destroy, struct header *)

static int header_benchmark(struct header *h, const char *name, size_t *b, const struct csv *r, struct err *e)
{
    for (*b = 0; *b < h->n_benchmarks; ++*b)
        if (strcmp(h->names[*b], name) == 0)
            return 0;
    if (*name == '\0')
        return csv_fail(r, e, "the benchmark has no name; write a:NAME or perf:NAME");
    if (h->n_benchmarks == POLICY_MAX_BENCHMARKS)
        return csv_fail(r, e, "more than 256 benchmarks; split the table");
    if (!(h->names[*b] = strdup(name)))
        return FAIL_NOMEM(e);
    h->n_benchmarks++;
    return 0;
}

static int header_column(struct header *h, const struct csv *r, struct err *e)
{
    if (h->n == MAX_COLUMNS)
        return csv_fail(r, e, "too many columns; a table has at most 256 benchmarks");
    struct column *col = &h->columns[h->n];
    bool *seen;
    if (strcmp(r->cell, "representation") == 0) {
        col->kind = COLUMN_REPRESENTATION;
        seen = &h->has_name;
    } else if (strcmp(r->cell, "c") == 0) {
        col->kind = COLUMN_C;
        seen = &h->has_c;
    } else if (strncmp(r->cell, "c:", 2) == 0) {
        col->kind = COLUMN_C_OF;
        TRY(header_benchmark(h, r->cell + 2, &col->benchmark, r, e));
        seen = &h->has_c_of[col->benchmark];
    } else if (strncmp(r->cell, "a:", 2) == 0) {
        col->kind = COLUMN_A;
        TRY(header_benchmark(h, r->cell + 2, &col->benchmark, r, e));
        seen = &h->has_a[col->benchmark];
    } else if (strncmp(r->cell, "perf:", 5) == 0) {
        col->kind = COLUMN_PERF;
        TRY(header_benchmark(h, r->cell + 5, &col->benchmark, r, e));
        seen = &h->has_perf[col->benchmark];
    } else {
        return FAIL(e, ERR_INPUT,
                    "%s: line %zu, column %zu: unknown column '%s'; known are representation, c, a:<benchmark>, "
                    "perf:<benchmark> and c:<benchmark>",
                    r->place, r->line, r->field, r->cell);
    }
    if (*seen)
        return FAIL(e, ERR_INPUT, "%s: line %zu, column %zu: column '%s' appears twice; keep one of them", r->place,
                    r->line, r->field, r->cell);
    *seen = true;
    h->n++;
    return 0;
}

static int read_header(struct header *h, struct csv *r, struct err *e)
{
    if (!csv_next_line(r))
        return FAIL(
            e, ERR_INPUT,
            "%s: the table is empty; its first line must be representation,c,a:<benchmark>...,perf:<benchmark>...",
            r->place);
    do {
        TRY(csv_next_cell(r, e));
        TRY(header_column(h, r, e));
    } while (!r->last_of_line);
    bool all_own = h->n_benchmarks > 0;
    for (size_t b = 0; b < h->n_benchmarks; b++)
        all_own &= h->has_c_of[b];
    if (!h->has_name || !(h->has_c || all_own))
        return FAIL(e, ERR_INPUT, "%s: line %zu: the header lacks the column '%s'; add it", r->place, r->line,
                    h->has_name ? "c" : "representation");
    for (size_t b = 0; b < h->n_benchmarks; b++)
        if (!h->has_a[b] || !h->has_perf[b])
            return FAIL(e, ERR_INPUT,
                        "%s: line %zu: benchmark '%s' lacks the column '%s:%s'; add it (its cells may be empty)",
                        r->place, r->line, h->names[b], h->has_a[b] ? "perf" : "a", h->names[b]);
    if (h->n_benchmarks == 0)
        return FAIL(e, ERR_INPUT, "%s: line %zu: no benchmark; add the columns a:<benchmark> and perf:<benchmark>",
                    r->place, r->line);
    return 0;
}

/* ---- the rows --------------------------------------------------------------------------------------------------- */

struct rows {
    size_t n, cap;
    char **names;
    size_t *lines;
    double *values; /* [n][columns]: in the header's order; the representation's own column stays NaN */
};

static void rows_free_cleanup(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        free(rows->names[i]);
    free(rows->names);
    free(rows->lines);
    free(rows->values);
}

static int rows_grow(struct rows *rows, size_t columns, struct err *e)
{
    if (rows->n < rows->cap)
        return 0;
    size_t cap = rows->cap ? 2 * rows->cap : 16;
    char **names = realloc(rows->names, cap * sizeof *names);
    if (names)
        rows->names = names;
    size_t *lines = realloc(rows->lines, cap * sizeof *lines);
    if (lines)
        rows->lines = lines;
    double *values = realloc(rows->values, cap * columns * sizeof *values);
    if (values)
        rows->values = values;
    if (!names || !lines || !values)
        return FAIL_NOMEM(e);
    rows->cap = cap;
    return 0;
}

static const char *column_name(const struct header *h, size_t i)
{
    switch (h->columns[i].kind) {
    case COLUMN_REPRESENTATION:
        return "representation";
    case COLUMN_C:
        return "c";
    default:
        return h->names[h->columns[i].benchmark];
    }
}

static int read_row(struct rows *rows, const struct header *h, struct csv *r, struct err *e)
{
    if (rows->n == POLICY_MAX_REPRESENTATIONS)
        return FAIL(e, ERR_INPUT, "%s: line %zu: more than %d representations; split the table", r->place, r->line,
                    POLICY_MAX_REPRESENTATIONS);
    TRY(rows_grow(rows, h->n, e));
    size_t row = rows->n++;
    rows->names[row] = NULL;
    rows->lines[row] = r->line;
    for (size_t i = 0; i < h->n; i++) {
        if (i > 0 && r->last_of_line)
            return FAIL(e, ERR_INPUT, "%s: line %zu: %zu cells where the header has %zu; write empty cells as ,,",
                        r->place, r->line, i, h->n);
        TRY(csv_next_cell(r, e));
        double *value = &rows->values[row * h->n + i];
        *value = NAN;
        if (h->columns[i].kind != COLUMN_REPRESENTATION)
            TRY(csv_number(r, column_name(h, i), value, e));
        else if (r->len == 0)
            return csv_fail(r, e, "the representation has no name; give it one");
        else if (!(rows->names[row] = strdup(r->cell)))
            return FAIL_NOMEM(e);
    }
    if (!r->last_of_line)
        return FAIL(e, ERR_INPUT, "%s: line %zu: more cells than the header's %zu; quote a cell that holds a comma",
                    r->place, r->line, h->n);
    return 0;
}

static void fill_common_c(struct policy_table *t, const struct header *h, size_t row, double value)
{
    for (size_t b = 0; b < h->n_benchmarks; b++)
        if (!h->has_c_of[b])
            policy_table_set_c_of(t, row, b, value);
}

static void fill(struct policy_table *t, const struct header *h, const struct rows *rows)
{
    for (size_t row = 0; row < rows->n; row++)
        for (size_t i = 0; i < h->n; i++) {
            const struct column *col = &h->columns[i];
            double value = rows->values[row * h->n + i];
            if (col->kind == COLUMN_C)
                fill_common_c(t, h, row, value);
            else if (col->kind == COLUMN_C_OF)
                policy_table_set_c_of(t, row, col->benchmark, value);
            else if (col->kind == COLUMN_A)
                policy_table_set_a(t, row, col->benchmark, value);
            else if (col->kind == COLUMN_PERF)
                policy_table_set_perf(t, row, col->benchmark, value);
        }
}

struct policy_table *policy_table_parse(const char *text, size_t len, const char *place, struct err *e)
{
    struct csv r;
    if (csv_begin(&r, text, len, place, e) < 0)
        return NULL;
    AUTO(header_destroy) struct header *h = calloc(1, sizeof *h);
    if (!h)
        return FAIL_NOMEM(e), NULL;
    if (read_header(h, &r, e) < 0)
        return NULL;
    __attribute__((cleanup(rows_free_cleanup))) struct rows rows = { 0 };
    while (csv_next_line(&r))
        if (read_row(&rows, h, &r, e) < 0)
            return NULL;
    if (rows.n == 0)
        return FAIL_NULL(e, ERR_INPUT, "%s: the table has a header but no representation; add a line for each", place);
    struct policy_table *t =
        policy_table_create((const char *const *)rows.names, rows.n, (const char *const *)h->names, h->n_benchmarks, e);
    if (!t)
        return err_wrap(e, "%s", place), NULL;
    fill(t, h, &rows);
    return t;
}
