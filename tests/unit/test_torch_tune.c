/* The start of a program that computes: kernels of OpenBLAS that fit the CPU, and which BLAS there is. This program
 * says in OpenBLAS's name that the AVX2 kernels were chosen, and sees whether it is started again with better ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/torch/th.h"
#include "worker/torch/tune.h"

char *openblas_get_corename(void);
char *openblas_get_corename(void)
{
    static char name[] = "Haswell";
    return name;
}

static void test_better_kernels(void **state)
{
    (void)state;
    assert_null(tune_better_kernels(NULL, true));
    assert_null(tune_better_kernels("Haswell", false));
    assert_null(tune_better_kernels("SkylakeX", true));
    assert_null(tune_better_kernels("skylakex", true));
    assert_string_equal(tune_better_kernels("Cooperlake", true), "SkylakeX"); /* as fast, but other sums */
    assert_string_equal(tune_better_kernels("Haswell", true), "SkylakeX");
    assert_string_equal(tune_better_kernels("Zen", true), "SkylakeX");
}

/* Runs this program with that OPENBLAS_CORETYPE (NULL: unset) and gives what it has there after tune_process. */
static void coretype_after_start(const char *before, char *after, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 3);
        if (before)
            setenv("OPENBLAS_CORETYPE", before, 1);
        else
            unsetenv("OPENBLAS_CORETYPE");
        execl("/proc/self/exe", "test_torch_tune", "child", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], after, size - 1);
    close(ends[0]);
    after[n > 0 ? n : 0] = '\0';
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void test_started_again_once_with_better_kernels(void **state)
{
    (void)state;
    char after[64];
    coretype_after_start(NULL, after, sizeof after);
    assert_string_equal(after, tune_cpu_has_avx512() ? "SkylakeX" : "unset");
    coretype_after_start("Haswell", after, sizeof after);
    assert_string_equal(after, "Haswell");
    coretype_after_start("", after, sizeof after);
    assert_string_equal(after, "");
}

static void test_threads_do_not_spin_unless_asked_to(void **state)
{
    (void)state;
    unsetenv("OMP_WAIT_POLICY");
    tune_before_load();
    assert_string_equal(getenv("OMP_WAIT_POLICY"), "passive");
    setenv("OMP_WAIT_POLICY", "active", 1);
    tune_before_load();
    assert_string_equal(getenv("OMP_WAIT_POLICY"), "active");
}

static void test_blas_is_described(void **state)
{
    (void)state;
    char text[512];
    bool good = th_blas_check(text, sizeof text);
    print_message("%s\n", text);
    assert_true(strlen(text) > 0);
    assert_int_equal(good, !strstr(text, "apt-get install"));
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        tune_process(argv);
        const char *now = getenv("OPENBLAS_CORETYPE");
        return dprintf(3, "%s", now ? now : "unset") < 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_better_kernels),
        cmocka_unit_test(test_started_again_once_with_better_kernels),
        cmocka_unit_test(test_threads_do_not_spin_unless_asked_to),
        cmocka_unit_test(test_blas_is_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
