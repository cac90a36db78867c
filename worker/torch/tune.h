/* What a program that computes does first, before it computes anything: settings that can only be made at the start of
 * a process, because libraries read them as they load. */
#ifndef ACSWEEP_WORKER_TORCH_TUNE_H
#define ACSWEEP_WORKER_TORCH_TUNE_H

#include <stdbool.h>

/* Call it as the first thing in main. Three settings:
 *
 * - malloc keeps blocks of up to 512 MiB instead of mapping and unmapping each (1.2 to 2 times the images per second in
 * a ViT on the CPU, for every activation is such a block). Memory so kept is returned when the process ends.
 * - OpenBLAS 0.3.21 does not know every CPU with AVX-512 and then takes its AVX2 kernels, at half the speed; of those it
 *   knows some have kernels of their own, which sum in another order. On a CPU with AVX-512, OPENBLAS_CORETYPE=SkylakeX
 *   is set and the program replaced by itself, once, where other kernels were chosen: fast ones, and in f32 the same
 *   sums on all of them. OpenBLAS reads it only as it is loaded. A value that is set already is respected, also an empty one: a
 *   parent can so decide for its children, and spares them the second start.
 * - OMP_WAIT_POLICY=passive, where it is not set: OpenMP's threads sleep when they have nothing to do, where they else
 *   spin and take the processors from decoding and from whoever else is there (2 to 4 times the images per second with
 *   two threads on two busy processors). It is read as the library is loaded, so only a program that starts again, or
 *   loads it later, has it. */
void tune_process(char **argv);
/* The same for a program that loads what computes later, by dlopen: before that, and without starting again. Which
 * kernels OpenBLAS would choose cannot be known then; with AVX-512 it is told SkylakeX. */
void tune_before_load(void);

/* The OPENBLAS_CORETYPE that is better than the kernels OpenBLAS chose (its openblas_get_corename), or NULL. */
const char *tune_better_kernels(const char *chosen, bool cpu_has_avx512);
/* Everything that SkylakeX kernels use, allowed by the kernel too. */
bool tune_cpu_has_avx512(void);

#endif
