/* Recall: every trained set against the goldens, the exact law of the sampler, the simulation against both, Table 1. */
#include "tests/unit/policy_golden.h"

#include "policy/recall.h"
#include "policy/trials.h"

/* The paper's figures: fine-tunes k' and what an independent simulation gave at it. */
static const struct {
    const char *benchmark;
    size_t k;
    double recall;
} table1[M] = {
    { "MMBench", 4, 91.1 }, { "MME", 3, 89.9 },     { "OKVQA", 3, 89.3 },  { "SEED-Bench", 3, 85.7 },
    { "MMMU", 7, 95.9 },    { "TextVQA", 5, 81.6 }, { "VizWiz", 3, 80.8 }, { "ScienceQA", 3, 97.1 },
};

static const struct policy_play trusting = { POLICY_MODE_DEFAULT, 1, 1, 0, 0 };
static const struct policy_play hedged = { POLICY_MODE_DEFAULT, 0.8, 1, 0, 0 };

static struct policy_points points_of(const struct policy_table *t, const char *benchmark)
{
    struct policy_points p;
    size_t b;
    assert_int_equal(policy_table_find_benchmark(t, benchmark, &b, NULL), 0);
    assert_int_equal(policy_points_init(&p, t, b, POLICY_NORMALISE_WHOLE, NULL, NULL), 0);
    return p;
}

static void every_subset(void **state)
{
    static const char *const rules[POLICY_RULES] = { "fit", "exact", "list3", "union", "rest", "measured" };
    (void)state;
    json_t *golden = load_golden(), *want;
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    size_t checked = 0;
    for (size_t b = 0; b < M; b++) {
        struct policy_points p = points_of(t, policy_table_benchmark(t, b));
        want = get(golden, "exhaustive", "recall3", policy_table_benchmark(t, b), NULL);
        for (size_t slots = 1; slots <= 3; slots += 2) {
            for (int rule = 0; rule < POLICY_RULES; rule++) {
                json_t *curve = json_object_get(slots == 3 ? want : get(want, "top1", NULL), rules[rule]);
                double got[N];
                if (!curve)
                    continue;
                assert_int_equal(policy_recall_exhaustive(&p, rule, slots, got, NULL), 0);
                for (size_t k = 2; k <= 12; k++, checked++)
                    assert_near(got[k - 1], number_at(curve, k - 2), 1e-7, rules[rule]);
            }
        }
        policy_points_free(&p);
    }
    assert_int_equal(checked, M * 9 * 11);
    json_decref(golden);
}

static void law_of_the_sampler(void **state)
{
    (void)state;
    json_t *golden = load_golden();
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    for (size_t b = 0; b < M; b++) {
        const char *name = policy_table_benchmark(t, b);
        struct policy_points p = points_of(t, name);
        AUTO(policy_recall_free) struct policy_recall r = { 0 };
        assert_int_equal(policy_recall_law(&p, &r, NULL), 0);
        assert_string_equal(policy_table_representation(t, r.best), json_string_value(get(golden, "best", name, NULL)));
        json_t *want = get(golden, "grid_sampler", "recall3", name, NULL);
        for (size_t k = 2; k <= 12; k++) {
            assert_near(r.policy.list3[k - 1], number_at(get(want, "list3", NULL), k - 2), 1e-7, name);
            assert_near(r.policy.measured[k - 1], number_at(get(want, "measured", NULL), k - 2), 1e-7, name);
            assert_true(r.policy.cumulative[k - 1] >= number_at(get(want, "fit", NULL), k - 2) - 1e-9);
            assert_true(r.policy.cumulative[k - 1] >= r.policy.cumulative[k - 2] - 1e-12);
        }
        for (size_t k = 1; k <= N; k++) {
            assert_near(r.chance.cumulative[k - 1],
                        number_at(get(golden, "random_baseline", "union_chance", NULL), k - 1), 1e-7, "chance");
            assert_near(r.chance.list3[k - 1], number_at(get(golden, "random_baseline", "list3_chance", NULL), k - 1),
                        1e-7, "chance");
            assert_near(r.chance.measured[k - 1],
                        number_at(get(golden, "random_baseline", "best_is_measured", NULL), k - 1), 1e-7, "chance");
        }
        policy_points_free(&p);
    }
    json_decref(golden);
}

static void simulation_matches_table1(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    for (uint64_t seed = 1; seed <= 2; seed++)
        for (size_t i = 0; i < M; i++) {
            struct policy_points p = points_of(t, table1[i].benchmark);
            AUTO(policy_recall_free) struct policy_recall r = { 0 }, law = { 0 };
            assert_int_equal(
                policy_recall_simulate(&p, &(struct policy_play){ POLICY_MODE_PAPER, 1, 100000, seed, i }, &r, NULL),
                0);
            assert_near(100 * r.policy.cumulative[table1[i].k - 1], table1[i].recall, 1.0, table1[i].benchmark);
            assert_int_equal(policy_recall_law(&p, &law, NULL), 0);
            for (size_t k = 0; k < N; k++) { /* 5 standard errors of a fraction */
                assert_near(r.policy.cumulative[k], law.policy.cumulative[k], 0.008, table1[i].benchmark);
                assert_near(r.policy.list3[k], law.policy.list3[k], 0.008, table1[i].benchmark);
                assert_near(r.policy.measured[k], law.policy.measured[k], 0.008, table1[i].benchmark);
                assert_near(r.regret[k], law.regret[k], 0.008, table1[i].benchmark);
            }
            policy_points_free(&p);
        }
}

static void default_recall(void **state)
{
    static const double order_by_a_plus_c[] = { 0.75, 0.875, 0.875, 1, 1, 1 };
    (void)state;
    json_t *golden = load_golden();
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    double mean[N] = { 0 }, plain[N] = { 0 };
    for (size_t b = 0; b < M; b++) {
        struct policy_points p = points_of(t, policy_table_benchmark(t, b));
        AUTO(policy_recall_free) struct policy_recall r = { 0 };
        assert_int_equal(policy_recall_simulate(&p, &trusting, &r, NULL), 0);
        for (size_t k = 0; k < N; k++) {
            mean[k] += r.policy.list3[k] / M;
            plain[k] += r.a_plus_c.list3[k] / M;
        }
        assert_near(r.regret[N - 1], 0, 0, "the best measured is the best");
        for (size_t k = 0; k < N; k++) /* no regret once the best itself is measured, some before */
            assert_int_equal(r.a_plus_c_regret[k] == 0, r.a_plus_c.measured[k] == 1);
        policy_points_free(&p);
    }
    json_t *want = get(golden, "recommended_policy", "recall_list3", NULL);
    for (size_t k = 0; k < json_array_size(want); k++)
        assert_near(mean[k], number_at(want, k), 1e-7, "default");
    for (size_t k = 0; k < ARRAY_LEN(order_by_a_plus_c); k++)
        assert_near(plain[k], order_by_a_plus_c[k], 1e-12, "a + c");
    json_decref(golden);
}

/* The price of the hedge on the paper's table: 88, 100 and 100 per cent at 4, 5 and 6 fine-tunes. */
static void hedged_recall(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    double mean[N] = { 0 };
    for (size_t b = 0; b < M; b++) {
        struct policy_points p = points_of(t, policy_table_benchmark(t, b));
        AUTO(policy_recall_free) struct policy_recall r = { 0 };
        assert_int_equal(policy_recall_simulate(&p, &hedged, &r, NULL), 0);
        for (size_t k = 0; k < N; k++)
            mean[k] += r.policy.list3[k] / M;
        policy_points_free(&p);
    }
    assert_near(mean[3], 0.875, 1e-12, "4 fine-tunes");
    assert_near(mean[4], 1, 1e-12, "5 fine-tunes");
    assert_near(mean[5], 1, 1e-12, "6 fine-tunes");
}

/* Mean over the benchmarks of the strict list of three at k = 1..6, over random laws, sub-spaces (`laws` = 0) of at
 * least 9 rows. */
static void mean_of_trials(const struct policy_play *play, size_t laws, double list3[6])
{
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    memset(list3, 0, 6 * sizeof *list3);
    for (size_t b = 0; b < M; b++) {
        struct policy_points p = points_of(t, policy_table_benchmark(t, b));
        struct policy_play how = *play;
        AUTO(policy_recall_free) struct policy_recall r = { 0 };
        size_t count = laws;
        how.stream = b;
        assert_int_equal(laws ? policy_trials_laws(&p, &how, laws, 0.05, &r, NULL)
                              : policy_trials_subspaces(&p, &how, 9, &r, &count, NULL),
                         0);
        assert_int_equal(count, laws ? laws : 1093);
        assert_int_equal(r.n, laws ? N : 9);
        assert_true(r.best == SIZE_MAX);
        for (size_t k = 0; k < 6; k++)
            list3[k] += r.policy.list3[k] / M;
        policy_points_free(&p);
    }
}

/* An independent replay (other language, dense formulas) gave 68 % for the trusting policy at 4 fine-tunes, 89 % for
 * the paper's, and 95, 97 and 99 % for the hedged one at 4, 5 and 6. */
static void random_laws(void **state)
{
    double list3[6];
    (void)state;
    mean_of_trials(&trusting, 100, list3);
    assert_near(list3[3], 0.67, 0.04, "trusting a wrong direction");
    mean_of_trials(&(struct policy_play){ POLICY_MODE_PAPER, 1, 5, 1, 0 }, 100, list3);
    assert_near(list3[3], 0.90, 0.03, "the paper's policy");
    mean_of_trials(&hedged, 100, list3);
    assert_near(list3[3], 0.96, 0.02, "hedged, 4");
    assert_near(list3[4], 0.98, 0.02, "hedged, 5");
    assert_near(list3[5], 0.99, 0.01, "hedged, 6");
}

/* 1,093 sub-spaces of the paper's table: 86, 93, 98 and then 100 per cent. */
static void subspaces(void **state)
{
    static const double want[6] = { 0.856, 0.934, 0.979, 1, 1, 1 };
    double list3[6];
    (void)state;
    mean_of_trials(&trusting, 0, list3);
    for (size_t k = 0; k < 6; k++)
        assert_near(list3[k], want[k], 0.0006, "sub-spaces");
}

static void bad_trials(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    struct policy_points p = points_of(t, "MME");
    struct policy_recall r;
    struct err e = { 0 };
    size_t count;
    assert_int_equal(policy_trials_laws(&p, &trusting, 0, 0, &r, &e), -1);
    assert_int_equal(e.kind, ERR_USAGE);
    for (size_t smallest = 1; smallest <= N + 1; smallest += N) {
        err_clear(&e);
        assert_int_equal(policy_trials_subspaces(&p, &trusting, smallest, &r, &count, &e), -1);
        assert_non_null(strstr(e.text, "give 2 to 13"));
    }
    for (size_t i = 0; i < N; i++)
        p.a[i] = i < 2 ? p.a[i] : NAN; /* two rows are a table, one is none */
    assert_int_equal(policy_trials_laws(&p, &hedged, 3, 0, &r, NULL), 0);
    assert_int_equal(r.n, 2);
    policy_recall_free(&r);
    p.a[0] = NAN;
    err_clear(&e);
    assert_int_equal(policy_trials_laws(&p, &hedged, 3, 0, &r, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    policy_points_free(&p);
}

/* Beyond the limit of the memo the other path runs, and must follow nearly the law of one row less: the rows added to
 * the paper's 13 are hopeless ones in a corner of their own. */
static void many_rows(void **state)
{
    enum { ROWS = 17 };
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    struct policy_points p = points_of(t, "MME");
    double a[ROWS], c[ROWS], y[ROWS];
    for (size_t r = 0; r < ROWS; r++) {
        a[r] = r < N ? p.a[r] : 0.01 * (double)(r - N);
        c[r] = r < N ? p.c[r] : 0.02 * (double)(r - N);
        y[r] = r < N ? p.y[r] : 0;
    }
    const struct policy_play play = { POLICY_MODE_PAPER, 1, 2000, 3, 0 };
    struct policy_points wide = { .n = ROWS, .a = a, .c = c, .y = y };
    struct policy_points narrow = { .n = ROWS - 1, .a = a, .c = c, .y = y };
    AUTO(policy_recall_free) struct policy_recall r = { 0 }, near = { 0 }, again = { 0 };
    struct err e = { 0 };
    assert_int_equal(policy_recall_simulate(&wide, &play, &r, &e), 0);
    assert_int_equal(policy_recall_simulate(&wide, &play, &again, &e), 0);
    assert_int_equal(policy_recall_law(&narrow, &near, &e), 0);
    assert_memory_equal(r.block, again.block, POLICY_RECALL_CURVES * ROWS * sizeof *r.block);
    for (size_t k = 0; k < 3; k++) /* the 17th row shares a corner with 16, so the first draws hardly change */
        assert_near(r.policy.cumulative[k], near.policy.cumulative[k], 0.06, "17 rows against 16");
    assert_int_equal(policy_recall_law(&wide, &again, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    policy_points_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_subset),
        cmocka_unit_test(law_of_the_sampler),
        cmocka_unit_test(simulation_matches_table1),
        cmocka_unit_test(default_recall),
        cmocka_unit_test(hedged_recall),
        cmocka_unit_test(many_rows),
        cmocka_unit_test(random_laws),
        cmocka_unit_test(subspaces),
        cmocka_unit_test(bad_trials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
