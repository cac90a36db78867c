/* Inside worker/score: vectors of floats in plain C (a GNU extension that gcc and clang share), and the choice of the
 * machine's instructions at run time.
 *
 * A kernel is written once as an inline body; C_KERNEL compiles it for every machine and for those with AVX2, and picks
 * one at the call. Both do the same operations in the same order on the same eight lanes, none fused, so a number never
 * depends on the machine, and neither on threads nor on how work is cut: that is why there is no BLAS here. */
#ifndef ACSWEEP_WORKER_SCORE_C_VECTOR_H
#define ACSWEEP_WORKER_SCORE_C_VECTOR_H

#include <stdbool.h>
#include <stdint.h>

/* Loads and stores through these need no alignment. */
typedef float vec8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t int8v __attribute__((vector_size(32), aligned(4), may_alias));
typedef float vec4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t int4v __attribute__((vector_size(16), aligned(4), may_alias));

#define C_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
static inline bool c_has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}
/* C_KERNEL(name, (float *x, int n), (x, n)): defines name() from name_body(). */
#define C_KERNEL(name, parameters, arguments)                          \
    __attribute__((target("avx2"))) static void name##_avx2 parameters \
    {                                                                  \
        name##_body arguments;                                         \
    }                                                                  \
    void name parameters                                               \
    {                                                                  \
        if (c_has_avx2())                                              \
            name##_avx2 arguments;                                     \
        else                                                           \
            name##_body arguments;                                     \
    }
#else
#define C_KERNEL(name, parameters, arguments) \
    void name parameters                      \
    {                                         \
        name##_body arguments;                \
    }
#endif

#endif
