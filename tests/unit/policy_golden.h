/* The golden file and the paper's table, as the policy's tests read them. Failing to read is failing the test. */
#ifndef ACSWEEP_TESTS_POLICY_GOLDEN_H
#define ACSWEEP_TESTS_POLICY_GOLDEN_H

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/table.h"

enum { N = 13, M = 8 };

static inline UNUSED json_t *load_golden(void)
{
    json_error_t why;
    json_t *golden = json_load_file(SOURCE_DIR "/tests/golden/policy.json", 0, &why);
    if (!golden)
        fail_msg("policy.json: %s", why.text);
    return golden;
}

static inline UNUSED struct policy_table *load_paper(void)
{
    static char text[65536];
    FILE *f = fopen(SOURCE_DIR "/examples/paper/law.csv", "r");
    assert_non_null(f);
    size_t len = fread(text, 1, sizeof text, f);
    fclose(f);
    struct err e = { 0 };
    struct policy_table *t = policy_table_parse(text, len, "law.csv", &e);
    if (!t)
        fail_msg("%s", e.text);
    assert_int_equal(policy_table_representations(t), N);
    assert_int_equal(policy_table_benchmarks(t), M);
    return t;
}

/* Follow a path of keys: get(golden, "r2", "AC_poly2", NULL). */
static inline UNUSED json_t *get(json_t *j, ...)
{
    va_list keys;
    va_start(keys, j);
    for (const char *key; (key = va_arg(keys, const char *));) {
        j = json_object_get(j, key);
        if (!j)
            fail_msg("the golden file has no '%s'", key);
    }
    va_end(keys);
    return j;
}

static inline UNUSED double number_at(json_t *list, size_t i)
{
    json_t *v = json_array_get(list, i);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static inline UNUSED void assert_near(double got, double want, double tolerance, const char *what)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s: got %.17g, want %.17g within %g", what, got, want, tolerance);
}

#endif
