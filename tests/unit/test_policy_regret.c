/* What a choice lost, on tables small enough to do by hand; and choices by lot against going through every draw. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/regret.h"

static void assert_regret(const struct policy_regret *got, const struct policy_regret *want)
{
    const double a[] = { got->value, got->lost, got->share, got->rank, got->is_best, got->in_top3, got->in_list };
    const double b[] = {
        want->value, want->lost, want->share, want->rank, want->is_best, want->in_top3, want->in_list
    };
    for (size_t i = 0; i < ARRAY_LEN(a); i++)
        if (!(fabs(a[i] - b[i]) < 1e-12))
            fail_msg("field %zu is %.17g instead of %.17g", i, a[i], b[i]);
}

static void choices_by_hand(void **state)
{
    (void)state;
    static const double truth[] = { 40, 60, 50, 60, 20, 55 };
    struct policy_regret got;
    policy_regret_of(truth, 6, (const size_t[]){ 3, 0, 2 }, 3, &got);
    assert_regret(&got, &(struct policy_regret){ 60, 0, 0, 1, 1, 1, 1 });
    policy_regret_of(truth, 6, (const size_t[]){ 2, 0, 1 }, 3, &got); /* two at 60, one at 55 are better */
    assert_regret(&got, &(struct policy_regret){ 50, 10, 0.25, 4, 0, 0, 1 });
    policy_regret_of(truth, 6, (const size_t[]){ 5, 0 }, 2, &got);
    assert_regret(&got, &(struct policy_regret){ 55, 5, 0.125, 3, 0, 1, 0 });
    static const double alike[] = { 7, 7 };
    policy_regret_of(alike, 2, (const size_t[]){ 1 }, 1, &got);
    assert_regret(&got, &(struct policy_regret){ 7, 0, 0, 1, 1, 1, 1 });
}

static void draws_by_hand(void **state)
{
    (void)state;
    struct err e = { 0 };
    static const double truth[] = { 1, 4, 2, 3 };
    struct policy_regret got;
    /* One of four: mean 2.5; a list of three of four has the best in 3 of 4 cases. */
    assert_int_equal(policy_regret_by_lot(truth, 4, 1, &got, &e), 0);
    assert_regret(&got, &(struct policy_regret){ 2.5, 1.5, 0.5, 2.5, 0.25, 0.75, 0.75 });
    /* Two of four: six pairs, the better of each 4 4 4 3 3 2. */
    assert_int_equal(policy_regret_by_lot(truth, 4, 2, &got, &e), 0);
    assert_regret(&got, &(struct policy_regret){ 20 / 6.0, 4 / 6.0, 4 / 18.0, 10 / 6.0, 0.5, 1, 0.75 });
    assert_int_equal(policy_regret_by_lot(truth, 4, 4, &got, &e), 0);
    assert_regret(&got, &(struct policy_regret){ 4, 0, 0, 1, 1, 1, 1 });
    assert_int_equal(policy_regret_by_lot(truth, 4, 0, &got, &e), 0);
    assert_true(isnan(got.value) && isnan(got.lost) && isnan(got.share) && isnan(got.in_list));
    assert_int_equal(policy_regret_by_lot(truth, 4, 5, &got, &e), -1);
    assert_int_equal(e.kind, ERR_USAGE);
}

/* Every set of k rows, the best of it chosen, its list filled up in every way: the mean over all of them. */
static void enumerate(const double *truth, size_t n, size_t k, struct policy_regret *mean)
{
    size_t draws = 0, lists = 0, hits = 0, slots = k > 3 ? k : n < 3 ? n : 3;
    *mean = (struct policy_regret){ 0 };
    double high = -INFINITY;
    for (size_t i = 0; i < n; i++)
        high = fmax(high, truth[i]);
    for (unsigned set = 0; set < 1u << n; set++) {
        size_t best = SIZE_MAX;
        bool any = false;
        for (size_t i = 0; i < n; i++) {
            any |= set >> i & 1 && truth[i] == high;
            if (set >> i & 1 && (best == SIZE_MAX || truth[i] > truth[best]))
                best = i;
        }
        if ((size_t)__builtin_popcount(set) ==
            slots) { /* who is named: the drawn ones, others beside them if fewer than three */
            lists++;
            hits += any;
        }
        if ((size_t)__builtin_popcount(set) != k)
            continue;
        struct policy_regret one;
        policy_regret_of(truth, n, &best, 1, &one);
        mean->value += one.value;
        mean->lost += one.lost;
        mean->share += one.share;
        mean->rank += one.rank;
        mean->is_best += one.is_best;
        mean->in_top3 += one.in_top3;
        draws++;
    }
    double *const sums[] = { &mean->value, &mean->lost, &mean->share, &mean->rank, &mean->is_best, &mean->in_top3 };
    for (size_t i = 0; i < ARRAY_LEN(sums); i++)
        *sums[i] /= (double)draws;
    mean->in_list = (double)hits / (double)lists;
}

static void draws_as_enumerated(void **state)
{
    (void)state;
    static const double tables[][9] = {
        { 3, 1, 4, 1.5, 9, 2, 6, 5, 3.5 }, /* all different */
        { 5, 5, 1, 5, 2, 2, 0, 1, 5 },     /* equals at the top and below */
        { -2, -2, -2, -2, -2, -2, -2, -2, -2 },
        { 0, 0, 0, 0, 0, 0, 0, 0, 1 },
    };
    struct err e = { 0 };
    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        for (size_t n = 1; n <= 9; n++)
            for (size_t k = 1; k <= n; k++) {
                struct policy_regret got, want;
                assert_int_equal(policy_regret_by_lot(tables[t], n, k, &got, &e), 0);
                enumerate(tables[t], n, k, &want);
                assert_regret(&got, &want);
            }
}

/* 4,096 rows, half of them drawn: nothing overflows or loses its digits. */
static void draws_of_many(void **state)
{
    (void)state;
    enum { N = 4096 };
    struct err e = { 0 };
    static double truth[N];
    for (size_t i = 0; i < N; i++)
        truth[i] = (double)((i * 1365) % N); /* 0..N-1 in some order: 1365 is odd */
    struct policy_regret got;
    assert_int_equal(policy_regret_by_lot(truth, N, N / 2, &got, &e), 0);
    /* The mean rank of the best of k of n is (n + 1) / (k + 1). */
    assert_true(fabs(got.rank - (N + 1.0) / (N / 2 + 1.0)) < 1e-9);
    assert_true(fabs(got.is_best - 0.5) < 1e-12 && fabs(got.in_list - 0.5) < 1e-9);
}

static void means(void **state)
{
    (void)state;
    const struct policy_regret rows[] = { { 1, 2, 0.5, 3, 0, 1, 1 },
                                          { NAN, NAN, NAN, NAN, NAN, NAN, NAN },
                                          { 3, 0, 0, 1, 1, 1, 0 } };
    struct policy_regret got;
    policy_regret_mean(rows, 3, &got);
    assert_regret(&got, &(struct policy_regret){ 2, 1, 0.25, 2, 0.5, 1, 0.5 });
    policy_regret_mean(rows + 1, 1, &got);
    assert_true(isnan(got.value) && isnan(got.rank));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(choices_by_hand), cmocka_unit_test(draws_by_hand),
                                        cmocka_unit_test(draws_as_enumerated), cmocka_unit_test(draws_of_many),
                                        cmocka_unit_test(means) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
