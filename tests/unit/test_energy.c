/* Energy of an attempt, with a management library that obeys the test: from counters, from power, or not known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/mono.h"
#include "common/own.h"
#include "worker/exec/energy.h"

static char *const devices[] = { (char *)"GPU-00000000-0000-0000-0000-000000000001",
                                 (char *)"GPU-00000000-0000-0000-0000-000000000002", (char *)"unknown" };
static const char *const variables[] = { "FAKE_NVML_STEP_MJ", "FAKE_NVML_POWER_MW", "FAKE_NVML_NO_COUNTER",
                                         "FAKE_NVML_NO_DRIVER" };

static int setup(void **state)
{
    (void)state;
    log_setup("test_energy", LOG_ERROR, LOG_LOGFMT);
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        unsetenv(variables[i]);
    return setenv("ACSWEEP_NVML", FAKE_NVML, 1);
}

static double measure(struct energy *m, int64_t ns)
{
    energy_begin(m);
    mono_sleep(ns);
    return energy_end(m);
}

static void test_counters_of_all_devices_are_summed(void **state)
{
    (void)state;
    setenv("FAKE_NVML_STEP_MJ", "1500", 1);
    struct energy *m = energy_open(devices, 2);
    assert_non_null(m);
    assert_true(measure(m, 0) == 3.0);
    assert_true(measure(m, 0) == 3.0); /* the next attempt begins anew */
    energy_close(m);
}

static void test_without_counters_power_is_integrated(void **state)
{
    (void)state;
    setenv("FAKE_NVML_POWER_MW", "200000", 1);
    struct energy *m = energy_open(devices, 2);
    assert_non_null(m);
    int64_t from = mono_now();
    double joules = measure(m, 1200 * NS_PER_MS); /* more than one reading in between */
    double most = 2 * 200.0 * (double)(mono_now() - from) / (double)NS_PER_S;
    assert_true(joules >= 2 * 200 * 1.2 && joules <= most);
    energy_close(m);
}

static void test_one_counter_and_one_by_power(void **state)
{
    (void)state;
    setenv("FAKE_NVML_STEP_MJ", "1000", 1);
    setenv("FAKE_NVML_POWER_MW", "100000", 1);
    setenv("FAKE_NVML_NO_COUNTER", "2", 1);
    struct energy *m = energy_open(devices, 2);
    assert_true(measure(m, 100 * NS_PER_MS) >= 1.0 + 10.0);
    energy_close(m);
}

static void test_counter_that_was_reset_tells_nothing(void **state)
{
    (void)state;
    setenv("FAKE_NVML_STEP_MJ", "-5", 1);
    struct energy *m = energy_open(devices, 1);
    assert_true(measure(m, 0) == 0);
    energy_close(m);
}

static void test_what_cannot_be_measured_is_not_known(void **state)
{
    (void)state;
    assert_null(energy_open(devices, 0));
    assert_null(energy_open(devices, 1)); /* neither counter nor power */
    setenv("FAKE_NVML_STEP_MJ", "1000", 1);
    assert_null(energy_open(devices, 3)); /* a part of them is not known */
    setenv("FAKE_NVML_NO_DRIVER", "1", 1);
    assert_null(energy_open(devices, 1));
    setenv("ACSWEEP_NVML", "/nowhere/libnvidia-ml.so.1", 1);
    assert_null(energy_open(devices, 1));
    energy_begin(NULL);
    assert_true(energy_end(NULL) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_counters_of_all_devices_are_summed, setup),
        cmocka_unit_test_setup(test_without_counters_power_is_integrated, setup),
        cmocka_unit_test_setup(test_one_counter_and_one_by_power, setup),
        cmocka_unit_test_setup(test_counter_that_was_reset_tells_nothing, setup),
        cmocka_unit_test_setup(test_what_cannot_be_measured_is_not_known, setup),
    };
    return cmocka_run_group_tests_name("energy", tests, NULL, NULL);
}
