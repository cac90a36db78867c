/* What an executor is: a name, a check of the parameters, and a run. To add one, write exec_NAME.c and put it into the
 * table in executor.c.
 *
 * An executor runs on the main thread of acsweep-exec, one task after the other. It watches control_cancel_fd() (or asks
 * control_cancelled() often) and returns soon after a cancel. It may keep models loaded between tasks in its own static
 * state; that is why the exec stays alive. */
#ifndef ACSWEEP_WORKER_EXEC_EXECUTOR_H
#define ACSWEEP_WORKER_EXEC_EXECUTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"
#include "common/err.h"
#include "proto/acsweep.pb-c.h"
#include "worker/exec/control.h"
#include "worker/paths.h"

/* One attempt as the executor sees it. */
struct exec_task {
    const Acsweep__Token *token;
    const Acsweep__TaskSpec *spec;
    json_t *identity;     /* object of spec.params: what makes the result */
    json_t *execution;    /* object of spec.params: how to get there; never changes a number */
    const char *worker_id;
    const char *scratch;  /* node-local directory of this worker, "" when it has none */
    const char *store;    /* shared artifact store, "" when there is none */
    const struct paths *paths; /* where this node has data and checkpoints; use exec_path() */
    struct control *control;
};

/* The inputs' artifacts and what the run made. All memory belongs to the result. */
struct exec_artifact {
    char name[128], digest[DIGEST_HEX_SIZE], store[16], path[512];
    uint64_t bytes;
    void *content; /* inline only */
};
struct exec_metric {
    char name[128];
    double value;
};
struct exec_result {
    Acsweep__Outcome outcome;
    Acsweep__FailureClass failure;
    char message[1024];
    struct exec_metric *metrics;
    struct exec_artifact *artifacts;
    size_t n_metrics, n_artifacts;
    uint64_t max_rss_bytes, max_gpu_bytes; /* 0 = the exec's own figure is used */
    /* Something broke on its devices (a sticky CUDA error, say): this exec gets no further task, and they are looked at
     * before anything else runs on them. */
    bool suspect;
    uint32_t together;                     /* failed by an event that ended so many tasks of its bundle; 0 = alone */
    Acsweep__Token reported;               /* the token that the result carries; only exec_fake changes it */
};

/* Tasks that were assigned as one, of any kinds and parameters, in the order of their assignment. */
struct exec_bundle {
    const struct exec_task *tasks;
    struct exec_result *results;
    const bool *done; /* has been reported */
    size_t n;
};

struct executor {
    const char *name;
    /* Are the parameters complete and of the right type? ERR_INPUT names the key. */
    int (*check)(const struct exec_task *t, struct err *e);
    /* Fill `r`. An error counts as a failed attempt; its kind chooses the class (executor_class_of). */
    int (*run)(const struct exec_task *t, struct exec_result *r, struct err *e);
    /* Run what is not done of a bundle, all of it checked and for this executor, and report each task when it has
     * ended. After an error, those that are not done fail together, and the coordinator tries them again in smaller
     * bundles; so what is known to be one task's failure should be reported as its own. NULL: one after the other will
     * do. */
    int (*run_bundle)(struct exec_bundle *b, struct err *e);
};

/* These `m` tasks of the bundle have ended, by their results: tell the agent. Their cost is an equal share of what was
 * used since the last report. An error is one of the pipe. */
MUST_USE int exec_report(struct exec_bundle *b, const size_t *which, size_t m, struct err *e);
/* What is not done, one after the other by `run`. */
MUST_USE int exec_run_each(struct exec_bundle *b,
                           int (*run)(const struct exec_task *t, struct exec_result *r, struct err *e), struct err *e);

extern const struct executor exec_fake, exec_replay, exec_command, exec_native;

/* NULL with ERR_INPUT that names the executors there are. */
const struct executor *executor_find(const char *name, struct err *e);
/* Names of all executors, ended by NULL. */
const char *const *executor_names(void);

/* Failure class by its name in configs and rows (infrastructure, gpu_oom, ...); -1 when it is none. */
int executor_class_by_name(const char *name);
Acsweep__FailureClass executor_class_of(enum err_kind kind);

void exec_result_fail(struct exec_result *r, Acsweep__FailureClass failure, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
MUST_USE int exec_result_metric(struct exec_result *r, const char *name, double value, struct err *e);
/* A zeroed artifact at the end of the list; NULL when there are too many. */
struct exec_artifact *exec_result_artifact(struct exec_result *r, struct err *e);
/* What an error of this task makes of its result. */
void exec_result_error(const struct exec_task *t, struct exec_result *r, const struct err *why);
/* The same for one of `n` tasks of a bundle that it ended together. */
void exec_result_error_of_many(const struct exec_task *t, struct exec_result *r, const struct err *why, size_t n);
/* Forget metrics and artifacts. */
void exec_result_free(struct exec_result *r);

/* Where this node has the data or checkpoint that sweep.cfg calls `name`. NULL with ERR_ENV, which is this node's
 * failure and not the task's, and says what to add to worker.cfg. */
const char *exec_path(const struct exec_task *t, const char *name, struct err *e);

/* Wait up to `ns`; true when the task was cancelled meanwhile (at once). */
bool exec_wait(const struct exec_task *t, int64_t ns);
/* Outcome of a task that stopped because it was asked to: CANCELLED, or failed as PREEMPTED by a drain, or as TIMEOUT. */
void exec_result_cancelled(const struct exec_task *t, struct exec_result *r);

/* Tell the coordinator how far it is: fraction 0..1 or negative; note and log may be NULL. */
void exec_progress(const struct exec_task *t, double fraction, const char *note, const void *log, size_t log_len);

#endif
