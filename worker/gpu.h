/* The GPUs of this node as `acsweep-exec --probe` (worker/exec/probe.h) tells of them; worker/probe.h runs it. */
#ifndef ACSWEEP_WORKER_GPU_H
#define ACSWEEP_WORKER_GPU_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

#define GPU_MAX 64
#define GPU_MAX_EXECUTORS 16

struct gpu {
    char uuid[64], name[128];
    char state[160]; /* "ok", or "sick: " and why */
    uint64_t memory_bytes, free_bytes;
    uint32_t compute_capability; /* 80 means 8.0 */
};
struct gpu_list {
    struct gpu gpus[GPU_MAX];
    size_t n;
    char executors[GPU_MAX_EXECUTORS][32]; /* what this acsweep-exec can run */
    size_t n_executors;
    char note[512]; /* why there are none */
};

/* Read the probe's line of JSON. ERR_PEER when it is not what a probe says. */
MUST_USE int gpu_parse(const char *text, struct gpu_list *out, struct err *e);

#endif
