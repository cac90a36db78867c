/* Executor `native`: what this program computes itself. One file for each kind of task; native_module.c has the table.
 *
 * These files, and worker/tool, are the module acsweep-native.so, which exec_native.c loads when it is first needed. */
#ifndef ACSWEEP_WORKER_EXEC_NATIVE_H
#define ACSWEEP_WORKER_EXEC_NATIVE_H

#include "worker/exec/executor.h"
#include "worker/torch/th.h"

struct native_kind {
    const char *kind;
    int (*check)(const struct exec_task *t, struct err *e);
    int (*run)(const struct exec_task *t, struct exec_result *r, struct err *e);
    int (*run_bundle)(struct exec_bundle *b, struct err *e); /* as an executor's; NULL: one after the other */
};
extern const struct native_kind native_identify, native_extract, native_score_c, native_stage1, native_stage2, native_score_a, native_evaluate;

/* ---- the module's door ---- */

struct native_module {
    const struct executor *executor;
    int (*tool_main)(int argc, char **argv); /* a command of worker/tool */
};
/* exec_native.c: loads the module at the first call. ERR_ENV says why it cannot be. */
const struct native_module *native_load(struct err *e);

/* ---- shared (native_common.c) ---- */

/* The task's first device, or the CPU; threads are set to the processors that the task asked for. Warns in the log, once,
 * when the CPU's matrix products are slow. */
MUST_USE int native_device(const struct exec_task *t, struct th_device *out, struct err *e);
/* Texts and numbers of the parameters by a path such as "setting.alpha" below `o` (t->identity or t->execution).
 * ERR_INPUT names what is missing or of another type. With `fallback`, what is missing is that. */
MUST_USE int native_text(json_t *o, const char *path, const char *fallback, const char **out, struct err *e);
MUST_USE int native_int(json_t *o, const char *path, const int64_t *fallback, int64_t *out, struct err *e);
MUST_USE int native_real(json_t *o, const char *path, double *out, struct err *e);
/* "bf16", "fp16" or "fp32" */
MUST_USE int native_dtype(json_t *o, const char *path, enum th_dtype *out, struct err *e);
/* Where the data or checkpoint lies that execution.names calls `what`; NULL on error. */
const char *native_path(const struct exec_task *t, const char *what, struct err *e);
/* ERR_INTERRUPTED once the task was asked to stop; else reports progress, at most every second. */
MUST_USE int native_progress(const struct exec_task *t, const char *what, size_t done, size_t n, struct err *e);
/* The input of that name; ERR_INPUT when the task has none. */
const Acsweep__InputRef *native_input(const struct exec_task *t, const char *name, struct err *e);
/* Path of an input's artifact on this node, malloc'ed. */
MUST_USE int native_artifact(const struct exec_task *t, const Acsweep__InputRef *in, const char *name, char **path,
                             struct err *e);

#endif
