/* acsweep-worker on a node with GPUs that obey the test: what it tells of them, and what becomes of tasks when they
 * fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mono.h"
#include "tests/lib/agent_rig.h"

#define STEP_MJ "2500"

static const char *const variables[] = { "ACSWEEP_CUDART", "ACSWEEP_NVML",   "FAKE_CUDA_DEVICES",
                                         "FAKE_CUDA_TAG",  "FAKE_CUDA_FILE", "FAKE_NVML_STEP_MJ" };

/* The only lines of FAKE_CUDA_FILE from now on. */
static void say(struct rig *w, const char *lines)
{
    char path[128];
    snprintf(path, sizeof path, "%s/cuda", w->dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(lines, f);
    fclose(f);
}

static int setup_with(void **state, const char *devices, const char *lines, const char *slots)
{
    char tag[32], path[128];
    rig_setup_idle(state);
    struct rig *w = *state;
    snprintf(path, sizeof path, "%s/cuda", w->dir);
    snprintf(tag, sizeof tag, "%d", (int)getpid());
    const char *const values[] = { FAKE_CUDART, FAKE_NVML, devices, tag, path, STEP_MJ };
    const char *const options[] = { "--slots", slots,         "--gpu-check", "200ms", "--gpu-return",
                                    "2s",      "--gpu-retry", "200ms",       NULL };
    memcpy(w->options, options, sizeof options);
    say(w, lines);
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        setenv(variables[i], values[i], 1);
    rig_start_worker(w);
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) /* the worker has its copy */
        unsetenv(variables[i]);
    return 0;
}

static int setup_two(void **state)
{
    return setup_with(state, "2", "", "0");
}

static int setup_sick_one(void **state)
{
    return setup_with(state, "4", "sick 1\n", "2");
}

static void uuid_of(int device, char *out, size_t room)
{
    snprintf(out, room, "GPU-%08x-0000-0000-0000-0000000000%02x", (unsigned)getpid(), device);
}

static void assign_program(struct rig *w, uint64_t task, const char *script, uint32_t gpus, uint32_t slot)
{
    char params[1024];
    snprintf(params, sizeof params, "{\"identity\":{},\"execution\":{\"command\":{\"argv\":[\"sh\",\"-c\",\"%s\"]}}}",
             script);
    rig_assign(
        w, &(struct made_task){
               .task = task, .executor = "command", .kind = "stage2", .params = params, .gpus = gpus, .slot = slot });
}

/* The next Hello, which must tell of so many slots and these states of the devices. */
static void expect_hello(struct rig *w, uint32_t slots, const char *const *states)
{
    envelope *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
    assert_int_equal(m->hello->slots, slots);
    for (size_t i = 0; i < m->hello->n_devices; i++)
        assert_string_equal(m->hello->devices[i]->state, states[i]);
    envelope_free(m);
    rig_welcome(w, NULL);
}

static void check_devices(const Acsweep__Result *r, int device)
{
    char uuid[64], saw[80];
    uuid_of(device, uuid, sizeof uuid);
    snprintf(saw, sizeof saw, "saw %s.", uuid);
    assert_int_equal(r->n_devices, 1);
    assert_string_equal(r->devices[0], uuid);
    assert_non_null(strstr(r->message, saw));
    assert_true(r->cost->wall_seconds >= 0.2 && r->cost->gpu_seconds == r->cost->wall_seconds);
    assert_true(r->cost->energy_joules == 2.5); /* one step of the counter */
}

/* The sick device is told of and skipped, and of the healthy ones as many are used as there are slots. */
static void test_program_sees_the_devices_of_its_task(void **state)
{
    struct rig *w = *state;
    const char *const script = "sleep 0.2; echo saw $CUDA_VISIBLE_DEVICES.; exit 3";
    expect_hello(w, 2, (const char *[]){ "ok", "sick", "ok", "spare" });
    assign_program(w, 95, script, 1, 0);
    assign_program(w, 96, script, 1, 1);
    assign_program(w, 97, script, 0, 0);
    bool seen[3] = { false };
    while (!seen[0] || !seen[1] || !seen[2]) {
        envelope *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
        for (size_t i = 0; i < m->results->n_results; i++) {
            const Acsweep__Result *r = m->results->results[i];
            size_t task = (size_t)(r->token->task_id - 95);
            if (task < 2)
                check_devices(r, task == 0 ? 0 : 2);
            else
                assert_non_null(strstr(r->message, "saw .")); /* no GPU was asked for */
            seen[task] = true;
        }
        envelope_free(m);
    }
}

static void test_sick_gpu_closes_its_slot_and_comes_back(void **state)
{
    struct rig *w = *state;
    expect_hello(w, 2, (const char *[]){ "ok", "ok" });
    say(w, "sick 1\n");
    expect_hello(w, 1, (const char *[]){ "ok", "sick" });
    assign_program(w, 1, "echo saw $CUDA_VISIBLE_DEVICES.; exit 3", 1, 0);
    envelope *m;
    Acsweep__Result *r = rig_expect_result(w, 1, &m);
    char uuid[64];
    uuid_of(0, uuid, sizeof uuid);
    assert_string_equal(r->devices[0], uuid);
    envelope_free(m);
    rig_ack(w, 1, 1, ACSWEEP__VERDICT__COMMITTED);
    say(w, "");
    expect_hello(w, 2, (const char *[]){ "ok", "ok" });
}

/* An exec dies and its memory does not come back: the next task runs on the other device, and what waits is turned
 * away. */
static void test_leak_after_a_crash_takes_the_gpu_out(void **state)
{
    struct rig *w = *state;
    envelope *m;
    expect_hello(w, 2, (const char *[]){ "ok", "ok" });
    rig_assign(
        w, &(struct made_task){ .task = 1, .gpus = 1, .params = "{\"identity\":{\"fake\":{\"sleep_ms\":600000}}}" });
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    char script[200];
    snprintf(script, sizeof script, "echo used 1 7000000000 > %s/cuda; kill -KILL $PPID", w->dir);
    assign_program(w, 2, script, 1, 1); /* it ends its exec */
    Acsweep__Result *r = rig_expect_result(w, 2, &m);
    assert_int_equal(r->failure, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE);
    assert_int_equal(r->n_devices, 1);
    assert_true(r->cost->gpu_seconds == r->cost->wall_seconds);
    envelope_free(m);
    rig_ack(w, 2, 1, ACSWEEP__VERDICT__COMMITTED);
    rig_assign(w, &(struct made_task){ .task = 3, .gpus = 1, .slot = 1 }); /* waits: the device may be free soon */
    expect_hello(w, 1, (const char *[]){ "ok", "leaking" });
    r = rig_expect_result(w, 3, &m);
    assert_int_equal(r->failure, ACSWEEP__FAILURE_CLASS__PREEMPTED); /* uncharged */
    assert_non_null(strstr(r->message, "taken out of service"));
    envelope_free(m);
    rig_ack(w, 3, 1, ACSWEEP__VERDICT__COMMITTED);
    assert_int_equal(rig_history(w, "\"event\":\"finished\",\"task\":1"), 0); /* the other task goes on */
    say(w, "");
    expect_hello(w, 2, (const char *[]){ "ok", "ok" });
    rig_assign(w, &(struct made_task){ .task = 4, .gpus = 1, .slot = 1 });
    assert_int_equal(rig_expect_result(w, 4, &m)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    envelope_free(m);
}

/* A program that fails on its device: whether the device did, is looked at before the next task. */
static void test_cuda_error_has_the_device_looked_at(void **state)
{
    struct rig *w = *state;
    envelope *m;
    expect_hello(w, 2, (const char *[]){ "ok", "ok" });
    char script[256];
    snprintf(script, sizeof script, "echo sick 0 > %s/cuda; echo CUDA error: unspecified launch failure; exit 1",
             w->dir);
    assign_program(w, 1, script, 1, 0);
    assert_int_equal(rig_expect_result(w, 1, &m)->failure, ACSWEEP__FAILURE_CLASS__CODE);
    assert_false(m->results->results[0]->suspect); /* that is between exec and agent */
    assert_string_equal(m->results->results[0]->identity, "");
    envelope_free(m);
    rig_ack(w, 1, 1, ACSWEEP__VERDICT__COMMITTED);
    expect_hello(w, 1, (const char *[]){ "sick", "ok" });
}

static void test_no_gpu_left_means_cpu_tasks_only(void **state)
{
    struct rig *w = *state;
    envelope *m;
    expect_hello(w, 2, (const char *[]){ "ok", "ok" });
    say(w, "sick 0\nsick 1\n");
    do { /* one goes out after the other */
        m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
        rig_welcome(w, NULL);
    } while ((strcmp(m->hello->devices[0]->state, "sick") || strcmp(m->hello->devices[1]->state, "sick")) &&
             (envelope_free(m), true));
    assert_int_equal(m->hello->slots, 1);
    envelope_free(m);
    rig_assign(w, &(struct made_task){ .task = 1, .gpus = 1 }); /* it was on its way */
    assert_int_equal(rig_expect_result(w, 1, &m)->failure, ACSWEEP__FAILURE_CLASS__PREEMPTED);
    envelope_free(m);
    rig_ack(w, 1, 1, ACSWEEP__VERDICT__COMMITTED);
    rig_assign(w, &(struct made_task){ .task = 2 });
    assert_int_equal(rig_expect_result(w, 2, &m)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    envelope_free(m);
}

static void test_heartbeat_tells_what_was_seen(void **state)
{
    struct rig *w = *state;
    expect_hello(w, 2, (const char *[]){ "ok", "ok" });
    say(w, "used 1 1000000000\n");
    uint64_t whole = UINT64_C(80) << 30;
    bool told = false;
    while (!told) {
        envelope *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_HEARTBEAT);
        told = m->heartbeat->n_devices == 2 && m->heartbeat->devices[1]->free_bytes == whole - 1000000000;
        envelope_free(m);
    }
}

int main(void)
{
#define CASE(f, s) cmocka_unit_test_setup_teardown(f, s, rig_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_program_sees_the_devices_of_its_task, setup_sick_one),
        CASE(test_sick_gpu_closes_its_slot_and_comes_back, setup_two),
        CASE(test_leak_after_a_crash_takes_the_gpu_out, setup_two),
        CASE(test_cuda_error_has_the_device_looked_at, setup_two),
        CASE(test_no_gpu_left_means_cpu_tasks_only, setup_two),
        CASE(test_heartbeat_tells_what_was_seen, setup_two),
    };
    return cmocka_run_group_tests_name("agent_gpus", tests, NULL, NULL);
}
