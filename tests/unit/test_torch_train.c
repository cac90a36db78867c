/* Gradients against differences, blocks computed twice, AdamW and SGD against their formulas in double, and state that
 * goes through a checkpoint and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/torch_rig.h"
#include "worker/torch/th_train.h"

/* ---- gradients ------------------------------------------------------------------------------------------------------
 */

static void test_gradients_are_off_until_asked_for(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *w = th_requires_grad_(VECTOR(3), true);
    assert_false(th_grad_is_on());
    assert_false(th_requires_grad(th_mul(w, w)));
    {
        TH_SCOPE(inner);
        th_grad(true);
        assert_true(th_requires_grad(th_mul(w, w)));
        {
            TH_SCOPE(innermost);
            assert_true(th_grad_is_on());
            th_grad(false);
        }
        assert_true(th_grad_is_on());
    }
    assert_false(th_grad_is_on());
}

static void test_backward(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *w = th_requires_grad_(VECTOR(3, 4), true), *x = VECTOR(5, 6);
    assert_null(th_grad_of(w));
    th_grad(true);
    struct tensor *loss = th_sum(th_mul(th_square(w), x), TH_SCALAR_DIMS, false);
    assert_true(th_backward(loss));
    assert_values(th_grad_of(w), 1e-5, 30, 48);
    assert_true(th_backward(th_sum(w, TH_SCALAR_DIMS, false))); /* gradients add up */
    assert_values(th_grad_of(w), 1e-5, 31, 49);
    assert_null(th_grad_of(x));
    th_grad_clear(w);
    assert_null(th_grad_of(w));
    assert_false(th_requires_grad(th_detach(loss)));
    assert_false(th_backward(x));
    assert_fails(ERR_BUG, "loss must be one number");
    assert_false(th_backward(th_detach(loss)));
    assert_fails(ERR_BUG, "wants a gradient");
}

/* ---- blocks that are computed again ---------------------------------------------------------------------------------
 */

struct block {
    struct tensor *w, *b;
    int calls;
    bool fail;
};

static struct tensor *run_block(struct tensor *x, void *arg)
{
    struct block *m = arg;
    m->calls++;
    if (m->fail && m->calls > 1)
        return TH_FAIL(ERR_INPUT, "the block has had enough");
    TH_SCOPE(s);
    struct tensor *h = th_gelu(th_linear(x, m->w, m->b));
    return th_return(&s, th_add(x, th_mul(h, h)));
}

static struct block make_block(void)
{
    return (struct block){ .w = th_requires_grad_(floats(FLOATS(.1f, -.2f, .3f, .4f), TH_DIMS(2, 2)), true),
                           .b = th_requires_grad_(VECTOR(.5f, -.6f), true) };
}

static void gradients_of(bool again, struct tensor **w, struct tensor **b, struct tensor **x, int *calls)
{
    TH_SCOPE(s);
    struct block m = make_block();
    struct tensor *in = th_requires_grad_(floats(FLOATS(1, 2, -3, 4), TH_DIMS(2, 2)), true);
    th_grad(true);
    struct tensor *y = again ? th_recompute(run_block, in, &m) : run_block(in, &m);
    y = again ? th_recompute(run_block, y, &m) : run_block(y, &m);
    th_backward(th_sum(th_square(y), TH_SCALAR_DIMS, false));
    *w = th_hand_up(&s, th_grad_of(m.w));
    *b = th_hand_up(&s, th_grad_of(m.b));
    *x = th_hand_up(&s, th_grad_of(in));
    *calls = m.calls;
}

static void test_recomputed_blocks_have_the_same_gradients(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *w[2], *b[2], *x[2];
    int calls[2];
    for (int again = 0; again < 2; again++)
        gradients_of(again, &w[again], &b[again], &x[again], &calls[again]);
    assert_int_equal(th_check(NULL), 0);
    assert_int_equal(calls[0], 2);
    assert_int_equal(calls[1], 4);
    assert_values(th_sub(w[0], w[1]), 0, 0, 0, 0, 0);
    assert_values(th_sub(b[0], b[1]), 0, 0, 0);
    assert_values(th_sub(x[0], x[1]), 0, 0, 0, 0, 0);
}

static void test_errors_of_a_recomputed_block_arrive(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct block m = make_block();
    struct tensor *x = floats(FLOATS(1, 2), TH_DIMS(1, 2));
    assert_non_null(th_recompute(run_block, x, &m)); /* without gradients it is a plain call */
    assert_int_equal(m.calls, 1);
    th_grad(true);
    assert_null(th_recompute(run_block, x, &m));
    assert_fails(ERR_BUG, "x wants no gradient");
    th_requires_grad_(x, true);
    m = (struct block){ .w = m.w, .b = m.b, .fail = true };
    struct tensor *y = th_recompute(run_block, x, &m);
    assert_non_null(y);
    assert_false(th_backward(th_sum(y, TH_SCALAR_DIMS, false)));
    assert_fails(ERR_INPUT, "th_backward: the block has had enough");
}

/* ---- optimisers -----------------------------------------------------------------------------------------------------
 */

enum { STEPS = 7, N = 3 };

static const float start[N] = { 1, -2, 3 };

/* Any gradient will do: it moves with the step. */
static double gradient(int step, int i)
{
    return sin(step * 1.3 + i) + 0.1 * i;
}

static void set_gradients(struct tensor *w, int step)
{
    TH_SCOPE(s);
    float g[N];
    for (int i = 0; i < N; i++)
        g[i] = (float)gradient(step, i);
    th_grad(true);
    th_backward(th_sum(th_mul(th_to(w, TH_F32), floats(g, TH_DIMS(N))), TH_SCALAR_DIMS, false));
}

static void adamw_by_formula(double lr, double decay, double b1, double b2, double eps, double out[N])
{
    for (int i = 0; i < N; i++) {
        double p = start[i], m = 0, v = 0;
        for (int t = 1; t <= STEPS; t++) {
            double g = gradient(t, i);
            p -= lr * decay * p;
            m = b1 * m + (1 - b1) * g;
            v = b2 * v + (1 - b2) * g * g;
            p -= lr * (m / (1 - pow(b1, t))) / (sqrt(v / (1 - pow(b2, t))) + eps);
        }
        out[i] = p;
    }
}

static void run_adamw(enum th_dtype t, bool strided, double tolerance)
{
    struct err e = { 0 };
    TH_SCOPE(s);
    AUTO(th_optim_destroy) struct th_optim *o = th_optim_adamw((struct th_adamw){ .9, .95, 1e-6 }, &e);
    struct tensor *room = th_to(th_zeros(TH_DIMS(N, 2), TH_F32, TH_CPU), t);
    struct tensor *w = strided ? th_select(room, 1, 0) : th_empty(TH_DIMS(N), t, TH_CPU);
    th_copy_(w, VECTOR(1, -2, 3));
    w = th_requires_grad_(th_detach(w), true);
    assert_true(th_optim_add(o, "w", w, 0.1, 2));
    for (int step = 1; step <= STEPS; step++) {
        set_gradients(w, step);
        assert_true(th_optim_step(o, 0.01));
        th_optim_zero_grad(o);
    }
    double want[N];
    adamw_by_formula(0.02, 0.1, .9, .95, 1e-6, want);
    assert_values(w, tolerance, want[0], want[1], want[2]);
}

static void test_adamw_follows_its_formula(void **state)
{
    (void)state;
    run_adamw(TH_F32, false, 1e-6);
    run_adamw(TH_F32, true, 1e-6); /* the way of all but plain f32 on the CPU */
    run_adamw(TH_F64, false, 1e-7);
    run_adamw(TH_BF16, false, 0.02);
}

static void test_small_steps_reach_parameters_in_half_precision(void **state)
{
    (void)state;
    struct err e = { 0 };
    TH_SCOPE(s);
    AUTO(th_optim_destroy) struct th_optim *o = th_optim_sgd((struct th_sgd){ 0 }, &e);
    struct tensor *w = th_requires_grad_(th_ones(TH_DIMS(1), TH_BF16, TH_CPU), true);
    assert_true(th_optim_add(o, "w", w, 0, 1));
    for (int i = 0; i < 1000; i++) { /* each is far below the spacing of bf16 at 1 */
        TH_SCOPE(step);
        th_grad(true);
        th_backward(th_sum(w, TH_SCALAR_DIMS, false));
        th_optim_step(o, 1e-4);
        th_optim_zero_grad(o);
    }
    assert_values(w, 0.005, 0.9);
}

static void sgd_by_formula(struct th_sgd o, double lr, double decay, double out[N])
{
    for (int i = 0; i < N; i++) {
        double p = start[i], b = 0;
        for (int t = 1; t <= STEPS; t++) {
            double g = gradient(t, i) + decay * p;
            b = o.momentum * b + g;
            p -= lr * (o.nesterov ? g + o.momentum * b : o.momentum != 0 ? b : g);
        }
        out[i] = p;
    }
}

static void test_sgd_follows_its_formula(void **state)
{
    (void)state;
    static const struct th_sgd kinds[] = { { 0 }, { .momentum = .9 }, { .momentum = .9, .nesterov = true } };
    struct err e = { 0 };
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        TH_SCOPE(s);
        AUTO(th_optim_destroy) struct th_optim *o = th_optim_sgd(kinds[k], &e);
        struct tensor *w = th_requires_grad_(VECTOR(1, -2, 3), true);
        assert_true(th_optim_add(o, "w", w, 0.1, 1));
        for (int step = 1; step <= STEPS; step++) {
            set_gradients(w, step);
            th_optim_step(o, 0.05);
            th_optim_zero_grad(o);
        }
        double want[N];
        sgd_by_formula(kinds[k], 0.05, 0.1, want);
        assert_values(w, 1e-5, want[0], want[1], want[2]);
    }
}

static void test_parameters_without_gradient_stay(void **state)
{
    (void)state;
    struct err e = { 0 };
    TH_SCOPE(s);
    AUTO(th_optim_destroy) struct th_optim *o = th_optim_adamw((struct th_adamw){ 0 }, &e);
    struct tensor *a = th_requires_grad_(VECTOR(1, -2, 3), true), *b = th_requires_grad_(VECTOR(7), true);
    th_optim_add(o, "a", a, 0.5, 1);
    th_optim_add(o, "b", b, 0.5, 1);
    set_gradients(a, 1);
    assert_true(th_optim_step(o, 0.1));
    assert_values(b, 0, 7);
    assert_int_equal(th_optim_count(o), 2);
}

static void test_clipping(void **state)
{
    (void)state;
    struct err e = { 0 };
    TH_SCOPE(s);
    AUTO(th_optim_destroy) struct th_optim *o = th_optim_sgd((struct th_sgd){ 0 }, &e);
    struct tensor *a = th_requires_grad_(VECTOR(0), true), *b = th_requires_grad_(th_to(VECTOR(0), TH_BF16), true);
    th_optim_add(o, "a", a, 0, 1);
    th_optim_add(o, "b", b, 0, 1);
    assert_true(th_optim_grad_norm(o) == 0);
    th_grad(true);
    th_backward(th_add(th_sum(th_mul_s(a, 3), TH_SCALAR_DIMS, false), th_sum(th_mul_s(b, 4), TH_SCALAR_DIMS, false)));
    assert_true(fabs(th_optim_clip_grad(o, 10) - 5) < 1e-5);
    assert_values(th_grad_of(a), 0, 3);
    assert_true(fabs(th_optim_clip_grad(o, 1) - 5) < 1e-5);
    assert_values(th_grad_of(a), 1e-5, 0.6);
    assert_values(th_grad_of(b), 0.003, 0.8);
    th_fill_(th_grad_of(a), INFINITY);
    assert_true(isinf(th_optim_clip_grad(o, 1)));
    assert_values(th_grad_of(b), 0.003, 0.8);
}

/* ---- state ----------------------------------------------------------------------------------------------------------
 */

static void train(struct th_optim *o, struct tensor *w, int from, int to)
{
    for (int step = from; step <= to; step++) {
        set_gradients(w, step);
        th_optim_step(o, 0.01);
        th_optim_zero_grad(o);
    }
}

static void check_resume(enum th_dtype t)
{
    struct err e = { 0 };
    TH_SCOPE(s);
    struct tensor *w = th_requires_grad_(th_to(VECTOR(1, -2, 3), t), true);
    AUTO(th_optim_destroy) struct th_optim *o = th_optim_adamw((struct th_adamw){ 0 }, &e);
    th_optim_add(o, "w", w, 0.1, 1);
    train(o, w, 1, 3);

    struct tensor *again = th_requires_grad_(th_clone(th_detach(w)), true);
    AUTO(th_optim_destroy) struct th_optim *o2 = th_optim_adamw((struct th_adamw){ 0 }, &e);
    th_optim_add(o2, "w", again, 0.1, 1);
    int64_t n = th_optim_state_count(o);
    assert_int_equal(n, t == TH_BF16 ? 4 : 3);
    for (int64_t i = 0; i < n; i++) {
        const char *name;
        struct tensor *value = th_optim_state_at(o, i, &name);
        assert_true(th_optim_set_state(o2, name, th_clone(value)));
    }
    train(o, w, 4, 6);
    train(o2, again, 4, 6);
    assert_values(th_sub(w, again), 0, 0, 0, 0);
}

static void test_state_resumes_bit_for_bit(void **state)
{
    (void)state;
    check_resume(TH_F32);
    check_resume(TH_BF16);
}

static void test_mistakes_with_state(void **state)
{
    (void)state;
    struct err e = { 0 };
    TH_SCOPE(s);
    AUTO(th_optim_destroy) struct th_optim *o = th_optim_adamw((struct th_adamw){ 0 }, &e);
    struct tensor *w = th_requires_grad_(VECTOR(1, 2), true);
    assert_true(th_optim_add(o, "w", w, 0, 1));
    assert_false(th_optim_add(o, "w", w, 0, 1));
    assert_fails(ERR_BUG, "two parameters named w");
    assert_false(th_optim_add(o, "x", VECTOR(1), 0, 1));
    assert_fails(ERR_BUG, "parameter x is not a leaf");
    assert_false(th_optim_set_state(o, "w.exp_avg", VECTOR(1)));
    assert_fails(ERR_INPUT, "another shape");
    assert_false(th_optim_set_state(o, "v.exp_avg", VECTOR(1)));
    assert_fails(ERR_INPUT, "there is no state v.exp_avg");
    assert_null(th_optim_state_at(o, 3, NULL));
    th_check(NULL);
    const char *name;
    th_optim_state_at(o, 1, &name);
    assert_string_equal(name, "w.exp_avg");
}

int main(void)
{
    if (torch_absent())
        return 77;
    const struct CMUnitTest tests[] = {
        TORCH_TEST(test_gradients_are_off_until_asked_for),
        TORCH_TEST(test_backward),
        TORCH_TEST(test_recomputed_blocks_have_the_same_gradients),
        TORCH_TEST(test_errors_of_a_recomputed_block_arrive),
        TORCH_TEST(test_adamw_follows_its_formula),
        TORCH_TEST(test_small_steps_reach_parameters_in_half_precision),
        TORCH_TEST(test_sgd_follows_its_formula),
        TORCH_TEST(test_parameters_without_gradient_stay),
        TORCH_TEST(test_clipping),
        TORCH_TEST(test_state_resumes_bit_for_bit),
        TORCH_TEST(test_mistakes_with_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
