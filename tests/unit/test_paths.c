/* Logical names and where they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "worker/paths.h"

static void test_found_by_name(void **state)
{
    (void)state;
    AUTO(paths_free) struct paths p = { 0 };
    struct err e = { 0 };
    assert_int_equal(paths_add(&p, "CLIP@336=/models/clip", &e), 0);
    assert_int_equal(paths_add(&p, "CLIP=/models/a=b", &e), 0); /* the first '=' ends the name */
    assert_string_equal(paths_find(&p, "CLIP@336"), "/models/clip");
    assert_string_equal(paths_find(&p, "CLIP"), "/models/a=b");
    assert_null(paths_find(&p, "clip"));
    assert_null(paths_find(NULL, "clip"));
}

static void test_refused(void **state)
{
    (void)state;
    AUTO(paths_free) struct paths p = { 0 };
    struct err none = { 0 };
    assert_int_equal(paths_add(&p, "there=/x", &none), 0);
    const char *const cases[][2] = {
        { "name", "must be NAME=PATH" },          { "=/x", "must be NAME=PATH" },
        { "name=", "must be NAME=PATH" },         { "name=relative", "an absolute path" },
        { "there=/y", "has a path already, /x" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        assert_int_equal(paths_add(&p, cases[i][0], &e), -1);
        assert_int_equal(e.kind, ERR_USAGE);
        assert_non_null(strstr(e.text, cases[i][1]));
    }
    assert_int_equal(p.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_found_by_name), cmocka_unit_test(test_refused) };
    return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
