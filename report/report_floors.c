#include "report/report_floors.h"

#include <string.h>

#include "report/report_text.h"
#include "report/svg.h"
#include "sql/sql_text.h"

enum { ROWS_MAX = 60 }; /* of the table of scores; scores.csv has all */

static const char position[] = "position"; /* as the view `floors` calls it */

/* ---- rows -> floors ------------------------------------------------------------------------------------------------ */

static double number(const struct db_rows *rows, int64_t i, const char *column)
{
    int col = db_rows_column(rows, column);
    return db_is_null(rows, i, col) ? NAN : db_f64(rows, i, col);
}

static struct report_floor *floor_named(struct report_floors *f, const char *name, size_t n_benchmarks)
{
    if (f->n && strcmp(f->list[f->n - 1].name, name) == 0)
        return &f->list[f->n - 1];
    double *numbers = f->block + 3 * n_benchmarks * f->n;
    f->list[f->n] = (struct report_floor){ name, numbers, numbers + n_benchmarks, numbers + 2 * n_benchmarks };
    return &f->list[f->n++];
}

static void take_row(struct report *r, const struct db_rows *rows, int64_t i)
{
    struct report_floor *f = floor_named(r->floors, db_text(rows, i, db_rows_column(rows, "floor")), r->n_benchmarks);
    for (size_t b = 0; b < r->n_benchmarks; b++)
        if (r->benchmarks[b].id == db_i64(rows, i, db_rows_column(rows, "benchmark_id"))) {
            f->a[b] = number(rows, i, "a");
            f->c[b] = number(rows, i, "c");
            f->performance[b] = number(rows, i, "performance");
        }
}

int report_floors_read(struct report *r, struct db *d, struct err *e)
{
    struct db_rows *rows;
    const struct sql_arg args[] = { SQL_I64(r->sweep_id) };
    TRY(db_exec(d, SQL_REPORT_FLOORS, args, 1, ROWS_ANY, &rows, e));
    r->kept[r->n_kept++] = rows;
    size_t n = (size_t)db_rows_count(rows), numbers = 3 * n * r->n_benchmarks; /* a row for each floor at least */
    struct report_floors *f = r->floors = calloc(1, sizeof *f);
    if (!f || !(f->list = calloc(n + 1, sizeof *f->list)) || !(f->block = malloc((numbers + 1) * sizeof *f->block)))
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < numbers; i++)
        f->block[i] = NAN;
    for (size_t i = 0; i < n; i++)
        take_row(r, rows, (int64_t)i);
    return 0;
}

void report_floors_free(struct report_floors *f)
{
    if (!f)
        return;
    free(f->list);
    free(f->block);
    free(f);
}

bool report_floors_any(const struct report *r)
{
    return r->floors && r->floors->n > 0;
}

/* ---- the section --------------------------------------------------------------------------------------------------- */

static void cell(struct buf *out, double value, int decimals)
{
    char text[REPORT_NUMBER_SIZE];
    buf_printf(out, "<td class=\"n\">%s</td>", report_fixed(value, decimals, text));
}

static void name_cell(struct buf *out, const char *name)
{
    buf_puts(out, "<td class=\"l\">");
    svg_escape(out, name);
    buf_puts(out, "</td>");
}

static const char *name_of(const struct report_floor *f)
{
    return strcmp(f->name, position) ? f->name : "the position alone";
}

/* One set goes with all benchmarks: its C is the same for each of them. */
static bool one_c(const struct report *r)
{
    for (size_t i = 0; i < r->n_representations; i++)
        for (size_t b = 1; b < r->n_benchmarks; b++) {
            double first = report_cell(r, r->c, i, 0), other = report_cell(r, r->c, i, b);
            if (first != other && !(isnan(first) && isnan(other)))
                return false;
        }
    return true;
}

static void head(const struct report *r, const char *of, size_t n_of, bool leading_c, struct buf *out)
{
    buf_puts(out, "<div class=\"scroll\"><table><thead><tr><th>representation</th>");
    for (size_t b = 0; leading_c && b < n_of; b++) {
        buf_puts(out, "<th class=\"n\">C");
        if (n_of > 1) {
            buf_puts(out, " of ");
            svg_escape(out, r->benchmarks[b].name);
        }
        buf_puts(out, "</th>");
    }
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        buf_printf(out, "<th class=\"n\">%s", of);
        svg_escape(out, r->benchmarks[b].name);
        buf_puts(out, "</th>");
    }
    buf_puts(out, "</tr></thead><tbody>\n");
}

static void score_row(const struct report *r, const char *name, const double *a, const double *c, size_t n_c, bool is_floor,
                      struct buf *out)
{
    buf_puts(out, is_floor ? "<tr class=\"dim\">" : "<tr>");
    name_cell(out, name);
    for (size_t b = 0; b < n_c; b++)
        cell(out, c[b], report_decimals(c[b]));
    for (size_t b = 0; b < r->n_benchmarks; b++)
        cell(out, a[b], report_decimals(a[b]));
    buf_puts(out, "</tr>\n");
}

static void scores(const struct report *r, struct buf *out)
{
    size_t n_c = r->n_benchmarks && one_c(r) ? 1 : r->n_benchmarks;
    head(r, "A of ", n_c, true, out);
    for (size_t i = 0; i < r->n_representations && i < ROWS_MAX; i++) {
        size_t rep = r->ranking[i];
        score_row(r, r->representations[rep].name, r->a + rep * r->n_benchmarks, r->c + rep * r->n_benchmarks, n_c, false, out);
    }
    for (size_t i = 0; i < r->floors->n; i++)
        score_row(r, name_of(&r->floors->list[i]), r->floors->list[i].a, r->floors->list[i].c, n_c, true, out);
    buf_puts(out, "</tbody></table></div>\n");
    if (r->n_representations > ROWS_MAX)
        buf_printf(out, "<p class=\"dim\">The first %d of %zu; scores.csv has all.</p>\n", (int)ROWS_MAX, r->n_representations);
}

/* The best or the worst performance on each benchmark, of those that were measured. */
static void extreme_row(const struct report *r, bool best, struct buf *out)
{
    buf_puts(out, "<tr>");
    name_cell(out, best ? "best measured" : "worst measured");
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        double value = NAN;
        for (size_t i = 0; i < r->n_representations; i++) {
            double v = report_cell(r, r->performance, i, b);
            value = best ? fmax(value, v) : fmin(value, v); /* these pass over NaN */
        }
        cell(out, value, report_decimals(value));
    }
    buf_puts(out, "</tr>\n");
}

static bool is_tuned(const struct report *r, const struct report_floor *f)
{
    for (size_t b = 0; b < r->n_benchmarks; b++)
        if (isfinite(f->performance[b]))
            return true;
    return false;
}

static void performances(const struct report *r, struct buf *out)
{
    bool begun = false;
    for (size_t i = 0; i < r->floors->n; i++) {
        const struct report_floor *f = &r->floors->list[i];
        if (!is_tuned(r, f))
            continue;
        if (!begun) {
            buf_puts(out, "<h3>Performances</h3>\n");
            head(r, "", 0, false, out);
            extreme_row(r, true, out);
            extreme_row(r, false, out);
        }
        begun = true;
        buf_puts(out, "<tr class=\"dim\">");
        name_cell(out, name_of(f));
        for (size_t b = 0; b < r->n_benchmarks; b++)
            cell(out, f->performance[b], report_decimals(f->performance[b]));
        buf_puts(out, "</tr>\n");
    }
    if (begun)
        buf_puts(out, "</tbody></table></div>\n");
}

void report_floors_html(const struct report *r, struct buf *out)
{
    buf_puts(out, "<p>A score says something as far as it is above its floors, which stand pale at the foot: representations that are "
                  "scored to compare with, and are no part of the search, and C of the position alone, for which each key point is "
                  "looked for where it is in the other picture.</p>\n");
    scores(r, out);
    performances(r, out);
}

void report_floors_position(const struct report *r, struct buf *out)
{
    char text[REPORT_NUMBER_SIZE];
    if (!report_floors_any(r) || strcmp(r->floors->list[r->floors->n - 1].name, position) != 0 || !one_c(r))
        return;
    double c = r->floors->list[r->floors->n - 1].c[0];
    if (isfinite(c))
        buf_printf(out, "<p>Who looks for each key point where it is in the other picture, and at neither of them, has C %s: that "
                        "much of a C is the position alone.</p>\n", report_fixed(c, report_decimals(c), text));
}
