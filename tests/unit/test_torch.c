/* The border to libtorch: scopes, handles, errors, threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "tests/unit/torch_rig.h"

/* ---- scopes and handles ---------------------------------------------------------------------------------------------
 */

static void test_scope_frees_what_it_made(void **state)
{
    (void)state;
    TH_SCOPE(outer);
    struct tensor *a = VECTOR(1, 2);
    int64_t before = th_live();
    {
        TH_SCOPE(inner);
        for (int i = 0; i < 5000; i++) /* more than a chunk of slots */
            th_add(a, a);
        assert_int_equal(th_live(), before + 5000);
    }
    assert_int_equal(th_live(), before);
    assert_values(a, 0, 1, 2);
}

static struct tensor *doubled(struct tensor *x)
{
    TH_SCOPE(s);
    struct tensor *unused = th_mul(x, x);
    (void)unused;
    return th_return(&s, th_add(x, x));
}

static void test_return_moves_to_the_callers_scope(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *a = VECTOR(1, 2);
    int64_t before = th_live();
    struct tensor *b = doubled(doubled(a));
    assert_int_equal(th_live(), before + 2);
    assert_values(b, 0, 4, 8);
}

static struct tensor *itself(struct tensor *x)
{
    TH_SCOPE(s);
    return th_return(&s, x);
}

static void test_return_of_an_argument_changes_nothing(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *a = VECTOR(3);
    assert_ptr_equal(itself(a), a);
    assert_values(a, 0, 3);
}

static void two_results(struct tensor *x, struct tensor **a, struct tensor **b)
{
    TH_SCOPE(s);
    *a = th_hand_up(&s, th_add_s(x, 1));
    th_mul(x, x);
    *b = th_hand_up(&s, th_add_s(x, 2));
}

static void test_hand_up_twice(void **state)
{
    (void)state;
    struct tensor *a, *b;
    {
        TH_SCOPE(outer);
        struct tensor *x = VECTOR(1);
        TH_SCOPE(inner);
        two_results(x, &a, &b);
        assert_values(a, 0, 2);
        assert_values(b, 0, 3);
        th_hand_up(&inner, b);
        th_scope_end(&inner);
        assert_values(b, 0, 3);
        assert_int_equal(th_rank(a), -1);
        assert_fails(ERR_BUG, "freed before");
    }
    th_rank(b);
    assert_fails(ERR_BUG, "freed before");
}

static void test_kept_tensor_outlives_scopes_until_dropped(void **state)
{
    (void)state;
    struct tensor *kept;
    {
        TH_SCOPE(s);
        kept = th_keep(VECTOR(1, 2));
    }
    assert_int_equal(th_size(kept, 0), 2);
    th_drop(kept);
    th_drop(kept);
    assert_fails(ERR_BUG, "th_drop: x was freed before");
    th_drop(NULL);
}

static void test_use_after_scope_is_found_even_when_the_slot_is_used_again(void **state)
{
    (void)state;
    TH_SCOPE(outer);
    struct tensor *stale;
    {
        TH_SCOPE(s);
        stale = VECTOR(1);
    }
    for (int i = 0; i < 200; i++)
        VECTOR(2);
    assert_null(th_add(stale, stale));
    assert_fails(ERR_BUG, "was freed before: its scope has ended");
    assert_null(th_linear(VECTOR(1), stale, NULL));
    assert_fails(ERR_BUG, "th_linear: w was freed before");
}

static void test_forged_handles_are_refused(void **state)
{
    (void)state;
    TH_SCOPE(s);
    const uint64_t forged[] = { 1, 0xffffffff, 0xffffffffffffffff, (uint64_t)1 << 32, ((uint64_t)7 << 32) + 12345678 };
    for (size_t i = 0; i < ARRAY_LEN(forged); i++) {
        assert_null(th_neg((struct tensor *)(uintptr_t)forged[i]));
        assert_fails(ERR_BUG, "freed before");
    }
    int local;
    assert_null(th_neg((struct tensor *)&local));
    assert_fails(ERR_BUG, "freed before");
}

static void test_drop_frees_early(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *a = VECTOR(1), *b = th_alias(a);
    int64_t before = th_live();
    th_drop(a);
    assert_int_equal(th_live(), before - 1);
    assert_values(b, 0, 1);
}

static void test_no_scope_no_tensor(void **state)
{
    (void)state;
    assert_null(VECTOR(1));
    assert_fails(ERR_BUG, "no scope is open");
}

static void test_outermost_scope_cannot_return(void **state)
{
    (void)state;
    TH_SCOPE(s);
    assert_null(th_return(&s, VECTOR(1)));
    assert_fails(ERR_BUG, "there is no scope around this one");
    assert_null(VECTOR(1)); /* it has ended nevertheless */
    assert_fails(ERR_BUG, "no scope is open");
}

static void test_ending_an_outer_scope_ends_the_inner_ones(void **state)
{
    (void)state;
    struct th_scope outer = th_scope_begin(), inner = th_scope_begin();
    VECTOR(1);
    th_scope_end(&outer);
    assert_int_equal(th_live(), rig_live);
    th_scope_end(&inner);
    assert_int_equal(th_check(NULL), 0);
}

/* ---- errors ---------------------------------------------------------------------------------------------------------
 */

static void test_first_error_stays_until_checked(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *a = th_zeros(TH_DIMS(8, 8), TH_F32, TH_CPU), *b = th_zeros(TH_DIMS(4, 4), TH_F32, TH_CPU);
    struct tensor *y = th_reshape(th_relu(th_matmul(a, b)), TH_DIMS(3, 3));
    assert_null(y);
    assert_true(th_failed());
    assert_null(th_neg(a));
    assert_int_equal(th_size(a, 0), 8); /* shapes can still be asked */
    struct err e = { 0 };
    assert_int_equal(th_check(&e), -1);
    assert_int_equal(e.kind, ERR_BUG);
    assert_string_equal(e.text, "th_matmul: mat1 and mat2 shapes cannot be multiplied (8x8 and 4x4)");
    assert_false(th_failed());
    assert_non_null(th_neg(a));
}

static void test_null_arguments_are_named(void **state)
{
    (void)state;
    TH_SCOPE(s);
    assert_null(th_mul(VECTOR(1), NULL));
    assert_fails(ERR_BUG, "th_mul: b is NULL");
    assert_int_equal(th_size(NULL, 0), -1);
    assert_fails(ERR_BUG, "th_size: x is NULL");
    assert_int_equal(th_numel(NULL), -1);
    th_check(NULL);
    assert_int_equal(th_dtype_of(NULL), TH_DTYPES);
    th_check(NULL);
    assert_null(th_data(NULL));
    th_check(NULL);
    assert_true(isnan(th_item(NULL)));
    th_check(NULL);
    assert_null(th_cat((struct tensor *[]){ NULL }, 1, 0));
    assert_fails(ERR_BUG, "th_cat: list[0] is NULL");
    char text[64];
    assert_string_equal(th_describe(NULL, text, sizeof text), "no tensor");
}

static void test_own_errors(void **state)
{
    (void)state;
    assert_null(TH_FAIL(ERR_INPUT, "%d heads do not divide %d", 3, 8));
    assert_null(TH_FAIL(ERR_BUG, "a later one"));
    assert_fails(ERR_INPUT, "3 heads do not divide 8");
}

/* AddressSanitizer's allocator shall answer as the real one does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_host_memory_is_its_own_kind(void **state)
{
    (void)state;
    TH_SCOPE(s);
    assert_null(th_zeros(TH_DIMS((int64_t)1 << 46), TH_F32, TH_CPU));
    assert_fails(ERR_NOMEM, "th_zeros");
}

static void test_missing_device_is_an_error(void **state)
{
    (void)state;
    struct err e = { 0 };
    if (th_cuda_count() > 0)
        skip();
    TH_SCOPE(s);
    assert_null(th_zeros(TH_DIMS(1), TH_F32, TH_CUDA(0)));
    assert_int_equal(th_check(NULL), -1);
    assert_int_equal(th_device_check(TH_CUDA(0), &e), -1);
    assert_int_equal(e.kind, ERR_ENV);
    assert_int_equal(th_device_check(TH_CPU, NULL), 0);
}

static void *other_thread(void *arg)
{
    struct tensor *kept = arg, *theirs = NULL;
    TH_SCOPE(s);
    if (th_failed()) /* errors of the other thread are not ours */
        return NULL;
    struct tensor *twice = th_keep(th_add(kept, kept));
    theirs = VECTOR(1);
    th_matmul(theirs, th_zeros(TH_DIMS(3, 3), TH_F32, TH_CPU));
    return th_check(NULL) < 0 ? twice : NULL;
}

static void test_threads_share_kept_tensors_and_nothing_else(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct tensor *kept = th_keep(VECTOR(1, 2)), *mine = VECTOR(1);
    TH_FAIL(ERR_TASK, "ours");
    pthread_t thread;
    void *twice = NULL;
    assert_int_equal(pthread_create(&thread, NULL, other_thread, kept), 0);
    pthread_join(thread, &twice);
    assert_fails(ERR_TASK, "ours");
    assert_values(twice, 0, 2, 4);
    assert_values(mine, 0, 1);
    th_drop(twice);
    th_drop(kept);
}

/* ---- values ---------------------------------------------------------------------------------------------------------
 */

static void test_names(void **state)
{
    (void)state;
    struct err e = { 0 };
    for (int t = 0; t < TH_DTYPES; t++) {
        enum th_dtype back;
        assert_int_equal(th_dtype_parse(th_dtype_name((enum th_dtype)t), &back, &e), 0);
        assert_int_equal(back, t);
    }
    enum th_dtype t;
    assert_int_equal(th_dtype_parse("float", &t, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    struct th_device d;
    char name[16];
    assert_int_equal(th_device_parse("cuda:3", &d, NULL), 0);
    assert_string_equal(th_device_name(d, name), "cuda:3");
    assert_int_equal(th_device_parse("cuda", &d, NULL), 0);
    assert_int_equal(d.index, 0);
    const char *const wrong[] = { "", "cpu0", "cuda:", "cuda:-1", "cuda:128", "cuda:1x", "gpu" };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(th_device_parse(wrong[i], &d, NULL), -1);
}

int main(void)
{
    if (torch_absent())
        return 77;
    const struct CMUnitTest tests[] = {
        TORCH_TEST(test_scope_frees_what_it_made),
        TORCH_TEST(test_return_moves_to_the_callers_scope),
        TORCH_TEST(test_return_of_an_argument_changes_nothing),
        TORCH_TEST(test_hand_up_twice),
        TORCH_TEST(test_kept_tensor_outlives_scopes_until_dropped),
        TORCH_TEST(test_use_after_scope_is_found_even_when_the_slot_is_used_again),
        TORCH_TEST(test_forged_handles_are_refused),
        TORCH_TEST(test_drop_frees_early),
        TORCH_TEST(test_no_scope_no_tensor),
        TORCH_TEST(test_outermost_scope_cannot_return),
        TORCH_TEST(test_ending_an_outer_scope_ends_the_inner_ones),
        TORCH_TEST(test_first_error_stays_until_checked),
        TORCH_TEST(test_null_arguments_are_named),
        TORCH_TEST(test_own_errors),
        TORCH_TEST(test_host_memory_is_its_own_kind),
        TORCH_TEST(test_missing_device_is_an_error),
        TORCH_TEST(test_threads_share_kept_tensors_and_nothing_else),
        TORCH_TEST(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
