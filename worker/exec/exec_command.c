/* Executor `command`: the user's own program for any kind of task.
 *
 *     {"execution": {"command": {"argv": ["python", "train.py", "--out", "{out}"], "directory": "/data/llava",
 *                                "environment": {"WANDB_MODE": "offline"}, "log_cap": 16777216}}}
 *
 * It finds its task in the file ACSWEEP_PARAMS (see write_task) and the variables of `variables`, writes what it makes below
 * ACSWEEP_OUT and its answer into ACSWEEP_RESULT:
 *
 *     {"metrics": {"performance": 61.2}, "artifacts": [{"name": "connector", "path": "mm_projector.bin"}]}
 *
 * Exit code 0 with a valid answer: done. 85: it saved its state in ACSWEEP_CHECKPOINT_DIR and wants to be run again there.
 * Anything else failed; {"failure": {"class": "data", "message": "..."}} in the answer says how. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/parse.h"
#include "worker/exec/artifact.h"
#include "worker/exec/child.h"
#include "worker/exec/command_task.h"

#define EXIT_CHECKPOINTED 85
#define RESULT_MAX ((uint64_t)64 << 20)
#define DISK_FULL_BELOW ((uint64_t)1 << 20)

extern char **environ;

/* ---- environment --------------------------------------------------------------------------------------------------- */

struct env_list {
    char **list;
    size_t n;
};

static void env_list_cleanup(struct env_list *v)
{
    for (size_t i = 0; i < v->n; i++)
        free(v->list[i]);
    free(v->list);
}

/* A later NAME replaces an earlier one. */
static int env_put(struct env_list *v, const char *name, const char *value, struct err *e)
{
    char *line;
    size_t len = strlen(name);
    if (asprintf(&line, "%s=%s", name, value) < 0)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < v->n; i++)
        if (strncmp(v->list[i], name, len) == 0 && v->list[i][len] == '=') {
            free(v->list[i]);
            v->list[i] = line;
            return 0;
        }
    char **grown = realloc(v->list, (v->n + 2) * sizeof *grown);
    if (!grown) {
        free(line);
        return FAIL_NOMEM(e);
    }
    v->list = grown;
    v->list[v->n++] = line;
    v->list[v->n] = NULL;
    return 0;
}

static int env_inherit(struct env_list *v, struct err *e)
{
    for (char **p = environ; *p; p++) {
        AUTO(free) char *name = strdup(*p);
        if (!name)
            return FAIL_NOMEM(e);
        char *eq = strchr(name, '=');
        if (!eq || strncmp(name, "ACSWEEP_", 8) == 0) /* the worker's own settings are not the program's business */
            continue;
        *eq = '\0';
        TRY(env_put(v, name, eq + 1, e));
    }
    return 0;
}

static int env_make(const struct command_task *c, struct env_list *v, struct err *e)
{
    TRY(env_inherit(v, e));
    const char *key;
    json_t *value;
    json_object_foreach(c->environment, key, value)
        TRY(env_put(v, key, json_string_value(value), e));
    char number[32];
    const Acsweep__Token *t = c->task->token;
    snprintf(number, sizeof number, "%llu", (unsigned long long)t->task_id);
    TRY(env_put(v, "ACSWEEP_TASK_ID", number, e));
    snprintf(number, sizeof number, "%u", t->attempt);
    TRY(env_put(v, "ACSWEEP_ATTEMPT", number, e));
    snprintf(number, sizeof number, "%llu", (unsigned long long)t->epoch);
    TRY(env_put(v, "ACSWEEP_EPOCH", number, e));
    const char *const variables[][2] = {
        { "ACSWEEP_PARAMS", c->params },
        { "ACSWEEP_RESULT", c->result },
        { "ACSWEEP_OUT", c->out },
        { "ACSWEEP_SCRATCH", c->work },
        { "ACSWEEP_CHECKPOINT_DIR", c->checkpoint },
        { "ACSWEEP_STORE", c->task->store },
    };
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        TRY(env_put(v, variables[i][0], variables[i][1], e));
    const char *mark = getenv("ACSWEEP_MARK"); /* by which a later agent finds what this one left running */
    return mark ? env_put(v, "ACSWEEP_MARK", mark, e) : 0;
}

/* ---- the answer ---------------------------------------------------------------------------------------------------- */

/* A new reference, or NULL: then *why says what is wrong with the file, or is "" when there is none. */
static json_t *read_answer(const char *path, char *why, size_t room)
{
    struct stat st;
    json_error_t bad;
    why[0] = '\0';
    if (stat(path, &st) < 0)
        return NULL;
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > RESULT_MAX) {
        snprintf(why, room, "result.json is no file of at most %llu bytes", (unsigned long long)RESULT_MAX);
        return NULL;
    }
    json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &bad);
    if (json_is_object(j))
        return j;
    snprintf(why, room, "result.json is not a JSON object: %s (line %d)", j ? "it is another value" : bad.text,
             j ? 1 : bad.line);
    json_decref(j);
    return NULL;
}

static int take_metrics(json_t *answer, struct exec_result *r, struct err *e)
{
    json_t *metrics = json_object_get(answer, "metrics"), *value;
    const char *name;
    if (metrics && !json_is_object(metrics))
        return FAIL(e, ERR_TASK, "result.json: metrics must be an object of numbers");
    json_object_foreach(metrics, name, value) {
        if (!json_is_number(value))
            return FAIL(e, ERR_TASK, "result.json: metric '%.60s' is not a number", name);
        TRY(exec_result_metric(r, name, json_number_value(value), e));
    }
    return 0;
}

static int take_artifacts(json_t *answer, struct artifact_dir *dir, struct exec_result *r, struct err *e)
{
    json_t *list = json_object_get(answer, "artifacts"), *item;
    size_t i;
    if (list && !json_is_array(list))
        return FAIL(e, ERR_TASK, "result.json: artifacts must be a list of {\"name\", \"path\"}");
    json_array_foreach(list, i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        const char *path = json_string_value(json_object_get(item, "path"));
        if (!name || !path)
            return FAIL(e, ERR_TASK, "result.json: artifact %zu needs the texts name and path", i);
        TRY(artifact_add(dir, name, path, r, e));
    }
    return artifact_publish(dir, r, e);
}

static int succeed(const char *path, struct artifact_dir *dir, struct exec_result *r, struct err *e)
{
    char why[400];
    AUTO(json_decref) json_t *answer = read_answer(path, why, sizeof why);
    if (!answer)
        return FAIL(e, ERR_TASK, "the program ended with code 0, but %s",
                    why[0] ? why : "wrote no result.json (its path is in ACSWEEP_RESULT)");
    if (take_metrics(answer, r, e) < 0 || take_artifacts(answer, dir, r, e) < 0) {
        exec_result_free(r);
        return -1;
    }
    r->outcome = ACSWEEP__OUTCOME__SUCCEEDED;
    return 0;
}

/* ---- failure ------------------------------------------------------------------------------------------------------- */

static bool disk_full(const char *path)
{
    struct statvfs v;
    return statvfs(path, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < DISK_FULL_BELOW;
}

static int signal_of(int status)
{
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    int code = WEXITSTATUS(status);
    return code > 128 && code < 128 + NSIG ? code - 128 : 0; /* as a shell reports it */
}

static Acsweep__FailureClass classify(const struct command_task *c, const struct child_end *end)
{
    int sig = signal_of(end->status);
    if (sig == SIGKILL && end->oom)
        return ACSWEEP__FAILURE_CLASS__HOST_OOM;
    if (end->gpu_oom)
        return ACSWEEP__FAILURE_CLASS__GPU_OOM;
    if (sig == SIGTERM || sig == SIGINT) /* the node goes down, or scancel: it reaches us all at once, in any order */
        return ACSWEEP__FAILURE_CLASS__PREEMPTED;
    if (sig == SIGKILL || sig == SIGHUP || end->gpu_broken) /* somebody from outside, or the device */
        return ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE;
    if (disk_full(c->out) || disk_full(c->work))
        return ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE;
    return ACSWEEP__FAILURE_CLASS__CODE;
}

static void describe_failure(const struct command_task *c, const struct child_end *end, char *text, size_t room)
{
    int sig = signal_of(end->status);
    const char *full = disk_full(c->out) || disk_full(c->work) ? "; the disk is full" : "";
    if (sig)
        snprintf(text, room, "the program was ended by signal %d (%s)%s%s; last line: %.200s", sig, strsignal(sig),
                 end->oom && sig == SIGKILL ? ", the kernel was out of memory" : "", full, end->last_line);
    else
        snprintf(text, room, "the program ended with code %d%s; last line: %.200s", WEXITSTATUS(end->status), full,
                 end->last_line);
}

/* The program may know better than we what went wrong. */
static bool told_failure(const struct command_task *c, struct exec_result *r)
{
    char why[400];
    AUTO(json_decref) json_t *answer = read_answer(c->result, why, sizeof why);
    json_t *failure = json_object_get(answer, "failure");
    const char *name = json_string_value(json_object_get(failure, "class"));
    const char *message = json_string_value(json_object_get(failure, "message"));
    int class = name ? executor_class_by_name(name) : -1;
    if (class < 0)
        return false;
    exec_result_fail(r, (Acsweep__FailureClass)class, "%.900s", message ? message : "the program says so");
    return true;
}

static int conclude(const struct command_task *c, const struct child_end *end, struct artifact_dir *dir,
                    struct exec_result *r, struct err *e)
{
    r->max_rss_bytes = end->max_rss_bytes;
    if (WIFEXITED(end->status) && WEXITSTATUS(end->status) == EXIT_CHECKPOINTED) {
        r->outcome = ACSWEEP__OUTCOME__CHECKPOINTED;
        return 0;
    }
    if (WIFEXITED(end->status) && WEXITSTATUS(end->status) == 0 && (!end->stopped || access(c->result, F_OK) == 0))
        return succeed(c->result, dir, r, e);
    if (end->stopped) {
        exec_result_cancelled(c->task, r);
        return 0;
    }
    char text[700];
    r->suspect = end->gpu_error;
    if (told_failure(c, r))
        return 0;
    describe_failure(c, end, text, sizeof text);
    exec_result_fail(r, classify(c, end), "%s", text);
    return 0;
}

/* ---- running ------------------------------------------------------------------------------------------------------- */

static int command_check(const struct exec_task *t, struct err *e)
{
    AUTO(command_task_free) struct command_task c = { 0 };
    return command_task_read(&c, t, e);
}

static int run_program(struct command_task *c, struct artifact_dir *dir, struct exec_result *r, struct err *e)
{
    __attribute__((cleanup(env_list_cleanup))) struct env_list env = { 0 };
    struct child_end end;
    TRY(env_make(c, &env, e));
    const struct child_options o = { .task = c->task, .argv = c->argv, .env = env.list, .cwd = c->directory,
                                     .log_path = c->log, .log_cap = c->log_cap };
    TRY(child_run(&o, &end, e));
    return conclude(c, &end, dir, r, e);
}

static int command_run(const struct exec_task *t, struct exec_result *r, struct err *e)
{
    AUTO(command_task_free) struct command_task c = { 0 };
    TRY(command_task_read(&c, t, e));
    AUTO(artifact_end) struct artifact_dir *dir = artifact_begin(t, e);
    if (!dir)
        return -1;
    TRY(command_task_prepare(&c, artifact_path(dir), e));
    return run_program(&c, dir, r, e); /* the agent clears up, once the result is acknowledged */
}

const struct executor exec_command = { "command", command_check, command_run, NULL };
