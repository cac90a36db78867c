/* The few calls of the CUDA runtime that we need, opened with dlopen, so that the same program runs with and without a GPU
 * and is built without CUDA's headers. The library is $ACSWEEP_CUDART, or libcudart.so of any version from 13 to 11. */
#ifndef ACSWEEP_WORKER_EXEC_CUDART_H
#define ACSWEEP_WORKER_EXEC_CUDART_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct cudart;

struct cudart_device {
    char uuid[64]; /* GPU-xxxxxxxx-xxxx-..., as nvidia-smi and CUDA_VISIBLE_DEVICES write it */
    char name[256];
    uint64_t memory_bytes, free_bytes;
    uint32_t compute_capability; /* 80 means 8.0 */
    char state[160];             /* ok, or sick: why */
};

/* NULL with ERR_ENV that says which libraries were tried. */
struct cudart *cudart_open(struct err *e);
void cudart_close(struct cudart *c);
DEFINE_CLEANUP(cudart_close, struct cudart *)

/* How many devices this process sees. ERR_ENV with CUDA's words when there is no driver. */
MUST_USE int cudart_count(struct cudart *c, int *count, struct err *e);
/* Never fails: a device that cannot be read is sick, with the reason. */
void cudart_describe(struct cudart *c, int index, struct cudart_device *out);

#endif
