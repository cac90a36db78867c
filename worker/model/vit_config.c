#include "worker/model/vit_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- which class ----------------------------------------------------------------------------------------------------
 */

static const char *const family_names[] = {
    [VIT_CLIP] = "clip",
    [VIT_SIGLIP] = "siglip",
    [VIT_DINOV2] = "dinov2",
    [VIT_DINOV2_REGISTERS] = "dinov2_with_registers",
};

const char *vit_family_name(enum vit_family f)
{
    return family_names[f];
}

static const struct kind {
    const char *model_type;
    enum vit_family family;
    const char *section; /* of a whole model: where its vision half is */
} kinds[] = {
    { "clip", VIT_CLIP, "vision_config" },
    { "clip_vision_model", VIT_CLIP, NULL },
    { "siglip", VIT_SIGLIP, "vision_config" },
    { "siglip_vision_model", VIT_SIGLIP, NULL },
    { "dinov2", VIT_DINOV2, NULL },
    { "dinov2_with_registers", VIT_DINOV2_REGISTERS, NULL },
};

/* For files without model_type. */
static const struct {
    const char *architecture, *model_type;
} architectures[] = {
    { "CLIPModel", "clip" },
    { "CLIPVisionModel", "clip_vision_model" },
    { "CLIPVisionModelWithProjection", "clip_vision_model" },
    { "SiglipModel", "siglip" },
    { "SiglipVisionModel", "siglip_vision_model" },
    { "Dinov2Model", "dinov2" },
    { "Dinov2ForImageClassification", "dinov2" },
    { "Dinov2WithRegistersModel", "dinov2_with_registers" },
    { "Dinov2WithRegistersForImageClassification", "dinov2_with_registers" },
};

const char *hf_model_type(const struct hf_config *file)
{
    const char *type = hf_config_text(file, "model_type");
    const char *first = json_string_value(json_array_get(json_object_get(file->object, "architectures"), 0));
    for (size_t i = 0; !type && first && i < ARRAY_LEN(architectures); i++)
        if (strcmp(architectures[i].architecture, first) == 0)
            return architectures[i].model_type;
    return type;
}

static const struct kind *find_kind(const struct hf_config *file, struct err *e)
{
    const char *type = hf_model_type(file);
    for (size_t i = 0; type && i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].model_type, type) == 0)
            return &kinds[i];
    char list[200] = "";
    for (size_t i = 0, at = 0; i < ARRAY_LEN(kinds); i++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", kinds[i].model_type);
    if (type)
        hf_config_fail(file, "model_type", e, "is '%.60s', which is no vision encoder known here: %s", type, list);
    else
        hf_config_fail(file, "model_type", e, "is not there, and 'architectures' names no class known here: %s", list);
    return NULL;
}

/* ---- keys and their defaults: transformers' configuration_*.py ------------------------------------------------------
 */

static const struct hf_name activations[] = {
    { "gelu", ACT_GELU },
    { "gelu_python", ACT_GELU },
    { "quick_gelu", ACT_QUICK_GELU },
    { "gelu_pytorch_tanh", ACT_GELU_TANH },
    { "gelu_new", ACT_GELU_TANH },
    { "relu", ACT_RELU },
    { "silu", ACT_SILU },
    { "swish", ACT_SILU },
    { 0 },
};

#define SIZES(width_, layers_, heads_, patch_)                                       \
    HF_INT(struct vit_config, width, "hidden_size", width_, 1, 1 << 16),             \
        HF_INT(struct vit_config, layers, "num_hidden_layers", layers_, 1, 1000),    \
        HF_INT(struct vit_config, heads, "num_attention_heads", heads_, 1, 1 << 12), \
        HF_INT(struct vit_config, channels, "num_channels", 3, 1, 64),               \
        HF_INT(struct vit_config, image, "image_size", 224, 1, 1 << 13),             \
        HF_INT(struct vit_config, patch, "patch_size", patch_, 1, 1 << 10)

static const struct hf_key clip_keys[] = {
    SIZES(768, 12, 12, 32),
    HF_INT(struct vit_config, mlp, "intermediate_size", 3072, 1, 1 << 20),
    HF_NAME(struct vit_config, activation, "hidden_act", ACT_QUICK_GELU, activations),
    HF_REAL(struct vit_config, eps, "layer_norm_eps", 1e-5, 0, 1),
    { 0 },
};

static const struct hf_key siglip_keys[] = {
    SIZES(768, 12, 12, 16),
    HF_INT(struct vit_config, mlp, "intermediate_size", 3072, 1, 1 << 20),
    HF_NAME(struct vit_config, activation, "hidden_act", ACT_GELU_TANH, activations),
    HF_REAL(struct vit_config, eps, "layer_norm_eps", 1e-6, 0, 1),
    { 0 },
};

#define DINOV2_KEYS(patch_)                                                                                  \
    SIZES(768, 12, 12, patch_), HF_NAME(struct vit_config, activation, "hidden_act", ACT_GELU, activations), \
        HF_REAL(struct vit_config, eps, "layer_norm_eps", 1e-6, 0, 1),                                       \
        HF_BOOL(struct vit_config, qkv_bias, "qkv_bias", true),                                              \
        HF_BOOL(struct vit_config, swiglu, "use_swiglu_ffn", false)

static const struct hf_key dinov2_keys[] = { DINOV2_KEYS(14), { 0 } };

static const struct hf_key dinov2_registers_keys[] = {
    DINOV2_KEYS(16),
    HF_INT(struct vit_config, registers, "num_register_tokens", 4, 0, 1 << 10),
    { 0 },
};

static const struct hf_key *const keys_of[] = {
    [VIT_CLIP] = clip_keys,
    [VIT_SIGLIP] = siglip_keys,
    [VIT_DINOV2] = dinov2_keys,
    [VIT_DINOV2_REGISTERS] = dinov2_registers_keys,
};

/* DINOv2 gives the MLP's width as a ratio; of SwiGLU's two halves each gets two thirds of it, up to a multiple of 8. */
static int read_ratio(const struct hf_config *c, struct vit_config *out, struct err *e)
{
    struct ratio {
        double value;
    } ratio;
    static const struct hf_key keys[] = { HF_REAL(struct ratio, value, "mlp_ratio", 4, 0.01, 64), { 0 } };
    TRY(hf_config_read(c, keys, &ratio, e));
    out->mlp = (int64_t)((double)out->width * ratio.value);
    if (out->swiglu)
        out->mlp = ((int64_t)((double)(out->mlp * 2) / 3) + 7) / 8 * 8;
    if (out->mlp < 1)
        return hf_config_fail(c, "mlp_ratio", e, "leaves the MLP no width");
    return 0;
}

/* ---- checks ---------------------------------------------------------------------------------------------------------
 */

static const char *contradiction(const struct vit_config *c, const char **key)
{
    if (c->width % c->heads != 0)
        return *key = "hidden_size", "must be a multiple of 'num_attention_heads'";
    if (c->patch > c->image)
        return *key = "patch_size", "is larger than 'image_size'";
    return NULL;
}

int vit_config_check(const struct vit_config *c, struct err *e)
{
    const char *key, *why = contradiction(c, &key);
    return why ? FAIL(e, ERR_INPUT, "'%s' %s", key, why) : 0;
}

/* Old files of whole CLIP models say things twice, and the reference's classes differ in which they believe; what
 * vision_config leaves out is its default. */
static int check_twin(const struct hf_config *file, const struct hf_config *vision, const struct hf_key *keys,
                      struct err *e)
{
    struct hf_config twin;
    if (!hf_config_has(file, "vision_config_dict"))
        return 0;
    TRY(hf_config_section(file, "vision_config_dict", &twin, e));
    for (; keys->name; keys++) {
        const struct hf_key one[] = { *keys, { 0 } };
        struct vit_config a, b;
        memset(&a, 0, sizeof a);
        memset(&b, 0, sizeof b);
        TRY(hf_config_read(vision, one, &a, e));
        TRY(hf_config_read(&twin, one, &b, e));
        if (hf_config_has(&twin, keys->name) && memcmp(&a, &b, sizeof a) != 0)
            return hf_config_fail(vision, keys->name, e, "and that of 'vision_config_dict' contradict each other");
    }
    return 0;
}

static void set_traits(struct vit_config *c)
{
    bool dino = c->family == VIT_DINOV2 || c->family == VIT_DINOV2_REGISTERS;
    c->class_token = c->family != VIT_SIGLIP;
    c->pre_norm = c->family == VIT_CLIP;
    c->patch_bias = c->family != VIT_CLIP;
    c->layer_scale = dino;
    c->qkv_bias = !dino; /* else as the file says */
}

static int read_section(const struct hf_config *c, const struct kind *kind, struct vit_config *out, struct err *e)
{
    *out = (struct vit_config){ .family = (int)kind->family };
    set_traits(out);
    TRY(hf_config_read(c, keys_of[kind->family], out, e));
    if (out->layer_scale)
        TRY(read_ratio(c, out, e));
    const char *key, *why = contradiction(out, &key);
    return why ? hf_config_fail(c, key, e, "%s", why) : 0;
}

int vit_config_read(const struct hf_config *file, struct vit_config *out, struct err *e)
{
    const struct kind *kind = find_kind(file, e);
    if (!kind)
        return -1;
    struct hf_config vision = *file;
    if (kind->section) {
        TRY(hf_config_section(file, kind->section, &vision, e));
        TRY(check_twin(file, &vision, keys_of[kind->family], e));
    }
    return read_section(&vision, kind, out, e);
}

int vit_config_load(const char *path, struct vit_config *out, struct err *e)
{
    AUTO(hf_config_free) struct hf_config file;
    TRY(hf_config_load(path, &file, e));
    return vit_config_read(&file, out, e);
}

/* ---- writing --------------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *model_type, *class;
} bare[] = {
    [VIT_CLIP] = { "clip_vision_model", "CLIPVisionModel" },
    [VIT_SIGLIP] = { "siglip_vision_model", "SiglipVisionModel" },
    [VIT_DINOV2] = { "dinov2", "Dinov2Model" },
    [VIT_DINOV2_REGISTERS] = { "dinov2_with_registers", "Dinov2WithRegistersModel" },
};

/* The ratio from which read_ratio makes c->mlp again; whole where it can be, as later transformers demand. */
static json_t *ratio_json(const struct vit_config *c)
{
    double wanted = c->swiglu ? 1.5 * (double)c->mlp : (double)c->mlp, ratio = wanted / (double)c->width;
    if (ratio == floor(ratio))
        return json_integer((json_int_t)ratio);
    return json_real(ratio * (double)c->width < wanted ? nextafter(ratio, INFINITY) : ratio);
}

/* What only some families have to say. */
static bool set_extras(json_t *j, const struct vit_config *c)
{
    if (c->layer_scale)
        return json_object_set_new(j, "mlp_ratio", ratio_json(c)) == 0;
    return c->family != VIT_SIGLIP || json_object_set_new(j, "vision_use_head", json_false()) == 0;
}

json_t *vit_config_json(const struct vit_config *c)
{
    json_t *j = hf_config_json(keys_of[c->family], c);
    bool good = j && json_object_set_new(j, "model_type", json_string(bare[c->family].model_type)) == 0 &&
                json_object_set_new(j, "architectures", json_pack("[s]", bare[c->family].class)) == 0 &&
                set_extras(j, c);
    if (!good) {
        json_decref(j);
        j = NULL;
    }
    return j;
}
