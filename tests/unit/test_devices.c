/* The GPUs of a node with a CUDA runtime that obeys the test: what was let go is free only when it is well and empty,
 * what is not goes out and comes back, and several agents share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mono.h"
#include "worker/devices.h"
#include "worker/probe.h"

#define EXEC BINARY_DIR "/bin/acsweep-exec"

struct world {
    char dir[64], file[80];
    struct loop *loop;
    struct devices *d, *other; /* two agents on this node */
    int64_t return_ns;
    size_t changes;
};

static int on_change(void *arg, struct err *e)
{
    (void)e;
    ((struct world *)arg)->changes++;
    return 0;
}

/* The only lines of FAKE_CUDA_FILE from now on. */
static void say(struct world *w, const char *lines)
{
    FILE *f = fopen(w->file, "w");
    assert_non_null(f);
    fputs(lines, f);
    fclose(f);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct err e = { 0 };
    char tag[32];
    snprintf(w->dir, sizeof w->dir, "/tmp/acsweep-devices-XXXXXX");
    if (!mkdtemp(w->dir))
        return -1;
    snprintf(w->file, sizeof w->file, "%s/cuda", w->dir);
    snprintf(tag, sizeof tag, "%d", (int)getpid());
    setenv("ACSWEEP_CUDART", FAKE_CUDART, 1);
    setenv("FAKE_CUDA_TAG", tag, 1); /* no other test claims these */
    setenv("FAKE_CUDA_FILE", w->file, 1);
    unsetenv("FAKE_CUDA_DEVICES");
    say(w, "");
    w->return_ns = 1500 * NS_PER_MS;
    w->loop = loop_create(&e);
    *state = w;
    return w->loop ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    devices_destroy(w->d);
    devices_destroy(w->other);
    loop_destroy(w->loop);
    unlink(w->file);
    rmdir(w->dir);
    free(w);
    return 0;
}

static struct devices *make(struct world *w, const char *n, uint32_t per_set, uint32_t sets_max)
{
    struct gpu_list first;
    struct err e = { 0 };
    setenv("FAKE_CUDA_DEVICES", n, 1);
    assert_int_equal(probe_now(EXEC, 30 * NS_PER_S, &first, &e), 0);
    const struct devices_options o = { .loop = w->loop,
                                       .exec_path = EXEC,
                                       .first = &first,
                                       .per_set = per_set,
                                       .sets_max = sets_max,
                                       .leak_bytes = 1 << 20,
                                       .check_ns = 100 * NS_PER_MS,
                                       .return_ns = w->return_ns,
                                       .retry_ns = 100 * NS_PER_MS,
                                       .timeout_ns = 30 * NS_PER_S,
                                       .on_change = on_change,
                                       .arg = w };
    struct devices *d = devices_create(&o, &e);
    assert_non_null(d);
    return d;
}

static const char *state_of(const struct devices *d, size_t i)
{
    struct device_view views[GPU_MAX];
    assert_true(devices_view(d, views) > i);
    return views[i].state;
}

static void run_until_state(struct world *w, const struct devices *d, size_t i, const char *state)
{
    struct err e = { 0 };
    for (int64_t until = mono_now() + 60 * NS_PER_S; mono_now() < until;) {
        if (strcmp(state_of(d, i), state) == 0)
            return;
        assert_true(loop_once(w->loop, 50 * NS_PER_MS, &e) >= 0);
    }
    fail_msg("device %zu is %s and not %s", i, state_of(d, i), state);
}

static void run_until_free(struct world *w, const struct devices *d, size_t n)
{
    struct err e = { 0 };
    for (int64_t until = mono_now() + 60 * NS_PER_S; devices_free(d) != n && mono_now() < until;)
        assert_true(loop_once(w->loop, 50 * NS_PER_MS, &e) >= 0);
    assert_int_equal(devices_free(d), n);
}

static void run_for(struct world *w, int64_t ns)
{
    struct err e = { 0 };
    for (int64_t until = mono_now() + ns; mono_now() < until;)
        assert_true(loop_once(w->loop, 20 * NS_PER_MS, &e) >= 0);
}

static void test_what_was_let_go_is_free_when_its_memory_is_back(void **state)
{
    struct world *w = *state;
    size_t which[2];
    w->return_ns = 600 * NS_PER_S;
    w->d = make(w, "2", 2, 0);
    assert_int_equal(devices_sets(w->d), 1);
    assert_true(devices_take(w->d, 2, which));
    assert_false(devices_take(w->d, 1, which));
    say(w, "used 0 5000000000\n"); /* the exec is gone, the driver has not given back all of it yet */
    devices_release(w->d, which, 2);
    assert_true(devices_checking(w->d));
    run_until_free(w, w->d, 1);              /* number 1 */
    assert_int_equal(devices_sets(w->d), 1); /* both still count: it may be back soon */
    say(w, "");
    run_until_free(w, w->d, 2);
    assert_string_equal(state_of(w->d, 0), "ok");
}

static void test_memory_that_does_not_come_back_is_a_leak(void **state)
{
    struct world *w = *state;
    size_t which[1];
    w->d = make(w, "2", 1, 0);
    assert_true(devices_take(w->d, 1, which));
    say(w, "used 0 5000000000\n");
    devices_release(w->d, which, 1);
    run_until_state(w, w->d, 0, "leaking");
    assert_int_equal(devices_sets(w->d), 1);
    assert_true(w->changes > 0);
    run_for(w, 500 * NS_PER_MS); /* several looks */
    assert_string_equal(state_of(w->d, 0), "leaking");
    say(w, "used 0 1000\n"); /* as good as nothing */
    run_until_state(w, w->d, 0, "ok");
    assert_int_equal(devices_sets(w->d), 2);
}

/* Somebody else's memory on an idle device is not our exec's leak. */
static void test_foreign_memory_is_no_leak(void **state)
{
    struct world *w = *state;
    size_t which[1];
    w->d = make(w, "1", 1, 0);
    say(w, "used 0 3000000000\n");
    uint64_t looks = devices_looks(w->d);
    struct err e = { 0 };
    while (devices_looks(w->d) < looks + 2)
        assert_true(loop_once(w->loop, 50 * NS_PER_MS, &e) >= 0);
    run_until_free(w, w->d, 1);
    assert_true(devices_take(w->d, 1, which));
    devices_release(w->d, which, 1);
    run_until_free(w, w->d, 1);
    assert_string_equal(state_of(w->d, 0), "ok");
}

static void test_sick_idle_device_goes_out_and_comes_back(void **state)
{
    struct world *w = *state;
    w->d = make(w, "2", 1, 0);
    say(w, "sick 1\n");
    run_until_state(w, w->d, 1, "sick");
    assert_string_equal(state_of(w->d, 0), "ok");
    assert_int_equal(devices_sets(w->d), 1);
    say(w, "missing 1\n");
    run_for(w, 500 * NS_PER_MS);
    assert_string_equal(state_of(w->d, 1), "sick");
    say(w, "");
    run_until_state(w, w->d, 1, "ok");
    assert_int_equal(devices_sets(w->d), 2);
}

static void test_sick_from_the_start_comes_back(void **state)
{
    struct world *w = *state;
    say(w, "sick 0\n");
    w->d = make(w, "2", 2, 0);
    assert_string_equal(state_of(w->d, 0), "sick");
    assert_string_equal(state_of(w->d, 1), "spare"); /* half a set */
    assert_int_equal(devices_sets(w->d), 0);
    say(w, "");
    run_until_state(w, w->d, 0, "ok");
    assert_int_equal(devices_sets(w->d), 1);
}

static void test_held_device_is_left_alone(void **state)
{
    struct world *w = *state;
    size_t which[1];
    w->d = make(w, "1", 1, 0);
    assert_true(devices_take(w->d, 1, which));
    say(w, "sick 0\n");
    uint64_t looks = devices_looks(w->d);
    run_for(w, 500 * NS_PER_MS);
    assert_int_equal(devices_looks(w->d), looks);
    assert_string_equal(state_of(w->d, 0), "ok");
    devices_release(w->d, which, 1);
    run_until_state(w, w->d, 0, "sick");
}

static void test_lost_with_its_exec(void **state)
{
    struct world *w = *state;
    size_t which[1];
    w->d = make(w, "2", 1, 0);
    assert_true(devices_take(w->d, 1, which));
    say(w, "used 0 5000000000\n");
    devices_lose(w->d, which, 1, "process 7 cannot be killed");
    assert_string_equal(state_of(w->d, 0), "quarantined");
    assert_int_equal(devices_sets(w->d), 1);
    run_until_state(w, w->d, 0, "leaking"); /* a look says so much */
    say(w, "");
    devices_release(w->d, which, 1); /* it has died after all */
    run_until_state(w, w->d, 0, "ok");
}

static void test_spare_device_takes_the_place_of_a_sick_one(void **state)
{
    struct world *w = *state;
    w->d = make(w, "3", 1, 2);
    assert_int_equal(devices_sets(w->d), 2);
    assert_string_equal(state_of(w->d, 2), "spare");
    say(w, "sick 0\n");
    run_until_state(w, w->d, 2, "ok");
    assert_string_equal(state_of(w->d, 0), "sick");
    assert_int_equal(devices_sets(w->d), 2);
    say(w, "");
    run_until_state(w, w->d, 2, "spare");
    assert_int_equal(devices_sets(w->d), 2);
}

static void test_two_agents_share_a_node(void **state)
{
    struct world *w = *state;
    w->d = make(w, "3", 1, 1);
    w->other = make(w, "3", 1, 0); /* as many as it can get */
    assert_string_equal(state_of(w->d, 0), "ok");
    assert_string_equal(state_of(w->d, 1), "spare");
    assert_string_equal(state_of(w->other, 0), "spare");
    assert_string_equal(state_of(w->other, 1), "ok");
    assert_int_equal(devices_sets(w->other), 2);
    devices_destroy(w->d);
    w->d = NULL;
    run_until_state(w, w->other, 0, "ok"); /* its owner is gone */
    assert_int_equal(devices_sets(w->other), 3);
}

static void test_gpus_that_appear_later_are_found(void **state)
{
    struct world *w = *state;
    say(w, "no_driver\n"); /* the agent was started before the driver */
    w->d = make(w, "2", 1, 0);
    assert_int_equal(devices_sets(w->d), 0);
    say(w, "");
    struct err e = { 0 };
    for (int64_t until = mono_now() + 60 * NS_PER_S; !devices_sets(w->d) && mono_now() < until;)
        assert_true(loop_once(w->loop, 50 * NS_PER_MS, &e) >= 0);
    assert_int_equal(devices_sets(w->d), 2);
    assert_true(w->changes > 0);
}

/* A probe that hangs is killed, and meanwhile the loop goes on; the device is out. */
static void test_stuck_device_is_out(void **state)
{
    struct world *w = *state;
    struct gpu_list first;
    struct err e = { 0 };
    setenv("FAKE_CUDA_DEVICES", "2", 1);
    assert_int_equal(probe_now(EXEC, 30 * NS_PER_S, &first, &e), 0);
    const struct devices_options o = { .loop = w->loop,
                                       .exec_path = EXEC,
                                       .first = &first,
                                       .per_set = 1,
                                       .check_ns = 100 * NS_PER_MS,
                                       .return_ns = NS_PER_S,
                                       .retry_ns = 100 * NS_PER_MS,
                                       .timeout_ns = 3 * NS_PER_S,
                                       .on_change = on_change,
                                       .arg = w };
    w->d = devices_create(&o, &e);
    say(w, "hang 0\n");
    run_until_state(w, w->d, 0, "sick");
    assert_string_equal(state_of(w->d, 1), "ok");
    say(w, "");
    run_until_state(w, w->d, 0, "ok");
}

static void test_probe_that_cannot_be_run_is_quarantine(void **state)
{
    struct world *w = *state;
    struct gpu_list first;
    struct err e = { 0 };
    size_t which[1];
    assert_int_equal(probe_now(EXEC, 30 * NS_PER_S, &first, &e), 0);
    const struct devices_options o = { .loop = w->loop,
                                       .exec_path = "/bin/false",
                                       .first = &first,
                                       .per_set = 1,
                                       .return_ns = 700 * NS_PER_MS,
                                       .retry_ns = 100 * NS_PER_MS,
                                       .timeout_ns = 30 * NS_PER_S,
                                       .on_change = on_change,
                                       .arg = w };
    w->d = devices_create(&o, &e);
    assert_true(devices_take(w->d, 1, which));
    devices_release(w->d, which, 1);
    run_until_state(w, w->d, 0, "quarantined");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_what_was_let_go_is_free_when_its_memory_is_back),
        CASE(test_memory_that_does_not_come_back_is_a_leak),
        CASE(test_foreign_memory_is_no_leak),
        CASE(test_sick_idle_device_goes_out_and_comes_back),
        CASE(test_sick_from_the_start_comes_back),
        CASE(test_held_device_is_left_alone),
        CASE(test_lost_with_its_exec),
        CASE(test_spare_device_takes_the_place_of_a_sick_one),
        CASE(test_two_agents_share_a_node),
        CASE(test_gpus_that_appear_later_are_found),
        CASE(test_stuck_device_is_out),
        CASE(test_probe_that_cannot_be_run_is_quarantine),
    };
    return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
