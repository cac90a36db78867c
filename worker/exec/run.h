/* One Assign of the agent, from Started to the results: one task, or several that run together. */
#ifndef ACSWEEP_WORKER_EXEC_RUN_H
#define ACSWEEP_WORKER_EXEC_RUN_H

#include "worker/exec/control.h"
#include "worker/exec/energy.h"
#include "worker/paths.h"

struct place { /* where this exec runs; fixed for its life */
    struct control *control;
    const char *worker_id, *scratch, *store;
    uint32_t slot;
    char *devices[64];
    size_t n_devices;
    struct paths paths; /* texts belong to the hello */
    struct energy *energy;
};

/* Every attempt of it is answered once, as soon as it has ended. Whatever goes wrong in a task is its result; an error
 * here is one of the pipe. */
MUST_USE int run_assign(const struct place *p, const Acsweep__Assign *a, struct err *e);

#endif
