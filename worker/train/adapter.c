#include "worker/train/adapter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "worker/model/model_file.h"
#include "worker/torch/th_train.h"

struct adapter {
    struct llama *llama;
    int64_t rank;
    double alpha;
    struct lora *list; /* block * LLAMA_LAYERS + layer */
    size_t n;
};

static void layer_name(size_t i, const char *prefix, const char *factor, char name[128])
{
    snprintf(name, 128, "%smodel.layers.%zu.%s.lora_%s.weight", prefix, i / LLAMA_LAYERS,
             llama_layer_name((enum llama_layer)(i % LLAMA_LAYERS)), factor);
}

/* ---- making ---------------------------------------------------------------------------------------------------------
 */

static struct adapter *prepare(struct llama *m, int64_t rank, double alpha, struct err *e)
{
    AUTO(adapter_destroy) struct adapter *a = calloc(1, sizeof *a);
    if (!a)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    *a = (struct adapter){ .llama = m, .rank = rank, .alpha = alpha };
    a->n = (size_t)llama_config(m)->layers * LLAMA_LAYERS;
    if (!(a->list = calloc(a->n + 1, sizeof *a->list)))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return TAKE(a);
}

static void attach(struct adapter *a, size_t i, struct tensor *down, struct tensor *up)
{
    a->list[i] = (struct lora){ .a = th_keep(down), .b = th_keep(up), .scale = a->alpha / (double)a->rank };
    llama_linear(a->llama, (int64_t)(i / LLAMA_LAYERS), (enum llama_layer)(i % LLAMA_LAYERS))->lora = &a->list[i];
}

static void attach_fresh(struct adapter *a, size_t i, struct th_rng *rng)
{
    TH_SCOPE(s);
    struct llama_options o = llama_options(a->llama);
    int64_t out, in;
    llama_layer_size(llama_config(a->llama), (enum llama_layer)(i % LLAMA_LAYERS), &out, &in);
    double bound = 1 / sqrt((double)in);
    struct tensor *down = th_add_s(th_mul_s(th_rand(rng, TH_DIMS(a->rank, in), TH_F32, TH_CPU), 2 * bound), -bound);
    attach(a, i, th_to_device(th_to(down, o.dtype), o.device), th_zeros(TH_DIMS(out, a->rank), o.dtype, o.device));
}

struct adapter *adapter_create(struct llama *m, int64_t rank, double alpha, uint64_t seed, struct err *e)
{
    AUTO(adapter_destroy) struct adapter *a = prepare(m, rank, alpha, e);
    struct th_rng *rng = a ? th_rng_create(seed, e) : NULL;
    if (!rng)
        return NULL;
    for (size_t i = 0; i < a->n && !th_failed(); i++)
        attach_fresh(a, i, rng);
    th_rng_destroy(rng);
    return th_check(e) < 0 ? NULL : TAKE(a);
}

void adapter_destroy(struct adapter *a)
{
    if (!a)
        return;
    for (size_t i = 0; a->list && i < a->n; i++) {
        struct linear *l =
            llama_linear(a->llama, (int64_t)(i / LLAMA_LAYERS), (enum llama_layer)(i % LLAMA_LAYERS));
        if (l->lora == &a->list[i])
            l->lora = NULL;
        th_drop(a->list[i].a);
        th_drop(a->list[i].b);
    }
    free(a->list);
    free(a);
}

/* ---- what there is --------------------------------------------------------------------------------------------------
 */

struct tensor *adapter_next(const struct adapter *a, size_t *i, char name[128])
{
    if (*i >= 2 * a->n)
        return NULL;
    bool up = *i % 2;
    layer_name(*i / 2, "", up ? "B" : "A", name);
    const struct lora *f = &a->list[(*i)++ / 2];
    return up ? f->b : f->a;
}

int64_t adapter_elements(const struct adapter *a)
{
    int64_t total = 0;
    char name[128];
    struct tensor *x;
    for (size_t i = 0; (x = adapter_next(a, &i, name));)
        total += th_numel(x);
    return total;
}

int adapter_merge(struct adapter *a, struct err *e)
{
    for (size_t i = 0; i < a->n; i++)
        linear_merge(llama_linear(a->llama, (int64_t)(i / LLAMA_LAYERS), (enum llama_layer)(i % LLAMA_LAYERS)));
    return th_check(e);
}

/* ---- files ----------------------------------------------------------------------------------------------------------
 */

/* PEFT's names: base_model.model. and the whole model's. */
static int declare_or_put(const struct adapter *a, struct st_writer *w, enum th_dtype t, bool declare, struct err *e)
{
    for (size_t i = 0; i < 2 * a->n; i++) {
        TH_SCOPE(s);
        char name[128];
        struct tensor *x = i % 2 ? a->list[i / 2].b : a->list[i / 2].a;
        int64_t dims[2] = { th_size(x, 0), th_size(x, 1) };
        layer_name(i / 2, "base_model.model.", i % 2 ? "B" : "A", name);
        if (declare) {
            TRY(st_writer_declare(w, name, t, dims, 2, e));
            continue;
        }
        x = th_contiguous(th_to_device(th_to(th_detach(x), t), TH_CPU));
        const void *data = th_data(x);
        TRY(th_check(e));
        TRY(st_writer_put(w, name, data, (size_t)th_bytes(x), e));
    }
    return 0;
}

static json_t *config_json(const struct adapter *a, const char *base)
{
    json_t *targets = json_array();
    for (int i = 0; i < LLAMA_LAYERS; i++) {
        const char *name = llama_layer_name((enum llama_layer)i);
        json_array_append_new(targets, json_string(strrchr(name, '.') ? strrchr(name, '.') + 1 : name));
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:s, s:b, s:b, s:o}", "peft_type", "LORA", "task_type", "CAUSAL_LM",
                     "base_model_name_or_path", base, "r", (json_int_t)a->rank, "lora_alpha", a->alpha, "lora_dropout",
                     0.0, "bias", "none", "fan_in_fan_out", 0, "inference_mode", 1, "target_modules", targets);
}

int adapter_save(const struct adapter *a, const char *dir, const char *base, enum th_dtype t, struct err *e)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir) >= (int)sizeof path)
        return FAIL(e, ERR_INPUT, "%.80s...: the path is too long", dir);
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(path, e);
    if (!w)
        return -1;
    TRY(st_writer_metadata(w, "format", "pt", e));
    TRY(declare_or_put(a, w, t, true, e));
    TRY(declare_or_put(a, w, t, false, e));
    TRY(st_writer_commit(w, e));
    AUTO(json_decref) json_t *config = config_json(a, base);
    return config ? model_file_write_json(dir, "adapter_config.json", config, e) : FAIL_NOMEM(e);
}

static int read_config(const char *dir, int64_t *rank, double *alpha, struct err *e)
{
    char path[4096];
    json_error_t bad;
    snprintf(path, sizeof path, "%s/adapter_config.json", dir);
    AUTO(json_decref) json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &bad);
    if (!j)
        return FAIL(e, ERR_INPUT, "%s: %s (line %d)", path, bad.text, bad.line);
    *rank = json_integer_value(json_object_get(j, "r"));
    *alpha = json_number_value(json_object_get(j, "lora_alpha"));
    const char *type = json_string_value(json_object_get(j, "peft_type"));
    if (!type || strcmp(type, "LORA") != 0 || *rank < 1 || *rank > 65536 || !(*alpha >= 0))
        return FAIL(e, ERR_INPUT, "%s: peft_type must be LORA, r and lora_alpha numbers", path);
    return 0;
}

static int load_factors(struct adapter *a, const struct weights *w, struct err *e)
{
    struct llama_options o = llama_options(a->llama);
    for (size_t i = 0; i < a->n && !th_failed(); i++) {
        TH_SCOPE(s);
        char down[128], up[128];
        int64_t out, in;
        llama_layer_size(llama_config(a->llama), (enum llama_layer)(i % LLAMA_LAYERS), &out, &in);
        layer_name(i, "base_model.model.", "A", down);
        layer_name(i, "base_model.model.", "B", up);
        attach(a, i, weights_load(w, down, TH_DIMS(a->rank, in), o.dtype, o.device),
               weights_load(w, up, TH_DIMS(out, a->rank), o.dtype, o.device));
    }
    return th_check(e);
}

struct adapter *adapter_open(const char *dir, struct llama *m, struct err *e)
{
    char path[4096];
    int64_t rank;
    double alpha;
    if (snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir) >= (int)sizeof path)
        return FAIL_NULL(e, ERR_INPUT, "%.80s...: the path is too long", dir);
    if (read_config(dir, &rank, &alpha, e) < 0)
        return NULL;
    AUTO(weights_destroy) struct weights *w = weights_open(path, e);
    AUTO(adapter_destroy) struct adapter *a = w ? prepare(m, rank, alpha, e) : NULL;
    if (!a || load_factors(a, w, e) < 0)
        return NULL;
    return TAKE(a);
}

bool adapter_is_in(const char *dir)
{
    char path[4096];
    return snprintf(path, sizeof path, "%s/adapter_config.json", dir) < (int)sizeof path && access(path, F_OK) == 0;
}

struct vlm *adapter_open_model(const char *dir, const char *llm, const struct vlm_options *o, struct err *e)
{
    if (!adapter_is_in(dir))
        return vlm_open(dir, o, e);
    struct vlm_options base = { .connector = dir, .dtype = o->dtype, .device = o->device };
    AUTO(vlm_destroy) struct vlm *v = vlm_open(llm, &base, e);
    AUTO(adapter_destroy) struct adapter *a = v ? adapter_open(dir, v->llama, e) : NULL;
    if (!a || adapter_merge(a, e) < 0)
        return NULL;
    return TAKE(v);
}
