#include "report/report_law.h"

#include <stdio.h>
#include <string.h>

#include "policy/choose.h"
#include "policy/recall.h"

enum {
    RECALL_ROWS_MIN = 4,    /* with three, a list of three is no feat */
    RECALL_ROWS_MAX = 64,   /* larger spaces are hardly ever measured in full */
    RECALL_ROWS_EXACT = 13, /* the exact sum is over all 2^rows training sets: about 0.1 s here, doubling with each */
    RECALL_FITS = 40000,    /* fits to spend on drawn runs otherwise; 2500 runs of 16 fine-tunes */
    RECALL_SEED = 1,
};

static const struct policy_shape the_law = { POLICY_COLUMNS_AC, 2 };

/* Rows and columns are named by number: labels of a sweep may be alike. */
static const char **number_names(size_t n, struct err *e)
{
    enum { NAME_SIZE = 24 };
    const char **list = malloc(n * (sizeof *list + NAME_SIZE) + 1);
    char *text = (char *)(list + n);
    if (!list)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    for (size_t i = 0; i < n; i++, text += NAME_SIZE) {
        snprintf(text, NAME_SIZE, "%zu", i);
        list[i] = text;
    }
    return list;
}

static struct policy_table *table_of(const struct report *r, const double *performance, struct err *e)
{
    AUTO(free) const char **reps = number_names(r->n_representations, e);
    AUTO(free) const char **benches = reps ? number_names(r->n_benchmarks, e) : NULL;
    struct policy_table *t =
        benches ? policy_table_create(reps, r->n_representations, benches, r->n_benchmarks, e) : NULL;
    for (size_t i = 0; t && i < r->n_representations; i++)
        for (size_t b = 0; b < r->n_benchmarks; b++) {
            policy_table_set_c_of(t, i, b, report_cell(r, r->c, i, b));
            policy_table_set_a(t, i, b, report_cell(r, r->a, i, b));
            policy_table_set_perf(t, i, b, report_cell(r, performance, i, b));
        }
    return t;
}

/* The law fitted on every measured representation, back on the benchmark's own scale. */
static int predict(struct report *r, const struct policy_table *t, size_t benchmark, struct err *e)
{
    AUTO(policy_points_free) struct policy_points p = { 0 };
    struct policy_fit fit;
    TRY(policy_points_init(&p, t, benchmark, POLICY_NORMALISE_WHOLE, NULL, e));
    TRY(policy_fit(&p, NULL, the_law, &fit, e));
    if (fit.n_train < REPORT_LAW_POINTS)
        return 0;
    for (size_t i = 0; i < r->n_representations; i++)
        r->by_law[i * r->n_benchmarks + benchmark] = p.y_low + p.y_range * policy_fit_predict(&fit, p.a[i], p.c[i]);
    return 0;
}

/* ---- what the policy would recommend now ------------------------------------------------------------------------ */

static int ask(struct report *r, struct policy_table *t, double *weights, bool *excluded, struct err *e)
{
    struct policy_question q = { .seed = (uint64_t)r->seed,
                                 .round = r->n_rounds ? (uint64_t)r->rounds[r->n_rounds - 1].round : 0,
                                 .weights = weights,
                                 .excluded = excluded,
                                 .direction_prior = isfinite(r->direction_prior) ? r->direction_prior : 1,
                                 .ranking = POLICY_RANKING_MEASURED_FIRST };
    bool any = false;
    if (policy_mode_parse(r->mode, &q.mode, NULL) < 0)
        return 0; /* a mode of another version: the report goes without */
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        weights[b] = fmax(r->benchmarks[b].weight, 0);
        any |= weights[b] > 0;
    }
    for (size_t i = 0; i < r->n_representations; i++) {
        excluded[i] = *r->representations[i].failure != '\0';
        for (size_t b = 0; b < r->n_benchmarks && !r->representations[i].measured; b++)
            policy_table_set_perf(t, i, b, NAN); /* the policy waits for the whole row */
    }
    AUTO(policy_answer_destroy) struct policy_answer *a = any ? policy_choose(t, &q, e) : NULL;
    if (!a)
        return any ? -1 : 0;
    r->n_list = a->n_list;
    memcpy(r->list, a->list, sizeof r->list);
    r->p_best_in_list = a->p_best_in_list;
    return 0;
}

static int recommend(struct report *r, struct err *e)
{
    r->p_best_in_list = NAN;
    AUTO(policy_table_destroy) struct policy_table *t = table_of(r, r->performance, e);
    AUTO(free) double *weights = calloc(r->n_benchmarks + 1, sizeof *weights);
    AUTO(free) bool *excluded = calloc(r->n_representations + 1, sizeof *excluded);
    if (!t)
        return -1;
    return weights && excluded ? ask(r, t, weights, excluded, e) : FAIL_NOMEM(e);
}

/* ---- recall ----------------------------------------------------------------------------------------------------- */

/* The truly best can only be told when every representation that has its scores has its performance. */
static bool is_complete(const struct report *r, size_t benchmark)
{
    size_t usable = 0;
    for (size_t i = 0; i < r->n_representations; i++) {
        if (!isfinite(report_cell(r, r->a, i, benchmark)) || !isfinite(report_cell(r, r->c, i, benchmark)))
            continue;
        if (!isfinite(report_cell(r, r->known, i, benchmark)))
            return false;
        usable++;
    }
    return usable >= RECALL_ROWS_MIN && usable <= RECALL_ROWS_MAX;
}

static int recall_alloc(struct report_recall *out, size_t benchmark, size_t n, struct err *e)
{
    *out = (struct report_recall){ .benchmark = benchmark, .n = n, .best = "" };
    if (!(out->block = calloc(n * REPORT_CURVES + 1, sizeof *out->block)))
        return FAIL_NOMEM(e);
    for (size_t c = 0; c < REPORT_CURVES; c++)
        out->curves[c] = out->block + c * n;
    return 0;
}

/* Exact where the table is small enough, else by drawing. */
static int paper_recall(struct report *r, const struct policy_points *p, size_t benchmark, size_t usable,
                        struct policy_recall *out, struct err *e)
{
    if (usable <= RECALL_ROWS_EXACT)
        return policy_recall_law(p, out, e);
    r->recall_runs = RECALL_FITS / usable;
    const struct policy_play play = { POLICY_MODE_PAPER, 1, r->recall_runs, RECALL_SEED, benchmark };
    return policy_recall_simulate(p, &play, out, e);
}

static int recall_of(struct report *r, const struct policy_table *t, size_t benchmark, struct err *e)
{
    AUTO(policy_points_free) struct policy_points p = { 0 };
    AUTO(policy_recall_free) struct policy_recall paper = { 0 }, ours = { 0 };
    TRY(policy_points_init(&p, t, benchmark, POLICY_NORMALISE_WHOLE, NULL, e));
    size_t usable = 0;
    for (size_t i = 0; i < p.n; i++)
        usable += isfinite(p.a[i]) && isfinite(p.c[i]) && isfinite(p.y[i]);
    double prior = isfinite(r->direction_prior) ? r->direction_prior : 1;
    TRY(paper_recall(r, &p, benchmark, usable, &paper, e));
    TRY(policy_recall_simulate(&p, &(struct policy_play){ .mode = POLICY_MODE_DEFAULT, .direction_prior = prior },
                               &ours, e));
    const double *const from[REPORT_CURVES] = {
        [REPORT_PAPER_CUMULATIVE] = paper.policy.cumulative,
        [REPORT_DEFAULT_CUMULATIVE] = ours.policy.cumulative,
        [REPORT_CHANCE_CUMULATIVE] = paper.chance.cumulative,
        [REPORT_RANDOM_MEASURED] = paper.chance.measured,
        [REPORT_PAPER_LIST3] = paper.policy.list3,
        [REPORT_DEFAULT_LIST3] = ours.policy.list3,
        [REPORT_A_PLUS_C_LIST3] = paper.a_plus_c.list3,
        [REPORT_CHANCE_LIST3] = paper.chance.list3,
        [REPORT_PAPER_REGRET] = paper.regret,
        [REPORT_DEFAULT_REGRET] = ours.regret,
        [REPORT_A_PLUS_C_REGRET] = paper.a_plus_c_regret,
    };
    struct report_recall *out = &r->recalls[r->n_recalls];
    TRY(recall_alloc(out, benchmark, paper.n, e));
    r->n_recalls++;
    out->best = r->representations[paper.best].name;
    for (size_t c = 0; c < REPORT_CURVES; c++)
        memcpy(out->curves[c], from[c], paper.n * sizeof *from[c]);
    return 0;
}

/* The mean over the benchmarks, as the last one; only of equally long curves. */
static int recall_mean(struct report *r, struct err *e)
{
    size_t n = r->n_recalls;
    for (size_t i = 0; i < n; i++)
        if (r->recalls[i].n != r->recalls[0].n)
            return 0;
    if (n == 0)
        return 0;
    struct report_recall *mean = &r->recalls[n];
    TRY(recall_alloc(mean, r->n_benchmarks, r->recalls[0].n, e));
    r->n_recalls++;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < mean->n * REPORT_CURVES; k++)
            mean->block[k] += r->recalls[i].block[k] / (double)n;
    return 0;
}

int report_law_apply(struct report *r, struct err *e)
{
    if (r->n_representations == 0 || r->n_representations > POLICY_MAX_REPRESENTATIONS || r->n_benchmarks == 0)
        return 0;
    AUTO(policy_table_destroy) struct policy_table *measured = table_of(r, r->performance, e);
    AUTO(policy_table_destroy) struct policy_table *known = measured ? table_of(r, r->known, e) : NULL;
    if (!known)
        return -1;
    if (!(r->recalls = calloc(r->n_benchmarks + 1, sizeof *r->recalls)))
        return FAIL_NOMEM(e);
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        TRY(predict(r, measured, b, e));
        if (is_complete(r, b))
            TRY(recall_of(r, known, b, e));
    }
    TRY(recommend(r, e));
    return recall_mean(r, e);
}
