/* The connector against torch.nn.Sequential and torch.save (tests/golden/llama, see make.py there), and its files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/checkpoint_copy.h"
#include "tests/unit/llama_rig.h"
#include "worker/model/connector.h"
#include "worker/torch/torch_file.h"

static const struct connector_options plain = { .dtype = TH_F32, .device = { TH_DEV_CPU, 0 } };

/* The parameters of `c` are those of the golden state, within `tolerance`. */
static void assert_state(const struct connector *c, const struct weights *w, double tolerance)
{
    TH_SCOPE(s);
    const char *name;
    struct tensor *x;
    int n = 0;
    for (size_t i = 0; (x = params_next(connector_params(c), &i, &name)); n++)
        assert_near(x, golden(w, name), tolerance, name);
    assert_int_equal(n, 4);
}

static void test_what_torch_saved_is_read_and_computes_the_same(void **state)
{
    (void)state;
    TH_SCOPE(s);
    struct err e = { 0 };
    AUTO(weights_destroy) struct weights *w = open_golden_numbers("connector");
    AUTO(connector_destroy) struct connector *c = connector_open(GOLDEN "connector/mm_projector.bin", &plain, &e);
    assert_no_error(&e, __LINE__);
    assert_int_equal(connector_in(c), 24);
    assert_int_equal(connector_out(c), 32);
    assert_state(c, w, 0);
    assert_near(connector_forward(c, golden(w, "x")), golden(w, "y"), 1e-6, "forward");
    AUTO(connector_destroy) struct connector *found = connector_open(GOLDEN "connector", &plain, &e);
    assert_no_error(&e, __LINE__);
    assert_state(found, w, 0);
    AUTO(connector_destroy) struct connector *half = connector_open(GOLDEN "connector/half.bin", &plain, &e);
    assert_no_error(&e, __LINE__);
    assert_state(half, w, 2e-3);
}

static void test_a_fresh_one_has_pytorchs_numbers(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(weights_destroy) struct weights *w = open_golden_numbers("connector");
    AUTO(connector_destroy) struct connector *c = connector_create(24, 32, &plain, 7, &e);
    assert_no_error(&e, __LINE__);
    assert_state(c, w, 1e-7);
}

static void test_both_files_that_are_written_are_read_again(void **state)
{
    (void)state;
    TH_SCOPE(s);
    static const char *const files[] = { "mm_projector.bin", "mm_projector.safetensors" };
    struct err e = { 0 };
    char dir[64], path[128];
    checkpoint_scratch(dir);
    AUTO(weights_destroy) struct weights *w = open_golden_numbers("connector");
    AUTO(connector_destroy) struct connector *c = connector_open(GOLDEN "connector", &plain, &e);
    FINE(connector_save(c, dir, TH_F32, &e));
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        AUTO(connector_destroy) struct connector *again = connector_open(path, &plain, &e);
        assert_no_error(&e, __LINE__);
        assert_state(again, w, 0);
    }
    FINE(connector_save(c, dir, TH_BF16, &e));
    snprintf(path, sizeof path, "%s/mm_projector.bin", dir);
    AUTO(safetensors_release) struct safetensors *f = torch_file_open(path, &e);
    assert_no_error(&e, __LINE__);
    assert_int_equal(safetensors_at(f, 0)->type, TH_BF16);
    assert_int_equal((uintptr_t)safetensors_at(f, 0)->data % 64, 0);
    checkpoint_scratch_end(dir);
}

static void test_files_without_a_connector_are_refused(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_null(connector_open(GOLDEN "vicuna", &plain, &e));
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "no matrix 'model.mm_projector.0.weight'"));
    err_clear(&e);
    assert_null(connector_open(GOLDEN "nowhere", &plain, &e));
    assert_int_equal(e.kind, ERR_INPUT);
    err_clear(&e);
    assert_null(connector_create(0, 3, &plain, 1, &e));
    assert_int_equal(e.kind, ERR_INPUT);
}

int main(void)
{
    if (torch_absent())
        return 77;
    const struct CMUnitTest tests[] = {
        TORCH_TEST(test_what_torch_saved_is_read_and_computes_the_same),
        TORCH_TEST(test_a_fresh_one_has_pytorchs_numbers),
        TORCH_TEST(test_both_files_that_are_written_are_read_again),
        TORCH_TEST(test_files_without_a_connector_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
