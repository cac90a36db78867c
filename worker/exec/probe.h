/* acsweep-exec --probe: what this node's GPUs are and what this program can run, as one line of JSON, from a process that ends right after. The agent
 * itself never opens a CUDA context, which would hold memory on every device for ever.
 *
 *     {"devices":[{"uuid","name","memory_bytes","free_bytes","compute_capability","state"}],
 *      "executors":["fake",...],"note":"..."}
 *
 * No CUDA runtime or no GPU is not an error: the list is empty and `note` says why. */
#ifndef ACSWEEP_WORKER_EXEC_PROBE_H
#define ACSWEEP_WORKER_EXEC_PROBE_H

#include <stdio.h>

#include "common/err.h"
#include "common/own.h"

MUST_USE int probe_print(FILE *out, struct err *e);

#endif
