/* The agent of a node: takes assignments from the coordinator, has them run, and sees to it that every result arrives.
 *
 *     joining --welcomed--> ready <--welcomed/lost--> cut_off --grace over: kill what runs
 *     any --SIGTERM, Drain--> draining --all done and acknowledged, or out of time--> leaving --> end of the loop
 *                                draining --SIGTERM after a Drain, shorter Drain--> draining, in a hurry
 *
 * While cut off, tasks go on and results wait in the spool. See worker/README.md. */
#ifndef ACSWEEP_WORKER_AGENT_H
#define ACSWEEP_WORKER_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/join.h"
#include "common/keys.h"
#include "common/loop.h"
#include "common/own.h"
#include "worker/gpu.h"
#include "worker/paths.h"

struct agent;

struct agent_options {
    struct loop *loop;
    void *zmq;
    const struct join *join;
    const struct key_pair *keys; /* NULL without CURVE */
    const char *worker_id, *node, *boot_id;
    const char *exec_path, *state_dir, *scratch;
    const char *store;           /* where the artifact store is on this node; NULL = where the coordinator says */
    const struct paths *paths;   /* where data and checkpoints are */
    const char *labels;          /* JSON object */
    uint32_t slots;              /* 0 = one for each device set, or one for all CPUs */
    uint32_t credits;            /* assignments taken in advance, per slot */
    uint32_t devices_per_slot;
    const struct gpu_list *gpus; /* as probed at the start; looked at again by the agent */
    uint64_t gpu_leak_bytes;     /* see worker/devices.h, also for the next three */
    int64_t gpu_check_ns, gpu_return_ns, gpu_retry_ns;
    int64_t keep_idle_ns; /* see worker/slots.h */
    int64_t disconnect_grace_ns; /* 0 = as the coordinator says */
    int64_t drain_grace_ns;      /* for a checkpoint after SIGTERM */
    int64_t resend_ns;           /* unacknowledged results are sent again after this */
    uint64_t leak_limit_bytes;
    bool history;
};

/* Opens the state directory and starts joining. Everything pointed to must outlive the agent. */
struct agent *agent_create(const struct agent_options *o, struct err *e);
void agent_destroy(struct agent *a);
DEFINE_CLEANUP(agent_destroy, struct agent *)

/* A signal asks for the end: the first time drain and leave, the second time kill and leave. Signals within a second
 * count as one: scancel and srun may both send it. */
MUST_USE int agent_terminate(struct agent *a, const char *reason, struct err *e);

#endif
