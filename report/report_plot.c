#include "report/report_plot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "report/report_text.h"
#include "report/svg.h"

/* Sized for half a card at 1280 px and the whole width of a phone, so that text stays near its nominal size in both. */
enum {
    SMALL_WIDTH = 290,
    SMALL_HEIGHT = 270,
    LABELLED_MAX = 40, /* in a larger search space only what was chosen gets its name in the plane */
};

/* ---- the law ----------------------------------------------------------------------------------------------------- */

static bool is_measured(const struct report *r, size_t representation, size_t benchmark)
{
    return isfinite(report_cell(r, r->performance, representation, benchmark));
}

bool plot_has_law(const struct report *r, size_t benchmark)
{
    for (size_t i = 0; i < r->n_representations; i++)
        if (is_measured(r, i, benchmark) && (isfinite(report_cell(r, r->by_law, i, benchmark)) ||
                                             isfinite(report_cell(r, r->before, i, benchmark))))
            return true;
    return false;
}

/* One standard error of the measured value to both sides, from the number of questions. */
static void measured_bar(const struct report *r, size_t i, size_t benchmark, double y, struct svg_plot *p)
{
    double x = report_cell(r, r->performance, i, benchmark), se = report_cell(r, r->standard_error, i, benchmark);
    svg_bar(p, x - se, y, x + se, y, "bar");
}

/* What the policy expected before it knew, with its standard deviation. */
static void before_dot(const struct report *r, size_t i, size_t benchmark, struct svg_plot *p)
{
    double x = report_cell(r, r->performance, i, benchmark), y = report_cell(r, r->before, i, benchmark);
    double sd = report_cell(r, r->before_sd, i, benchmark);
    char tip[700], t1[REPORT_NUMBER_SIZE], t2[REPORT_NUMBER_SIZE], t3[REPORT_NUMBER_SIZE];
    snprintf(tip, sizeof tip, "%.300s: measured %s, the policy expected %s \xc2\xb1 %s when it chose it",
             r->representations[i].name, report_number(x, t1), report_number(y, t2), report_number(sd, t3));
    if (isfinite(y) && (y < p->y.lo || y > p->y.hi)) { /* far off: pale, at the edge */
        svg_dot(p, x, y < p->y.lo ? p->y.lo : p->y.hi, 4.5, "guess past", NULL, NULL, tip);
        return;
    }
    if (isfinite(sd))
        svg_bar(p, x, fmax(y - sd, p->y.lo), x, fmin(y + sd, p->y.hi), "bar");
    measured_bar(r, i, benchmark, y, p);
    svg_dot(p, x, y, 4.5, "guess", NULL, NULL, tip);
}

static void law_dot(const struct report *r, size_t i, size_t benchmark, struct svg_plot *p)
{
    double x = report_cell(r, r->performance, i, benchmark), y = report_cell(r, r->by_law, i, benchmark);
    char tip[700], t1[REPORT_NUMBER_SIZE], t2[REPORT_NUMBER_SIZE];
    snprintf(tip, sizeof tip, "%.300s: measured %s, by the law %s", r->representations[i].name, report_number(x, t1),
             report_number(y, t2));
    measured_bar(r, i, benchmark, y, p);
    svg_dot(p, x, y, 4.5, "dot", NULL, NULL, tip);
}

/* A value and both ends of its bar. */
static void add_with_bar(struct svg_range *range, double value, double half)
{
    svg_range_add(range, value);
    svg_range_add(range, value - half);
    svg_range_add(range, value + half);
}

/* All that is measured or by the law; early expectations may be far off and stretch it by a third to each side at most. */
static struct svg_range law_range(const struct report *r, size_t benchmark)
{
    struct svg_range range = SVG_RANGE_EMPTY, wide;
    for (size_t i = 0; i < r->n_representations; i++) {
        if (!is_measured(r, i, benchmark))
            continue;
        add_with_bar(&range, report_cell(r, r->performance, i, benchmark), report_cell(r, r->standard_error, i, benchmark));
        svg_range_add(&range, report_cell(r, r->by_law, i, benchmark));
    }
    wide = range;
    for (size_t i = 0; i < r->n_representations; i++)
        if (is_measured(r, i, benchmark))
            add_with_bar(&wide, report_cell(r, r->before, i, benchmark), report_cell(r, r->before_sd, i, benchmark));
    double room = (range.hi - range.lo) / 3;
    return room > 0 ? (struct svg_range){ fmax(wide.lo, range.lo - room), fmin(wide.hi, range.hi + room) } : wide;
}

void plot_law(const struct report *r, size_t benchmark, struct buf *out)
{
    char name[300];
    snprintf(name, sizeof name, "%.200s: performance predicted against measured", r->benchmarks[benchmark].name);
    struct svg_plot p;
    svg_begin(&p, out, SMALL_WIDTH, SMALL_HEIGHT, name);
    svg_margins(&p, 54, 8, 12, 42);
    p.x = p.y = svg_range_pad(law_range(r, benchmark), 0.08);
    svg_axis_x(&p, "measured", 4, "");
    svg_axis_y(&p, "predicted", 5, "");
    svg_line(&p, p.x.lo, p.y.lo, p.x.hi, p.y.hi, "ideal");
    for (size_t i = 0; i < r->n_representations; i++)
        before_dot(r, i, benchmark, &p);
    for (size_t i = 0; i < r->n_representations; i++)
        law_dot(r, i, benchmark, &p);
    for (size_t i = 0; i < r->n_representations; i++) {
        double law = report_cell(r, r->by_law, i, benchmark);
        svg_label(&p, report_cell(r, r->performance, i, benchmark),
                  isfinite(law) ? law : report_cell(r, r->before, i, benchmark), r->representations[i].name);
    }
    svg_end(&p);
}

bool plot_has_plane(const struct report *r, size_t benchmark)
{
    for (size_t i = 0; i < r->n_representations; i++)
        if (isfinite(report_cell(r, r->a, i, benchmark)) && isfinite(report_cell(r, r->c, i, benchmark)))
            return true;
    return false;
}

/* Measured performance, or where there is none what the policy expects, or else the law. */
static double value_of(const struct report *r, size_t representation, size_t benchmark)
{
    double measured = report_cell(r, r->performance, representation, benchmark);
    double expected = report_cell(r, r->expected, representation, benchmark);
    return isfinite(measured)   ? measured
           : isfinite(expected) ? expected
                                : report_cell(r, r->by_law, representation, benchmark);
}

static void plane_dot(const struct report *r, size_t i, size_t benchmark, struct svg_range colours, struct svg_plot *p)
{
    double a = report_cell(r, r->a, i, benchmark), c = report_cell(r, r->c, i, benchmark);
    double value = value_of(r, i, benchmark);
    bool measured = is_measured(r, i, benchmark);
    bool chosen = r->representations[i].chosen_in >= 0;
    char tip[700], round[64] = "", t1[REPORT_NUMBER_SIZE], t2[REPORT_NUMBER_SIZE], t3[REPORT_NUMBER_SIZE];
    if (chosen)
        snprintf(round, sizeof round, ", chosen in round %d", r->representations[i].chosen_in);
    snprintf(tip, sizeof tip, "%.300s: A %s, C %s, %s %s%s", r->representations[i].name, report_number(a, t1),
             report_number(c, t2), measured ? "measured" : "expected", report_number(value, t3), round);
    struct svg_rgb colour = svg_colour((value - colours.lo) / (colours.hi - colours.lo));
    const struct svg_rgb *shade = isfinite(value) ? &colour : NULL;
    if (measured)
        svg_dot(p, a, c, chosen ? 5.5 : 4.5, chosen ? "dot seen" : "dot", shade, NULL, tip);
    else {
        svg_dot(p, a, c, 5.6, "halo", NULL, NULL, NULL); /* keeps the darkest colours visible on a dark page */
        svg_dot(p, a, c, 4, "open", NULL, shade, tip);
    }
}

void plot_plane(const struct report *r, size_t benchmark, struct buf *out)
{
    char name[300];
    snprintf(name, sizeof name, "%.200s: alignment A and correspondence C, coloured by performance",
             r->benchmarks[benchmark].name);
    struct svg_range x = SVG_RANGE_EMPTY, y = SVG_RANGE_EMPTY, colours = SVG_RANGE_EMPTY;
    for (size_t i = 0; i < r->n_representations; i++) {
        if (!isfinite(report_cell(r, r->a, i, benchmark)) || !isfinite(report_cell(r, r->c, i, benchmark)))
            continue;
        svg_range_add(&x, report_cell(r, r->a, i, benchmark));
        svg_range_add(&y, report_cell(r, r->c, i, benchmark));
        svg_range_add(&colours, value_of(r, i, benchmark));
    }
    bool coloured = !svg_range_empty(colours);
    colours = svg_range_pad(colours, 0);
    struct svg_plot p;
    svg_begin(&p, out, SMALL_WIDTH, SMALL_HEIGHT, name);
    svg_margins(&p, 46, 8, coloured ? 66 : 12, 42);
    p.x = svg_range_pad(x, 0.08);
    p.y = svg_range_pad(y, 0.08);
    svg_axis_x(&p, "alignment A", 4, "");
    svg_axis_y(&p, "correspondence C", 5, "");
    for (size_t i = 0; i < r->n_representations; i++)
        plane_dot(r, i, benchmark, colours, &p);
    for (size_t i = 0; i < r->n_representations; i++)
        if (r->n_representations <= LABELLED_MAX || r->representations[i].chosen_in >= 0)
            svg_label(&p, report_cell(r, r->a, i, benchmark), report_cell(r, r->c, i, benchmark),
                      r->representations[i].name);
    if (coloured)
        svg_colour_scale(&p, p.right + 22, colours, "performance");
    svg_end(&p);
}

/* ---- the ranking ------------------------------------------------------------------------------------------------- */

static size_t ranked(const struct report *r)
{
    size_t n = 0;
    while (n < r->n_representations && r->representations[r->ranking[n]].rank)
        n++;
    return n;
}

bool plot_has_ranking(const struct report *r)
{
    return ranked(r) > 0;
}

void plot_ranking(const struct report *r, struct buf *out)
{
    enum { ROW = 20, WIDTH = 400, NAME_MAX_LENGTH = 18 };
    size_t n = ranked(r);
    if (n > PLOT_RANKING_MAX)
        n = PLOT_RANKING_MAX;
    struct svg_range range = SVG_RANGE_EMPTY;
    size_t longest = 4;
    for (size_t i = 0; i < n; i++) {
        const struct report_representation *v = &r->representations[r->ranking[i]];
        add_with_bar(&range, v->target, v->target_se);
        add_with_bar(&range, v->mean, v->sd);
        size_t length = svg_text_length(v->name);
        longest = length > longest ? length : longest;
    }
    struct svg_plot p;
    svg_begin(&p, out, WIDTH, (double)n * ROW + 52, "Ranking with one standard deviation");
    svg_margins(&p, 40 + 6.6 * (double)(longest > NAME_MAX_LENGTH ? NAME_MAX_LENGTH : longest), 6, 12, 42);
    p.x = svg_range_pad(range, 0.05);
    p.y = (struct svg_range){ (double)n, 0 };
    svg_axis_x(&p, "target (weighted mean, normalised)", 6, "");
    for (size_t i = 0; i < n; i++) {
        const struct report_representation *v = &r->representations[r->ranking[i]];
        char tip[700], rank[16], t0[REPORT_NUMBER_SIZE], t1[REPORT_NUMBER_SIZE], t2[REPORT_NUMBER_SIZE];
        char t3[REPORT_NUMBER_SIZE];
        double y = (double)i + 0.5;
        snprintf(rank, sizeof rank, "%d", v->rank);
        snprintf(tip, sizeof tip, "%.300s: measured %s \xc2\xb1 %s, expected %s \xc2\xb1 %s", v->name,
                 report_fixed(v->target, 3, t0), report_fixed(v->target_se, 3, t3), report_fixed(v->mean, 3, t1),
                 report_fixed(v->sd, 3, t2));
        svg_text(&p, 22, svg_y(&p, y) + 4, "end", "tick", rank, 8);
        svg_text(&p, 30, svg_y(&p, y) + 4, "start", v->measured ? "strong" : "plain", v->name, NAME_MAX_LENGTH);
        svg_line(&p, v->mean - v->sd, y, v->mean + v->sd, y, v->measured ? "bar past" : "bar");
        svg_dot(&p, v->mean, y, v->measured ? 3.5 : 5, v->measured ? "guess past" : "guess", NULL, NULL, tip);
        svg_line(&p, v->target - v->target_se, y, v->target + v->target_se, y, "bar known");
        svg_dot(&p, v->target, y, 5, "dot", NULL, NULL, tip);
    }
    svg_end(&p);
}

/* ---- recall ------------------------------------------------------------------------------------------------------ */

static const struct {
    enum report_curve curve;
    enum plot_recall_kind kind;
    const char *class, *name;
} recall_curves[] = {
    { REPORT_RANDOM_MEASURED, PLOT_RECALL_PAPER, "random", "random, as the paper counts" },
    { REPORT_CHANCE_CUMULATIVE, PLOT_RECALL_PAPER, "chance", "chance, the same list" },
    { REPORT_PAPER_CUMULATIVE, PLOT_RECALL_PAPER, "paper", "paper's policy" },
    { REPORT_DEFAULT_CUMULATIVE, PLOT_RECALL_PAPER, "ours", "default policy" },
    { REPORT_CHANCE_LIST3, PLOT_RECALL_STRICT, "chance", "chance, the same list" },
    { REPORT_PAPER_LIST3, PLOT_RECALL_STRICT, "paper", "paper's policy" },
    { REPORT_A_PLUS_C_LIST3, PLOT_RECALL_STRICT, "sum", "order by A + C" },
    { REPORT_DEFAULT_LIST3, PLOT_RECALL_STRICT, "ours", "default policy" },
    { REPORT_PAPER_REGRET, PLOT_REGRET, "paper", "paper's policy" },
    { REPORT_A_PLUS_C_REGRET, PLOT_REGRET, "sum", "order by A + C" },
    { REPORT_DEFAULT_REGRET, PLOT_REGRET, "ours", "default policy" },
};

static const struct {
    const char *name, *axis;
} recall_plots[] = {
    [PLOT_RECALL_PAPER] = { "Recall@3", "Recall@3" },
    [PLOT_RECALL_STRICT] = { "Strict list of three", "best in the list of three" },
    [PLOT_REGRET] = { "Regret", "regret, of the range" },
};

/* 0 to 100 %, or for regrets to the largest one. */
static struct svg_range recall_range(const struct report_recall *recall, enum plot_recall_kind kind)
{
    struct svg_range range = { 0, kind == PLOT_REGRET ? 1 : 100 };
    for (size_t c = 0; kind == PLOT_REGRET && c < ARRAY_LEN(recall_curves); c++)
        for (size_t i = 0; recall_curves[c].kind == kind && i < recall->n; i++)
            svg_range_add(&range, 100 * recall->curves[recall_curves[c].curve][i]);
    return range;
}

void plot_recall(const struct report *r, const struct report_recall *recall, enum plot_recall_kind kind, struct buf *out)
{
    bool mean = recall->benchmark >= r->n_benchmarks;
    char name[300];
    snprintf(name, sizeof name, "%s against the number of fine-tunes: %.200s", recall_plots[kind].name,
             mean ? "mean of the benchmarks" : r->benchmarks[recall->benchmark].name);
    AUTO(free) double *x = malloc((recall->n + 1) * sizeof *x), *y = malloc((recall->n + 1) * sizeof *y);
    if (!x || !y) {
        out->failed = true;
        return;
    }
    struct svg_plot p;
    svg_begin(&p, out, mean ? 340 : SMALL_WIDTH, mean ? 260 : 220, name);
    svg_margins(&p, 62, 10, 14, 42);
    p.x = (struct svg_range){ 1, (double)recall->n };
    p.y = recall_range(recall, kind);
    svg_axis_x(&p, "fine-tunes", 7, "");
    svg_axis_y(&p, recall_plots[kind].axis, 5, " %");
    for (size_t c = 0; c < ARRAY_LEN(recall_curves); c++) {
        if (recall_curves[c].kind != kind)
            continue;
        for (size_t i = 0; i < recall->n; i++) {
            x[i] = (double)i + 1;
            y[i] = 100 * recall->curves[recall_curves[c].curve][i];
        }
        svg_curve(&p, x, y, recall->n, recall_curves[c].class);
        for (size_t i = 0; i < recall->n; i++) {
            char tip[120];
            snprintf(tip, sizeof tip, "%s: %.1f %% after %zu fine-tunes", recall_curves[c].name, y[i], i + 1);
            svg_dot(&p, x[i], y[i], 6, "hover", NULL, NULL, tip);
        }
    }
    svg_end(&p);
}

/* ---- time and cost ------------------------------------------------------------------------------------------------- */

const char *plot_kind_class(const char *kind)
{
    static const char *const known[][2] = {
        { "identify", "k-identify" }, { "extract", "k-extract" }, { "stage1", "k-stage1" },     { "score_a", "k-score_a" },
        { "score_c", "k-score_c" },   { "stage2", "k-stage2" },   { "evaluate", "k-evaluate" },
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!strcmp(kind, known[i][0]))
            return known[i][1];
    return "k-other";
}

/* A round unit for a span of seconds. */
static struct {
    const char *title;
    double seconds;
} const spans[] = { { "days since the start", 86400 }, { "hours since the start", 3600 },
                    { "minutes since the start", 60 }, { "seconds since the start", 1 } };

static size_t span_unit(double seconds)
{
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(spans) && seconds < 2 * spans[i].seconds)
        i++;
    return i;
}

struct lane {
    const char *node, *worker;
    int slot, number; /* number: of the worker within its node, from 1 */
};

static int lane_order(const void *x, const void *y)
{
    const struct lane *a = x, *b = y;
    int c = strcmp(a->node, b->node);
    c = c ? c : strcmp(a->worker, b->worker);
    return c ? c : (a->slot > b->slot) - (a->slot < b->slot);
}

static size_t lanes_collect(const struct report *r, struct lane *lanes)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_attempts; i++) {
        const struct report_attempt *a = &r->attempts[i];
        struct lane lane = { a->node, a->worker, a->slot, 1 };
        bool known = false;
        for (size_t k = 0; k < n && !known; k++)
            known = lane_order(&lane, &lanes[k]) == 0;
        if (!known && n < PLOT_LANES_MAX)
            lanes[n++] = lane;
    }
    qsort(lanes, n, sizeof *lanes, lane_order);
    for (size_t k = 1; k < n; k++)
        if (!strcmp(lanes[k].node, lanes[k - 1].node))
            lanes[k].number = lanes[k - 1].number + (strcmp(lanes[k].worker, lanes[k - 1].worker) != 0);
    return n;
}

static void timeline_bar(const struct report_attempt *a, double unit, double top, double height, struct svg_plot *p)
{
    char tip[1200], took[REPORT_NUMBER_SIZE], class[64];
    bool succeeded = !strcmp(a->outcome, "succeeded");
    snprintf(tip, sizeof tip, "%.300s, attempt %d: %s%s%s%s%.200s, %s, on %.200s", a->label, a->attempt, a->outcome,
             succeeded ? "" : " (", succeeded ? "" : a->failure, succeeded ? "" : ") ", a->message,
             report_duration(a->end - a->start, took), a->worker);
    snprintf(class, sizeof class, "%s%s", plot_kind_class(a->kind), succeeded ? "" : " failed");
    double x = svg_x(p, a->start / unit), width = svg_x(p, a->end / unit) - x;
    svg_rect(p, (struct svg_box){ x, top, width > 1 ? width : 1, height }, class, tip);
}

size_t plot_timeline(const struct report *r, struct buf *out)
{
    enum { ROW = 20, WIDTH = 1120, LABEL = 190 };
    struct lane lanes[PLOT_LANES_MAX];
    size_t n = lanes_collect(r, lanes);
    if (n == 0)
        return 0;
    double span = 0;
    for (size_t i = 0; i < r->n_attempts; i++)
        span = isfinite(r->attempts[i].end) ? fmax(span, r->attempts[i].end) : span;
    size_t unit = span_unit(span);
    struct svg_plot p;
    svg_begin(&p, out, WIDTH, (double)n * ROW + 50, "Timeline of the workers");
    svg_margins(&p, LABEL, 4, 14, 42);
    p.x = (struct svg_range){ 0, span > 0 ? span / spans[unit].seconds : 1 };
    for (size_t k = 0; k < n; k++) {
        char label[400];
        double top = p.top + (double)k * ROW;
        svg_rect(&p, (struct svg_box){ p.left, top + 2, p.right - p.left, ROW - 4 }, "lane", lanes[k].worker);
        snprintf(label, sizeof label, " worker %d, slot %d", lanes[k].number, lanes[k].slot);
        svg_text(&p, p.left - 6, top + 14, "end", "tick", label, 28);
        svg_text(&p, 2, top + 14, "start", "tick", *lanes[k].node ? lanes[k].node : lanes[k].worker, 13);
    }
    svg_axis_x(&p, spans[unit].title, 10, "");
    for (size_t i = 0; i < r->n_attempts; i++) {
        const struct report_attempt *a = &r->attempts[i];
        struct lane wanted = { a->node, a->worker, a->slot, 1 };
        for (size_t k = 0; k < n; k++)
            if (lane_order(&wanted, &lanes[k]) == 0)
                timeline_bar(a, spans[unit].seconds, p.top + (double)k * ROW + 3, ROW - 6, &p);
    }
    svg_end(&p);
    return n;
}

bool plot_has_cost(const struct report *r)
{
    struct report_bill bill = report_bill(r);
    return bill.of > 0 && (r->recorded || (isfinite(bill.wall) && isfinite(bill.all_wall)));
}

void plot_cost(const struct report *r, struct buf *out)
{
    struct report_bill bill = report_bill(r);
    bool gpu = bill.gpu > 0 && isfinite(bill.all_gpu);
    bool counts = r->recorded || r->fake;
    double spent = counts ? (double)report_count_chosen(r) : gpu ? bill.gpu : bill.wall;
    double all = counts ? (double)bill.of : gpu ? bill.all_gpu : bill.all_wall;
    double hour = counts ? 1 : fmax(spent, all) >= 7200 ? 3600 : 1;
    const char *title = counts     ? "fine-tunes"
                        : hour > 1 ? (gpu ? "GPU-hours" : "hours of work")
                                   : (gpu ? "GPU-seconds" : "seconds of work");
    const struct {
        const char *name, *class;
        double value;
        double seconds;
    } bars[] = { { "this sweep", "spent", spent / hour, spent },
                 { "whole space", "estimate", all / hour, all } };
    struct svg_plot p;
    svg_begin(&p, out, 460, 118, "Cost of this sweep against fine-tuning the whole search space");
    svg_margins(&p, 84, 6, 84, 42);
    p.x = (struct svg_range){ 0, fmax(fmax(spent, all) / hour, 1e-9) };
    svg_axis_x(&p, title, 6, "");
    for (size_t i = 0; i < ARRAY_LEN(bars); i++) {
        char text[REPORT_NUMBER_SIZE];
        double top = p.top + 4 + 34.0 * (double)i, end = svg_x(&p, bars[i].value);
        svg_rect(&p, (struct svg_box){ p.left, top, end - p.left, 24 }, bars[i].class, NULL);
        svg_text(&p, p.left - 6, top + 16, "end", "plain", bars[i].name, 14);
        svg_text(&p, end + 5, top + 16, "start", "strong",
                 counts ? report_fixed(bars[i].value, 0, text) : report_duration(bars[i].seconds, text), 16);
    }
    svg_end(&p);
}
