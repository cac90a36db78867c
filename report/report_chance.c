#include "report/report_chance.h"

#include <stdio.h>

#include "report/report_text.h"
#include "report/svg.h"

enum { WIDTH = 470, ROW = 18, ROWS_MAX = 40, NAME_MAX = 20 };

bool report_has_chance(const struct report *r, size_t representation, size_t benchmark)
{
    const double *const cells[] = { r->performance, r->ci_low, r->ci_high, r->chance };
    for (size_t i = 0; i < ARRAY_LEN(cells); i++)
        if (!isfinite(report_cell(r, cells[i], representation, benchmark)))
            return false;
    return true;
}

bool report_beats_chance(const struct report *r, size_t representation, size_t benchmark)
{
    return report_has_chance(r, representation, benchmark) &&
           report_cell(r, r->ci_low, representation, benchmark) > report_cell(r, r->chance, representation, benchmark);
}

/* Of a benchmark: how many representations have all numbers, and how many of them beat chance. */
struct tally {
    size_t known, above;
    double chance; /* of the first of them: all were asked the same questions */
};

static struct tally count(const struct report *r, size_t b)
{
    struct tally t = { .chance = NAN };
    for (size_t i = 0; i < r->n_representations; i++) {
        if (!report_has_chance(r, i, b))
            continue;
        t.chance = t.known++ ? t.chance : report_cell(r, r->chance, i, b);
        t.above += report_beats_chance(r, i, b);
    }
    return t;
}

bool report_chance_any(const struct report *r)
{
    for (size_t b = 0; b < r->n_benchmarks; b++)
        if (count(r, b).known)
            return true;
    return false;
}

static bool is_shown(const struct report *r, size_t representation)
{
    for (size_t b = 0; b < r->n_benchmarks; b++)
        if (report_has_chance(r, representation, b))
            return true;
    return false;
}

/* ---- figure ------------------------------------------------------------------------------------------------------ */

static void draw_row(const struct report *r, size_t i, size_t b, double y, struct svg_plot *p)
{
    double value = report_cell(r, r->performance, i, b), chance = report_cell(r, r->chance, i, b);
    double low = report_cell(r, r->ci_low, i, b), high = report_cell(r, r->ci_high, i, b);
    bool above = report_beats_chance(r, i, b);
    char tip[700], t[4][REPORT_NUMBER_SIZE];
    snprintf(tip, sizeof tip, "%.300s: %s, 95 %% interval %s to %s, chance %s%s", r->representations[i].name,
             report_number(value, t[0]), report_number(low, t[1]), report_number(high, t[2]), report_number(chance, t[3]),
             above ? ": above chance" : "");
    svg_text(p, 4, svg_y(p, y) + 4, "start", above ? "strong" : "plain", r->representations[i].name, NAME_MAX);
    svg_line(p, chance, y - 0.5, chance, y + 0.5, "ideal");
    svg_line(p, low, y, high, y, "bar");
    svg_dot(p, value, y, 4.5, above ? "dot" : "guess", NULL, NULL, tip);
}

/* Room for the names, and a scale that holds all intervals and chance. */
static void lay_out(const struct report *r, size_t b, size_t rows, struct svg_plot *p)
{
    struct svg_range range = SVG_RANGE_EMPTY;
    size_t longest = 4;
    for (size_t i = 0; i < r->n_representations; i++) {
        if (!report_has_chance(r, i, b))
            continue;
        svg_range_add(&range, report_cell(r, r->ci_low, i, b));
        svg_range_add(&range, report_cell(r, r->ci_high, i, b));
        svg_range_add(&range, report_cell(r, r->chance, i, b));
        size_t length = svg_text_length(r->representations[i].name);
        longest = length > longest ? length : longest;
    }
    svg_margins(p, 18 + 7.8 * (double)(longest > NAME_MAX ? NAME_MAX : longest), 6, 14, 42);
    p->x = svg_range_pad(range, 0.05);
    p->y = (struct svg_range){ (double)rows, 0 };
}

static void draw_benchmark(const struct report *r, size_t b, const struct tally *t, struct buf *out)
{
    size_t rows = t->known < ROWS_MAX ? t->known : ROWS_MAX, row = 0;
    struct svg_plot p;
    char name[300], chance[REPORT_NUMBER_SIZE];
    snprintf(name, sizeof name, "%.200s: performance with 95 %% interval, and chance", r->benchmarks[b].name);
    buf_puts(out, "<div class=\"card\"><h3>");
    svg_escape(out, r->benchmarks[b].name);
    buf_puts(out, " <span class=\"dim\">");
    report_metric(out, r->benchmarks[b].metric);
    buf_printf(out, "</span></h3>\n<p class=\"stats\"><b>%zu of %zu</b> above chance, which is <b>%s</b></p>\n<figure>",
               t->above, t->known, report_number(t->chance, chance));
    svg_begin(&p, out, WIDTH, (double)rows * ROW + 52, name);
    lay_out(r, b, rows, &p);
    svg_axis_x(&p, "performance", 5, "");
    for (size_t i = 0; i < r->n_representations && row < rows; i++)
        if (report_has_chance(r, r->ranking[i], b))
            draw_row(r, r->ranking[i], b, (double)row++ + 0.5, &p);
    svg_end(&p);
    buf_puts(out, "</figure></div>\n");
}

/* ---- table ------------------------------------------------------------------------------------------------------- */

static void write_head(const struct report *r, struct buf *out)
{
    buf_puts(out, "<div class=\"scroll\"><table><thead><tr><th>benchmark</th><th class=\"n\">chance</th>"
                  "<th class=\"n\">above<br/>chance</th>");
    for (size_t i = 0; i < r->n_representations; i++) {
        if (!is_shown(r, r->ranking[i]))
            continue;
        buf_puts(out, "<th class=\"n\">");
        svg_escape(out, r->representations[r->ranking[i]].name);
        buf_puts(out, "</th>");
    }
    buf_puts(out, "</tr></thead><tbody>\n");
}

static void write_cell(const struct report *r, size_t i, size_t b, struct buf *out)
{
    double value = report_cell(r, r->performance, i, b);
    int decimals = report_decimals(value);
    char text[3][REPORT_NUMBER_SIZE];
    if (!report_has_chance(r, i, b)) {
        buf_puts(out, "<td class=\"n\">" REPORT_DASH "</td>");
        return;
    }
    buf_printf(out, report_beats_chance(r, i, b) ? "<td class=\"n good\"><b>%s</b> \xe2\x9c\x93" : "<td class=\"n dim\">%s",
               report_fixed(value, decimals, text[0]));
    buf_printf(out, "<br/><small>%s " REPORT_DASH " %s</small></td>",
               report_fixed(report_cell(r, r->ci_low, i, b), decimals, text[1]),
               report_fixed(report_cell(r, r->ci_high, i, b), decimals, text[2]));
}

static void write_row(const struct report *r, size_t b, const struct tally *t, struct buf *out)
{
    char chance[REPORT_NUMBER_SIZE];
    buf_puts(out, "<tr><td class=\"l\">");
    svg_escape(out, r->benchmarks[b].name);
    buf_printf(out, "</td><td class=\"n\">%s</td><td class=\"n\">%zu of %zu</td>", report_number(t->chance, chance), t->above,
               t->known);
    for (size_t i = 0; i < r->n_representations; i++)
        if (is_shown(r, r->ranking[i]))
            write_cell(r, r->ranking[i], b, out);
    buf_puts(out, "</tr>\n");
}

/* On how many benchmarks all of them are above chance, some, none. */
static void summarise(const struct report *r, struct buf *out)
{
    size_t all = 0, some = 0, known = 0;
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        struct tally t = count(r, b);
        known += t.known > 0;
        all += t.known && t.above == t.known;
        some += t.above && t.above < t.known;
    }
    buf_printf(out, "<p><b>On %zu of %zu benchmark%s everything that was fine-tuned is above chance</b>", all, known,
               known == 1 ? "" : "s");
    if (some)
        buf_printf(out, "; on %zu some of it", some);
    if (known > all + some)
        buf_printf(out, "; on %zu nothing", known - all - some);
    buf_puts(out, ".</p>\n");
}

void report_chance_draw(const struct report *r, struct buf *out)
{
    buf_puts(out,
             "<p>Is what was fine-tuned better than answering without looking? Chance is what drawing options by lot is worth, or "
             "the best constant answer, whichever is more. The line is the 95 % confidence interval over questions; it tells "
             "nothing of other seeds. Filled, and with \xe2\x9c\x93 in the table: even its lower end is above chance.</p>\n"
             "<div class=\"legend\"><span><i class=\"disc\" style=\"background:var(--accent)\"></i>above chance</span>"
             "<span><i class=\"ring\" style=\"border-color:var(--accent)\"></i>not told apart from chance, or below</span>"
             "<span><i class=\"line dash\" style=\"border-color:var(--dim)\"></i>chance</span></div>\n");
    summarise(r, out);
    write_head(r, out);
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        struct tally t = count(r, b);
        if (t.known)
            write_row(r, b, &t, out);
    }
    buf_puts(out, "</tbody></table></div>\n<div class=\"grid\">\n");
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        struct tally t = count(r, b);
        if (t.known)
            draw_benchmark(r, b, &t, out);
    }
    buf_puts(out, "</div>\n");
}
