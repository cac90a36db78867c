/* Any bytes: policy_table_parse refuses them as bad input that names the place, or takes them, and then every benchmark
 * can be normalised and fitted without a number that is neither finite nor NaN where NaN means unknown, and a small
 * table gets a round of each policy. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/choose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_benchmark(const struct policy_table *t, size_t b)
{
    struct err e = { 0 };
    AUTO(policy_points_free) struct policy_points p = { 0 };
    if (policy_points_init(&p, t, b, POLICY_NORMALISE_WHOLE, NULL, &e) < 0)
        abort();
    for (size_t r = 0; r < p.n; r++)
        if (p.a[r] < 0 || p.a[r] > 1 || p.c[r] < 0 || p.c[r] > 1 || p.y[r] < 0 || p.y[r] > 1)
            abort();
    struct policy_fit fit;
    if (p.n > 32) /* leave-one-out fits n times n rows: keep a round short */
        return;
    if (policy_fit(&p, NULL, (struct policy_shape){ POLICY_COLUMNS_AC, 2 }, &fit, &e) < 0)
        abort();
    if (fit.n_train > 0 && !isfinite(fit.intercept))
        abort();
}

static void check_rounds(const struct policy_table *t)
{
    static const double priors[] = { 1, 0.8, 0 };
    for (int mode = POLICY_MODE_PAPER; mode <= POLICY_MODE_DEFAULT; mode++)
        for (size_t i = 0; i < (mode == POLICY_MODE_DEFAULT ? ARRAY_LEN(priors) : 1); i++) {
            struct err e = { 0 };
            const struct policy_question q = { .mode = mode, .batch = 2, .direction_prior = priors[i] };
            AUTO(policy_answer_destroy) struct policy_answer *a = policy_choose(t, &q, &e);
            if (!a || a->n_choices > a->n_candidates || isinf(a->p_best_in_list))
                abort();
            for (size_t k = 0; k < (a->m + 1) * a->n; k++)
                if (isinf(a->predictions[k].mean) || isinf(a->predictions[k].sd) || a->predictions[k].sd < 0)
                    abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    AUTO(policy_table_destroy) struct policy_table *t = policy_table_parse((const char *)data, size, "fuzz.csv", &e);
    if (!t) {
        if (e.kind != ERR_INPUT || strncmp(e.text, "fuzz.csv: ", 10) != 0)
            abort();
        return 0;
    }
    for (size_t b = 0; b < policy_table_benchmarks(t) && b < 4; b++)
        check_benchmark(t, b);
    if (policy_table_representations(t) <= 8 && policy_table_benchmarks(t) <= 2)
        check_rounds(t);
    return 0;
}
