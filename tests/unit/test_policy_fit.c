/* The law's fit against the goldens: normalisation, the 12 numbers of Table 3, under-determined fits, goodness
 * measures. */
#include "tests/unit/policy_golden.h"

#include "policy/fit.h"
#include "policy/lsq.h"

static const struct policy_shape law = { POLICY_COLUMNS_AC, 2 };

static void normalised_matches(void **state)
{
    (void)state;
    json_t *golden = load_golden();
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    for (size_t b = 0; b < M; b++) {
        const char *name = policy_table_benchmark(t, b);
        struct policy_points p;
        assert_int_equal(policy_points_init(&p, t, b, POLICY_NORMALISE_WHOLE, NULL, NULL), 0);
        for (size_t r = 0; r < N; r++) {
            assert_string_equal(policy_table_representation(t, r),
                                json_string_value(json_array_get(get(golden, "representations", NULL), r)));
            assert_near(p.a[r], number_at(get(golden, "normalised", name, "A", NULL), r), 1e-7, name);
            assert_near(p.c[r], number_at(get(golden, "normalised", name, "C", NULL), r), 1e-7, name);
            assert_near(p.y[r], number_at(get(golden, "normalised", name, "y", NULL), r), 1e-7, name);
        }
        policy_points_free(&p);
    }
    json_decref(golden);
}

static void table3_matches(void **state)
{
    static const struct {
        const char *key;
        struct policy_shape shape;
        double vision, ocr; /* as the paper prints them */
    } rows[] = {
        { "A_none", { POLICY_COLUMNS_A, 1 }, 50.80, 55.06 },   { "A_poly2", { POLICY_COLUMNS_A, 2 }, 76.56, 77.45 },
        { "C_none", { POLICY_COLUMNS_C, 1 }, 46.12, 19.45 },   { "C_poly2", { POLICY_COLUMNS_C, 2 }, 56.91, 29.07 },
        { "AC_none", { POLICY_COLUMNS_AC, 1 }, 83.24, 66.18 }, { "AC_poly2", { POLICY_COLUMNS_AC, 2 }, 95.72, 85.21 },
    };
    (void)state;
    json_t *golden = load_golden();
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double mean[2] = { 0 };
        for (size_t b = 0; b < M; b++) {
            struct policy_points p;
            struct policy_fit fit;
            assert_int_equal(policy_points_init(&p, t, b, POLICY_NORMALISE_WHOLE, NULL, NULL), 0);
            assert_int_equal(policy_fit(&p, NULL, rows[i].shape, &fit, NULL), 0);
            json_t *want = get(golden, "r2", rows[i].key, "per_benchmark", policy_table_benchmark(t, b), NULL);
            assert_near(fit.r2, json_number_value(want), 1e-7, rows[i].key);
            mean[b / 4] += fit.r2 / 4;
            policy_points_free(&p);
        }
        assert_near(mean[0], json_number_value(get(golden, "r2", rows[i].key, "vision_mean", NULL)), 1e-7, "vision");
        assert_near(mean[1], json_number_value(get(golden, "r2", rows[i].key, "ocr_mean", NULL)), 1e-7, "OCR");
        assert_near(100 * mean[0], rows[i].vision, 0.10, "vision against the paper");
        assert_near(100 * mean[1], rows[i].ocr, 0.10, "OCR against the paper");
    }
    json_decref(golden);
}

static void check_fit(struct policy_points *p, json_t *want, const char *what)
{
    static const char *const terms[] = { "A", "C", "A2", "AC", "C2" };
    bool train[N] = { false };
    size_t i;
    json_t *row;
    struct policy_fit fit;
    json_array_foreach(get(want, "train", NULL), i, row) train[json_integer_value(row)] = true;
    assert_int_equal(policy_fit(p, train, law, &fit, NULL), 0);
    assert_near(fit.intercept, json_number_value(get(want, "intercept", NULL)), 1e-7, what);
    for (size_t t = 0; t < ARRAY_LEN(terms); t++)
        assert_near(fit.coef[t], json_number_value(get(want, "coef", terms[t], NULL)), 1e-7, what);
    for (size_t r = 0; r < N; r++)
        assert_near(policy_fit_predict(&fit, p->a[r], p->c[r]), number_at(get(want, "pred", NULL), r), 1e-7, what);
}

static void fits_match(void **state)
{
    (void)state;
    json_t *golden = load_golden();
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    size_t checked = 0;
    for (size_t b = 0; b < M; b++) {
        struct policy_points p;
        assert_int_equal(policy_points_init(&p, t, b, POLICY_NORMALISE_WHOLE, NULL, NULL), 0);
        const char *which;
        json_t *want;
        json_object_foreach(get(golden, "fits", policy_table_benchmark(t, b), NULL), which, want)
        {
            check_fit(&p, want, which);
            checked++;
        }
        policy_points_free(&p);
    }
    assert_int_equal(checked, 32);
    json_decref(golden);
}

/* Adjusted and leave-one-out R^2 of the paper's law, known from an independent replay to a tenth of a point. */
static void goodness_is_honest(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    double adjusted[2] = { 0 }, loo[2] = { 0 }, a_alone = 0;
    for (size_t b = 0; b < M; b++) {
        struct policy_points p;
        struct policy_fit fit;
        assert_int_equal(policy_points_init(&p, t, b, POLICY_NORMALISE_WHOLE, NULL, NULL), 0);
        assert_int_equal(policy_fit(&p, NULL, law, &fit, NULL), 0);
        adjusted[b / 4] += 25 * fit.r2_adjusted;
        loo[b / 4] += 25 * fit.r2_loo;
        assert_true(fit.spearman > 0.5 && fit.spearman <= 1);
        assert_int_equal(policy_fit(&p, NULL, (struct policy_shape){ POLICY_COLUMNS_A, 2 }, &fit, NULL), 0);
        a_alone += b >= 4 ? 25 * fit.r2_loo : 0;
        policy_points_free(&p);
    }
    assert_near(adjusted[0], 92.7, 0.06, "adjusted, vision");
    assert_near(adjusted[1], 74.7, 0.06, "adjusted, OCR");
    assert_near(loo[0], 84.9, 0.06, "leave-one-out, vision");
    assert_near(loo[1], 53.6, 0.06, "leave-one-out, OCR");
    assert_near(a_alone, 63.3, 0.06, "leave-one-out of A alone, OCR");
}

static void undefined_is_nan(void **state)
{
    (void)state;
    double a[] = { 0, 0.5, 1, NAN }, c[] = { 1, 0.2, 0, 0.5 }, y[] = { 0.5, NAN, 0.5, 0.9 };
    struct policy_points p = { .n = 4, .a = a, .c = c, .y = y };
    struct policy_fit fit;
    assert_int_equal(policy_fit(&p, NULL, law, &fit, NULL), 0);
    assert_int_equal(fit.n_train, 2); /* row 1 has no performance, row 3 no score */
    assert_true(isnan(fit.r2) && isnan(fit.r2_adjusted) && isnan(fit.r2_loo) && isnan(fit.spearman));
    assert_near(policy_fit_predict(&fit, 0.3, 0.3), 0.5, 1e-12, "equal values predict themselves");
    assert_true(isnan(policy_fit_predict(&fit, NAN, 0.3)));
    bool nobody[4] = { false };
    assert_int_equal(policy_fit(&p, nobody, law, &fit, NULL), 0);
    assert_true(fit.n_train == 0 && isnan(fit.intercept) && isnan(policy_fit_predict(&fit, 0.5, 0.5)));
    assert_int_equal(policy_fit(&p, NULL, (struct policy_shape){ POLICY_COLUMNS_C, 1 }, &fit, NULL), 0);
    assert_int_equal(fit.n_train, 3); /* C alone can use the row without A */
    assert_true(isnan(fit.coef[POLICY_TERM_A]) && !isnan(fit.coef[POLICY_TERM_C]));
}

/* More than 64 rows take the other buffer; a plane is found again exactly. */
static void many_rows(void **state)
{
    enum { ROWS = 300 };
    static double x[2 * ROWS], y[ROWS];
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        x[i] = sin((double)i);
        x[ROWS + i] = cos(3.0 * (double)i);
        y[i] = 2 + 3 * x[i] - 5 * x[ROWS + i];
    }
    double coef[2], intercept;
    size_t rank;
    assert_int_equal(policy_lsq(x, y, ROWS, 2, coef, &intercept, &rank, NULL), 0);
    assert_int_equal(rank, 2);
    assert_near(intercept, 2, 1e-10, "intercept");
    assert_near(coef[0], 3, 1e-10, "first");
    assert_near(coef[1], -5, 1e-10, "second");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normalised_matches), cmocka_unit_test(table3_matches),   cmocka_unit_test(fits_match),
        cmocka_unit_test(goodness_is_honest), cmocka_unit_test(undefined_is_nan), cmocka_unit_test(many_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
