/* One run of `acsweep-exec --probe`: a process that looks at GPUs and ends. It may hang on a broken driver, even so
 * that no signal ends it; the loop goes on meanwhile, and the answer is then that there is none. */
#ifndef ACSWEEP_WORKER_PROBE_H
#define ACSWEEP_WORKER_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/loop.h"
#include "worker/gpu.h"

struct probe;

/* Called once, unless the probe is destroyed before. `list` is NULL when there is no answer, and `why` says why:
 * ERR_INTERRUPTED when it took too long (a device or its driver is stuck), else what is wrong with the program. */
typedef int probe_done_fn(const struct gpu_list *list, const struct err *why, void *arg, struct err *e);

struct probe_options {
    struct loop *loop;
    const char *exec_path;
    const char *visible; /* CUDA_VISIBLE_DEVICES of the probe; NULL = as ours */
    int64_t timeout_ns;
    probe_done_fn *done;
    void *arg;
};

/* NULL with ERR_ENV when it cannot be started. Strings need only live during the call. */
struct probe *probe_start(const struct probe_options *o, struct err *e);
/* Its process is gone. One that does not even die of SIGKILL stays, long after it was said to have no answer. */
bool probe_over(const struct probe *p);
pid_t probe_pid(const struct probe *p); /* 0 when it is over */
/* Kills it; never waits for a process that cannot die. */
void probe_destroy(struct probe *p);
DEFINE_CLEANUP(probe_destroy, struct probe *)

/* Start one and wait for its answer. */
MUST_USE int probe_now(const char *exec_path, int64_t timeout_ns, struct gpu_list *out, struct err *e);

#endif
