#include "worker/exec/command_task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/parse.h"
#include "worker/layout.h"

#define LOG_CAP_DEFAULT ((uint64_t)16 << 20)
#define LOG_CAP_MAX ((json_int_t)1 << 40)
#define WORD_MAX ((size_t)128 << 10) /* what the kernel takes for one argument */

static const char *const keys[] = { "argv", "directory", "environment", "log_cap" };

/* ---- parameters ---------------------------------------------------------------------------------------------------- */

static int check_words(json_t *argv, struct err *e)
{
    json_t *word;
    size_t i;
    if (!json_is_array(argv) || json_array_size(argv) == 0)
        return FAIL(e, ERR_INPUT, "execution.command.argv must be a list of at least one text");
    json_array_foreach(argv, i, word)
        if (!json_is_string(word) || (i == 0 && !json_string_length(word)))
            return FAIL(e, ERR_INPUT, "execution.command.argv[%zu] must be a text", i);
    return 0;
}

static int check_environment(json_t *environment, struct err *e)
{
    const char *name;
    json_t *value;
    if (environment && !json_is_object(environment))
        return FAIL(e, ERR_INPUT, "execution.command.environment must be an object of texts");
    json_object_foreach(environment, name, value)
        if (!json_is_string(value) || !name[0] || strchr(name, '='))
            return FAIL(e, ERR_INPUT, "execution.command.environment: '%.60s' must be NAME = \"text\"", name);
    return 0;
}

int command_task_read(struct command_task *c, const struct exec_task *t, struct err *e)
{
    json_t *command = json_object_get(t->execution, "command"), *value;
    const char *key;
    if (!json_is_object(command))
        return FAIL(e, ERR_INPUT, "execution.command with argv is missing: name the program in the sweep's executors");
    json_object_foreach(command, key, value) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            known |= strcmp(keys[i], key) == 0;
        if (!known)
            return FAIL(e, ERR_INPUT, "execution.command.%.60s is no key (argv, directory, environment, log_cap)", key);
    }
    c->task = t;
    c->words = json_object_get(command, "argv");
    c->environment = json_object_get(command, "environment");
    json_t *directory = json_object_get(command, "directory"), *cap = json_object_get(command, "log_cap");
    TRY(check_words(c->words, e));
    TRY(check_environment(c->environment, e));
    const char *where = json_string_value(directory);
    if ((directory && !where) || (where && where[0] && where[0] != '/'))
        return FAIL(e, ERR_INPUT, "execution.command.directory must be an absolute path");
    if (cap && (!json_is_integer(cap) || json_integer_value(cap) < 0 || json_integer_value(cap) > LOG_CAP_MAX))
        return FAIL(e, ERR_INPUT, "execution.command.log_cap must be a whole number of bytes");
    c->log_cap = cap ? (uint64_t)json_integer_value(cap) : LOG_CAP_DEFAULT;
    free(c->directory);
    c->directory = where && where[0] ? strdup(where) : NULL;
    return where && where[0] && !c->directory ? FAIL_NOMEM(e) : 0;
}

void command_task_free(struct command_task *c)
{
    char *const texts[] = { c->directory, c->work, c->params, c->result, c->log, c->out, c->checkpoint };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    for (size_t i = 0; i < c->n_argv; i++)
        free(c->argv[i]);
    free(c->argv);
    json_decref(c->inputs);
    *c = (struct command_task){ 0 };
}

/* ---- directories --------------------------------------------------------------------------------------------------- */

static int make_places(struct command_task *c, const char *out, struct err *e)
{
    const struct exec_task *t = c->task;
    if (!t->scratch[0])
        return FAIL(e, ERR_ENV, "this worker has no scratch directory");
    c->work = layout_attempt(t->scratch, t->token);
    if (!c->work || asprintf(&c->params, "%s/task.json", c->work) < 0 ||
        asprintf(&c->result, "%s/result.json", c->work) < 0 || asprintf(&c->log, "%s/log.txt", c->work) < 0 ||
        !(c->out = strdup(out)))
        return FAIL_NOMEM(e);
    remove_tree(c->work);
    TRY(make_dirs(c->work, e));
    if (!c->directory && !(c->directory = strdup(c->work)))
        return FAIL_NOMEM(e);
    return layout_claim_checkpoint(t->store, t->scratch, t->spec->identity, t->token, &c->checkpoint, e);
}

/* ---- inputs -------------------------------------------------------------------------------------------------------- */

static int check_name(const char *name, struct err *e)
{
    if (!name[0] || name[0] == '.' || strchr(name, '/') || strlen(name) > 200)
        return FAIL(e, ERR_INPUT, "'%.60s' cannot be the name of an input's file", name);
    return 0;
}

static int write_file(const char *path, const void *bytes, size_t len, struct err *e)
{
    AUTO(close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    const char *p = bytes;
    if (fd < 0)
        return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* *path is malloc'ed: where the program finds the artifact. */
static int place_artifact(const struct command_task *c, const Acsweep__InputRef *in, const Acsweep__ArtifactRef *a,
                          char **path, struct err *e)
{
    const struct exec_task *t = c->task;
    if (strcmp(a->store, "inline") == 0) {
        AUTO(free) char *dir = NULL;
        TRY(check_name(in->name, e));
        TRY(check_name(a->name, e));
        if (asprintf(&dir, "%s/inputs/%s", c->work, in->name) < 0 || asprintf(path, "%s/%s", dir, a->name) < 0)
            return FAIL_NOMEM(e);
        TRY(make_dirs(dir, e));
        return write_file(*path, a->content.data, a->content.len, e);
    }
    bool shared = strcmp(a->store, "shared") == 0;
    AUTO(free) char *root = layout_artifacts(shared ? t->store : "", t->scratch);
    if (shared && !t->store[0])
        return FAIL(e, ERR_ENV, "input '%.60s' lies in the shared store, which this node does not see", in->name);
    if (strstr(a->path, "..") || a->path[0] == '/')
        return FAIL(e, ERR_INPUT, "input '%.60s' has the path '%.80s', which leads out of the store", in->name, a->path);
    if (!root || asprintf(path, "%s/%s", root, a->path) < 0)
        return FAIL_NOMEM(e);
    if (access(*path, R_OK) < 0)
        return FAIL(e, ERR_ENV, "input '%.60s': %s: %s", in->name, *path, strerror(errno));
    return 0;
}

static int place_inputs(struct command_task *c, struct err *e)
{
    c->inputs = json_object();
    for (size_t i = 0; i < c->task->spec->n_inputs; i++) {
        const Acsweep__InputRef *in = c->task->spec->inputs[i];
        json_t *artifacts = json_object();
        if (json_object_set_new(c->inputs, in->name,
                                json_pack("{s:s, s:o}", "identity", in->identity, "artifacts", artifacts)) < 0)
            return FAIL_NOMEM(e);
        for (size_t k = 0; k < in->n_artifacts; k++) {
            AUTO(free) char *path = NULL;
            TRY(place_artifact(c, in, in->artifacts[k], &path, e));
            if (json_object_set_new(artifacts, in->artifacts[k]->name, json_string(path)) < 0)
                return FAIL_NOMEM(e);
        }
    }
    return 0;
}

/* ---- task.json and argv --------------------------------------------------------------------------------------------- */

static json_t *named_paths(const struct exec_task *t)
{
    json_t *paths = json_object();
    for (size_t i = 0; t->paths && i < t->paths->n; i++)
        json_object_set_new(paths, t->paths->list[i].name, json_string(t->paths->list[i].path));
    return paths;
}

static int write_task(const struct command_task *c, struct err *e)
{
    const struct exec_task *t = c->task;
    json_t *identity = t->identity ? json_incref(t->identity) : json_object();
    json_t *execution = t->execution ? json_incref(t->execution) : json_object();
    AUTO(json_decref)
    json_t *j = json_pack("{s:I, s:i, s:I, s:s, s:s, s:s, s:s, s:o, s:o, s:O, s:o, s:s, s:s, s:s, s:s, s:s}", "task_id",
                          (json_int_t)t->token->task_id, "attempt", (int)t->token->attempt, "epoch",
                          (json_int_t)t->token->epoch, "kind", t->spec->kind, "label", t->spec->label, "identity",
                          t->spec->identity, "worker", t->worker_id, "parameters", identity, "execution", execution,
                          "inputs", c->inputs, "paths", named_paths(t), "store", t->store, "out", c->out, "result",
                          c->result, "scratch", c->work, "checkpoint_dir", c->checkpoint);
    if (!j)
        return FAIL_NOMEM(e);
    AUTO(free) char *text = json_dumps(j, JSON_INDENT(2) | JSON_SORT_KEYS);
    return text ? write_file(c->params, text, strlen(text), e) : FAIL_NOMEM(e);
}

/* First artifact of an input. */
static const char *input_path(const struct command_task *c, const char *name)
{
    json_t *artifacts = json_object_get(json_object_get(c->inputs, name), "artifacts");
    return json_string_value(json_object_iter_value(json_object_iter(artifacts)));
}

static json_t *name_of(const struct command_task *c, const char *what)
{
    return json_object_get(json_object_get(c->task->execution, "names"), what);
}

static int put_param(const struct command_task *c, const char *name, struct buf *out, struct err *e)
{
    json_t *v = json_object_get(c->task->identity, name);
    if (!v)
        v = name_of(c, name);
    if (!v)
        return FAIL(e, ERR_INPUT, "execution.command.argv: the task has no parameter '%.60s'", name);
    if (json_is_string(v)) {
        buf_puts(out, json_string_value(v));
        return 0;
    }
    AUTO(free) char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text)
        return FAIL_NOMEM(e);
    buf_puts(out, text);
    return 0;
}

static int put_path(const struct command_task *c, const char *name, struct buf *out, struct err *e)
{
    const char *path = exec_path(c->task, name, e);
    if (!path)
        return -1;
    buf_puts(out, path);
    return 0;
}

/* {path_of:checkpoint}: of what the task's names call its checkpoint. */
static int put_path_of(const struct command_task *c, const char *what, struct buf *out, struct err *e)
{
    const char *name = json_string_value(name_of(c, what));
    if (!name)
        return FAIL(e, ERR_INPUT,
                    "execution.command.argv: the task's names have no text '%.60s'; it has a path by {path:NAME} "
                    "only",
                    what);
    return put_path(c, name, out, e);
}

static int put_value(const struct command_task *c, const char *name, struct buf *out, struct err *e)
{
    const Acsweep__TaskSpec *spec = c->task->spec;
    const struct {
        const char *name, *value;
    } known[] = { { "out", c->out },        { "params", c->params },         { "result", c->result },
                  { "scratch", c->work },   { "checkpoint", c->checkpoint }, { "kind", spec->kind },
                  { "label", spec->label }, { "identity", spec->identity },  { "store", c->task->store } };
    const char *names[ARRAY_LEN(known)];
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        names[i] = known[i].name;
        if (strcmp(known[i].name, name) == 0) {
            buf_puts(out, known[i].value);
            return 0;
        }
    }
    if (strncmp(name, "param:", 6) == 0)
        return put_param(c, name + 6, out, e);
    if (strncmp(name, "path:", 5) == 0)
        return put_path(c, name + 5, out, e);
    if (strncmp(name, "path_of:", 8) == 0)
        return put_path_of(c, name + 8, out, e);
    const char *path = strncmp(name, "input:", 6) == 0 ? input_path(c, name + 6) : NULL;
    if (path) {
        buf_puts(out, path);
        return 0;
    }
    const char *near = parse_nearest(name, names, ARRAY_LEN(names));
    return FAIL(e, ERR_INPUT, "execution.command.argv: nothing stands for {%.60s}%s%s%s; for a brace itself write {{", name,
                near ? " (did you mean {" : "", near ? near : "", near ? "}?)" : "");
}

/* Length of the name in "{name}" or "{kind:name}" at p, 0 when it is nothing of ours: JSON, a shell's ${X} or {a,b}. */
static size_t name_at(const char *word, const char *p)
{
    if (p > word && p[-1] == '$')
        return 0;
    size_t n = strspn(p + 1, "abcdefghijklmnopqrstuvwxyz_");
    if (n && p[1 + n] == ':')
        n += 1 + strcspn(p + 2 + n, "{} \t\n,");
    return p[1 + n] == '}' && n < 200 ? n : 0;
}

/* "{name}" is replaced, "{{" is a brace; everything else stays as it is. */
static int fill_word(const struct command_task *c, const char *word, struct buf *out, struct err *e)
{
    for (const char *p = word; *p;) {
        size_t n = *p == '{' ? name_at(word, p) : 0;
        if (p[0] == '{' && p[1] == '{') {
            buf_puts(out, "{");
            p += 2;
        } else if (n) {
            char name[200];
            snprintf(name, sizeof name, "%.*s", (int)n, p + 1);
            TRY(put_value(c, name, out, e));
            p += n + 2;
        } else {
            buf_add(out, p++, 1);
        }
    }
    return buf_check(out, "an argument of the program", e);
}

static int fill_argv(struct command_task *c, struct err *e)
{
    size_t n = json_array_size(c->words);
    c->argv = calloc(n + 1, sizeof *c->argv);
    if (!c->argv)
        return FAIL_NOMEM(e);
    for (; c->n_argv < n; c->n_argv++) {
        AUTO(buf_free) struct buf word = BUF_INIT(WORD_MAX);
        TRY(fill_word(c, json_string_value(json_array_get(c->words, c->n_argv)), &word, e));
        c->argv[c->n_argv] = strdup(buf_text(&word));
        if (!c->argv[c->n_argv])
            return FAIL_NOMEM(e);
    }
    return 0;
}

int command_task_prepare(struct command_task *c, const char *out, struct err *e)
{
    TRY(make_places(c, out, e));
    TRY(place_inputs(c, e));
    TRY(write_task(c, e));
    return fill_argv(c, e);
}
