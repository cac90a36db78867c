/* For tests of the border to libtorch: small tensors from literals, comparison with values, errors by kind and text;
 * and no test leaves a tensor or an error behind. Include after cmocka.h. */
#ifndef ACSWEEP_TESTS_UNIT_TORCH_RIG_H
#define ACSWEEP_TESTS_UNIT_TORCH_RIG_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/own.h"
#include "worker/torch/th.h"

static int64_t rig_live;

static int rig_setup(void **state)
{
    (void)state;
    rig_live = th_live();
    return 0;
}

/* Every test leaves neither a tensor nor an error behind. */
static int rig_teardown(void **state)
{
    (void)state;
    struct err e = { 0 };
    if (th_check(&e) < 0)
        print_error("left behind: %s\n", e.text);
    return e.kind != ERR_NONE || th_live() != rig_live ? -1 : 0;
}

static inline UNUSED struct tensor *floats(const float *values, const int64_t *dims, int n)
{
    return th_from(values, dims, n, TH_F32, TH_CPU);
}
#define FLOATS(...) \
    (const float[]) \
    {               \
        __VA_ARGS__ \
    }
#define VECTOR(...) \
    floats(FLOATS(__VA_ARGS__), (int64_t[]){ (int64_t)(sizeof(FLOATS(__VA_ARGS__)) / sizeof(float)) }, 1)

static inline UNUSED void assert_values_(struct tensor *x, const double *want, size_t n, double tolerance, int line)
{
    struct err e = { 0 };
    double *got = calloc(n + 1, sizeof *got);
    if (!th_read(x, TH_F64, got, (int64_t)n)) {
        th_check(&e);
        fail_msg("line %d: %s", line, e.text);
    }
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= tolerance) && !(isnan(got[i]) && isnan(want[i])))
            fail_msg("line %d: element %zu is %.9g, not %.9g", line, i, got[i], want[i]);
    free(got);
}
#define assert_values(x, tolerance, ...)                                                                     \
    assert_values_((x), (const double[]){ __VA_ARGS__ }, sizeof((double[]){ __VA_ARGS__ }) / sizeof(double), \
                   (tolerance), __LINE__)

static inline UNUSED void assert_fails_(enum err_kind kind, const char *part, int line)
{
    struct err e = { 0 };
    if (th_check(&e) == 0)
        fail_msg("line %d: no error", line);
    if (e.kind != kind || !strstr(e.text, part))
        fail_msg("line %d: %s: %s", line, err_kind_name(e.kind), e.text);
}
#define assert_fails(kind, part) assert_fails_((kind), (part), __LINE__)

#define TORCH_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

/* Says so and is true in a build without libtorch; the program then returns 77, which ctest shows as skipped. */
static inline bool torch_absent(void)
{
    if (!th_available())
        printf("SKIPPED: %s\n", th_version());
    th_set_threads(1);
    return !th_available();
}

#endif
