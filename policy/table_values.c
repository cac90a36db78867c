/* CSV text, a line for each value -> a table whose names are known. */
#include <math.h>
#include <string.h>

#include "common/parse.h"
#include "policy/csv.h"

enum column { COLUMN_REPRESENTATION, COLUMN_BENCHMARK, COLUMN_VALUE, COLUMN_A, COLUMN_C, COLUMNS, REQUIRED = COLUMN_A };

static const char *const column_names[COLUMNS] = {
    [COLUMN_REPRESENTATION] = "representation",
    [COLUMN_BENCHMARK] = "benchmark",
    [COLUMN_VALUE] = "value",
    [COLUMN_A] = "a",
    [COLUMN_C] = "c",
};

struct header {
    enum column columns[COLUMNS];
    size_t n;
};

static int header_column(struct header *h, const struct csv *c, struct err *e)
{
    size_t column = 0;
    while (column < COLUMNS && strcmp(column_names[column], c->cell) != 0)
        column++;
    if (column == COLUMNS)
        return FAIL(
            e, ERR_INPUT,
            "%s: line %zu, column %zu: unknown column '%s'; known are representation, benchmark, value, a and c",
            c->place, c->line, c->field, c->cell);
    for (size_t i = 0; i < h->n; i++)
        if (h->columns[i] == column)
            return csv_fail(c, e, "this column appears twice; keep one of them");
    h->columns[h->n++] = (enum column)column;
    return 0;
}

static int read_header(struct header *h, struct csv *c, struct err *e)
{
    if (!csv_next_line(c))
        return FAIL(e, ERR_INPUT, "%s: the table is empty; its first line must be representation,benchmark,value",
                    c->place);
    do {
        TRY(csv_next_cell(c, e));
        TRY(header_column(h, c, e));
    } while (!c->last_of_line);
    for (size_t column = 0; column < REQUIRED; column++) {
        bool found = false;
        for (size_t i = 0; i < h->n; i++)
            found |= h->columns[i] == column;
        if (!found)
            return FAIL(e, ERR_INPUT, "%s: line %zu: the header lacks the column '%s'; add it", c->place, c->line,
                        column_names[column]);
    }
    return 0;
}

/* Index of the cell's name. Rows mostly come in order, so the search begins where the last one ended. */
static int find_name(const struct csv *c, const struct policy_table *t, size_t n, const char *what,
                     const char *(*name)(const struct policy_table *, size_t), size_t *index, struct err *e)
{
    for (size_t step = 0; step < n; step++) {
        size_t i = (*index + step) % n;
        if (strcmp(name(t, i), c->cell) == 0) {
            *index = i;
            return 0;
        }
    }
    AUTO(free) const char **names = malloc(n * sizeof *names);
    for (size_t i = 0; names && i < n; i++)
        names[i] = name(t, i);
    const char *near = names ? parse_nearest(c->cell, names, n) : NULL;
    return FAIL(e, ERR_INPUT, "%s: line %zu, column %zu: there is no %s '%s'%s%s%s", c->place, c->line, c->field, what,
                c->cell, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

struct row {
    size_t representation, benchmark;
    double number[COLUMNS];
};

static int read_cell(struct row *row, enum column column, const struct csv *c, const struct policy_table *t,
                     struct err *e)
{
    switch (column) {
    case COLUMN_REPRESENTATION:
        return find_name(c, t, policy_table_representations(t), "representation", policy_table_representation,
                         &row->representation, e);
    case COLUMN_BENCHMARK:
        return find_name(c, t, policy_table_benchmarks(t), "benchmark", policy_table_benchmark, &row->benchmark, e);
    default:
        TRY(csv_number(c, column_names[column], &row->number[column], e));
        if (column == COLUMN_VALUE && isnan(row->number[column]))
            return csv_fail(c, e, "the value is missing; every representation needs one on every benchmark");
        return 0;
    }
}

static int read_row(struct row *row, const struct header *h, struct csv *c, const struct policy_table *t, struct err *e)
{
    row->number[COLUMN_A] = row->number[COLUMN_C] = NAN;
    for (size_t i = 0; i < h->n; i++) {
        if (i > 0 && c->last_of_line)
            return FAIL(e, ERR_INPUT, "%s: line %zu: %zu cells where the header has %zu", c->place, c->line, i, h->n);
        TRY(csv_next_cell(c, e));
        TRY(read_cell(row, h->columns[i], c, t, e));
    }
    if (!c->last_of_line)
        return FAIL(e, ERR_INPUT, "%s: line %zu: more cells than the header's %zu; quote a cell that holds a comma",
                    c->place, c->line, h->n);
    return 0;
}

static int check_complete(const struct policy_table *t, const size_t *lines, const char *place, struct err *e)
{
    size_t n = policy_table_representations(t), m = policy_table_benchmarks(t), missing = 0, first = SIZE_MAX;
    for (size_t i = 0; i < n * m; i++) {
        first = !lines[i] && first == SIZE_MAX ? i : first;
        missing += !lines[i];
    }
    if (missing == 0)
        return 0;
    return FAIL(e, ERR_INPUT, "%s: %zu of %zu values are missing, the first that of '%s' on '%s'; add a line for each",
                place, missing, n * m, policy_table_representation(t, first / m), policy_table_benchmark(t, first % m));
}

int policy_table_read_values(struct policy_table *t, const char *text, size_t len, const char *place, struct err *e)
{
    struct csv c;
    struct header h = { 0 };
    struct row row = { 0 };
    size_t m = policy_table_benchmarks(t);
    AUTO(free) size_t *lines = calloc(policy_table_representations(t) * m, sizeof *lines);
    if (!lines)
        return FAIL_NOMEM(e);
    TRY(csv_begin(&c, text, len, place, e));
    TRY(read_header(&h, &c, e));
    while (csv_next_line(&c)) {
        TRY(read_row(&row, &h, &c, t, e));
        size_t *line = &lines[row.representation * m + row.benchmark];
        if (*line)
            return FAIL(e, ERR_INPUT, "%s: line %zu: '%s' on '%s' was given before, in line %zu; keep one of them",
                        place, c.line, policy_table_representation(t, row.representation),
                        policy_table_benchmark(t, row.benchmark), *line);
        *line = c.line;
        policy_table_set_perf(t, row.representation, row.benchmark, row.number[COLUMN_VALUE]);
        policy_table_set_a(t, row.representation, row.benchmark, row.number[COLUMN_A]);
        policy_table_set_c_of(t, row.representation, row.benchmark, row.number[COLUMN_C]);
    }
    return check_complete(t, lines, place, e);
}
