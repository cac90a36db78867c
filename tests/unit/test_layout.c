/* Names of what attempts leave on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/made_task.h"
#include "worker/layout.h"

static void expect(char *path, const char *want)
{
    assert_string_equal(path, want);
    free(path);
}

static void test_names(void **state)
{
    (void)state;
    Acsweep__Token t = made_token(7, 2);
    expect(layout_attempt("/s", &t), "/s/attempts/7.2-1");
    expect(layout_checkpoint("", "/s", MADE_IDENTITY, &t), "/s/checkpoints/" MADE_IDENTITY ".2-1");
    expect(layout_checkpoint("/store", "/s", MADE_IDENTITY, &t), "/store/checkpoints/" MADE_IDENTITY ".2-1");
    expect(layout_temp("", "/s", MADE_IDENTITY, &t), "/s/store/tmp/" MADE_IDENTITY ".2-1");
    expect(layout_temp("/store", "/s", MADE_IDENTITY, &t), "/store/tmp/" MADE_IDENTITY ".2-1");
    expect(layout_artifacts("/store", "/s"), "/store");
}

static void test_reading_names(void **state)
{
    (void)state;
    unsigned attempt;
    unsigned long long epoch;
    assert_true(layout_is_of(MADE_IDENTITY ".12-34", MADE_IDENTITY, &attempt, &epoch));
    assert_int_equal(attempt, 12);
    assert_int_equal(epoch, 34);
    assert_false(layout_is_of("f" MADE_IDENTITY ".12-34", MADE_IDENTITY, &attempt, &epoch));
    assert_false(layout_is_of(MADE_IDENTITY, MADE_IDENTITY, &attempt, &epoch));
    assert_false(layout_is_of(".12-34", "", &attempt, &epoch));
}

static void test_only_an_identity_may_name_a_path(void **state)
{
    (void)state;
    char longer[80] = MADE_IDENTITY "0", dots[80] = MADE_IDENTITY;
    memcpy(dots, "../..", 5);
    assert_true(layout_is_identity(MADE_IDENTITY));
    assert_false(layout_is_identity(longer));
    assert_false(layout_is_identity(dots));
    assert_false(layout_is_identity(""));
    assert_false(layout_is_identity("0123"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_reading_names),
                                        cmocka_unit_test(test_only_an_identity_may_name_a_path) };
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
