/* What published checkpoints call a decoder's tensors, and which shapes those have. */
#include "worker/model/llama_impl.h"

const char *llama_layer_name(enum llama_layer which)
{
    static const char *const names[] = {
        [LLAMA_Q] = "self_attn.q_proj", [LLAMA_K] = "self_attn.k_proj", [LLAMA_V] = "self_attn.v_proj",
        [LLAMA_O] = "self_attn.o_proj", [LLAMA_GATE] = "mlp.gate_proj", [LLAMA_UP] = "mlp.up_proj",
        [LLAMA_DOWN] = "mlp.down_proj",
    };
    return names[which];
}

void llama_layer_size(const struct llama_config *c, enum llama_layer which, int64_t *out, int64_t *in)
{
    int64_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim, d = c->width;
    const int64_t sizes[LLAMA_LAYERS][2] = {
        [LLAMA_Q] = { q, d },         [LLAMA_K] = { kv, d },      [LLAMA_V] = { kv, d },        [LLAMA_O] = { d, q },
        [LLAMA_GATE] = { c->mlp, d }, [LLAMA_UP] = { c->mlp, d }, [LLAMA_DOWN] = { d, c->mlp },
    };
    *out = sizes[which][0];
    *in = sizes[which][1];
}

static void want_block(struct params *p, const struct llama_config *c, struct llama_block *b)
{
    params_want(p, &b->norm1, PARAM_GAIN, TH_DIMS(c->width), "input_layernorm.weight");
    params_want(p, &b->norm2, PARAM_GAIN, TH_DIMS(c->width), "post_attention_layernorm.weight");
    for (int i = 0; i < LLAMA_LAYERS; i++) {
        int64_t out, in;
        bool bias = i <= LLAMA_O ? c->attention_bias : c->mlp_bias;
        llama_layer_size(c, (enum llama_layer)i, &out, &in);
        linear_want(p, &b->linear[i], out, in, bias, llama_layer_name((enum llama_layer)i));
    }
    params_unused(p, true); /* a constant in older files */
    params_want(p, NULL, PARAM_WEIGHT, TH_DIMS(c->head_dim / 2), "self_attn.rotary_emb.inv_freq");
    params_unused(p, false);
}

void llama_want(struct params *p, const struct llama_config *c, struct llama_weights *w)
{
    params_want(p, &w->embed, PARAM_WEIGHT, TH_DIMS(c->vocab, c->width), "model.embed_tokens.weight");
    for (int64_t i = 0; i < c->layers; i++) {
        params_enter(p, "model.layers.%lld.", (long long)i);
        want_block(p, c, &w->blocks[i]);
        params_leave(p);
    }
    params_want(p, &w->norm, PARAM_GAIN, TH_DIMS(c->width), "model.norm.weight");
    if (c->tied)
        params_allow(p, "lm_head.weight"); /* a copy that some files keep */
    else
        linear_want(p, &w->head, c->vocab, c->width, false, "lm_head");
    params_allow(p, "model.mm_projector.*"); /* of LLaVA */
    params_allow(p, "model.vision_tower.*");
    params_allow(p, "model.image_newline");
}
