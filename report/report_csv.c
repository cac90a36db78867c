/* The tables of the report as CSV: a header line, RFC 4180 quoting, full precision, an empty field for what is missing. */
#include <inttypes.h>
#include <string.h>

#include "report/report_data.h"
#include "report/report_floors.h"

static void comma(struct buf *out, bool last)
{
    buf_puts(out, last ? "\n" : ",");
}

static void text(struct buf *out, const char *s, bool last)
{
    /* A leading '=', '+', '-' or '@' would be a formula to a spreadsheet: such text gets an apostrophe, as is usual. */
    bool formula = strchr("=+-@\t\r", s[0]) && s[0];
    if (!formula && !strpbrk(s, ",\"\r\n")) {
        buf_puts(out, s);
        comma(out, last);
        return;
    }
    buf_puts(out, formula ? "\"'" : "\"");
    for (; *s; s++) {
        if (*s == '"')
            buf_puts(out, "\"");
        buf_add(out, s, 1);
    }
    buf_puts(out, "\"");
    comma(out, last);
}

static void real(struct buf *out, double value, bool last)
{
    if (isfinite(value))
        buf_printf(out, "%.17g", value);
    comma(out, last);
}

static void integer(struct buf *out, int64_t value, bool last)
{
    buf_printf(out, "%" PRId64, value);
    comma(out, last);
}

static void write_ranking(const struct report *r, struct buf *out)
{
    buf_puts(out, "rank,representation,measured_target,measured_target_standard_error,expected_target,sd,measured,chosen_in_round,failure\n");
    for (size_t i = 0; i < r->n_representations; i++) {
        const struct report_representation *v = &r->representations[r->ranking[i]];
        real(out, v->rank ? v->rank : NAN, false);
        text(out, v->name, false);
        real(out, v->target, false);
        real(out, v->target_se, false);
        real(out, v->mean, false);
        real(out, v->sd, false);
        integer(out, v->measured, false);
        real(out, v->chosen_in >= 0 ? v->chosen_in : NAN, false);
        text(out, v->failure, true);
    }
}

static void write_scores(const struct report *r, struct buf *out)
{
    buf_puts(out, "representation,benchmark,a,c\n");
    for (size_t i = 0; i < r->n_representations; i++)
        for (size_t b = 0; b < r->n_benchmarks; b++) {
            text(out, r->representations[i].name, false);
            text(out, r->benchmarks[b].name, false);
            real(out, report_cell(r, r->a, i, b), false);
            real(out, report_cell(r, r->c, i, b), true);
        }
}

static void write_floors(const struct report *r, struct buf *out)
{
    buf_puts(out, "floor,benchmark,a,c,performance\n");
    for (size_t i = 0; i < r->floors->n; i++)
        for (size_t b = 0; b < r->n_benchmarks; b++) {
            const struct report_floor *f = &r->floors->list[i];
            text(out, f->name, false);
            text(out, r->benchmarks[b].name, false);
            real(out, f->a[b], false);
            real(out, f->c[b], false);
            real(out, f->performance[b], true);
        }
}

static void write_performances(const struct report *r, struct buf *out)
{
    buf_puts(out, "representation,benchmark,metric,performance,standard_error,expected_by_policy,expected_before_measured,law,"
                  "ci_low,ci_high,chance\n");
    for (size_t i = 0; i < r->n_representations; i++)
        for (size_t b = 0; b < r->n_benchmarks; b++) {
            text(out, r->representations[i].name, false);
            text(out, r->benchmarks[b].name, false);
            text(out, r->benchmarks[b].metric, false);
            real(out, report_cell(r, r->performance, i, b), false);
            real(out, report_cell(r, r->standard_error, i, b), false);
            real(out, report_cell(r, r->expected, i, b), false);
            real(out, report_cell(r, r->before, i, b), false);
            real(out, report_cell(r, r->by_law, i, b), false);
            real(out, report_cell(r, r->ci_low, i, b), false);
            real(out, report_cell(r, r->ci_high, i, b), false);
            real(out, report_cell(r, r->chance, i, b), true);
        }
}

static void write_fits(const struct report *r, struct buf *out)
{
    buf_puts(out, "round,benchmark,n_train,r2,r2_adjusted,r2_loo,spearman,intercept,coef_a,coef_c,coef_a2,coef_ac,coef_c2\n");
    for (size_t i = 0; i < r->n_fits; i++) {
        const struct report_fit *f = &r->fits[i];
        const double values[] = { f->r2, f->r2_adjusted, f->r2_loo, f->spearman, f->intercept };
        integer(out, f->round, false);
        text(out, r->benchmarks[f->benchmark].name, false);
        integer(out, f->n_train, false);
        for (size_t k = 0; k < ARRAY_LEN(values); k++)
            real(out, values[k], false);
        for (size_t k = 0; k < REPORT_COEFFICIENTS; k++)
            real(out, f->coefficients[k], k + 1 == REPORT_COEFFICIENTS);
    }
}

static void write_rounds(const struct report *r, struct buf *out)
{
    buf_puts(out, "round,position,representation,value,reason\n");
    for (size_t i = 0; i < r->n_choices; i++) {
        const struct report_choice *c = &r->choices[i];
        integer(out, c->round, false);
        integer(out, c->position, false);
        text(out, r->representations[c->representation].name, false);
        real(out, c->value, false);
        text(out, c->reason, true);
    }
}

static void write_cost(const struct report *r, struct buf *out)
{
    buf_puts(out, "kind,tasks,done,cached,attempts,unsuccessful,wall_seconds,gpu_seconds,energy_joules,"
                  "mean_wall_seconds,mean_gpu_seconds\n");
    for (size_t i = 0; i < r->n_costs; i++) {
        const struct report_cost *c = &r->costs[i];
        const int64_t counts[] = { c->tasks, c->done, c->cached, c->attempts, c->unsuccessful };
        text(out, c->kind, false);
        for (size_t k = 0; k < ARRAY_LEN(counts); k++)
            integer(out, counts[k], false);
        real(out, c->wall_seconds, false);
        real(out, c->gpu_seconds, false);
        real(out, c->energy_joules, false);
        real(out, c->mean_wall_seconds, false);
        real(out, c->mean_gpu_seconds, true);
    }
}

const struct report_table report_tables[] = {
    { "ranking.csv", write_ranking }, { "scores.csv", write_scores }, { "performances.csv", write_performances },
    { "fits.csv", write_fits },       { "rounds.csv", write_rounds }, { "cost.csv", write_cost },
    { "floors.csv", write_floors },
    { NULL, NULL },
};
