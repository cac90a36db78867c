#include "worker/tool/members.h"

#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/train/adapter.h"

void tool_members_free(struct tool_members *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->texts[i]);
    m->n = 0;
}

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int add(struct tool_members *m, const char *dir, size_t len, struct err *e)
{
    if (m->n == TOOL_MEMBERS_MAX)
        return FAIL(e, ERR_USAGE, "--encoder: more than %d encoders", TOOL_MEMBERS_MAX);
    if (!(m->texts[m->n] = strndup(dir, len)))
        return FAIL_NOMEM(e);
    m->list[m->n].encoder.checkpoint = m->texts[m->n];
    m->n++;
    if (!is_directory(m->texts[m->n - 1]))
        return FAIL(e, ERR_USAGE, "--encoder: '%.200s' is no directory", m->texts[m->n - 1]);
    return 0;
}

static int add_list(struct tool_members *m, const char *text, struct err *e)
{
    if (is_directory(text))
        return add(m, text, strlen(text), e);
    for (size_t len;; text += len + 1) {
        len = strcspn(text, ",");
        TRY(add(m, text, len, e));
        if (!text[len])
            return 0;
    }
}

int tool_members_read(const struct opts *o, enum th_dtype compute, struct tool_members *m, struct err *e)
{
    const char *const *given;
    size_t n = opts_list(o, "encoder", &given);
    for (size_t i = 0; i < TOOL_MEMBERS_MAX; i++) {
        m->list[i].encoder = EXTRACT_DEFAULTS;
        m->list[i].encoder.layer = (int)opts_int(o, "layer");
        m->list[i].encoder.resolution = opts_has(o, "resolution") ? (uint32_t)opts_int(o, "resolution") : 0;
        m->list[i].encoder.compute = compute;
        m->list[i].encoder.pad = opts_flag(o, "pad");
    }
    for (size_t i = 0; i < n; i++)
        TRY(add_list(m, given[i], e));
    return 0;
}

struct representation *tool_representation(const struct opts *o, const struct tool_members *m, enum th_dtype compute,
                                           struct th_device device, struct err *e)
{
    struct representation_options options = { .members = m->list, .n = m->n, .grid = opts_int(o, "grid"),
                                              .dtype = compute, .device = device };
    return representation_open(&options, e);
}

struct vlm *tool_model(const char *dir, const char *llm, enum th_dtype compute, struct th_device device, struct err *e)
{
    struct vlm_options o = { .dtype = compute, .device = device };
    bool adapter = adapter_is_in(dir);
    if (adapter && !llm)
        return FAIL_NULL(e, ERR_USAGE, "%s holds an adapter; name the decoder that it was trained on with --llm DIR", dir);
    if (adapter)
        return adapter_open_model(dir, llm, &o, e);
    o.connector = llm ? dir : NULL;
    return vlm_open(llm ? llm : dir, &o, e);
}

static void warn(const char *command, const char *what, long long trained, long long here)
{
    fprintf(stderr, "acsweep %s: warning: the model was trained with %s %lld, here it is %lld; give --%s %lld\n", command,
            what, trained, here, what, trained);
}

void tool_compare(const struct vlm *v, const struct tool_members *m, const struct representation *r, const char *command)
{
    const json_t *trained = json_object_get(v->about, "representation");
    const json_t *grid = json_object_get(trained, "grid"), *members = json_object_get(trained, "members");
    int64_t own = representation_shape(r).grid;
    if (json_is_integer(grid) && json_integer_value(grid) != own)
        warn(command, "grid", json_integer_value(grid), own);
    for (size_t i = 0; i < m->n; i++) {
        const json_t *layer = json_object_get(json_array_get(members, i), "layer");
        if (json_is_integer(layer) && json_integer_value(layer) != m->list[i].encoder.layer)
            return warn(command, "layer", json_integer_value(layer), m->list[i].encoder.layer);
    }
}

/* ---- where and how --------------------------------------------------------------------------------------------------
 */

enum th_dtype tool_dtype(const struct opts *o, const char *option)
{
    const char *name = opts_text(o, option);
    return strcmp(name, "bf16") == 0 ? TH_BF16 : strcmp(name, "fp16") == 0 ? TH_F16 : TH_F32;
}

int tool_device(const struct opts *o, struct th_device *out, struct err *e)
{
    struct err why = { 0 };
    if (th_device_parse(opts_text(o, "device"), out, &why) < 0)
        return FAIL(e, ERR_USAGE, "--device: %s", why.text);
    return 0;
}

int tool_processors(const struct opts *o)
{
    cpu_set_t set;
    if (opts_given(o, "threads"))
        return (int)opts_int(o, "threads");
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int tool_begin(const struct opts *o, const char *command, struct th_device device, struct err *e)
{
    char slow[400];
    if (!th_available())
        return FAIL(e, ERR_ENV,
                    "this acsweep-exec was built without libtorch; install it (Debian: apt-get install "
                    "libtorch-dev libopenblas0-openmp g++) and build again");
    th_set_threads(tool_processors(o));
    if (device.type == TH_DEV_CPU && !th_blas_check(slow, sizeof slow))
        fprintf(stderr, "acsweep %s: warning: %s\n", command, slow);
    return th_device_check(device, e);
}
