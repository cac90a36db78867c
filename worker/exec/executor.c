/* The table of executors, and what they share: building a result, waiting, reporting progress. */
#include "worker/exec/executor.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mono.h"
#include "common/utf8.h"

/* The coordinator takes no more of either, and no name twice. */
#define MAX_METRICS 2000
#define MAX_ARTIFACTS 1000

static const struct executor *const executors[] = { &exec_fake, &exec_replay, &exec_command, &exec_native };
static const char *const names[] = { "fake", "replay", "command",
#ifdef ACSWEEP_WITH_TORCH
                                     "native", /* not offered without libtorch */
#endif
                                     NULL };

const char *const *executor_names(void)
{
    return names;
}

const struct executor *executor_find(const char *name, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(executors); i++)
        if (strcmp(executors[i]->name, name) == 0)
            return executors[i];
    char all[200];
    for (size_t i = 0, at = 0; names[i] && at < sizeof all; i++)
        at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", i ? ", " : "", names[i]);
    return FAIL_NULL(e, ERR_INPUT, "this acsweep-exec has no executor '%.60s' (it has %s)", name, all);
}

static const struct {
    const char *name;
    Acsweep__FailureClass class;
} classes[] = {
    { "infrastructure", ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE },
    { "preempted", ACSWEEP__FAILURE_CLASS__PREEMPTED },
    { "gpu_oom", ACSWEEP__FAILURE_CLASS__GPU_OOM },
    { "host_oom", ACSWEEP__FAILURE_CLASS__HOST_OOM },
    { "data", ACSWEEP__FAILURE_CLASS__DATA },
    { "code", ACSWEEP__FAILURE_CLASS__CODE },
    { "timeout", ACSWEEP__FAILURE_CLASS__TIMEOUT },
};

int executor_class_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (strcmp(classes[i].name, name) == 0)
            return (int)classes[i].class;
    return -1;
}

Acsweep__FailureClass executor_class_of(enum err_kind kind)
{
    switch (kind) {
    case ERR_INPUT:
    case ERR_USAGE:
        return ACSWEEP__FAILURE_CLASS__DATA;
    case ERR_NOMEM:
        return ACSWEEP__FAILURE_CLASS__HOST_OOM;
    case ERR_GPU_OOM:
        return ACSWEEP__FAILURE_CLASS__GPU_OOM;
    case ERR_TASK:
    case ERR_BUG:
        return ACSWEEP__FAILURE_CLASS__CODE;
    default:
        return ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE;
    }
}

void exec_result_fail(struct exec_result *r, Acsweep__FailureClass failure, const char *fmt, ...)
{
    r->outcome = ACSWEEP__OUTCOME__FAILED;
    r->failure = failure;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->message, sizeof r->message, fmt, ap);
    va_end(ap);
    utf8_mend(r->message);
}

int exec_result_metric(struct exec_result *r, const char *name, double value, struct err *e)
{
    struct exec_metric m = { .value = value };
    if (!isfinite(value))
        return FAIL(e, ERR_TASK, "metric '%s' is not a finite number", name);
    if (strlen(name) == 0 || strlen(name) >= sizeof m.name)
        return FAIL(e, ERR_TASK, "metric name '%.40s' must have 1 to %zu bytes", name, sizeof m.name - 1);
    if (r->n_metrics == MAX_METRICS)
        return FAIL(e, ERR_TASK, "more than %d metrics", MAX_METRICS);
    for (size_t i = 0; i < r->n_metrics; i++)
        if (strcmp(r->metrics[i].name, name) == 0)
            return FAIL(e, ERR_TASK, "metric '%s' comes twice", name);
    struct exec_metric *grown = realloc(r->metrics, (r->n_metrics + 1) * sizeof *grown);
    if (!grown)
        return FAIL_NOMEM(e);
    snprintf(m.name, sizeof m.name, "%s", name);
    r->metrics = grown;
    r->metrics[r->n_metrics++] = m;
    return 0;
}

struct exec_artifact *exec_result_artifact(struct exec_result *r, struct err *e)
{
    if (r->n_artifacts == MAX_ARTIFACTS)
        return FAIL_NULL(e, ERR_TASK, "more than %d artifacts", MAX_ARTIFACTS);
    struct exec_artifact *grown = realloc(r->artifacts, (r->n_artifacts + 1) * sizeof *grown);
    if (!grown)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    r->artifacts = grown;
    struct exec_artifact *a = &r->artifacts[r->n_artifacts++];
    *a = (struct exec_artifact){ 0 };
    return a;
}

void exec_result_free(struct exec_result *r)
{
    for (size_t i = 0; i < r->n_artifacts; i++)
        free(r->artifacts[i].content);
    free(r->artifacts);
    free(r->metrics);
    r->artifacts = NULL;
    r->metrics = NULL;
    r->n_artifacts = r->n_metrics = 0;
}

const char *exec_path(const struct exec_task *t, const char *name, struct err *e)
{
    const char *path = paths_find(t->paths, name);
    if (path)
        return path;
    return FAIL_NULL(e, ERR_ENV,
                     "this worker does not know where '%.80s' is: add \"%.80s=/PATH\" to the list `path` of its "
                     "worker.cfg (or --path)",
                     name, name);
}

bool exec_wait(const struct exec_task *t, int64_t ns)
{
    int64_t until = mono_now() + ns;
    struct pollfd p = { .fd = control_cancel_fd(t->control), .events = POLLIN };
    for (;;) {
        int n = poll(&p, 1, mono_ms_until(until));
        if (n > 0)
            return true;
        if (n == 0 && mono_now() >= until)
            return false;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

void exec_result_cancelled(const struct exec_task *t, struct exec_result *r)
{
    struct control_cancel why = { .reason = "cancelled" };
    control_cancelled(t->control, &why);
    if (strcmp(why.reason, "drain") == 0)
        exec_result_fail(r, ACSWEEP__FAILURE_CLASS__PREEMPTED, "stopped because the worker drains");
    else if (strcmp(why.reason, "timeout") == 0)
        exec_result_fail(r, ACSWEEP__FAILURE_CLASS__TIMEOUT, "ran past its time limit and was stopped");
    else {
        r->outcome = ACSWEEP__OUTCOME__CANCELLED;
        snprintf(r->message, sizeof r->message, "stopped: %s", why.reason);
    }
}

void exec_result_error(const struct exec_task *t, struct exec_result *r, const struct err *why)
{
    if (why->kind == ERR_INTERRUPTED)
        exec_result_cancelled(t, r);
    else
        exec_result_fail(r, executor_class_of(why->kind), "%s", why->text);
}

void exec_result_error_of_many(const struct exec_task *t, struct exec_result *r, const struct err *why, size_t n)
{
    exec_result_free(r); /* what was there before it failed */
    exec_result_error(t, r, why);
    size_t len = strlen(r->message);
    if (n < 2 || r->outcome != ACSWEEP__OUTCOME__FAILED)
        return;
    r->together = (uint32_t)n;
    snprintf(r->message + len, sizeof r->message - len, " (with %zu others of its bundle)", n - 1);
    utf8_mend(r->message);
}

int exec_run_each(struct exec_bundle *b, int (*run)(const struct exec_task *t, struct exec_result *r, struct err *e),
                  struct err *e)
{
    for (size_t i = 0; i < b->n; i++) {
        struct err why = { 0 };
        if (b->done[i])
            continue;
        if (run(&b->tasks[i], &b->results[i], &why) < 0)
            exec_result_error(&b->tasks[i], &b->results[i], &why);
        TRY(exec_report(b, &i, 1, e));
    }
    return 0;
}

void exec_progress(const struct exec_task *t, double fraction, const char *note, const void *log, size_t log_len)
{
    Acsweep__Token token = *t->token;
    Acsweep__Progress p = ACSWEEP__PROGRESS__INIT;
    p.token = &token;
    p.fraction = fraction;
    if (note)
        p.note = (char *)note;
    p.log.data = (uint8_t *)log;
    p.log.len = log_len;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_PROGRESS;
    m.progress = &p;
    struct err e = { 0 };
    if (control_send(t->control, &m, &e) < 0)
        log_warn("exec.progress", KV_ERR(&e)); /* the agent is gone; the reader thread will end the task */
}
