#include "worker/torch/tune.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/own.h"

#define MIB (1 << 20)

bool tune_cpu_has_avx512(void)
{
#if defined __x86_64__
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

const char *tune_better_kernels(const char *chosen, bool cpu_has_avx512)
{
    bool good = !chosen || !cpu_has_avx512 || strcasecmp(chosen, "SkylakeX") == 0;
    return good ? NULL : "SkylakeX";
}

static const char *openblas_kernels(void)
{
    char *(*name)(void);
    *(void **)&name = dlsym(RTLD_DEFAULT, "openblas_get_corename");
    return name ? name() : NULL;
}

/* Failing that, the program goes on as it is: slower, not wrong. */
static void start_again(char **argv)
{
    fflush(NULL);
    execv("/proc/self/exe", argv);
}

static void tune_malloc(void)
{
    mallopt(M_MMAP_THRESHOLD, 512 * MIB);
    mallopt(M_TRIM_THRESHOLD, 1024 * MIB);
}

/* OpenMP's threads spin for milliseconds after each of the many short pieces of work, on processors that decoding threads
 * and other processes want. */
static void tune_waiting(void)
{
    setenv("OMP_WAIT_POLICY", "passive", 0);
}

void tune_before_load(void)
{
    tune_malloc();
    tune_waiting();
    if (tune_cpu_has_avx512())
        setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
}

void tune_process(char **argv)
{
    tune_malloc();
    if (getenv("OPENBLAS_CORETYPE"))
        return;
    const char *better = tune_better_kernels(openblas_kernels(), tune_cpu_has_avx512());
    tune_waiting(); /* for the program that starts again; here the threads' library has read it already */
    if (better && setenv("OPENBLAS_CORETYPE", better, 1) == 0)
        start_again(argv);
}
