/* Weights as tensors: they share the file's memory, outlive the opened checkpoint, and are checked against the model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/torch/weights.h"

static char path[64];

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/acsweep-weights-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path) < 0 || th_live() != 0 || th_check(NULL) < 0 ? -1 : 0;
}

/* x = F32 [1,2,3] and y = U8 [9,8] before it, so that x lies one byte off when the header asks for it. */
static struct weights *open_file(const char *header)
{
    struct err e = { 0 };
    const float x[3] = { 1, 2, 3 };
    uint64_t n = strlen(header);
    FILE *f = fopen(path, "we");
    fwrite(&n, 8, 1, f);
    fwrite(header, n, 1, f);
    fwrite("\11\10", 2, 1, f);
    fwrite(x, sizeof x, 1, f);
    fclose(f);
    struct weights *w = weights_open(path, &e);
    if (!w)
        fail_msg("%s", e.text);
    return w;
}

#define HEADER                                                        \
    "{\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}," \
    "\"x\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[2,14]}}"

static void assert_x(struct tensor *x)
{
    float got[3] = { 0 };
    assert_true(th_read(x, TH_F32, got, 3));
    assert_true(got[0] == 1 && got[1] == 2 && got[2] == 3);
}

static void test_aligned_views_share_memory_and_outlive_the_checkpoint(void **state)
{
    (void)state;
    for (size_t blanks = 0; blanks < 8; blanks++) { /* every alignment of the data */
        char header[256];
        snprintf(header, sizeof header, "%s%*s", HEADER, (int)blanks, "");
        struct weights *w = open_file(header);
        TH_SCOPE(s);
        const struct st_tensor *t = weights_find(w, "x");
        bool aligned = (uintptr_t)t->data % 4 == 0;
        struct tensor *x = weights_view(w, "x");
        assert_int_equal(th_data(x) == t->data, aligned);
        weights_destroy(w);
        assert_x(x);
        th_add_s_(x, 1); /* private to this process, so the file keeps what it has */
        struct err e = { 0 };
        AUTO(weights_destroy) struct weights *again = weights_open(path, &e);
        assert_x(weights_view(again, "x"));
    }
}

static void test_load_checks_and_converts(void **state)
{
    (void)state;
    AUTO(weights_destroy) struct weights *w = open_file(HEADER);
    struct err e = { 0 };
    TH_SCOPE(s);
    assert_x(weights_load(w, "x", TH_DIMS(3), TH_F32, TH_CPU));
    assert_x(weights_load(w, "x", TH_DIMS(-1), TH_BF16, TH_CPU));
    assert_int_equal(th_dtype_of(weights_load(w, "x", TH_DIMS(3), TH_BF16, TH_CPU)), TH_BF16);
    assert_null(weights_load(w, "x", TH_DIMS(3, 1), TH_F32, TH_CPU));
    assert_int_equal(th_check(&e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "tensor 'x' is F32[3], but the model's configuration asks for [3,1]"));
    assert_null(weights_view(w, "z"));
    err_clear(&e);
    assert_int_equal(th_check(&e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "there is no tensor 'z'"));
}

static void test_unknown_arithmetic_is_refused(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(weights_destroy)
    struct weights *w = open_file("{\"x\":{\"dtype\":\"U16\",\"shape\":[7],\"data_offsets\":[0,14]}}");
    TH_SCOPE(s);
    assert_null(weights_view(w, "x"));
    assert_int_equal(th_check(&e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "of type U16"));
}

int main(void)
{
    if (!th_available()) {
        printf("SKIPPED: %s\n", th_version());
        return 77;
    }
    th_set_threads(1);
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_aligned_views_share_memory_and_outlive_the_checkpoint),
        TEST(test_load_checks_and_converts),
        TEST(test_unknown_arithmetic_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
