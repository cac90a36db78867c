/* Layers, attention, resizing and losses: against loops written out here, or values printed by PyTorch 2.7 (float32).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/torch_rig.h"
#include "worker/torch/th_train.h"

static struct th_rng *rng;

static struct tensor *noise(const int64_t *dims, int n)
{
    return th_randn(rng, dims, n, TH_F32, TH_CPU);
}

/* The elements as doubles, malloced. */
static double *numbers(struct tensor *x)
{
    int64_t n = th_numel(x);
    double *out = calloc((size_t)n + 1, sizeof *out);
    if (!th_read(x, TH_F64, out, n))
        fail_msg("cannot read");
    return out;
}

static void assert_close_(struct tensor *a, struct tensor *b, double tolerance, int line)
{
    char x[64], y[64];
    double worst = th_item(th_amax(th_abs(th_sub(a, b)), TH_SCALAR_DIMS, false));
    if (!(worst <= tolerance))
        fail_msg("line %d: %s and %s differ by %g", line, th_describe(a, x, sizeof x), th_describe(b, y, sizeof y),
                 worst);
}
#define assert_close(a, b, tolerance) assert_close_((a), (b), (tolerance), __LINE__)

/* ---- linear algebra -------------------------------------------------------------------------------------------------
 */

static void test_products(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *a = floats(FLOATS(1, 2, 3, 4), TH_DIMS(2, 2)), *b = floats(FLOATS(5, 6, 7, 8), TH_DIMS(2, 2));
    assert_values(th_matmul(a, b), 0, 19, 22, 43, 50);
    assert_values(th_linear(a, b, NULL), 0, 17, 23, 39, 53);
    assert_values(th_linear(a, b, VECTOR(1, -1)), 0, 18, 22, 40, 52);
    struct tensor *a3 = th_unsqueeze(a, 0), *b3 = th_unsqueeze(b, 0);
    assert_values(th_bmm(a3, b3), 0, 19, 22, 43, 50);
    assert_values(th_baddbmm(th_ones_like(a3), a3, b3, 10, .5), 0, 19.5, 21, 31.5, 35);
    assert_values(th_outer(VECTOR(1, 2), VECTOR(3, 4)), 0, 3, 4, 6, 8);
    assert_values(th_einsum("ij,jk->ki", TH_LIST(a, b)), 0, 19, 43, 22, 50);
    assert_null(th_einsum("ij,jk->", TH_LIST(a)));
    th_check(NULL);
}

static void test_bf16_products(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *a = noise(TH_DIMS(8, 64)), *w = noise(TH_DIMS(16, 64)), *b = noise(TH_DIMS(16));
    struct tensor *half = th_linear(th_to(a, TH_BF16), th_to(w, TH_BF16), th_to(b, TH_BF16));
    assert_int_equal(th_dtype_of(half), TH_BF16);
    assert_close(th_to(half, TH_F32), th_linear(a, w, b), 0.3);
}

/* ---- layers ---------------------------------------------------------------------------------------------------------
 */

/* x (1,C,H,W), w (O,C,k,k): the sum written out. */
static double conv_at(const double *x, const double *w, int64_t c, int64_t size, int64_t k, struct th_conv o,
                      int64_t out, int64_t row, int64_t column)
{
    double sum = 0;
    for (int64_t i = 0; i < c; i++)
        for (int64_t dy = 0; dy < k; dy++)
            for (int64_t dx = 0; dx < k; dx++) {
                int64_t y = row * o.stride - o.padding + dy * o.dilation,
                        z = column * o.stride - o.padding + dx * o.dilation;
                if (y >= 0 && y < size && z >= 0 && z < size)
                    sum += x[(i * size + y) * size + z] * w[((out * c + i) * k + dy) * k + dx];
            }
    return sum;
}

static void test_conv2d(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct th_conv o = { .stride = 2, .padding = 1, .dilation = 2 };
    struct tensor *x = noise(TH_DIMS(1, 3, 9, 9)), *w = noise(TH_DIMS(4, 3, 3, 3)), *b = VECTOR(0, 0, 0, 1);
    struct tensor *y = th_conv2d(x, w, b, o);
    assert_true(th_is_shape(y, TH_DIMS(1, 4, 4, 4)));
    AUTO(free) double *xs = numbers(x), *ws = numbers(w), *ys = numbers(y);
    for (int64_t i = 0; i < 64; i++) {
        double want = conv_at(xs, ws, 3, 9, 3, o, i / 16, i / 4 % 4, i % 4) + (i / 16 == 3);
        if (fabs(ys[i] - want) > 1e-4)
            fail_msg("element %d is %g, not %g", (int)i, ys[i], want);
    }
    assert_true(th_is_shape(th_conv2d(x, noise(TH_DIMS(6, 1, 3, 3)), NULL, (struct th_conv){ .groups = 3 }),
                            TH_DIMS(1, 6, 7, 7)));
}

static void test_pooling(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = th_reshape(th_arange(0, 16, 1, TH_F32, TH_CPU), TH_DIMS(1, 1, 4, 4));
    assert_values(th_avg_pool2d(x, 2, 2), 0, 2.5, 4.5, 10.5, 12.5);
    assert_values(th_max_pool2d(x, 2, 2, 0), 0, 5, 7, 13, 15);
    assert_values(th_adaptive_avg_pool2d(x, 1, 2), 0, 6.5, 8.5);
}

static void test_norms(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = floats(FLOATS(1, 2, 3, 6), TH_DIMS(1, 4));
    double sd = sqrt((4 + 1 + 0 + 9) / 4. + 1e-5), rms = sqrt((1 + 4 + 9 + 36) / 4. + 1e-6);
    assert_values(th_layer_norm(x, NULL, NULL, 1e-5), 1e-6, -2 / sd, -1 / sd, 0, 3 / sd);
    assert_values(th_layer_norm(x, VECTOR(1, 2, 1, 1), VECTOR(0, 0, 5, 0), 1e-5), 1e-5, -2 / sd, -2 / sd, 5, 3 / sd);
    struct tensor *half = th_layer_norm(th_to(x, TH_BF16), th_to(VECTOR(1, 2, 1, 1), TH_BF16), NULL, 1e-5);
    assert_int_equal(th_dtype_of(half), TH_BF16);
    assert_values(half, 0.01, -2 / sd, -2 / sd, 0, 3 / sd);
    assert_values(th_rms_norm(x, NULL, 1e-6), 1e-6, 1 / rms, 2 / rms, 3 / rms, 6 / rms);
    assert_values(th_rms_norm(x, VECTOR(1, 1, 1, 2), 1e-6), 1e-5, 1 / rms, 2 / rms, 3 / rms, 12 / rms);
    assert_int_equal(th_dtype_of(th_rms_norm(th_to(x, TH_BF16), th_to(VECTOR(1, 1, 1, 1), TH_BF16), 1e-6)), TH_BF16);
    struct tensor *g = floats(FLOATS(1, 3, 5, 9), TH_DIMS(1, 4, 1));
    assert_values(th_group_norm(g, 2, VECTOR(1, 1, 1, 1), VECTOR(0, 0, 0, 1), 0), 1e-5, -1, 1, -1, 2);
    assert_null(th_group_norm(g, 3, NULL, NULL, 0));
    th_check(NULL);
}

static void test_softmax(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = VECTOR(1, 2, 3);
    double z = exp(1) + exp(2) + exp(3);
    assert_values(th_softmax(x, -1), 1e-6, exp(1) / z, exp(2) / z, exp(3) / z);
    assert_values(th_log_softmax(x, -1), 1e-6, 1 - log(z), 2 - log(z), 3 - log(z));
    assert_int_equal(th_dtype_of(th_softmax_to(th_to(x, TH_BF16), -1, TH_F32)), TH_F32);
    assert_values(th_softmax_to(th_to(x, TH_BF16), -1, TH_F32), 1e-6, exp(1) / z, exp(2) / z, exp(3) / z);
}

static void test_embedding_and_rope(void **state)
{
    (void)state;
    TH_SCOPE(s);
    const int64_t ids[] = { 1, 0, 1 };
    struct tensor *w = floats(FLOATS(1, 2, 3, 4), TH_DIMS(2, 2));
    assert_values(th_embedding(w, th_from(ids, TH_DIMS(3), TH_I64, TH_CPU)), 0, 3, 4, 1, 2, 3, 4);
    struct tensor *x = floats(FLOATS(1, 2, 3, 4), TH_DIMS(1, 1, 1, 4)), *cosines = VECTOR(0, 1, 0, 1),
                  *sines = VECTOR(1, 0, 1, 0); /* a quarter turn of the first pair (0,2), none of the second */
    assert_values(th_rope(x, cosines, sines), 0, -3, 2, 1, 4);
}

/* ---- attention ------------------------------------------------------------------------------------------------------
 */

/* (B,H,N,D), (B,Hk,M,D) twice; look(i,j) and add(i,j) as masks of (N,M), or NULL. In double, by the definition. */
static void attend(const double *q, const double *k, const double *v, const int64_t *d, double scale, const double *add,
                   const double *look, bool causal, double *out)
{
    int64_t b = d[0], h = d[1], hk = d[2], n = d[3], m = d[4], w = d[5];
    for (int64_t r = 0; r < b * h * n; r++) {
        int64_t i = r % n, kv = (r / n / h) * hk + (r / n % h) / (h / hk);
        double p[64], top = -INFINITY, sum = 0;
        for (int64_t j = 0; j < m; j++) {
            p[j] = add ? add[i * m + j] : 0;
            for (int64_t c = 0; c < w; c++)
                p[j] += scale * q[r * w + c] * k[(kv * m + j) * w + c];
            if ((causal && j > i + m - n) || (look && !look[i * m + j]))
                p[j] = -INFINITY;
            top = fmax(top, p[j]);
        }
        for (int64_t j = 0; j < m; j++)
            sum += p[j] = top == -INFINITY ? 0 : exp(p[j] - top);
        for (int64_t c = 0; c < w; c++) {
            out[r * w + c] = 0;
            for (int64_t j = 0; j < m && sum > 0; j++)
                out[r * w + c] += p[j] / sum * v[(kv * m + j) * w + c];
        }
    }
}

static void check_attention(int64_t h, int64_t hk, int64_t n, int64_t m, int mask, bool causal, double scale)
{
    TH_SCOPE(s);
    const int64_t d[] = { 2, h, hk, n, m, 8 };
    struct tensor *q = noise(TH_DIMS(2, h, n, 8)), *k = noise(TH_DIMS(2, hk, m, 8)), *v = noise(TH_DIMS(2, hk, m, 8));
    struct tensor *add = mask == 1 ? noise(TH_DIMS(n, m)) : NULL;
    struct tensor *look = mask == 2 ? th_gt_s(noise(TH_DIMS(n, m)), 0) : NULL;
    struct th_attention o = { .mask = add ? add : look, .causal = causal, .scale = scale };
    struct tensor *y = th_sdpa(q, k, v, o);
    AUTO(free) double *qs = numbers(q), *ks = numbers(k), *vs = numbers(v), *want = calloc((size_t)(2 * h * n * 8), 8);
    AUTO(free) double *adds = add ? numbers(add) : NULL, *looks = look ? numbers(look) : NULL;
    attend(qs, ks, vs, d, scale != 0 ? scale : 1 / sqrt(8), adds, looks, causal, want);
    assert_close(th_to(y, TH_F64), th_from(want, TH_DIMS(2, h, n, 8), TH_F64, TH_CPU), 1e-5);
}

static void test_attention(void **state)
{
    (void)state;
    for (int mask = 0; mask < 3; mask++)
        for (int causal = 0; causal < 2; causal++) {
            check_attention(3, 3, 5, 5, mask, causal, 0);
            check_attention(4, 2, 5, 7, mask, causal, 0.3);
            check_attention(4, 1, 1, 7, mask, causal, 0);
            check_attention(2, 2, 7, 5, mask, causal, 0);
        }
}

/* Where gradients are wanted it is computed as one; else large ones go through the cache in parts. */
static void check_parts(int64_t b, int64_t h, int64_t n, struct tensor *mask, bool causal)
{
    TH_SCOPE(s);
    struct tensor *qkv = noise(TH_DIMS(b, n, 3 * h, 8)), *x[3];
    struct th_attention o = { .mask = mask, .causal = causal };
    for (int i = 0; i < 3; i++)
        x[i] = th_transpose(th_chunk(qkv, 3, 2, i), 1, 2);
    struct tensor *parts = th_sdpa(x[0], x[1], x[2], o);
    th_grad(true);
    struct tensor *wanted = th_requires_grad_(th_clone(x[0]), true);
    struct tensor *whole = th_detach(th_sdpa(wanted, x[1], x[2], o));
    th_grad(false);
    assert_true(th_is_shape(parts, TH_DIMS(b, h, n, 8)));
    assert_close(parts, whole, 1e-5);
}

static void test_attention_in_parts(void **state)
{
    (void)state;
    TH_SCOPE(s);
    check_parts(3, 5, 400, NULL, false); /* some heads at a time, and a rest */
    check_parts(3, 5, 400, NULL, true);
    check_parts(3, 5, 400, noise(TH_DIMS(3, 1, 400, 400)), true);
    check_parts(3, 5, 400, th_gt_s(noise(TH_DIMS(3, 1, 1, 400)), 0), false);
    check_parts(40, 2, 100, NULL, false); /* some items of the batch at a time, and a rest */
    check_parts(40, 2, 100, noise(TH_DIMS(2, 100, 100)), false);
    check_parts(2, 2, 800, th_gt_s(noise(TH_DIMS(800, 800)), 0), false); /* some queries at a time, and a rest */
}

/* Large enough to be done in parts: each query must still get what it gets alone. */
static void test_attention_of_many_queries(void **state)
{
    (void)state;
    TH_SCOPE(s);
    const int64_t n = 1500;
    struct tensor *q = noise(TH_DIMS(1, 8, n, 4)), *k = noise(TH_DIMS(1, 8, n, 4)), *v = noise(TH_DIMS(1, 8, n, 4));
    struct tensor *mask = th_gt_s(noise(TH_DIMS(1, 1, n, n)), 0);
    struct th_attention masked = { .mask = mask, .causal = true };
    struct tensor *y = th_sdpa(q, k, v, masked), *plain = th_sdpa(q, k, v, (struct th_attention){ 0 });
    for (int64_t at = 0; at < n; at += 499) {
        struct tensor *one = th_slice(q, 2, at, at + 1);
        masked = (struct th_attention){ .mask = th_slice(th_slice(mask, 2, at, at + 1), 3, 0, at + 1) };
        assert_close(th_slice(y, 2, at, at + 1),
                     th_sdpa(one, th_slice(k, 2, 0, at + 1), th_slice(v, 2, 0, at + 1), masked), 1e-5);
        assert_close(th_slice(plain, 2, at, at + 1), th_sdpa(one, k, v, (struct th_attention){ 0 }), 1e-5);
    }
}

static void test_attention_of_half_precision(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *q = th_to(noise(TH_DIMS(1, 2, 9, 8)), TH_BF16);
    struct tensor *y = th_sdpa(q, q, q, (struct th_attention){ .causal = true }), *w = th_to(q, TH_F32);
    assert_int_equal(th_dtype_of(y), TH_BF16);
    assert_close(th_to(y, TH_F32), th_sdpa(w, w, w, (struct th_attention){ .causal = true }), 0.05);
}

static void test_attention_refuses_shapes(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *q = noise(TH_DIMS(1, 3, 4, 8)), *k = noise(TH_DIMS(1, 2, 4, 8));
    assert_null(th_sdpa(q, k, k, (struct th_attention){ 0 }));
    assert_fails(ERR_BUG, "multiple");
    assert_null(th_sdpa(th_select(q, 0, 0), k, k, (struct th_attention){ 0 }));
    assert_fails(ERR_BUG, "(B,H,N,D)");
}

/* ---- resizing -------------------------------------------------------------------------------------------------------
 */

static void test_resize(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = th_div_s(th_square(th_reshape(th_arange(0, 16, 1, TH_F32, TH_CPU), TH_DIMS(1, 1, 4, 4))), 10);
    assert_values(th_resize(x, (struct th_resize_to){ TH_BICUBIC, .h = 3, .w = 5 }), 2e-5, 0.134089798, 0.246961653,
                  0.510184884, 0.960008204, 1.38557947, 3.32102537, 4.17192698, 5.41250038, 6.83967495, 8.0032711,
                  13.1894436, 14.7783747, 16.9962978, 19.4008274, 21.3024406);
    assert_values(th_resize(x, (struct th_resize_to){ TH_BICUBIC, .h = 3, .w = 5, .align_corners = true }), 2e-5, 0,
                  0.0457031243, 0.212500006, 0.544921875, 0.899999976, 3.4000001, 4.24726582, 5.41250038, 6.74335957,
                  7.90000057, 14.3999996, 16.0488262, 18.2124996, 20.5417976, 22.5);
    assert_values(th_resize(x, (struct th_resize_to){ TH_BICUBIC, .scale_h = 5.1 / 4, .scale_w = 3.1 / 4 }), 2e-5,
                  -0.100389324, 0.0207758471, 0.539760232, 0.639812887, 1.4577229, 2.67145133, 3.3994658, 5.16814995,
                  7.32992077, 8.88725853, 11.5744724, 14.6521311, 14.8394566, 18.2721329, 22.0931129);
    assert_values(th_resize(x, (struct th_resize_to){ TH_BICUBIC, .h = 2, .w = 2, .antialias = true }), 2e-5,
                  1.30106556, 2.70637226, 10.9253807, 14.9994125);
    assert_values(th_resize(x, (struct th_resize_to){ TH_BILINEAR, .h = 3, .w = 2, .antialias = true }), 2e-5,
                  0.751428604, 1.60000002, 4.95714283, 7.31428576, 13.6428576, 17.5085735);
    assert_values(th_resize(x, (struct th_resize_to){ TH_BILINEAR, .h = 3, .w = 5 }), 2e-5, 0.26666671, 0.430000067,
                  0.716666698, 1.12333333, 1.56666684, 4, 4.91000032, 6.05000019, 7.30999994, 8.5, 13.0666676,
                  14.7233343, 16.7166691, 18.8300018, 20.7666683);
    assert_values(th_resize(x, (struct th_resize_to){ TH_NEAREST, .h = 3, .w = 3 }), 1e-6, 0, .1, .4, 1.6, 2.5, 3.6,
                  6.4, 8.1, 10);
    assert_values(th_resize(x, (struct th_resize_to){ TH_NEAREST_EXACT, .h = 3, .w = 3 }), 1e-5, 0, .4, .9, 6.4, 10,
                  12.1, 14.4, 19.6, 22.5);
    assert_int_equal(th_dtype_of(th_resize(th_to(x, TH_BF16),
                                           (struct th_resize_to){ TH_BICUBIC, .h = 2, .w = 2, .antialias = true })),
                     TH_BF16);
    assert_null(th_resize(x, (struct th_resize_to){ TH_BICUBIC, .h = 2 }));
    assert_fails(ERR_BUG, "neither a size nor a scale");
    assert_null(th_resize(th_select(x, 0, 0), (struct th_resize_to){ TH_BICUBIC, .h = 2, .w = 2 }));
    assert_fails(ERR_BUG, "(B,C,H,W)");
}

/* ---- losses ---------------------------------------------------------------------------------------------------------
 */

static void test_losses(void **state)
{
    (void)state;
    TH_SCOPE(s);
    const int64_t target[] = { 2, -100, 0 };
    struct tensor *logits = floats(FLOATS(1, 2, 3, 9, 9, 9, 0, 0, 0), TH_DIMS(1, 3, 3));
    struct tensor *t = th_from(target, TH_DIMS(1, 3), TH_I64, TH_CPU);
    double first = -(3 - log(exp(1) + exp(2) + exp(3))), third = log(3);
    assert_values(th_cross_entropy(logits, t, -100), 1e-6, (first + third) / 2);
    assert_int_equal(th_dtype_of(th_cross_entropy(th_to(logits, TH_BF16), t, -100)), TH_F32);
    assert_true(isnan(th_item(th_cross_entropy(logits, th_full(TH_DIMS(1, 3), -100, TH_I64, TH_CPU), -100))));
    assert_null(th_cross_entropy(logits, th_reshape(t, TH_DIMS(3)), -100));
    assert_fails(ERR_BUG, "must be those of target");
    assert_values(th_mse_loss(VECTOR(1, 2), VECTOR(3, 2)), 0, 2);
}

int main(void)
{
    if (torch_absent())
        return 77;
    struct err e = { 0 };
    rng = th_rng_create(11, &e);
    const struct CMUnitTest tests[] = {
        TORCH_TEST(test_products),
        TORCH_TEST(test_bf16_products),
        TORCH_TEST(test_conv2d),
        TORCH_TEST(test_pooling),
        TORCH_TEST(test_norms),
        TORCH_TEST(test_softmax),
        TORCH_TEST(test_embedding_and_rope),
        TORCH_TEST(test_attention),
        TORCH_TEST(test_attention_in_parts),
        TORCH_TEST(test_attention_of_many_queries),
        TORCH_TEST(test_attention_of_half_precision),
        TORCH_TEST(test_attention_refuses_shapes),
        TORCH_TEST(test_resize),
        TORCH_TEST(test_losses),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    th_rng_destroy(rng);
    return failed;
}
