/* What the agent learns from acsweep-exec --probe, with a CUDA runtime that obeys the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/mono.h"
#include "worker/gpu.h"
#include "worker/probe.h"

#define EXEC BINARY_DIR "/bin/acsweep-exec"

static const char *const variables[] = { "FAKE_CUDA_DEVICES", "FAKE_CUDA_MEMORY", "FAKE_CUDA_FREE", "FAKE_CUDA_CC",
                                         "FAKE_CUDA_NO_DRIVER", "FAKE_CUDA_SICK", "FAKE_CUDA_HANG", "FAKE_CUDA_MIG", "CUDA_VISIBLE_DEVICES" };

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        unsetenv(variables[i]);
    return setenv("ACSWEEP_CUDART", FAKE_CUDART, 1);
}

static void probe(struct gpu_list *g)
{
    struct err e = { 0 };
    int done = probe_now(EXEC, 20 * NS_PER_S, g, &e);
    assert_string_equal(e.text, "");
    assert_int_equal(done, 0);
}

static void test_devices_are_described(void **state)
{
    (void)state;
    struct gpu_list g;
    setenv("FAKE_CUDA_DEVICES", "3", 1);
    setenv("FAKE_CUDA_FREE", "1000000007", 1);
    setenv("FAKE_CUDA_CC", "121", 1);
    probe(&g);
    assert_int_equal(g.n, 3);
    assert_string_equal(g.gpus[2].uuid, "GPU-00000000-0000-0000-0000-000000000002");
    assert_string_equal(g.gpus[1].name, "Fake GPU 1");
    assert_string_equal(g.gpus[0].state, "ok");
    assert_int_equal(g.gpus[0].free_bytes, 1000000007);
    assert_int_equal(g.gpus[0].memory_bytes, (uint64_t)80 << 30);
    assert_int_equal(g.gpus[0].compute_capability, 121);
    assert_true(g.n_executors >= 3);
}

static void test_sick_device_is_told_apart(void **state)
{
    (void)state;
    struct gpu_list g;
    setenv("FAKE_CUDA_DEVICES", "2", 1);
    setenv("FAKE_CUDA_SICK", "1", 1);
    probe(&g);
    assert_int_equal(g.n, 2);
    assert_string_equal(g.gpus[0].state, "ok");
    assert_non_null(strstr(g.gpus[1].state, "sick: all CUDA-capable devices are busy"));
    assert_string_equal(g.gpus[1].uuid, "GPU-00000000-0000-0000-0000-000000000001");
}

/* What a slice is called must make it visible again. */
static void test_slices_keep_the_name_they_were_given_by(void **state)
{
    (void)state;
    const char *const one = "MIG-00000000-0000-0000-0000-000000000001", *const two = "MIG-00000000-0000-0000-0000-000000000000";
    char both[200];
    struct gpu_list g;
    snprintf(both, sizeof both, "%s,%s", one, two);
    setenv("FAKE_CUDA_MIG", "1", 1);
    setenv("FAKE_CUDA_DEVICES", "2", 1);
    setenv("CUDA_VISIBLE_DEVICES", both, 1);
    probe(&g);
    assert_int_equal(g.n, 2);
    assert_string_equal(g.gpus[0].uuid, one);
    assert_string_equal(g.gpus[1].uuid, two);
    setenv("CUDA_VISIBLE_DEVICES", two, 1);
    probe(&g);
    assert_int_equal(g.n, 1);
    assert_string_equal(g.gpus[0].uuid, two);
}

static void test_no_driver_is_no_error(void **state)
{
    (void)state;
    struct gpu_list g;
    setenv("FAKE_CUDA_NO_DRIVER", "1", 1);
    probe(&g);
    assert_int_equal(g.n, 0);
    assert_non_null(strstr(g.note, "driver version is insufficient"));
    assert_true(g.n_executors >= 3);
}

static void test_no_runtime_is_no_error(void **state)
{
    (void)state;
    struct gpu_list g;
    setenv("ACSWEEP_CUDART", "/nowhere/libcudart.so", 1);
    probe(&g);
    assert_int_equal(g.n, 0);
    assert_non_null(strstr(g.note, "/nowhere/libcudart.so"));
}

static void test_stuck_driver_does_not_stick_the_agent(void **state)
{
    (void)state;
    struct gpu_list g;
    struct err e = { 0 };
    setenv("FAKE_CUDA_HANG", "1", 1);
    assert_int_equal(probe_now(EXEC, 300 * NS_PER_MS, &g, &e), -1);
    assert_non_null(strstr(e.text, "does not answer"));
}

static void test_missing_program_is_an_error(void **state)
{
    (void)state;
    struct gpu_list g;
    struct err e = { 0 };
    assert_int_equal(probe_now("/nowhere/acsweep-exec", NS_PER_S, &g, &e), -1);
    assert_int_equal(e.kind, ERR_ENV);
}

static void test_nonsense_is_refused(void **state)
{
    (void)state;
    static const char negative[] = "{\"devices\":[{\"uuid\":\"u\",\"name\":\"n\",\"state\":\"ok\",\"memory_bytes\":-1,"
                                   "\"free_bytes\":0,\"compute_capability\":80}],\"note\":\"\"}";
    const char *const cases[] = {
        "",
        "[]",
        "{\"devices\":3}",
        "{\"devices\":[{}],\"note\":\"\"}",
        negative,
        "{\"devices\":[],\"executors\":[7],\"note\":\"\"}",
        "{\"devices\":[]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct gpu_list g;
        struct err e = { 0 };
        assert_int_equal(gpu_parse(cases[i], &g, &e), -1);
        assert_int_equal(e.kind, ERR_PEER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_devices_are_described, setup),
        cmocka_unit_test_setup(test_sick_device_is_told_apart, setup),
        cmocka_unit_test_setup(test_slices_keep_the_name_they_were_given_by, setup),
        cmocka_unit_test_setup(test_no_driver_is_no_error, setup),
        cmocka_unit_test_setup(test_no_runtime_is_no_error, setup),
        cmocka_unit_test_setup(test_stuck_driver_does_not_stick_the_agent, setup),
        cmocka_unit_test_setup(test_missing_program_is_an_error, setup),
        cmocka_unit_test_setup(test_nonsense_is_refused, setup),
    };
    return cmocka_run_group_tests_name("gpu", tests, NULL, NULL);
}
