#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mono.h"
#include "worker/exec/native.h"
#include "worker/layout.h"

#define REPORT_NS NS_PER_S

/* Once, and loudly: a node with the reference BLAS computes for days what takes hours. */
static void warn_of_slow_blas(void)
{
    static bool looked;
    char text[400];
    if (!looked && !th_blas_check(text, sizeof text))
        log_warn("native.slow_blas", KV_STR("text", text));
    looked = true;
}

int native_device(const struct exec_task *t, struct th_device *out, struct err *e)
{
    const Acsweep__Resources *r = t->spec->resources;
    th_set_threads(r && r->cpus ? (int)r->cpus : 1);
    *out = r && r->gpus ? TH_CUDA(0) : TH_CPU;
    if (out->type == TH_DEV_CPU)
        warn_of_slow_blas();
    return th_device_check(*out, e);
}

/* ---- parameters -----------------------------------------------------------------------------------------------------
 */

static json_t *look_up(json_t *o, const char *path)
{
    char name[64];
    while (o && *path) {
        size_t n = strcspn(path, ".");
        if (n >= sizeof name)
            return NULL;
        memcpy(name, path, n);
        name[n] = '\0';
        o = json_object_get(o, name);
        path += n + (path[n] == '.');
    }
    return o;
}

int native_text(json_t *o, const char *path, const char *fallback, const char **out, struct err *e)
{
    json_t *v = look_up(o, path);
    *out = v ? json_string_value(v) : fallback;
    return *out ? 0 : FAIL(e, ERR_INPUT, "the task's parameter %s is missing or no text", path);
}

int native_int(json_t *o, const char *path, const int64_t *fallback, int64_t *out, struct err *e)
{
    json_t *v = look_up(o, path);
    if (!v && fallback) {
        *out = *fallback;
        return 0;
    }
    *out = json_integer_value(v);
    return json_is_integer(v) ? 0 : FAIL(e, ERR_INPUT, "the task's parameter %s is missing or no whole number", path);
}

int native_real(json_t *o, const char *path, double *out, struct err *e)
{
    json_t *v = look_up(o, path);
    *out = json_number_value(v);
    return json_is_number(v) ? 0 : FAIL(e, ERR_INPUT, "the task's parameter %s is missing or no number", path);
}

int native_dtype(json_t *o, const char *path, enum th_dtype *out, struct err *e)
{
    static const struct {
        const char *name;
        enum th_dtype is;
    } known[] = { { "bf16", TH_BF16 }, { "fp16", TH_F16 }, { "fp32", TH_F32 } };
    const char *name;
    TRY(native_text(o, path, NULL, &name, e));
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].name, name) == 0) {
            *out = known[i].is;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "%s: there is no '%.40s'; use bf16, fp16 or fp32", path, name);
}

const char *native_path(const struct exec_task *t, const char *what, struct err *e)
{
    char path[80];
    const char *name;
    snprintf(path, sizeof path, "names.%s", what);
    return native_text(t->execution, path, NULL, &name, e) < 0 ? NULL : exec_path(t, name, e);
}

/* ---- progress -------------------------------------------------------------------------------------------------------
 */

int native_progress(const struct exec_task *t, const char *what, size_t done, size_t n, struct err *e)
{
    static int64_t last; /* an exec has one task at a time */
    int64_t now = mono_now();
    if (control_cancelled(t->control, NULL))
        return FAIL(e, ERR_INTERRUPTED, "asked to stop");
    if (done < n && now - last < REPORT_NS)
        return 0;
    char note[100];
    last = now;
    snprintf(note, sizeof note, "%zu of %zu %s", done, n, what);
    exec_progress(t, n ? (double)done / (double)n : 1, note, NULL, 0);
    return 0;
}

/* ---- inputs ---------------------------------------------------------------------------------------------------------
 */

const Acsweep__InputRef *native_input(const struct exec_task *t, const char *name, struct err *e)
{
    for (size_t i = 0; i < t->spec->n_inputs; i++)
        if (strcmp(t->spec->inputs[i]->name, name) == 0)
            return t->spec->inputs[i];
    return FAIL_NULL(e, ERR_INPUT, "the task has no input '%.60s'", name);
}

static const Acsweep__ArtifactRef *find_artifact(const Acsweep__InputRef *in, const char *name)
{
    for (size_t i = 0; i < in->n_artifacts; i++)
        if (strcmp(in->artifacts[i]->name, name) == 0)
            return in->artifacts[i];
    return NULL;
}

int native_artifact(const struct exec_task *t, const Acsweep__InputRef *in, const char *name, char **path,
                    struct err *e)
{
    const Acsweep__ArtifactRef *a = find_artifact(in, name);
    if (!a)
        return FAIL(e, ERR_INPUT, "input '%.60s' has no artifact '%s': was it made by another program?", in->name,
                    name);
    if (strcmp(a->store, "inline") == 0)
        return FAIL(e, ERR_ENV, "input '%.60s' travelled inside the message; features need an artifact store",
                    in->name);
    bool shared = strcmp(a->store, "shared") == 0;
    if (shared && !t->store[0])
        return FAIL(e, ERR_ENV, "input '%.60s' lies in the shared store, which this node does not see", in->name);
    if (strstr(a->path, "..") || a->path[0] == '/')
        return FAIL(e, ERR_INPUT, "input '%.60s' has the path '%.80s', which leads out of the store", in->name,
                    a->path);
    AUTO(free) char *root = layout_artifacts(shared ? t->store : "", t->scratch);
    if (!root || asprintf(path, "%s/%s", root, a->path) < 0)
        return FAIL_NOMEM(e);
    return access(*path, R_OK) == 0 ? 0 : FAIL(e, ERR_ENV, "input '%.60s': %s: %s", in->name, *path, strerror(errno));
}
