/* What a vision transformer is made of, read from its config.json: CLIP (OpenCLIP in Hugging Face layout is the same
 * with another activation), SigLIP, DINOv2, DINOv2 with registers. No libtorch in here. */
#ifndef ACSWEEP_WORKER_MODEL_VIT_CONFIG_H
#define ACSWEEP_WORKER_MODEL_VIT_CONFIG_H

#include "worker/model/hf_config.h"
#include "worker/model/layers.h"

enum vit_family { VIT_CLIP, VIT_SIGLIP, VIT_DINOV2, VIT_DINOV2_REGISTERS };

struct vit_config {
    int family; /* enum vit_family */
    int64_t layers, width, heads;
    int64_t mlp;   /* width inside of the MLP; with SwiGLU that of each half */
    int64_t image; /* pixels of an edge when it was trained: there are (image / patch)^2 learned positions */
    int64_t patch; /* pixels of an edge of a patch */
    int64_t channels, registers;
    double eps;     /* of every layer norm */
    int activation; /* enum activation; not used with SwiGLU */
    bool class_token, pre_norm, patch_bias, qkv_bias, layer_scale, swiglu;
};

/* The file `path` (a config.json). `model_type`, or where that is missing `architectures`, says which class it is; of a
 * whole CLIP or SigLIP model the vision half is read. Refused: other models, and numbers that make no sense. */
MUST_USE int vit_config_load(const char *path, struct vit_config *out, struct err *e);
MUST_USE int vit_config_read(const struct hf_config *file, struct vit_config *out, struct err *e);
/* Sizes that fit together, for configurations that do not come from a file; ERR_INPUT names the key. */
MUST_USE int vit_config_check(const struct vit_config *c, struct err *e);

/* The config.json that says this, for the class that is the encoder alone (CLIPVisionModel, Dinov2Model ...). New
 * reference; NULL without memory. */
json_t *vit_config_json(const struct vit_config *c);

/* The class of a configuration as config.json names it, e.g. "clip_vision_model"; NULL when it names none. */
const char *hf_model_type(const struct hf_config *file);
/* "clip", "siglip", "dinov2", "dinov2_with_registers". */
const char *vit_family_name(enum vit_family f);

/* Patches along an edge of `pixels`; what is left over at the right and below is not seen. */
static inline int64_t vit_grid(const struct vit_config *c, int64_t pixels)
{
    return pixels / c->patch;
}
/* Tokens before those of the patches: class token, then registers. */
static inline int64_t vit_prefix_tokens(const struct vit_config *c)
{
    return (c->class_token ? 1 : 0) + c->registers;
}

#endif
