/* What published checkpoints call their tensors, and which shapes those have. */
#include "worker/model/vit_impl.h"

#define MAX_ROOTS 4

struct block_names {
    const char *path, *norm1, *q, *k, *v, *out, *norm2, *fc1, *fc2, *swiglu_in, *swiglu_out, *scale1, *scale2;
};

static const struct block_names clip_block = {
    .path = "encoder.layers",
    .norm1 = "layer_norm1",
    .q = "self_attn.q_proj",
    .k = "self_attn.k_proj",
    .v = "self_attn.v_proj",
    .out = "self_attn.out_proj",
    .norm2 = "layer_norm2",
    .fc1 = "mlp.fc1",
    .fc2 = "mlp.fc2",
};

static const struct block_names dinov2_block = {
    .path = "encoder.layer",
    .norm1 = "norm1",
    .q = "attention.attention.query",
    .k = "attention.attention.key",
    .v = "attention.attention.value",
    .out = "attention.output.dense",
    .norm2 = "norm2",
    .fc1 = "mlp.fc1",
    .fc2 = "mlp.fc2",
    .swiglu_in = "mlp.weights_in",
    .swiglu_out = "mlp.weights_out",
    .scale1 = "layer_scale1.lambda1",
    .scale2 = "layer_scale2.lambda1",
};

static const struct names {
    const char *roots[MAX_ROOTS]; /* bare classes, and those that put a head on top */
    const char *class_token, *registers, *patch, *positions, *pre_norm, *final_norm;
    bool batched; /* tokens and positions have a dimension of size 1 for the batch */
    const struct block_names *block;
    const char *unused; /* a pattern, see params_allow: pooling heads, constants, what only training needs */
} names_of[] = {
    [VIT_CLIP] = { .roots = { "vision_model.", "" },
                   .class_token = "embeddings.class_embedding",
                   .patch = "embeddings.patch_embedding",
                   .positions = "embeddings.position_embedding.weight",
                   .pre_norm = "pre_layrnorm", /* sic */
                   .final_norm = "post_layernorm",
                   .block = &clip_block },
    [VIT_SIGLIP] = { .roots = { "vision_model.", "" },
                     .patch = "embeddings.patch_embedding",
                     .positions = "embeddings.position_embedding.weight",
                     .final_norm = "post_layernorm",
                     .block = &clip_block,
                     .unused = "head.*" },
    [VIT_DINOV2] = { .roots = { "", "dinov2." },
                     .class_token = "embeddings.cls_token",
                     .patch = "embeddings.patch_embeddings.projection",
                     .positions = "embeddings.position_embeddings",
                     .final_norm = "layernorm",
                     .batched = true,
                     .block = &dinov2_block,
                     .unused = "embeddings.mask_token" },
    [VIT_DINOV2_REGISTERS] = { .roots = { "", "dinov2_with_registers." },
                               .class_token = "embeddings.cls_token",
                               .registers = "embeddings.register_tokens",
                               .patch = "embeddings.patch_embeddings.projection",
                               .positions = "embeddings.position_embeddings",
                               .final_norm = "layernorm",
                               .batched = true,
                               .block = &dinov2_block,
                               .unused = "embeddings.mask_token" },
};

const char *vit_root(const struct vit_config *c, const struct weights *w)
{
    const struct names *n = &names_of[c->family];
    return w ? params_find_root(w, n->roots, n->positions) : n->roots[0];
}

static void want_embeddings(struct params *p, const struct vit_config *c, const struct names *n, struct vit_weights *w)
{
    int64_t grid = vit_grid(c, c->image), d = c->width, positions = grid * grid + c->class_token;
    if (c->class_token && n->batched)
        params_want(p, &w->class_token, PARAM_WEIGHT, TH_DIMS(1, 1, d), n->class_token);
    else if (c->class_token)
        params_want(p, &w->class_token, PARAM_WEIGHT, TH_DIMS(d), n->class_token);
    if (c->registers)
        params_want(p, &w->registers, PARAM_WEIGHT, TH_DIMS(1, c->registers, d), n->registers);
    if (n->batched)
        params_want(p, &w->positions, PARAM_WEIGHT, TH_DIMS(1, positions, d), n->positions);
    else
        params_want(p, &w->positions, PARAM_WEIGHT, TH_DIMS(positions, d), n->positions);
    params_enter(p, "%s.", n->patch);
    params_want(p, &w->patch.w, PARAM_WEIGHT, TH_DIMS(d, c->channels, c->patch, c->patch), "weight");
    if (c->patch_bias)
        params_want(p, &w->patch.b, PARAM_BIAS, TH_DIMS(d), "bias");
    params_leave(p);
    if (c->pre_norm)
        norm_want(p, &w->pre_norm, d, n->pre_norm);
}

static void want_block(struct params *p, const struct vit_config *c, const struct block_names *n, struct vit_block *b)
{
    int64_t d = c->width;
    norm_want(p, &b->norm1, d, n->norm1);
    linear_want(p, &b->q, d, d, c->qkv_bias, n->q);
    linear_want(p, &b->k, d, d, c->qkv_bias, n->k);
    linear_want(p, &b->v, d, d, c->qkv_bias, n->v);
    linear_want(p, &b->out, d, d, true, n->out);
    norm_want(p, &b->norm2, d, n->norm2);
    linear_want(p, &b->fc1, c->swiglu ? 2 * c->mlp : c->mlp, d, true, c->swiglu ? n->swiglu_in : n->fc1);
    linear_want(p, &b->fc2, d, c->mlp, true, c->swiglu ? n->swiglu_out : n->fc2);
    if (!c->layer_scale)
        return;
    params_want(p, &b->scale1, PARAM_GAIN, TH_DIMS(d), n->scale1);
    params_want(p, &b->scale2, PARAM_GAIN, TH_DIMS(d), n->scale2);
}

void vit_want(struct params *p, const struct vit_config *c, struct vit_extent x, struct vit_weights *w)
{
    const struct names *n = &names_of[c->family];
    struct vit_block none; /* its slots are never filled */
    want_embeddings(p, c, n, w);
    for (int64_t i = 0; i < c->layers; i++) {
        params_unused(p, i >= x.blocks);
        params_enter(p, "%s.%lld.", n->block->path, (long long)i);
        want_block(p, c, n->block, i < x.blocks ? &w->blocks[i] : &none);
        params_leave(p);
    }
    params_unused(p, !x.final_norm);
    norm_want(p, &w->final_norm, c->width, n->final_norm);
    params_unused(p, false);
    params_allow(p, "embeddings.position_ids"); /* a constant in older files */
    if (n->unused)
        params_allow(p, n->unused);
}
