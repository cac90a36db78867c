/* Rates and remaining times of tasks, on a clock that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/pace.h"
#include "common/mono.h"

static struct pace pace;
static int64_t now;

static void begin(uint64_t done)
{
    now = 5 * NS_PER_S;
    pace_begin(&pace, done, now);
}

/* `seconds` later `done` have ended, a count each second. */
static void later(int seconds, uint64_t done, bool running)
{
    uint64_t before = pace.done;
    for (int i = 1; i <= seconds; i++) {
        now += NS_PER_S;
        pace_count(&pace, before + (done - before) * (uint64_t)i / (uint64_t)seconds, running, now);
    }
}

static void assert_shows(uint64_t left, const char *want)
{
    struct buf b = BUF_INIT(100);
    pace_put(&pace, left, &b);
    assert_string_equal(buf_text(&b), want);
    buf_free(&b);
}

static void test_a_steady_pace(void **state)
{
    (void)state;
    begin(3); /* what had ended before is not counted */
    assert_shows(10, "");
    later(5, 13, true);
    assert_shows(10, "  2.0/s  ETA 0:05");
    later(100, 213, true);
    assert_shows(10, "  2.0/s  ETA 0:05");
    assert_shows(14400, "  2.0/s  ETA 2:00 h");
    assert_shows(0, "");
    later(60, 1413, true); /* ten times as fast, and the past forgotten */
    assert_shows(400, "  20/s  ETA 0:20");
}

static void test_what_waits_is_not_slow(void **state)
{
    (void)state;
    begin(0);
    later(20, 40, true);
    later(2, 40, false);
    assert_shows(10, "  2.0/s  ETA 0:05");
    later(60, 40, false);
    assert_shows(10, "");
    later(1, 42, true);
    assert_shows(10, "  2.0/s  ETA 0:05");
}

/* Tasks of half a minute: between two ends the rate does not fall to nothing. */
static void test_long_tasks(void **state)
{
    (void)state;
    begin(0);
    later(29, 0, true);
    assert_shows(2, "");
    later(1, 1, true);
    for (uint64_t done = 2; done < 6; done++) {
        later(29, done - 1, true);
        later(1, done, true);
    }
    struct pace at_end = pace;
    later(25, 5, true);
    assert_true(pace.rate > at_end.rate * 0.7 && pace.rate < at_end.rate);
    pace = at_end;
    assert_true(pace.rate > 0.9 / 30 && pace.rate < 1.3 / 30);
}

static void test_rates_below_one(void **state)
{
    (void)state;
    begin(0);
    later(8, 4, true);
    assert_shows(3, "  30/min  ETA 0:06");
    begin(0);
    later(9, 1, true);
    assert_shows(3, "  6.7/min  ETA 0:27");
}

static void test_counts_that_fall_begin_anew(void **state)
{
    (void)state;
    begin(0);
    later(5, 50, true);
    now += NS_PER_S;
    pace_count(&pace, 10, true, now);
    assert_shows(5, "");
    later(4, 18, true);
    assert_true(pace.rate > 1 && pace.rate < 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_steady_pace),
        cmocka_unit_test(test_what_waits_is_not_slow),
        cmocka_unit_test(test_long_tasks),
        cmocka_unit_test(test_rates_below_one),
        cmocka_unit_test(test_counts_that_fall_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
