/* One vision transformer for CLIP, OpenCLIP, SigLIP, DINOv2 and DINOv2 with registers: the frozen encoders that read
 * pictures. Frozen means that only forward passes are made for others; but nothing here changes a tensor in place, so
 * that gradients can flow where th_grad is on.
 *
 *     struct vit_options o = VIT_DEFAULTS;
 *     AUTO(vit_destroy) struct vit *v = vit_open("/models/clip-vit-large-patch14-336", &o, e);
 *     ...
 *     TH_SCOPE(s);
 *     struct tensor *tokens = vit_forward(v, pixels);     // (B,3,336,336) -> (B,576,1024)
 *     TRY(th_check(e));
 *
 * Which tokens. Hidden state 0 is what goes into the first block, hidden state k what comes out of block k; negative
 * ones count from the end, as transformers' `hidden_states[k]`. The method's text takes the last hidden state, its
 * authors' code hidden_states[-2] without a final norm: that is the default here. transformers' own `last_hidden_state`
 * is layer -1, with the final norm for SigLIP and DINOv2 and without it for CLIP. */
#ifndef ACSWEEP_WORKER_MODEL_VIT_H
#define ACSWEEP_WORKER_MODEL_VIT_H

#include "worker/model/vit_config.h"

/* How learned positions are stretched to a grid that the model was not trained at (bicubic, in f32, corners not
 * aligned). */
enum vit_positions {
    VIT_POS_OWN,    /* as each family's reference: offset for DINOv2, size for CLIP and SigLIP, smooth with registers */
    VIT_POS_OFFSET, /* scale (grid + 0.1) / trained takes part in the coordinates: transformers up to 4.4x */
    VIT_POS_SIZE,   /* to the size: later transformers */
    VIT_POS_ANTIALIAS, /* to the size, antialiased: DINOv2 with registers */
};
/* "own", "offset0.1", "size", "antialias". ERR_INPUT for other names. */
MUST_USE int vit_positions_parse(const char *name, enum vit_positions *out, struct err *e);
const char *vit_positions_name(enum vit_positions p);

struct vit_options {
    enum th_dtype dtype; /* that is computed in; f16 not on the CPU */
    struct th_device device;
    int layer;       /* the hidden state that vit_forward answers; blocks after it are not loaded */
    bool final_norm; /* put the model's last layer norm on it */
    bool all_tokens; /* class and register tokens too, before those of the patches */
    enum vit_positions positions;
};
#define VIT_DEFAULTS ((struct vit_options){ .dtype = TH_F32, .device = TH_CPU, .layer = -2 })

struct vit;

/* `dir` in Hugging Face layout: config.json and safetensors. ERR_INPUT when the files are not such a model, or when
 * tensors are missing, of another shape or unknown (the list is in the text); ERR_ENV, ERR_NOMEM, ERR_GPU_OOM. */
struct vit *vit_open(const char *dir, const struct vit_options *o, struct err *e);
/* The same model with weights at random (see params_fresh; LayerScale at 1): for training, and for measurements. */
struct vit *vit_create(const struct vit_config *c, const struct vit_options *o, uint64_t seed, struct err *e);
void vit_destroy(struct vit *v);
/* Write dir/config.json and dir/model.safetensors, as transformers and vit_open read them. Of a model that holds every
 * block and the final norm; else ERR_BUG. */
MUST_USE int vit_save(const struct vit *v, const char *dir, enum th_dtype t, struct err *e);

/* ---- what it is -----------------------------------------------------------------------------------------------------
 */

const struct vit_config *vit_config(const struct vit *v);
struct params *vit_params(const struct vit *v); /* to train or count them */
/* The layer of the options, counted from 0. */
int64_t vit_layer(const struct vit *v);
/* Tokens of vit_forward for a picture of h x w pixels. */
int64_t vit_tokens(const struct vit *v, int64_t h, int64_t w);

/* ---- computing; errors are the thread's, as in th.h; any number of threads
 * -------------------------------------------
 */

/* pixels (B,C,H,W), of any float dtype, on the model's device -> (B,N,D) in the model's dtype: the tokens of the
 * patches row by row, those of a grid of H/patch x W/patch (ERR_INPUT for pictures smaller than a patch). */
struct tensor *vit_forward(const struct vit *v, struct tensor *pixels);
/* All hidden states from 0 to the layer of the options, in states[0 .. vit_layer]; each without the final norm, with
 * the tokens that the options want. False on error. */
bool vit_forward_all(const struct vit *v, struct tensor *pixels, struct tensor **states);
/* The model's last layer norm on any hidden state; needs final_norm in the options. */
struct tensor *vit_final_norm(const struct vit *v, struct tensor *tokens);

DEFINE_CLEANUP(vit_destroy, struct vit *)

#endif
