/* Making, shaping, arithmetic and reductions of tensors, against values worked out by hand. Random numbers and
 * activations: against values printed by PyTorch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/torch_rig.h"

#define SIX floats(FLOATS(1, 2, 3, 4, 5, 6), TH_DIMS(2, 3))

/* ---- making ---------------------------------------------------------------------------------------------------------
 */

static void test_filled(void **state)
{
    (void)state;
    TH_SCOPE(s);
    assert_values(th_zeros(TH_DIMS(2), TH_F32, TH_CPU), 0, 0, 0);
    assert_values(th_ones(TH_DIMS(2), TH_BF16, TH_CPU), 0, 1, 1);
    assert_values(th_full(TH_DIMS(2), 2.5, TH_F64, TH_CPU), 0, 2.5, 2.5);
    assert_values(th_full(TH_SCALAR_DIMS, 7, TH_I64, TH_CPU), 0, 7);
    assert_values(th_arange(1, 4, 1, TH_I64, TH_CPU), 0, 1, 2, 3);
    assert_values(th_linspace(0, 1, 3, TH_F32, TH_CPU), 0, 0, .5, 1);
    assert_values(th_eye(2, TH_U8, TH_CPU), 0, 1, 0, 0, 1);
    assert_values(th_zeros_like(SIX), 0, 0, 0, 0, 0, 0, 0);
    assert_values(th_ones_like(VECTOR(5)), 0, 1);
    assert_true(th_is_shape(th_empty_like(SIX), TH_DIMS(2, 3)));
    assert_int_equal(th_numel(th_empty(TH_DIMS(0, 4), TH_F32, TH_CPU)), 0);
    assert_null(th_zeros(TH_DIMS(-2), TH_F32, TH_CPU));
    th_check(NULL);
    assert_null(th_zeros(TH_DIMS(2), TH_DTYPES, TH_CPU));
    assert_fails(ERR_BUG, "no such dtype");
}

static void test_what_a_tensor_is(void **state)
{
    (void)state;
    TH_SCOPE(s);
    char text[64];
    struct tensor *x = th_transpose(SIX, 0, 1);
    assert_int_equal(th_rank(x), 2);
    assert_int_equal(th_size(x, 0), 3);
    assert_int_equal(th_size(x, -1), 2);
    assert_int_equal(th_stride(x, 0), 1);
    assert_int_equal(th_numel(x), 6);
    assert_int_equal(th_bytes(x), 24);
    assert_false(th_is_contiguous(x));
    assert_true(th_is_shape(x, TH_DIMS(3, -1)));
    assert_false(th_is_shape(x, TH_DIMS(3, 2, 1)));
    assert_string_equal(th_describe(x, text, sizeof text), "f32[3,2] cpu");
    assert_int_equal(th_device_of(x).type, TH_DEV_CPU);
    assert_int_equal(th_size(x, 2), -1);
    assert_fails(ERR_BUG, "th_size");
}

static void test_dtypes_round_trip(void **state)
{
    (void)state;
    TH_SCOPE(s);
    for (int t = 0; t < TH_DTYPES; t++) {
        struct tensor *x = th_to(VECTOR(0, 1, 1), (enum th_dtype)t);
        assert_int_equal(th_dtype_of(x), t);
        assert_int_equal(th_bytes(x), 3 * th_dtype_size((enum th_dtype)t));
        assert_values(x, 0, 0, 1, 1);
    }
}

static void count_release(void *arg)
{
    ++*(int *)arg;
}

static void test_wrap_shares_memory_and_releases_once(void **state)
{
    (void)state;
    float data[4] = { 1, 2, 3, 4 };
    int released = 0;
    {
        TH_SCOPE(s);
        struct tensor *x = th_wrap(data, TH_DIMS(2, 2), TH_F32, count_release, &released);
        struct tensor *row = th_select(x, 0, 1);
        assert_ptr_equal(th_data(x), data);
        th_drop(x);
        data[2] = 30;
        assert_values(row, 0, 30, 4);
        assert_int_equal(released, 0);
    }
    assert_int_equal(released, 1);
    TH_SCOPE(s);
    assert_null(th_wrap((char *)data + 2, TH_DIMS(1), TH_F32, count_release, &released));
    assert_fails(ERR_BUG, "not aligned");
    assert_int_equal(released, 2);
    TH_FAIL(ERR_TASK, "an earlier error");
    assert_null(th_wrap(data, TH_DIMS(1), TH_F32, count_release, &released));
    assert_int_equal(released, 3);
    th_check(NULL);
}

static void release_with_a_tensor(void *arg)
{
    TH_SCOPE(s);
    *(double *)arg = th_item(th_full(TH_SCALAR_DIMS, 3, TH_F32, TH_CPU));
}

static void test_release_may_use_tensors(void **state)
{
    (void)state;
    float data[1] = { 1 };
    double seen = 0;
    {
        TH_SCOPE(s);
        th_wrap(data, TH_DIMS(1), TH_F32, release_with_a_tensor, &seen);
        VECTOR(1);
    }
    assert_true(seen == 3);
}

static void test_reading(void **state)
{
    (void)state;
    TH_SCOPE(s);
    int64_t whole[6];
    assert_true(th_read(th_transpose(SIX, 0, 1), TH_I64, whole, 6));
    assert_int_equal(whole[1], 4);
    assert_false(th_read(SIX, TH_I64, whole, 5));
    assert_fails(ERR_BUG, "x has 6 elements, and 5 are wanted");
    assert_true(th_item(VECTOR(2.5f)) == 2.5);
    assert_int_equal(th_item_i64(th_full(TH_DIMS(1), 9, TH_I32, TH_CPU)), 9);
    assert_true(isnan(th_item(SIX)));
    th_check(NULL);
    assert_null(th_data(th_transpose(SIX, 0, 1)));
    assert_fails(ERR_BUG, "not a contiguous CPU tensor");
}

static void test_random_numbers_depend_on_the_seed_alone(void **state)
{
    (void)state;
    struct err e = { 0 };
    TH_SCOPE(s);
    struct th_rng *r = th_rng_create(0, &e);
    assert_values(th_rand(r, TH_DIMS(3), TH_F32, TH_CPU), 1e-7, 0.496256590, 0.768221796, 0.088477433);
    th_rng_destroy(r);
    r = th_rng_create(0, &e);
    assert_values(th_randn(r, TH_DIMS(3), TH_F32, TH_CPU), 1e-6, 1.540996075, -0.293428898, -2.178789377);
    struct tensor *saved = th_rng_state(r), *a = th_rand(r, TH_DIMS(50), TH_F32, TH_CPU);
    assert_true(th_rng_set_state(r, saved));
    struct tensor *b = th_rand(r, TH_DIMS(50), TH_BF16, TH_CPU);
    assert_true(th_item(th_all(th_eq(th_to(a, TH_BF16), b))) == 1); /* the dtype changes no draw */
    th_rng_destroy(r);
    r = th_rng_create(0, &e);
    assert_values(th_randint(r, 0, 100, TH_DIMS(4), TH_CPU), 0, 44, 39, 33, 60);
    th_rng_destroy(r);
    r = th_rng_create(0, &e);
    assert_values(th_randperm(r, 6, TH_CPU), 0, 2, 5, 3, 0, 1, 4);
    th_rng_destroy(r);
    assert_null(th_rand(NULL, TH_DIMS(1), TH_F32, TH_CPU));
    assert_fails(ERR_BUG, "random stream is NULL");
}

static void test_dropout(void **state)
{
    (void)state;
    struct err e = { 0 };
    TH_SCOPE(s);
    struct th_rng *r = th_rng_create(7, &e);
    struct tensor *x = th_ones(TH_DIMS(10000), TH_F32, TH_CPU), *y = th_dropout(r, x, 0.2);
    double zeros = th_item(th_sum(th_eq_s(y, 0), TH_SCALAR_DIMS, false));
    assert_true(zeros > 1800 && zeros < 2200);
    assert_true(fabs(th_item(th_amax(y, TH_SCALAR_DIMS, false)) - 1.25) < 1e-6);
    assert_values(th_dropout(r, VECTOR(3), 0), 0, 3);
    assert_null(th_dropout(r, x, 1));
    assert_fails(ERR_BUG, "probability");
    th_rng_destroy(r);
}

/* ---- shape ----------------------------------------------------------------------------------------------------------
 */

static void test_shapes(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = SIX;
    assert_true(th_is_shape(th_reshape(x, TH_DIMS(3, -1)), TH_DIMS(3, 2)));
    assert_values(th_transpose(x, 0, 1), 0, 1, 4, 2, 5, 3, 6);
    assert_null(th_view(th_transpose(x, 0, 1), TH_DIMS(6)));
    th_check(NULL);
    assert_true(th_is_shape(th_flatten(th_zeros(TH_DIMS(2, 3, 4), TH_F32, TH_CPU), 1, -1), TH_DIMS(2, 12)));
    assert_true(th_is_shape(th_unsqueeze(x, 0), TH_DIMS(1, 2, 3)));
    assert_true(th_is_shape(th_squeeze(th_unsqueeze(x, -1), -1), TH_DIMS(2, 3)));
    assert_true(
        th_is_shape(th_permute(th_zeros(TH_DIMS(2, 3, 4), TH_F32, TH_CPU), TH_DIMS(2, 0, 1)), TH_DIMS(4, 2, 3)));
    assert_values(th_expand(VECTOR(1, 2), TH_DIMS(2, -1)), 0, 1, 2, 1, 2);
    assert_values(th_expand_as(VECTOR(7), VECTOR(1, 2)), 0, 7, 7);
    assert_values(th_repeat(VECTOR(1, 2), TH_DIMS(2)), 0, 1, 2, 1, 2);
    assert_values(th_repeat_interleave(VECTOR(1, 2), 2, 0), 0, 1, 1, 2, 2);
    assert_values(th_slice(x, 1, 1, INT64_MAX), 0, 2, 3, 5, 6);
    assert_values(th_slice(x, 1, -1, 3), 0, 3, 6);
    assert_values(th_slice_step(x, 1, 0, 3, 2), 0, 1, 3, 4, 6);
    assert_values(th_select(x, 0, -1), 0, 4, 5, 6);
    assert_values(th_chunk(x, 3, 1, 1), 0, 2, 5);
    assert_null(th_chunk(x, 3, 1, 3));
    th_check(NULL);
    assert_values(th_cat(TH_LIST(x, x), 1), 0, 1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6);
    assert_true(th_is_shape(th_stack(TH_LIST(x, x), 0), TH_DIMS(2, 2, 3)));
    assert_values(th_flip(x, 1), 0, 3, 2, 1, 6, 5, 4);
    assert_values(th_roll(VECTOR(1, 2, 3), 1, 0), 0, 3, 1, 2);
    assert_values(th_pad(VECTOR(1), TH_DIMS(1, 2), 9), 0, 9, 1, 9, 9);
    assert_values(th_tril(SIX, 0), 0, 1, 0, 0, 4, 5, 0);
    assert_values(th_triu(SIX, 1), 0, 0, 2, 3, 0, 0, 6);
}

static void test_copies_and_views(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = VECTOR(1, 2), *copy = th_clone(x), *view = th_view(x, TH_DIMS(2, 1));
    th_fill_(x, 5);
    assert_values(copy, 0, 1, 2);
    assert_values(view, 0, 5, 5);
    assert_ptr_equal(th_copy_(x, copy), x);
    assert_values(view, 0, 1, 2);
    assert_ptr_equal(th_data(th_contiguous(x)), th_data(x));
    assert_values(th_zero_(view), 0, 0, 0);
    assert_int_equal(th_dtype_of(th_to_like(x, th_zeros(TH_DIMS(1), TH_I64, TH_CPU))), TH_I64);
    assert_int_equal(th_stride(th_channels_last(th_zeros(TH_DIMS(1, 3, 2, 2), TH_F32, TH_CPU)), 1), 1);
    assert_values(th_to_device(x, TH_CPU), 0, 0, 0);
}

static struct tensor *whole(const int64_t *values, int64_t n)
{
    return th_from(values, TH_DIMS(n), TH_I64, TH_CPU);
}
#define WHOLE(...) whole((const int64_t[]){ __VA_ARGS__ }, sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

static void test_indices(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = SIX;
    assert_values(th_index_select(x, 1, WHOLE(2, 0)), 0, 3, 1, 6, 4);
    assert_values(th_gather(x, 1, th_reshape(WHOLE(2, 0), TH_DIMS(2, 1))), 0, 3, 4);
    assert_values(th_take_along(x, th_reshape(WHOLE(2, 0), TH_DIMS(1, 2)), 1), 0, 3, 1, 6, 4);
    assert_values(th_scatter(VECTOR(1, 2, 3), 0, WHOLE(2, 0), VECTOR(8, 9)), 0, 9, 2, 8);
    assert_values(th_scatter_add(VECTOR(1, 2, 3), 0, WHOLE(1, 1), VECTOR(8, 9)), 0, 1, 19, 3);
    assert_values(th_index_add(VECTOR(1, 2, 3), 0, WHOLE(0, 0), VECTOR(8, 9)), 0, 18, 2, 3);
    assert_values(th_index_copy(VECTOR(1, 2, 3), 0, WHOLE(0, 2), VECTOR(8, 9)), 0, 8, 2, 9);
    assert_null(th_index_select(x, 1, WHOLE(3)));
    th_check(NULL);
    struct tensor *big = th_gt_s(x, 4);
    assert_values(th_masked_fill(x, big, 0), 0, 1, 2, 3, 4, 0, 0);
    assert_values(th_masked_select(x, big), 0, 5, 6);
    assert_values(th_masked_scatter(x, big, VECTOR(7, 8, 9)), 0, 1, 2, 3, 4, 7, 8);
    assert_null(th_masked_scatter(x, big, VECTOR(7)));
    th_check(NULL);
    assert_values(th_nonzero(big), 0, 1, 1, 1, 2);
    assert_values(th_where(big, x, th_neg(x)), 0, -1, -2, -3, -4, 5, 6);
}

/* ---- arithmetic -----------------------------------------------------------------------------------------------------
 */

static void test_arithmetic(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *a = VECTOR(1, 2, 3), *b = VECTOR(2);
    assert_values(th_add(a, b), 0, 3, 4, 5);
    assert_values(th_sub(a, b), 0, -1, 0, 1);
    assert_values(th_mul(a, b), 0, 2, 4, 6);
    assert_values(th_div(a, b), 0, .5, 1, 1.5);
    assert_values(th_pow(a, b), 0, 1, 4, 9);
    assert_values(th_minimum(a, b), 0, 1, 2, 2);
    assert_values(th_maximum(a, b), 0, 2, 2, 3);
    assert_values(th_add_s(a, .5), 0, 1.5, 2.5, 3.5);
    assert_values(th_mul_s(a, 2), 0, 2, 4, 6);
    assert_values(th_div_s(a, 2), 0, .5, 1, 1.5);
    assert_values(th_rsub_s(a, 1), 0, 0, -1, -2);
    assert_values(th_pow_s(a, 2), 0, 1, 4, 9);
    assert_values(th_add_scaled(a, b, 10), 0, 21, 22, 23);
    assert_values(th_lerp(VECTOR(0, 10), VECTOR(10, 20), .25), 0, 2.5, 12.5);
    assert_values(th_clamp(a, 1.5, INFINITY), 0, 1.5, 2, 3);
    assert_values(th_clamp(a, -INFINITY, 2), 0, 1, 2, 2);
    assert_values(th_clamp(a, -INFINITY, INFINITY), 0, 1, 2, 3);
    assert_int_equal(th_dtype_of(th_add_s(th_to(a, TH_BF16), 1)), TH_BF16);
    assert_int_equal(th_dtype_of(th_mul_s(WHOLE(2), .5)), TH_F32);
    assert_null(th_add(a, VECTOR(1, 2)));
    assert_fails(ERR_BUG, "th_add: The size of tensor a (3) must match");
}

static void test_integers_stay_integers(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = WHOLE(-7, 7);
    assert_int_equal(th_dtype_of(th_add_i(x, 1)), TH_I64);
    assert_values(th_add_i(x, 1), 0, -6, 8);
    assert_values(th_mul_i(x, 2), 0, -14, 14);
    assert_values(th_floor_div_i(x, 2), 0, -4, 3);
    assert_values(th_rem_i(x, 3), 0, 2, 1);
    assert_null(th_add_i(VECTOR(1), 1));
    assert_fails(ERR_BUG, "x is not of integers");
}

static void test_in_place(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = VECTOR(1, 2);
    int64_t live = th_live();
    assert_ptr_equal(th_add_s_(th_mul_s_(x, 2), 1), x);
    assert_int_equal(th_live(), live);
    assert_values(x, 0, 3, 5);
    assert_values(th_add_(x, VECTOR(1, 1)), 0, 4, 6);
    assert_values(th_add_scaled_(x, VECTOR(1, 1), -4), 0, 0, 2);
    assert_values(th_mul_(x, VECTOR(3, 3)), 0, 0, 6);
}

static void test_quick_gelu_of_many(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = th_linspace(-9, 9, 100003, TH_F32, TH_CPU); /* three parts and a rest */
    struct tensor *want = th_mul(x, th_sigmoid(th_mul_s(x, 1.702)));
    assert_true(th_item(th_amax(th_abs(th_sub(th_quick_gelu(x), want)), TH_SCALAR_DIMS, false)) < 1e-6);
}

static void test_functions(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = VECTOR(-3, -1, -.5, 0, .5, 2), *y = VECTOR(.25, 4);
    assert_values(th_gelu(x), 1e-6, -0.00405022502, -0.158655256, -0.154268771, 0, 0.345731229, 1.95449972);
    assert_values(th_gelu_tanh(x), 1e-6, -0.00363743305, -0.158807993, -0.154285997, 0, 0.345714003, 1.95459771);
    assert_values(th_silu(x), 1e-6, -0.142277613, -0.268941432, -0.188770339, 0, 0.311229676, 1.76159406);
    assert_values(th_quick_gelu(x), 1e-6, -0.0180713106, -0.154204234, -0.149611562, 0, 0.350388438, 1.93565857);
    assert_values(th_erf(x), 1e-6, -0.999977887, -0.842700779, -0.520499885, 0, 0.520499885, 0.995322287);
    assert_values(th_sigmoid(x), 1e-6, 0.0474258736, 0.268941432, 0.377540678, 0.5, 0.622459352, 0.880797029);
    assert_values(th_relu(x), 0, 0, 0, 0, 0, .5, 2);
    assert_values(th_neg(y), 0, -.25, -4);
    assert_values(th_abs(VECTOR(-2)), 0, 2);
    assert_values(th_exp(y), 1e-5, exp(.25), exp(4));
    assert_values(th_log(y), 1e-6, log(.25), log(4));
    assert_values(th_sqrt(y), 0, .5, 2);
    assert_values(th_rsqrt(y), 0, 2, .5);
    assert_values(th_square(y), 0, .0625, 16);
    assert_values(th_reciprocal(y), 0, 4, .25);
    assert_values(th_sin(y), 1e-6, sin(.25), sin(4));
    assert_values(th_cos(y), 1e-6, cos(.25), cos(4));
    assert_values(th_tanh(y), 1e-6, tanh(.25), tanh(4));
    assert_values(th_floor(VECTOR(-1.5, 1.5)), 0, -2, 1);
    assert_values(th_round(VECTOR(.5, 1.5)), 0, 0, 2);
}

static void test_comparisons(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *a = VECTOR(1, 2, 3), *b = VECTOR(3, 2, 1);
    assert_int_equal(th_dtype_of(th_eq(a, b)), TH_BOOL);
    assert_values(th_eq(a, b), 0, 0, 1, 0);
    assert_values(th_ne(a, b), 0, 1, 0, 1);
    assert_values(th_lt(a, b), 0, 1, 0, 0);
    assert_values(th_le(a, b), 0, 1, 1, 0);
    assert_values(th_eq_s(a, 2), 0, 0, 1, 0);
    assert_values(th_ne_s(a, 2), 0, 1, 0, 1);
    assert_values(th_lt_s(a, 2), 0, 1, 0, 0);
    assert_values(th_le_s(a, 2), 0, 1, 1, 0);
    assert_values(th_gt_s(a, 2), 0, 0, 0, 1);
    assert_values(th_ge_s(a, 2), 0, 0, 1, 1);
    assert_values(th_and(th_gt_s(a, 1), th_gt_s(b, 1)), 0, 0, 1, 0);
    assert_values(th_or(th_gt_s(a, 2), th_gt_s(b, 2)), 0, 1, 0, 1);
    assert_values(th_not(th_gt_s(a, 2)), 0, 1, 1, 0);
    assert_values(th_isfinite(VECTOR(1, INFINITY, NAN)), 0, 1, 0, 0);
}

/* ---- reductions -----------------------------------------------------------------------------------------------------
 */

static void test_reductions(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = SIX;
    assert_values(th_sum(x, TH_SCALAR_DIMS, false), 0, 21);
    assert_values(th_sum(x, TH_DIMS(0), false), 0, 5, 7, 9);
    assert_true(th_is_shape(th_sum(x, TH_DIMS(1), true), TH_DIMS(2, 1)));
    assert_true(th_is_shape(th_sum(x, TH_SCALAR_DIMS, true), TH_DIMS(1, 1)));
    assert_values(th_sum_to(th_full(TH_DIMS(1000), 1, TH_BF16, TH_CPU), TH_SCALAR_DIMS, false, TH_F32), 0, 1000);
    assert_values(th_sum_to(x, TH_DIMS(0, 1), false, TH_DTYPES), 0, 21);
    assert_values(th_mean(x, TH_DIMS(-1), false), 0, 2, 5);
    assert_values(th_mean(x, TH_SCALAR_DIMS, false), 0, 3.5);
    assert_values(th_var(x, TH_DIMS(1), false, false), 1e-6, 2. / 3, 2. / 3);
    assert_values(th_var(x, TH_DIMS(1), true, false), 1e-6, 1, 1);
    assert_values(th_amax(x, TH_DIMS(0), false), 0, 4, 5, 6);
    assert_values(th_amin(x, TH_SCALAR_DIMS, false), 0, 1);
    assert_values(th_norm(VECTOR(3, 4), TH_SCALAR_DIMS, false), 1e-6, 5);
    assert_values(th_norm(x, TH_DIMS(0), false), 1e-5, sqrt(17), sqrt(29), sqrt(45));
    assert_values(th_normalize(floats(FLOATS(3, 4, 0, 0), TH_DIMS(2, 2)), 1, 1e-12), 1e-6, .6, .8, 0, 0);
    assert_values(th_argmax(x, 1, false), 0, 2, 2);
    assert_values(th_argmin(x, 0, true), 0, 0, 0, 0);
    assert_values(th_all(th_gt_s(x, 0)), 0, 1);
    assert_values(th_any(th_gt_s(x, 6)), 0, 0);
    assert_values(th_cumsum(x, 1), 0, 1, 3, 6, 4, 9, 15);
    assert_values(th_sum(th_full(TH_SCALAR_DIMS, 4, TH_F32, TH_CPU), TH_SCALAR_DIMS, false), 0, 4);
}

static void test_sorting(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *x = VECTOR(3, 1, 2, 1), *index;
    assert_values(th_topk(x, 2, 0, true, &index), 0, 3, 2);
    assert_values(index, 0, 0, 2);
    assert_values(th_sort(x, 0, false, &index), 0, 1, 1, 2, 3);
    assert_values(index, 0, 1, 3, 2, 0);
    assert_values(th_sort(x, 0, true, NULL), 0, 3, 2, 1, 1);
    assert_null(th_topk(x, 5, 0, true, &index));
    assert_null(index);
    th_check(NULL);
}

int main(void)
{
    if (torch_absent())
        return 77;
    const struct CMUnitTest tests[] = {
        TORCH_TEST(test_filled),
        TORCH_TEST(test_what_a_tensor_is),
        TORCH_TEST(test_dtypes_round_trip),
        TORCH_TEST(test_wrap_shares_memory_and_releases_once),
        TORCH_TEST(test_release_may_use_tensors),
        TORCH_TEST(test_reading),
        TORCH_TEST(test_random_numbers_depend_on_the_seed_alone),
        TORCH_TEST(test_dropout),
        TORCH_TEST(test_shapes),
        TORCH_TEST(test_copies_and_views),
        TORCH_TEST(test_indices),
        TORCH_TEST(test_arithmetic),
        TORCH_TEST(test_integers_stay_integers),
        TORCH_TEST(test_in_place),
        TORCH_TEST(test_functions),
        TORCH_TEST(test_quick_gelu_of_many),
        TORCH_TEST(test_comparisons),
        TORCH_TEST(test_reductions),
        TORCH_TEST(test_sorting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
