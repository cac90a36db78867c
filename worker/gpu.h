/* What this node has: CPUs, memory, and GPUs as told by `acsweep-exec --probe`, a process of its own, so that the agent
 * never opens a CUDA context. */
#ifndef ACSWEEP_WORKER_GPU_H
#define ACSWEEP_WORKER_GPU_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

#define GPU_MAX 64
#define GPU_MAX_EXECUTORS 16

struct gpu {
    char uuid[64], name[128], state[160];
    uint64_t memory_bytes, free_bytes;
    uint32_t compute_capability;
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
/* Run `exec_path --probe` and wait for it, at most `timeout_ns`; a broken driver may hang. */
MUST_USE int gpu_probe(const char *exec_path, int64_t timeout_ns, struct gpu_list *out, struct err *e);

uint32_t node_cpus(void);
uint64_t node_memory(void);
uint64_t node_free_memory(void);

#endif
