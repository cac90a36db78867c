#include "worker/model/vlm.h"

#include <stdio.h>
#include <string.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/model/model_file.h"

#define ABOUT "acsweep" /* in config.json */

/* ---- joining --------------------------------------------------------------------------------------------------------
 */

struct vlm *vlm_join(struct llama *m, struct connector *c, struct err *e)
{
    AUTO(vlm_destroy) struct vlm *v = calloc(1, sizeof *v);
    if (!v) {
        llama_destroy(m);
        connector_destroy(c);
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    }
    *v = (struct vlm){ .llama = m, .connector = c };
    if (!m || !c) /* opening it has failed, and said why */
        return NULL;
    if (connector_out(c) != llama_config(m)->width)
        return FAIL_NULL(
            e, ERR_INPUT,
            "the connector makes %lld channels, but the decoder takes %lld: it was trained for another one",
            (long long)connector_out(c), (long long)llama_config(m)->width);
    return TAKE(v);
}

void vlm_destroy(struct vlm *v)
{
    if (!v)
        return;
    llama_destroy(v->llama);
    connector_destroy(v->connector);
    json_decref(v->about);
    free(v);
}

static int read_about(struct vlm *v, const char *dir, struct err *e)
{
    char path[4096];
    AUTO(hf_config_free) struct hf_config file = { 0 };
    struct hf_config section; /* owns nothing */
    snprintf(path, sizeof path, "%s/config.json", dir);
    TRY(hf_config_load(path, &file, e));
    if (!hf_config_has(&file, ABOUT))
        return 0;
    TRY(hf_config_section(&file, ABOUT, &section, e));
    v->about = json_incref((json_t *)section.object);
    return 0;
}

struct vlm *vlm_open(const char *dir, const struct vlm_options *o, struct err *e)
{
    struct llama_options lo = { o->dtype, o->device };
    struct connector_options co = { o->dtype, o->device };
    struct connector *c = connector_open(o->connector ? o->connector : dir, &co, e); /* it is small: first */
    AUTO(vlm_destroy) struct vlm *v = c ? vlm_join(llama_open(dir, &lo, e), c, e) : NULL;
    if (!v || read_about(v, dir, e) < 0)
        return NULL;
    return TAKE(v);
}

/* ---- saving ---------------------------------------------------------------------------------------------------------
 */

#define DECODER_FILE "model-00001-of-00002.safetensors"
#define CONNECTOR_FILE "model-00002-of-00002.safetensors"
#define INDEX_FILE "model.safetensors.index.json"

/* Which file holds what; adds up the bytes of the tensors. */
static bool map_names(json_t *map, const struct params *p, const char *file, enum th_dtype t, int64_t *bytes)
{
    const char *name;
    bool good = true;
    struct tensor *x;
    for (size_t i = 0; good && (x = params_next(p, &i, &name));) {
        good = json_object_set_new(map, name, json_string(file)) == 0;
        *bytes += th_numel(x) * (int64_t)th_dtype_size(t);
    }
    return good;
}

static int write_index(const struct vlm *v, const char *dir, enum th_dtype t, struct err *e)
{
    AUTO(json_decref) json_t *map = json_object();
    int64_t bytes = 0;
    if (!map || !map_names(map, llama_params(v->llama), DECODER_FILE, t, &bytes) ||
        !map_names(map, connector_params(v->connector), CONNECTOR_FILE, t, &bytes))
        return FAIL_NOMEM(e);
    AUTO(json_decref)
    json_t *index = json_pack("{s:{s:I}, s:O}", "metadata", "total_size", (json_int_t)bytes, "weight_map", map);
    return index ? model_file_write_json(dir, INDEX_FILE, index, e) : FAIL_NOMEM(e);
}

/* What LLaVA's own training writes for a connector of two layers and square pictures. */
static json_t *llava_keys(const struct vlm *v, const struct vlm_about *a, enum th_dtype t)
{
    return json_pack(
        "{s:s, s:[s], s:s, s:s, s:I, s:s*, s:i, s:s, s:s, s:b, s:b, s:b, s:s, s:I, s:s, s:O*}", "model_type",
        "llava_llama", "architectures", "LlavaLlamaForCausalLM", "torch_dtype", torch_dtype_name(t),
        "mm_projector_type", "mlp2x_gelu", "mm_hidden_size", (json_int_t)connector_in(v->connector), "mm_vision_tower",
        a->vision_tower, "mm_vision_select_layer", a->select_layer, "mm_vision_select_feature", "patch",
        "mm_patch_merge_type", "flat", "mm_use_im_start_end", false, "mm_use_im_patch_token", false, "use_mm_proj",
        true, "image_aspect_ratio", "square", "tokenizer_model_max_length",
        (json_int_t)(a->max_length ? a->max_length : 2048), "tokenizer_padding_side", "right", ABOUT, a->about);
}

static int write_config(const struct vlm *v, const char *dir, const struct vlm_about *a, enum th_dtype t, struct err *e)
{
    AUTO(json_decref) json_t *config = llama_config_json(llama_config(v->llama)), *more = llava_keys(v, a, t);
    if (!config || !more || json_object_update(config, more) < 0)
        return FAIL_NOMEM(e);
    return model_file_write_json(dir, "config.json", config, e);
}

static int copy_tokenizer(const char *from, const char *dir, struct err *e)
{
    static const char *const names[] = { "tokenizer.model",         "tokenizer.json",    "tokenizer_config.json",
                                         "special_tokens_map.json", "added_tokens.json", "generation_config.json" };
    for (size_t i = 0; from && i < ARRAY_LEN(names); i++)
        TRY(model_file_copy(from, dir, names[i], e));
    return 0;
}

int vlm_save(const struct vlm *v, const char *dir, const struct vlm_about *a, enum th_dtype t, struct err *e)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/config.json", dir) >= (int)sizeof path - 64)
        return FAIL(e, ERR_INPUT, "%.80s...: the path is too long", dir);
    unlink(path); /* an older model there is none any more */
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    if (access(path, F_OK) == 0) /* it would be read in place of the two files */
        return FAIL(e, ERR_INPUT, "%s: this file is of another model; write into a directory of its own", path);
    snprintf(path, sizeof path, "%s/" DECODER_FILE, dir);
    TRY(params_save(llama_params(v->llama), path, t, e));
    snprintf(path, sizeof path, "%s/" CONNECTOR_FILE, dir);
    TRY(params_save(connector_params(v->connector), path, t, e));
    TRY(write_index(v, dir, t, e));
    TRY(connector_save(v->connector, dir, t, e));
    TRY(copy_tokenizer(a->tokenizer_from, dir, e));
    return write_config(v, dir, a, t, e);
}
