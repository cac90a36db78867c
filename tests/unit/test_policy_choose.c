/* A round of the policy: decisions, their independence of row and arrival order, batches, gaps and failures. */
#include "tests/unit/policy_golden.h"

#include "policy/choose.h"
#include "policy/random.h"

static struct policy_question question(enum policy_mode mode)
{
    return (struct policy_question){
        .mode = mode, .seed = 7, .round = 0, .batch = 1, .direction_prior = 1, .ranking = POLICY_RANKING_MEASURED_FIRST
    };
}

static struct policy_answer *ask(const struct policy_table *t, const struct policy_question *q)
{
    struct err e = { 0 };
    struct policy_answer *a = policy_choose(t, q, &e);
    if (!a)
        fail_msg("%s", e.text);
    return a;
}

/* A copy of the paper's table with row order[i] as its row i and no performance. */
static struct policy_table *blank(const struct policy_table *full, const size_t *order)
{
    const char *reps[N], *benchmarks[M];
    for (size_t r = 0; r < N; r++)
        reps[r] = policy_table_representation(full, order ? order[r] : r);
    for (size_t b = 0; b < M; b++)
        benchmarks[b] = policy_table_benchmark(full, b);
    struct policy_table *t = policy_table_create(reps, N, benchmarks, M, NULL);
    assert_non_null(t);
    for (size_t r = 0; r < N; r++) {
        size_t from = order ? order[r] : r;
        policy_table_set_c(t, r, policy_table_c(full, from, 0));
        for (size_t b = 0; b < M; b++)
            policy_table_set_a(t, r, b, policy_table_a(full, from, b));
    }
    return t;
}

static void measure(struct policy_table *t, const struct policy_table *full, size_t r)
{
    size_t from;
    assert_int_equal(policy_table_find_representation(full, policy_table_representation(t, r), &from, NULL), 0);
    for (size_t b = 0; b < M; b++)
        policy_table_set_perf(t, r, b, policy_table_perf(full, from, b));
}

/* With one target the rounds walk through the golden trace, although only measured rows set the scale. */
static void default_walks_the_trace(void **state)
{
    (void)state;
    json_t *golden = load_golden();
    AUTO(policy_table_destroy) struct policy_table *full = load_paper();
    for (size_t b = 0; b < M; b++) {
        AUTO(policy_table_destroy) struct policy_table *t = blank(full, NULL);
        double weights[M] = { 0 };
        weights[b] = 3;
        json_t *steps = get(golden, "recommended_policy", "trace", policy_table_benchmark(full, b), NULL);
        json_t *order = get(json_array_get(steps, json_array_size(steps) - 1), "measured", NULL);
        for (size_t k = 0; k < json_array_size(order); k++) {
            struct policy_question q = question(POLICY_MODE_DEFAULT);
            q.weights = weights;
            q.round = k;
            AUTO(policy_answer_destroy) struct policy_answer *a = ask(t, &q);
            assert_int_equal(a->n_choices, 1);
            assert_int_equal(a->choices[0].representation, json_integer_value(json_array_get(order, k)));
            assert_true(a->choices[0].reason[0] != '\0' && !isnan(a->choices[0].value));
            assert_true(a->p_best_in_list >= 0 && a->p_best_in_list <= 1);
            for (size_t l = 0; k > 0 && l < 3; l++)
                assert_int_equal(a->list[l], json_integer_value(
                                                 json_array_get(get(json_array_get(steps, k - 1), "list3", NULL), l)));
            measure(t, full, a->choices[0].representation);
        }
    }
    json_decref(golden);
}

/* Four fine-tunes chosen for the mean of all eight targets put the best of each benchmark into its list of three. */
static void one_sequence_for_all(void **state)
{
    (void)state;
    json_t *golden = load_golden();
    AUTO(policy_table_destroy) struct policy_table *full = load_paper();
    AUTO(policy_table_destroy) struct policy_table *t = blank(full, NULL);
    for (size_t k = 0; k < 4; k++) {
        struct policy_question q = question(POLICY_MODE_DEFAULT);
        q.round = k;
        AUTO(policy_answer_destroy) struct policy_answer *a = ask(t, &q);
        measure(t, full, a->choices[0].representation);
    }
    for (size_t b = 0; b < M; b++) {
        double weights[M] = { 0 };
        weights[b] = 1;
        struct policy_question q = question(POLICY_MODE_DEFAULT);
        q.weights = weights;
        AUTO(policy_answer_destroy) struct policy_answer *a = ask(t, &q);
        const char *best = json_string_value(get(golden, "best", policy_table_benchmark(t, b), NULL));
        bool listed = false;
        for (size_t l = 0; l < 3; l++)
            listed |= strcmp(policy_table_representation(t, a->list[l]), best) == 0;
        if (!listed)
            fail_msg("%s: %s is not in the list", policy_table_benchmark(t, b), best);
    }
    json_decref(golden);
}

/* Both modes: rows in another order, same representations, same numbers. The paper's draw is random, so only its
 * predictions are compared. */
static void row_order_does_not_matter(void **state)
{
    static const size_t order[N] = { 12, 3, 7, 0, 9, 1, 11, 5, 2, 10, 4, 8, 6 };
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *full = load_paper();
    AUTO(policy_table_destroy) struct policy_table *t = blank(full, NULL);
    AUTO(policy_table_destroy) struct policy_table *u = blank(full, order);
    for (size_t i = 0; i < N; i++)
        if (order[i] < 5) {
            measure(t, full, order[i]);
            measure(u, full, i);
        }
    for (int mode = POLICY_MODE_PAPER; mode <= POLICY_MODE_DEFAULT; mode++) {
        struct policy_question q = question(mode);
        q.batch = 3;
        AUTO(policy_answer_destroy) struct policy_answer *a = ask(t, &q);
        AUTO(policy_answer_destroy) struct policy_answer *z = ask(u, &q);
        for (size_t b = 0; b <= M; b++)
            for (size_t i = 0; i < N; i++) {
                const struct policy_prediction *p = policy_answer_prediction(a, b, order[i]);
                const struct policy_prediction *s = policy_answer_prediction(z, b, i);
                assert_near(s->mean, p->mean, 1e-9 * (1 + fabs(p->mean)), "mean");
                assert_int_equal(s->rank, p->rank);
            }
        assert_int_equal(a->n_choices, 3);
        for (size_t i = 0; mode == POLICY_MODE_DEFAULT && i < 3; i++)
            assert_int_equal(order[z->choices[i].representation], a->choices[i].representation);
    }
}

static void same_question_same_answer(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *full = load_paper();
    AUTO(policy_table_destroy) struct policy_table *t = blank(full, NULL);
    measure(t, full, 4);
    measure(t, full, 9);
    bool differs = false;
    struct policy_question q = question(POLICY_MODE_PAPER);
    q.batch = 4;
    AUTO(policy_answer_destroy) struct policy_answer *first = ask(t, &q);
    for (q.round = 0; q.round < 8; q.round++) {
        AUTO(policy_answer_destroy) struct policy_answer *a = ask(t, &q);
        AUTO(policy_answer_destroy) struct policy_answer *again = ask(t, &q);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(a->choices[i].representation, again->choices[i].representation);
            differs |= a->choices[i].representation != first->choices[i].representation;
        }
    }
    assert_true(differs); /* another round is another draw */
}

static void gaps_and_failures(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *full = load_paper();
    AUTO(policy_table_destroy) struct policy_table *t = blank(full, NULL);
    policy_table_set_c(t, 0, NAN);
    policy_table_set_a(t, 1, 5, NAN);
    bool excluded[N] = { [12] = true };
    for (int mode = POLICY_MODE_PAPER; mode <= POLICY_MODE_EXHAUSTIVE; mode++) {
        struct policy_question q = question(mode);
        q.batch = 100;
        q.excluded = excluded;
        AUTO(policy_answer_destroy) struct policy_answer *a = ask(t, &q);
        assert_int_equal(a->n_choices, N - 3);
        assert_int_equal(a->n_candidates, N - 3);
        assert_int_equal(a->n_unscored, 2);
        assert_non_null(strstr(a->note, "2 of 13"));
        bool seen[N] = { false };
        for (size_t i = 0; i < a->n_choices; i++) {
            size_t r = a->choices[i].representation;
            assert_false(r == 0 || r == 1 || r == 12 || seen[r]);
            seen[r] = true;
        }
        assert_int_equal(policy_answer_prediction(a, M, 12)->rank, 0);
    }
    /* Fine-tuned in part (one evaluation is lost): not chosen again. */
    policy_table_set_perf(t, 3, 0, 58.5);
    struct policy_question q = question(POLICY_MODE_EXHAUSTIVE);
    q.batch = 100;
    AUTO(policy_answer_destroy) struct policy_answer *a = ask(t, &q);
    assert_int_equal(a->n_choices, N - 3);
}

/* The best measured one may lack a score: it still leads, and the list is still full. */
static void leader_without_score(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *full = load_paper();
    AUTO(policy_table_destroy) struct policy_table *t = blank(full, NULL);
    double weights[M] = { 1 };
    measure(t, full, 11);
    measure(t, full, 3);
    measure(t, full, 7);
    policy_table_set_c(t, 11, NAN);
    for (int hedged = 0; hedged < 2; hedged++) {
        struct policy_question q = question(POLICY_MODE_DEFAULT);
        q.weights = weights;
        q.direction_prior = hedged ? 0.8 : 1;
        AUTO(policy_answer_destroy) struct policy_answer *a = ask(t, &q);
        assert_int_equal(a->n_list, 3);
        assert_int_equal(a->list[0], 11);
        assert_int_equal(a->n_choices, 1);
    }
}

/* A failed row's values must not move the scale or the fit of the others. */
static void excluded_rows_leave_no_trace(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *full = load_paper();
    AUTO(policy_table_destroy) struct policy_table *t = blank(full, NULL);
    AUTO(policy_table_destroy) struct policy_table *u = blank(full, NULL);
    for (size_t r = 0; r < 8; r++) {
        measure(t, full, r);
        measure(u, full, r);
    }
    bool excluded[N] = { [11] = true };
    policy_table_set_perf(u, 11, 2, 99999);
    struct policy_question q = question(POLICY_MODE_DEFAULT);
    q.excluded = excluded;
    AUTO(policy_answer_destroy) struct policy_answer *a = ask(t, &q);
    AUTO(policy_answer_destroy) struct policy_answer *z = ask(u, &q);
    for (size_t i = 0; i < N; i++)
        assert_true(i == 11 || policy_answer_prediction(a, M, i)->mean == policy_answer_prediction(z, M, i)->mean);
}

static void everything_measured(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *full = load_paper();
    double weights[M] = { 1 };
    struct policy_question q = question(POLICY_MODE_DEFAULT);
    q.weights = weights;
    AUTO(policy_answer_destroy) struct policy_answer *a = ask(full, &q);
    assert_int_equal(a->n_choices, 0);
    assert_int_equal(a->list[0], 11); /* C+D@224 wins MMBench */
    assert_near(a->p_best_in_list, 1, 0, "nothing is uncertain any more");
    assert_int_equal(policy_answer_prediction(a, 0, 11)->rank, 1);
    assert_near(a->fits[0].r2, 0.964220245347041, 1e-7, "the whole law");
}

/* ---- hostile tables --------------------------------------------------------------------------------------------- */

enum { MOST_ROWS = 9, MOST_BENCHMARKS = 3 };

/* Few rows, gaps, equal values, huge and tiny ones: cells from a short list so that ties are common. */
static double odd_value(struct policy_random *random)
{
    static const double values[] = { 0, 1, 1, 64.26, -3, 1e100, -1e100, 1e-300, 1 + 1e-15 };
    size_t i = policy_random_below(random, 2 * ARRAY_LEN(values));
    return i < ARRAY_LEN(values) ? values[i] : i % 4 == 0 ? NAN : policy_random_unit(random);
}

static struct policy_table *odd_table(struct policy_random *random)
{
    static const char *const reps[MOST_ROWS] = { "a", "b", "c", "d", "e", "f", "g", "h", "i" };
    static const char *const benches[MOST_BENCHMARKS] = { "x", "y", "z" };
    size_t n = 1 + policy_random_below(random, MOST_ROWS), m = 1 + policy_random_below(random, MOST_BENCHMARKS);
    struct policy_table *t = policy_table_create(reps, n, benches, m, NULL);
    assert_non_null(t);
    bool flat = policy_random_below(random, 4) == 0, measured = policy_random_below(random, 4) > 0;
    for (size_t r = 0; r < n; r++) {
        policy_table_set_c(t, r, flat ? 5 : odd_value(random));
        for (size_t b = 0; b < m; b++) {
            policy_table_set_a(t, r, b, odd_value(random));
            policy_table_set_perf(t, r, b, measured ? odd_value(random) : NAN);
        }
    }
    return t;
}

static void check_answer(const struct policy_answer *a, const struct policy_question *q, const struct policy_table *t)
{
    bool seen[MOST_ROWS] = { false };
    assert_int_equal(a->n_choices, a->n_candidates < q->batch ? a->n_candidates : q->batch);
    for (size_t i = 0; i < a->n_choices; i++) {
        size_t r = a->choices[i].representation;
        assert_true(r < a->n && !seen[r] && !q->excluded[r] && !isnan(policy_table_c(t, r, 0)));
        assert_true(a->choices[i].reason[0] != '\0');
        seen[r] = true;
    }
    assert_true(a->n_list <= 3 && (isnan(a->p_best_in_list) || (a->p_best_in_list >= 0 && a->p_best_in_list <= 1)));
    for (size_t i = 0; i < a->n_list; i++)
        assert_false(q->excluded[a->list[i]]);
    for (size_t b = 0; b <= a->m; b++) {
        int ranked = 0, highest = 0;
        for (size_t r = 0; r < a->n; r++) {
            const struct policy_prediction *p = policy_answer_prediction(a, b, r);
            assert_false(isinf(p->mean) || isinf(p->sd) || p->sd < 0 || (q->excluded[r] && p->rank));
            ranked += p->rank > 0;
            highest = p->rank > highest ? p->rank : highest;
        }
        assert_int_equal(ranked, highest); /* 1..n without a gap */
    }
}

static void odd_tables(void **state)
{
    static const double priors[] = { 1, 0.8, 0 };
    struct policy_random random;
    (void)state;
    policy_random_seed(&random, 11, 0);
    for (int i = 0; i < 400; i++) {
        AUTO(policy_table_destroy) struct policy_table *t = odd_table(&random);
        bool excluded[MOST_ROWS];
        for (size_t r = 0; r < MOST_ROWS; r++)
            excluded[r] = policy_random_below(&random, 6) == 0;
        for (int mode = POLICY_MODE_PAPER; mode <= POLICY_MODE_EXHAUSTIVE; mode++) {
            struct policy_question q = question(mode);
            q.excluded = excluded;
            q.batch = 1 + policy_random_below(&random, 4);
            q.direction_prior = priors[policy_random_below(&random, ARRAY_LEN(priors))];
            AUTO(policy_answer_destroy) struct policy_answer *a = ask(t, &q);
            check_answer(a, &q, t);
        }
    }
}

static void bad_questions(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *full = load_paper();
    double none[M] = { 0 }, negative[M] = { 1, -1 };
    struct policy_question q = question(POLICY_MODE_DEFAULT);
    struct err e = { 0 };
    q.weights = none;
    assert_null(policy_choose(full, &q, &e));
    assert_int_equal(e.kind, ERR_INPUT);
    err_clear(&e);
    q.weights = negative;
    assert_null(policy_choose(full, &q, &e));
    assert_non_null(strstr(e.text, "benchmark 2 is -1"));
    err_clear(&e);
    q.weights = NULL;
    q.direction_prior = 1.5;
    assert_null(policy_choose(full, &q, &e));
    assert_non_null(strstr(e.text, "direction_prior"));
    err_clear(&e);
    enum policy_mode mode;
    assert_int_equal(policy_mode_parse("greedy", &mode, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_int_equal(policy_mode_parse("exhaustive", &mode, NULL), 0);
    assert_string_equal(policy_mode_name(mode), "exhaustive");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_walks_the_trace),
        cmocka_unit_test(one_sequence_for_all),
        cmocka_unit_test(row_order_does_not_matter),
        cmocka_unit_test(same_question_same_answer),
        cmocka_unit_test(gaps_and_failures),
        cmocka_unit_test(excluded_rows_leave_no_trace),
        cmocka_unit_test(everything_measured),
        cmocka_unit_test(leader_without_score),
        cmocka_unit_test(odd_tables),
        cmocka_unit_test(bad_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
