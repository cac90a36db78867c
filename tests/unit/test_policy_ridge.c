/* The default policy's surrogate and its decisions against the golden trace; invariances. */
#include "tests/unit/policy_golden.h"

#include "policy/target.h"

struct plane {
    double a[N], c[N], y[N];
};

static struct plane load_plane(json_t *golden, const char *benchmark)
{
    struct plane p;
    for (size_t r = 0; r < N; r++) {
        p.a[r] = number_at(get(golden, "normalised", benchmark, "A", NULL), r);
        p.c[r] = number_at(get(golden, "normalised", benchmark, "C", NULL), r);
        p.y[r] = number_at(get(golden, "normalised", benchmark, "y", NULL), r);
    }
    return p;
}

static struct policy_target *fitted(struct policy_points *p, double prior)
{
    struct err e = { 0 };
    struct policy_target *g = policy_target_create(p, 1, NULL, prior, &e);
    if (!g || policy_target_fit(g, &e) < 0)
        fail_msg("%s", e.text);
    return g;
}

/* What the default policy wants next, N when nothing is left. */
static size_t wanted(const struct policy_target *g)
{
    size_t best = N;
    for (size_t r = 0; r < N; r++)
        if (!g->started[r] && (best == N || policy_target_value(g, r) > policy_target_value(g, best)))
            best = r;
    return best;
}

static void check_step(struct plane *p, json_t *step, const char *what)
{
    double seen[N];
    size_t i, list[3];
    json_t *row;
    for (size_t r = 0; r < N; r++)
        seen[r] = NAN;
    json_array_foreach(get(step, "measured", NULL), i, row) seen[json_integer_value(row)] =
        p->y[json_integer_value(row)];
    struct policy_points points = { .n = N, .a = p->a, .c = p->c, .y = seen };
    AUTO(policy_target_destroy) struct policy_target *g = fitted(&points, 1);
    for (size_t r = 0; r < N; r++) {
        assert_near(policy_ridge_mean(g->ridges[0], r), number_at(get(step, "mean", NULL), r), 1e-7, what);
        assert_near(sqrt(policy_ridge_cov(g->ridges[0], r, r)), number_at(get(step, "sd", NULL), r), 1e-7, what);
    }
    assert_int_equal(policy_target_list(g, NULL, list), 3);
    for (size_t l = 0; l < 3; l++)
        assert_int_equal(list[l], json_integer_value(json_array_get(get(step, "list3", NULL), l)));
    assert_int_equal(wanted(g), json_integer_value(get(step, "next", NULL)));
}

static void trace_matches(void **state)
{
    (void)state;
    json_t *golden = load_golden(), *steps, *step;
    const char *benchmark;
    size_t i, checked = 0;
    json_object_foreach(get(golden, "recommended_policy", "trace", NULL), benchmark, steps)
    {
        struct plane p = load_plane(golden, benchmark);
        struct policy_points nothing = { .n = N, .a = p.a, .c = p.c, .y = (double[N]){ 0 } };
        for (size_t r = 0; r < N; r++)
            nothing.y[r] = NAN;
        AUTO(policy_target_destroy) struct policy_target *g = fitted(&nothing, 1);
        assert_int_equal(wanted(g),
                         json_integer_value(json_array_get(get(json_array_get(steps, 0), "measured", NULL), 0)));
        json_array_foreach(steps, i, step)
        {
            check_step(&p, step, benchmark);
            checked++;
        }
    }
    assert_int_equal(checked, 64);
    json_decref(golden);
}

/* y -> s y + b changes the answer in the same way, and changes no decision. */
static void affine_invariance(void **state)
{
    (void)state;
    json_t *golden = load_golden();
    struct plane p = load_plane(golden, "TextVQA"), q = p;
    for (size_t r = 0; r < N; r++) {
        p.y[r] = r % 3 ? NAN : p.y[r];
        q.y[r] = 1502.7 * p.y[r] - 40;
    }
    for (int hedged = 0; hedged < 2; hedged++) {
        AUTO(policy_ridge_destroy)
        struct policy_ridge *g = policy_ridge_create(p.a, p.c, p.y, NULL, N, 1 - 0.2 * hedged, NULL);
        AUTO(policy_ridge_destroy)
        struct policy_ridge *h = policy_ridge_create(q.a, q.c, q.y, NULL, N, 1 - 0.2 * hedged, NULL);
        for (size_t r = 0; r < N; r++) {
            assert_near(policy_ridge_mean(h, r), 1502.7 * policy_ridge_mean(g, r) - 40, 1e-7, "mean");
            assert_near(sqrt(policy_ridge_cov(h, r, r)), 1502.7 * sqrt(policy_ridge_cov(g, r, r)), 1e-7, "sd");
        }
    }
    json_decref(golden);
}

/* Draws have the mean and covariance that the closed form states. */
static void draws_match_moments(void **state)
{
    enum { DRAWS = 40000 };
    (void)state;
    json_t *golden = load_golden();
    struct plane p = load_plane(golden, "MMMU");
    for (size_t r = 4; r < N; r++)
        p.y[r] = NAN;
    AUTO(policy_ridge_destroy) struct policy_ridge *g = policy_ridge_create(p.a, p.c, p.y, NULL, N, 0.8, NULL);
    struct policy_random random;
    policy_random_seed(&random, 5, 0);
    double sum[N] = { 0 }, cross = 0, out[N];
    for (int d = 0; d < DRAWS; d++) {
        policy_ridge_sample(g, &random, out);
        for (size_t r = 0; r < N; r++)
            sum[r] += out[r] / DRAWS;
        cross += (out[7] - policy_ridge_mean(g, 7)) * (out[10] - policy_ridge_mean(g, 10)) / DRAWS;
    }
    for (size_t r = 0; r < N; r++)
        assert_near(sum[r], policy_ridge_mean(g, r), 5 * sqrt(policy_ridge_cov(g, r, r) / DRAWS), "mean of draws");
    double scale = sqrt(policy_ridge_cov(g, 7, 7) * policy_ridge_cov(g, 10, 10));
    assert_near(cross, policy_ridge_cov(g, 7, 10), 0.05 * scale, "covariance of draws");
    json_decref(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace_matches),
        cmocka_unit_test(affine_invariance),
        cmocka_unit_test(draws_match_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
