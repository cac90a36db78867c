/* The state table: every (state, event) pair, and that no path skips the commit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/map.h"
#include "common/task_state.h"

static void every_pair_is_decided(void **state)
{
    (void)state;
    size_t allowed = 0;
    for (int s = 0; s < TASK_STATES; s++)
        for (int ev = 0; ev < TASK_EVENTS; ev++) {
            enum task_state to;
            const char *why = NULL;
            if (!task_state_next((enum task_state)s, (enum task_event)ev, &to, &why))
                continue;
            allowed++;
            assert_non_null(why);
            assert_int_not_equal(to, s);
            /* what ends by a result went through ENDING, where the commit is */
            if (to == TASK_DONE)
                assert_int_equal(s, TASK_ENDING);
            if (to == TASK_LEASED)
                assert_int_equal(s, TASK_LEASING);
            /* done is for ever */
            assert_int_not_equal(s, TASK_DONE);
        }
    assert_int_equal(allowed, 13);
}

static void stored_names(void **state)
{
    (void)state;
    enum task_state out;
    static const char *const stored[] = { "pending", "leased", "done", "failed", "cancelled" };
    for (size_t i = 0; i < ARRAY_LEN(stored); i++) {
        assert_true(task_state_of_stored(stored[i], &out));
        assert_string_equal(task_state_stored(out), stored[i]);
    }
    assert_false(task_state_of_stored("ready", &out));
    assert_false(task_state_of_stored("", &out));
}

static void map_survives_removal_between_probes(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct map m = { 0 };
    enum { N = 5000 };
    static uint64_t keys[N];
    for (size_t i = 0; i < N; i++) {
        keys[i] = i * 7919;
        assert_int_equal(map_put(&m, &keys[i], sizeof keys[i], &keys[i], &e), 0);
    }
    for (size_t i = 0; i < N; i += 2)
        assert_ptr_equal(map_remove(&m, &keys[i], sizeof keys[i]), &keys[i]);
    for (size_t i = 0; i < N; i++)
        assert_ptr_equal(map_get(&m, &keys[i], sizeof keys[i]), i % 2 ? &keys[i] : NULL);
    size_t seen = 0;
    for (size_t i = 0; map_next(&m, &i);)
        seen++;
    assert_int_equal(seen, N / 2);
    map_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_is_decided),
        cmocka_unit_test(stored_names),
        cmocka_unit_test(map_survives_removal_between_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
