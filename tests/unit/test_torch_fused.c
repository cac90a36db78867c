/* What is fused with its gradient gives the bits that its formula gives when it is composed of single operations: RMS
 * norm and rotary embedding, their gradients, and what x has from elsewhere besides. And attention under a mask, whose
 * sums libtorch may order in its own way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/torch_rig.h"
#include "worker/torch/th_train.h"

#define EPS 1e-6
#define MOST 65536 /* numbers of a tensor here */

static struct tensor *randoms(uint64_t seed, const int64_t *dims, int n, enum th_dtype t)
{
    struct err e = { 0 };
    struct th_rng *r = th_rng_create(seed, &e);
    struct tensor *x = th_randn(r, dims, n, t, TH_CPU);
    th_rng_destroy(r);
    return x;
}

static int64_t numbers_of(struct tensor *x)
{
    int64_t n = 1;
    for (int i = 0; i < th_rank(x); i++)
        n *= th_size(x, i);
    return n;
}

/* `tolerance` 0: the same bits, but that a zero has no sign. */
static void assert_close(const char *what, struct tensor *x, struct tensor *want, double tolerance)
{
    static double a[MOST], b[MOST];
    struct err e = { 0 };
    int64_t n = numbers_of(want);
    assert_true(n <= MOST);
    assert_int_equal(numbers_of(x), n);
    assert_int_equal(th_dtype_of(x), th_dtype_of(want));
    if (!th_read(x, TH_F64, a, n) || !th_read(want, TH_F64, b, n)) {
        th_check(&e);
        fail_msg("%s: %s", what, e.text);
    }
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) <= tolerance))
            fail_msg("%s: element %lld is %.9g, not %.9g", what, (long long)i, a[i], b[i]);
}

/* ---- RMS norm -------------------------------------------------------------------------------------------------------
 */

struct norm_case {
    const char *name;
    const int64_t dims[3];
    int n;
    enum th_dtype t, weight_t;
    bool turned; /* x does not lie in memory as it is read */
    bool weight, want_x, want_w;
};

static struct tensor *composed_norm(struct tensor *x, struct tensor *w)
{
    struct tensor *wide = th_to(x, TH_F32);
    struct tensor *r = th_rsqrt(th_add_s(th_mean(th_square(wide), (int64_t[]){ -1 }, 1, true), EPS));
    struct tensor *y = th_to(th_mul(wide, r), th_dtype_of(x));
    return w ? th_mul(y, w) : y;
}

struct norm_result {
    struct tensor *y, *x, *w;
};

static struct norm_result norm_of(const struct norm_case *c, bool fused)
{
    TH_SCOPE(s);
    struct tensor *x = th_requires_grad_(randoms(1, c->dims, c->n, c->t), c->want_x), *in = x;
    struct tensor *w = c->weight ? randoms(2, TH_DIMS(c->dims[c->turned ? c->n - 2 : c->n - 1]), c->weight_t) : NULL;
    if (w)
        th_requires_grad_(w, c->want_w);
    th_grad(true);
    if (c->turned)
        in = th_transpose(x, c->n - 2, c->n - 1);
    in = th_mul_s(in, 1.5); /* as within a model: not a leaf */
    struct tensor *y = fused ? th_rms_norm(in, w, EPS) : composed_norm(in, w);
    struct tensor *probe = th_expand_as(randoms(3, TH_DIMS(th_size(y, -1)), c->t), y);
    struct tensor *out = th_add(in, th_mul(y, probe)); /* and as in a block, x goes on beside its norm */
    if (c->want_x || c->want_w)
        th_backward(th_sum(th_to(th_mul(out, th_expand_as(probe, out)), TH_F32), TH_SCALAR_DIMS, false));
    struct norm_result r = { .y = th_detach(y) };
    th_hand_up(&s, r.y);
    if (c->want_x)
        th_hand_up(&s, r.x = th_grad_of(x));
    if (c->want_w)
        th_hand_up(&s, r.w = th_grad_of(w));
    return r;
}

static void test_rms_norm(void **state)
{
    (void)state;
    const struct norm_case cases[] = {
        { "all", { 3, 5, 128 }, 3, TH_F32, TH_F32, false, true, true, true },
        { "width 7", { 4, 3, 7 }, 3, TH_F32, TH_F32, false, true, true, true },
        { "one row", { 33 }, 1, TH_F32, TH_F32, false, true, true, true },
        { "turned", { 3, 8, 5 }, 3, TH_F32, TH_F32, true, true, true, true },
        { "no weight", { 6, 40 }, 2, TH_F32, TH_F32, false, false, true, false },
        { "frozen weight", { 6, 40 }, 2, TH_F32, TH_F32, false, true, true, false },
        { "weight alone", { 6, 40 }, 2, TH_F32, TH_F32, false, true, false, true },
        { "nothing wanted", { 6, 40 }, 2, TH_F32, TH_F32, false, true, false, false },
        { "nothing", { 0, 40 }, 2, TH_F32, TH_F32, false, true, true, true },
        { "bf16", { 3, 5, 64 }, 3, TH_BF16, TH_BF16, false, true, true, true },
        { "bf16, weight in f32", { 3, 5, 64 }, 3, TH_BF16, TH_F32, false, true, true, true },
        { "for several threads", { 3, 16, 1024 }, 3, TH_F32, TH_F32, false, true, true, true },
        { "bf16, no weight", { 3, 5, 64 }, 3, TH_BF16, TH_BF16, false, false, true, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        TH_SCOPE(s);
        const struct norm_case *c = &cases[i];
        struct norm_result a = norm_of(c, true), b = norm_of(c, false);
        assert_close(c->name, a.y, b.y, 0);
        if (c->want_x)
            assert_close(c->name, a.x, b.x, 0);
        if (c->want_w)
            assert_close(c->name, a.w, b.w, 0);
    }
}

/* ---- rotary embedding -----------------------------------------------------------------------------------------------
 */

static struct tensor *composed_rope(struct tensor *x, struct tensor *cos, struct tensor *sin)
{
    int64_t half = th_size(x, 3) / 2;
    struct tensor *turned = th_cat(TH_LIST(th_neg(th_slice(x, 3, half, INT64_MAX)), th_slice(x, 3, 0, half)), 3);
    return th_add(th_mul(x, cos), th_mul(turned, sin));
}

/* x (B,N,H,D) in memory, as a layer makes it. cos and sin need not have equal halves. */
static void rope_of(bool fused, enum th_dtype t, int64_t rows, bool grad, struct tensor **y, struct tensor **dx)
{
    TH_SCOPE(s);
    struct tensor *x = randoms(1, TH_DIMS(2, 40, 3, 64), t);
    struct tensor *cos = randoms(2, TH_DIMS(rows, 1, 40, 64), t), *sin = randoms(3, TH_DIMS(rows, 1, 40, 64), t);
    th_requires_grad_(x, grad);
    th_grad(grad);
    struct tensor *heads = th_transpose(x, 1, 2); /* (B,H,N,D) */
    *y = fused ? th_rope(heads, cos, sin) : composed_rope(heads, cos, sin);
    th_hand_up(&s, *y);
    if (!grad)
        return;
    th_backward(th_sum(th_to(th_mul(*y, randoms(4, TH_DIMS(2, 3, 40, 64), t)), TH_F32), TH_SCALAR_DIMS, false));
    th_hand_up(&s, *dx = th_grad_of(x));
    *y = th_hand_up(&s, th_detach(*y));
}

static void test_rope(void **state)
{
    (void)state;
    for (int t = 0; t < 2; t++)
        for (int64_t rows = 1; rows <= 2; rows++)
            for (int grad = 0; grad < 2; grad++) {
                TH_SCOPE(s);
                struct tensor *y[2], *dx[2];
                for (int fused = 0; fused < 2; fused++)
                    rope_of(fused, t ? TH_BF16 : TH_F32, rows, grad, &y[fused], &dx[fused]);
                assert_close("turned", y[1], y[0], 0);
                if (grad)
                    assert_close("gradient", dx[1], dx[0], 0);
            }
}

static void test_mistakes_with_rope(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = randoms(1, TH_DIMS(1, 1, 2, 6), TH_F32), *odd = randoms(1, TH_DIMS(1, 1, 2, 5), TH_F32);
    assert_null(th_rope(odd, odd, odd));
    assert_fails(ERR_BUG, "must be even");
    th_grad(true);
    struct tensor *cos = th_requires_grad_(randoms(2, TH_DIMS(1, 1, 2, 6), TH_F32), true);
    assert_null(th_rope(x, cos, x));
    assert_fails(ERR_BUG, "get no gradient");
}

/* ---- attention ------------------------------------------------------------------------------------------------------
 */

static struct tensor *composed_attention(struct tensor *q, struct tensor *k, struct tensor *v, struct tensor *hidden)
{
    struct tensor *scores = th_matmul(th_mul_s(q, 1 / sqrt((double)th_size(q, 3))), th_transpose(k, 2, 3));
    return th_matmul(th_softmax(th_masked_fill(scores, hidden, -INFINITY), -1), v);
}

static void test_attention_under_a_mask(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *grads[2][3], *y[2];
    struct tensor *first = th_full(TH_DIMS(2, 1, 6, 1), -1, TH_F32, TH_CPU); /* everybody may look at the first */
    struct tensor *lots = th_cat(TH_LIST(first, randoms(9, TH_DIMS(2, 1, 6, 5), TH_F32)), 3);
    struct tensor *mask = th_le_s(lots, 0.5), *hidden = th_gt_s(lots, 0.5);
    for (int fused = 0; fused < 2; fused++) {
        TH_SCOPE(inner);
        struct tensor *in[3];
        for (int i = 0; i < 3; i++)
            in[i] = th_requires_grad_(randoms((uint64_t)i + 1, TH_DIMS(2, 3, 6, 8), TH_F32), true);
        th_grad(true);
        y[fused] = fused ? th_sdpa(in[0], in[1], in[2], (struct th_attention){ .mask = mask })
                         : composed_attention(in[0], in[1], in[2], hidden);
        th_hand_up(&inner, y[fused]);
        th_backward(th_sum(th_mul(y[fused], randoms(4, TH_DIMS(2, 3, 6, 8), TH_F32)), TH_SCALAR_DIMS, false));
        for (int i = 0; i < 3; i++)
            th_hand_up(&inner, grads[fused][i] = th_grad_of(in[i]));
    }
    assert_close("result", th_detach(y[1]), th_detach(y[0]), 1e-5);
    for (int i = 0; i < 3; i++)
        assert_close("gradient", grads[1][i], grads[0][i], 1e-5);
}

int main(void)
{
    if (torch_absent())
        return 77;
    th_set_threads(2); /* large tensors are shared out */
    const struct CMUnitTest tests[] = {
        TORCH_TEST(test_rms_norm),
        TORCH_TEST(test_rope),
        TORCH_TEST(test_mistakes_with_rope),
        TORCH_TEST(test_attention_under_a_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
