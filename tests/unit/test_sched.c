/* Placement: idle slots first, prefetch by credits, and a reason for whatever waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/own.h"
#include "coordinator/sched.h"

#define GIB (UINT64_C(1) << 30)

static const char *const native[] = { "native" };

static struct sched_worker worker(uint32_t slots, uint32_t credits, uint32_t *in_flight)
{
    return (struct sched_worker){ .slots = slots,
                                  .credits = credits,
                                  .devices_per_slot = 1,
                                  .compute_capability = 80,
                                  .cpus = 8,
                                  .device_memory_bytes = 40 * GIB,
                                  .memory_bytes = 64 * GIB,
                                  .executors = native,
                                  .n_executors = 1,
                                  .usable = true,
                                  .room = 1000,
                                  .in_flight = in_flight };
}

static void idle_slots_come_first(void **state)
{
    (void)state;
    uint32_t a[2] = { 1, 0 }, b[2] = { 0, 0 };
    struct sched_worker w[] = { worker(2, 4, a), worker(2, 4, b) };
    struct sched_shape s[] = { { .executor = "native", .ready = 3, .prefetch = true } };
    struct sched_assignment out[16];
    char reasons[1][200];
    assert_int_equal(sched_assign(s, 1, w, 2, out, 16, reasons), 3);
    assert_int_equal(a[0], 1);
    assert_int_equal(a[1], 1);
    assert_int_equal(b[0], 1);
    assert_int_equal(b[1], 1);
    assert_string_equal(reasons[0], "");
}

static void long_tasks_are_not_queued_behind_others(void **state)
{
    (void)state;
    uint32_t busy[1] = { 1 };
    struct sched_worker w[] = { worker(1, 8, busy) };
    struct sched_shape s[] = { { .executor = "native", .ready = 5, .prefetch = false } };
    struct sched_assignment out[16];
    char reasons[1][200];
    assert_int_equal(sched_assign(s, 1, w, 1, out, 16, reasons), 0);
    assert_string_equal(reasons[0], "every fitting slot is busy (1 fitting worker)");
    s[0].prefetch = true;
    assert_int_equal(sched_assign(s, 1, w, 1, out, 16, reasons), 5);
    assert_int_equal(busy[0], 6);
}

static void larger_priority_first(void **state)
{
    (void)state;
    uint32_t idle[1] = { 0 };
    struct sched_worker w[] = { worker(1, 1, idle) };
    struct sched_shape s[] = { { .executor = "native", .ready = 1, .priority = 1 },
                               { .executor = "native", .ready = 1, .priority = 9 } };
    struct sched_assignment out[4];
    char reasons[2][200];
    assert_int_equal(sched_assign(s, 2, w, 1, out, 4, reasons), 1);
    assert_int_equal(out[0].shape, 1);
    assert_string_not_equal(reasons[0], "");
}

static void misfits_have_reasons(void **state)
{
    (void)state;
    static const struct {
        struct sched_shape shape;
        bool usable;
        const char *reason;
    } cases[] = {
        { { .executor = "command", .ready = 1 }, true, "no worker offers the executor 'command'" },
        { { .executor = "native", .ready = 1, .resources.gpus = 2 }, true, "no slot has 2 GPUs" },
        { { .executor = "native", .ready = 1, .resources = { .gpus = 1, .gpu_memory_bytes = 80 * GIB } },
          true,
          "no GPU has 80.0 GiB" },
        { { .executor = "native", .ready = 1, .resources = { .gpus = 1, .compute_capability = 90 } },
          true,
          "no GPU has compute capability 9.0" },
        { { .executor = "native", .ready = 1, .resources.host_memory_bytes = 128 * GIB },
          true,
          "no worker has 0 CPUs and 128.0 GiB of memory" },
        { { .executor = "native", .ready = 1, .needs_store = true },
          true,
          "no fitting worker sees the artifact store" },
        { { .executor = "native", .ready = 1 }, false, "the 1 fitting worker is draining, silent or quarantined" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint32_t idle[1] = { 0 };
        struct sched_worker w[] = { worker(1, 1, idle) };
        struct sched_assignment out[4];
        char reasons[1][200];
        w[0].usable = cases[i].usable;
        assert_int_equal(sched_assign(&cases[i].shape, 1, w, 1, out, 4, reasons), 0);
        assert_string_equal(reasons[0], cases[i].reason);
    }
    struct sched_shape s = { .executor = "native", .ready = 1 };
    struct sched_assignment out[1];
    char reasons[1][200];
    assert_int_equal(sched_assign(&s, 1, NULL, 0, out, 1, reasons), 0);
    assert_string_equal(reasons[0], "no worker has joined");
}

static void a_bundle_is_one_use_of_a_slot(void **state)
{
    (void)state;
    uint32_t busy[3] = { 0, 1, 0 };
    struct sched_worker w[] = { worker(3, 4, busy) };
    struct sched_shape s[] = { { .executor = "native", .ready = 10, .bundle = 8 }, { .executor = "native", .ready = 3 } };
    struct sched_assignment out[16];
    char reasons[2][200];
    assert_int_equal(sched_assign(s, 2, w, 1, out, 16, reasons), 2);
    assert_int_equal(out[0].tasks, 8);
    assert_int_equal(out[0].slot, 0);
    assert_int_equal(out[1].tasks, 2);
    assert_int_equal(out[1].slot, 2);
    assert_int_equal(busy[0], 8);
    assert_int_equal(busy[2], 2);
    assert_string_equal(reasons[0], "");
    assert_string_not_equal(reasons[1], "");
}

/* In advance there are as many tasks on a slot as it has credits, and a bundle more at most. */
static void bundles_are_not_piled_up(void **state)
{
    (void)state;
    uint32_t idle[1] = { 0 };
    struct sched_worker w[] = { worker(1, 8, idle) };
    struct sched_shape s[] = { { .executor = "native", .ready = 100, .bundle = 5, .prefetch = true } };
    struct sched_assignment out[100];
    char reasons[1][200];
    assert_int_equal(sched_assign(s, 1, w, 1, out, 100, reasons), 2);
    assert_int_equal(idle[0], 10);
    idle[0] = 0;
    w[0].room = 7; /* all that the worker can hold */
    assert_int_equal(sched_assign(s, 1, w, 1, out, 100, reasons), 2);
    assert_int_equal(out[1].tasks, 2);
    assert_int_equal(sched_assign(s, 1, w, 1, out, 100, reasons), 0);
}

static void max_counts_tasks(void **state)
{
    (void)state;
    uint32_t idle[4] = { 0 };
    struct sched_worker w[] = { worker(4, 1, idle) };
    struct sched_shape s[] = { { .executor = "native", .ready = 100, .bundle = 6 } };
    struct sched_assignment out[10];
    char reasons[1][200];
    assert_int_equal(sched_assign(s, 1, w, 1, out, 10, reasons), 2);
    assert_int_equal(out[0].tasks, 6);
    assert_int_equal(out[1].tasks, 4);
    assert_int_equal(idle[2], 0);
}

/* Retries that ask for more memory make ever new shapes; none of them may be left out. */
static void every_shape_is_placed(void **state)
{
    (void)state;
    enum { N = 600 };
    static uint32_t idle[N];
    static struct sched_shape s[N];
    static struct sched_assignment out[N];
    static char reasons[N][200];
    bool placed[N] = { false };
    struct sched_worker w[] = { worker(N, 1, idle) };
    for (size_t i = 0; i < N; i++)
        s[i] = (struct sched_shape){ .executor = "native", .ready = 1, .priority = (int)(i % 7) };
    assert_int_equal(sched_assign(s, N, w, 1, out, N, reasons), N);
    for (size_t i = 0; i < N; i++) {
        assert_false(placed[out[i].shape]);
        placed[out[i].shape] = true;
        assert_true(i == 0 || s[out[i - 1].shape].priority >= s[out[i].shape].priority);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_slots_come_first),
        cmocka_unit_test(long_tasks_are_not_queued_behind_others),
        cmocka_unit_test(larger_priority_first),
        cmocka_unit_test(a_bundle_is_one_use_of_a_slot),
        cmocka_unit_test(bundles_are_not_piled_up),
        cmocka_unit_test(max_counts_tasks),
        cmocka_unit_test(every_shape_is_placed),
        cmocka_unit_test(misfits_have_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
