/* What this machine has, but for its GPUs (worker/gpu.h). */
#ifndef ACSWEEP_WORKER_NODE_H
#define ACSWEEP_WORKER_NODE_H

#include <stdint.h>

/* CPUs that this process may use. */
uint32_t node_cpus(void);
/* Bytes of main memory, and of what could be had of it now; 0 if unknown. */
uint64_t node_memory(void);
uint64_t node_free_memory(void);

#endif
