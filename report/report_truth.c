#include "report/report_truth.h"

#include <string.h>

#include "common/conf.h"
#include "policy/table.h"
#include "report/report.h"

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static struct policy_table *read_table(const char *path, const char *const *representations, size_t n,
                                       const char *const *benchmarks, size_t m, struct err *e)
{
    AUTO(free) char *text = conf_read_file(path, POLICY_MAX_CSV, e);
    AUTO(policy_table_destroy)
    struct policy_table *t = text ? policy_table_create(representations, n, benchmarks, m, e) : NULL;
    if (!t || policy_table_read_values(t, text, strlen(text), path, e) < 0)
        return NULL;
    return TAKE(t);
}

int report_check_truth(const char *truth, const char *const *representations, size_t n_representations,
                       const char *const *benchmarks, size_t n_benchmarks, struct err *e)
{
    AUTO(policy_table_destroy)
    struct policy_table *t = read_table(truth, representations, n_representations, benchmarks, n_benchmarks, e);
    return t ? 0 : -1;
}

static struct policy_table *read_table_of(const struct report *r, const char *path, struct err *e)
{
    AUTO(free) const char **reps = calloc(r->n_representations + 1, sizeof *reps);
    AUTO(free) const char **benches = calloc(r->n_benchmarks + 1, sizeof *benches);
    if (!reps || !benches)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    for (size_t i = 0; i < r->n_representations; i++)
        reps[i] = r->representations[i].name;
    for (size_t b = 0; b < r->n_benchmarks; b++)
        benches[b] = r->benchmarks[b].name;
    return read_table(path, reps, r->n_representations, benches, r->n_benchmarks, e);
}

static int truth_alloc(struct report *r, const char *path, struct err *e)
{
    size_t cells = r->n_representations * r->n_benchmarks;
    struct report_truth *t = r->truth = calloc(1, sizeof *t);
    if (!t || !(t->path = strdup(path)) ||
        !(t->block = calloc(4 * cells + r->n_representations + 1, sizeof *t->block)) ||
        !(t->verdicts = calloc(r->n_benchmarks + 1, sizeof *t->verdicts)))
        return FAIL_NOMEM(e);
    const char *slash = strrchr(t->path, '/');
    t->file = slash ? slash + 1 : t->path;
    t->cells = t->block;
    t->a = t->block + cells;
    t->c = t->block + 2 * cells;
    for (size_t b = 0; b <= r->n_benchmarks; b++) /* column after column, then the target */
        t->verdicts[b].values = t->block + 3 * cells + b * r->n_representations;
    return 0;
}

void report_truth_free(struct report_truth *t)
{
    if (!t)
        return;
    free(t->path);
    free(t->block);
    free(t->verdicts);
    free(t);
}

static double known_or(double value, double fallback)
{
    return isfinite(value) ? value : fallback;
}

int report_truth_read(struct report *r, const char *path, struct err *e)
{
    AUTO(policy_table_destroy) struct policy_table *table = read_table_of(r, path, e);
    if (!table)
        return -1;
    TRY(truth_alloc(r, path, e));
    for (size_t i = 0; i < r->n_representations; i++)
        for (size_t b = 0; b < r->n_benchmarks; b++) {
            size_t cell = i * r->n_benchmarks + b;
            r->known[cell] = r->truth->cells[cell] = policy_table_perf(table, i, b);
            r->truth->verdicts[b].values[i] = r->truth->cells[cell];
            r->truth->a[cell] = known_or(policy_table_a(table, i, b), r->a[cell]);
            r->truth->c[cell] = known_or(policy_table_c(table, i, b), r->c[cell]);
        }
    return 0;
}

/* ---- judging ----------------------------------------------------------------------------------------------------- */

static void find_extremes(struct report_verdict *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        v->best = v->values[i] > v->values[v->best] ? i : v->best;
        v->worst = v->values[i] < v->values[v->worst] ? i : v->worst;
    }
}

/* The first three places of a benchmark's ranking; equals in the order of the space. */
static void find_list(const struct report *r, size_t b, struct report_verdict *v)
{
    for (size_t slot = 0; slot < ARRAY_LEN(v->list); slot++) {
        size_t next = SIZE_MAX;
        for (size_t i = 0; i < r->n_representations; i++) {
            double place = report_cell(r, r->place, i, b);
            bool taken = false;
            for (size_t k = 0; k < slot; k++)
                taken |= v->list[k] == i;
            if (!taken && place >= 1 && (next == SIZE_MAX || place < report_cell(r, r->place, next, b)))
                next = i;
        }
        if (next == SIZE_MAX)
            return;
        v->list[v->n_list++] = next;
    }
}

static int fit_law(const struct report *r, size_t b, struct policy_fit *law, struct err *e)
{
    AUTO(policy_points_free) struct policy_points p = { 0 };
    TRY(policy_points_create(&p, r->n_representations, e));
    for (size_t i = 0; i < p.n; i++) {
        p.a[i] = report_cell(r, r->truth->a, i, b);
        p.c[i] = report_cell(r, r->truth->c, i, b);
        p.y[i] = r->truth->verdicts[b].values[i];
    }
    policy_min_max(p.a, p.n);
    policy_min_max(p.c, p.n);
    policy_min_max(p.y, p.n);
    return policy_fit(&p, NULL, (struct policy_shape){ POLICY_COLUMNS_AC, 2 }, law, e);
}

static int judge(const struct report *r, struct report_verdict *v, struct err *e)
{
    size_t n = r->n_representations;
    v->ours = (struct policy_regret){ NAN, NAN, NAN, NAN, NAN, NAN, NAN };
    if (v->n_list)
        policy_regret_of(v->values, n, v->list, v->n_list, &v->ours);
    TRY(policy_regret_by_lot(v->values, n, v->fine_tunes, &v->by_lot, e));
    return policy_regret_by_lot(v->values, n, 1, &v->one, e);
}

static int judge_benchmark(struct report *r, size_t b, struct err *e)
{
    struct report_truth *t = r->truth;
    struct report_verdict *v = &t->verdicts[b];
    find_list(r, b, v);
    find_extremes(v, r->n_representations);
    double range = v->values[v->best] - v->values[v->worst];
    for (size_t i = 0; i < r->n_representations; i++) {
        double measured = report_cell(r, r->performance, i, b);
        v->fine_tunes += isfinite(measured);
        if (isfinite(measured) && range > 0)
            t->furthest = fmax(t->furthest, fabs(measured - v->values[i]) / range);
    }
    TRY(fit_law(r, b, &v->law, e));
    return judge(r, v, e);
}

/* The target as the report has it elsewhere, but over all representations. */
static int judge_target(struct report *r, struct err *e)
{
    struct report_verdict *v = &r->truth->verdicts[r->n_benchmarks];
    double total = 0;
    for (size_t b = 0; b < r->n_benchmarks; b++)
        total += fmax(r->benchmarks[b].weight, 0);
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        const struct report_verdict *one = &r->truth->verdicts[b];
        double low = one->values[one->worst], range = one->values[one->best] - low;
        double weight = total > 0 ? fmax(r->benchmarks[b].weight, 0) / total : 1 / (double)r->n_benchmarks;
        for (size_t i = 0; i < r->n_representations && range > 0; i++)
            v->values[i] += weight * (one->values[i] - low) / range;
    }
    find_extremes(v, r->n_representations);
    for (size_t i = 0; i < r->n_representations && i < ARRAY_LEN(v->list); i++)
        if (r->representations[r->ranking[i]].rank)
            v->list[v->n_list++] = r->ranking[i];
    v->fine_tunes = report_count_measured(r);
    return judge(r, v, e);
}

/* Points of one benchmark and points of another can be averaged when both have the same maximum. */
static bool is_one_unit(const struct report *r)
{
    for (size_t b = 0; b < r->n_benchmarks; b++)
        if (!(r->benchmarks[b].maximum > 0) || r->benchmarks[b].maximum != r->benchmarks[0].maximum)
            return false;
    return true;
}

static void take_mean(const struct report *r, size_t field, struct policy_regret *out, struct policy_regret *room)
{
    for (size_t b = 0; b < r->n_benchmarks; b++)
        room[b] = *(const struct policy_regret *)((const char *)&r->truth->verdicts[b] + field);
    policy_regret_mean(room, r->n_benchmarks, out);
    if (!is_one_unit(r))
        out->value = out->lost = NAN;
}

static void law_means(const struct report *r, struct report_truth *t)
{
    double r2 = 0, r2_loo = 0;
    size_t n = 0;
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        const struct policy_fit *law = &t->verdicts[b].law;
        n += isfinite(law->r2);
        r2 += known_or(law->r2, 0);
        t->n_loo += isfinite(law->r2_loo);
        r2_loo += known_or(law->r2_loo, 0);
        t->n_useless += law->r2_loo <= 0;
    }
    t->r2 = n ? r2 / (double)n : NAN;
    t->r2_loo = t->n_loo ? r2_loo / (double)t->n_loo : NAN;
}

int report_truth_judge(struct report *r, struct err *e)
{
    struct report_truth *t = r->truth;
    AUTO(free) struct policy_regret *room = calloc(r->n_benchmarks + 1, sizeof *room);
    if (!room)
        return FAIL_NOMEM(e);
    t->furthest = NAN;
    for (size_t b = 0; b < r->n_benchmarks; b++)
        TRY(judge_benchmark(r, b, e));
    TRY(judge_target(r, e));
    take_mean(r, offsetof(struct report_verdict, ours), &t->ours, room);
    take_mean(r, offsetof(struct report_verdict, by_lot), &t->by_lot, room);
    take_mean(r, offsetof(struct report_verdict, one), &t->one, room);
    law_means(r, t);
    return 0;
}

bool report_truth_any(const struct report *r)
{
    return r->truth != NULL;
}
