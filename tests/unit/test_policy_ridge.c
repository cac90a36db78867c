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

/* The hedge, against an independent implementation (dense Gaussian processes instead of closed forms): VizWiz after
 * CLIP@336, C+D@336, DINOv2 and SigLIP, with "no direction" at 20 % and alone. There the data speak against the
 * direction: its probability falls from 0.8 to 0.298. */
static void hedged_beliefs(void **state)
{
    static const struct {
        double prior, mean[N], sd[N], improvement[N];
    } cases[] = {
        { 0.8,
          { 1.03962613272, 1.05367027963, 0.7580593604, 0.668461870166, 0.545934288011, 0.546214841157, 0.529372545548,
            0.416069210971, 0.461864521824, 0.440033496682, 0.739768279985, 0.744138964905, 0.704487467131 },
          { 0.251752266735, 0.270715332688, 0.187262262981, 0.170350939597, 0.294549396195, 0.280788626453,
            0.381179864606, 0.768112827304, 0.69326106781, 0.649798281292, 0.252554272132, 0.160296719517,
            0.193719745673 },
          { 0, 0.136950445036, 0.00867193270781, 0, 0.00784673869156, 0.00628221027956, 0.0199087138499,
            0.0989848725811, 0.086882026124, 0.069962135183, 0, 0.0037593730096, 0 } },
        { 0,
          { 1.00422656633, 1.02832610469, 0.781020209707, 0.667800192951, 0.633901695187, 0.623978153535, 0.66848404891,
            0.774033212437, 0.776942766808, 0.732652328761, 0.79942704225, 0.719985680108, 0.680889948467 },
          { 0.247930773186, 0.271035147387, 0.185744643093, 0.172735510342, 0.257616712297, 0.251431531844,
            0.303768282659, 0.477914965306, 0.44847706389, 0.425910423904, 0.234687663481, 0.157157499187,
            0.192206197499 },
          { 0, 0.12288040645, 0.0108791617437, 0, 0.0090159210309, 0.00744416726802, 0.0212036050322, 0.098600490147,
            0.0890722422983, 0.0686570778934, 0, 0.00234869612231, 0 } },
    };
    static const size_t measured[] = { 0, 12, 3, 10 }, want[3] = { 0, 1, 7 };
    (void)state;
    json_t *golden = load_golden();
    struct plane p = load_plane(golden, "VizWiz");
    double seen[N];
    for (size_t r = 0; r < N; r++)
        seen[r] = NAN;
    for (size_t i = 0; i < ARRAY_LEN(measured); i++)
        seen[measured[i]] = p.y[measured[i]];
    struct policy_points points = { .n = N, .a = p.a, .c = p.c, .y = seen };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(policy_target_destroy) struct policy_target *g = fitted(&points, cases[i].prior);
        size_t list[3];
        for (size_t r = 0; r < N; r++) {
            assert_near(g->mean[r], cases[i].mean[r], 1e-9, "mean");
            assert_near(g->sd[r], cases[i].sd[r], 1e-9, "sd");
            if (isnan(seen[r]))
                assert_near(policy_target_value(g, r), cases[i].improvement[r], 1e-9, "expected improvement");
        }
        assert_int_equal(wanted(g), 1);
        assert_int_equal(policy_target_list(g, NULL, list), 3);
        for (size_t l = 0; l < 3; l++)
            assert_int_equal(list[l], want[l]);
    }
    json_decref(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace_matches),
        cmocka_unit_test(affine_invariance),
        cmocka_unit_test(hedged_beliefs),
        cmocka_unit_test(draws_match_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
