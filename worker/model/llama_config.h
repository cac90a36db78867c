/* What a decoder of the LLaMA family is made of, read from its config.json: LLaMA 1 to 3, Vicuna, TinyLlama, and the
 * decoder inside of a LLaVA checkpoint. No libtorch in here. */
#ifndef ACSWEEP_WORKER_MODEL_LLAMA_CONFIG_H
#define ACSWEEP_WORKER_MODEL_LLAMA_CONFIG_H

#include "worker/model/hf_config.h"

#define LLAMA_MAX_EOS 8
#define LLAMA_MAX_HEAD_DIM (1 << 12)

/* How rotary positions are stretched beyond the trained length (rope_scaling in config.json). */
enum llama_rope {
    LLAMA_ROPE_PLAIN,
    LLAMA_ROPE_LINEAR,  /* positions divided by the factor */
    LLAMA_ROPE_DYNAMIC, /* the base grows with the length of the sequence once that is over the trained one */
    LLAMA_ROPE_LLAMA3,  /* low frequencies divided by the factor, high ones kept, a smooth passage between */
};

struct llama_config {
    int64_t vocab, width, mlp, layers, heads, kv_heads;
    int64_t head_dim;  /* width / heads where the file does not say */
    int64_t positions; /* max_position_embeddings: the trained length */
    double eps, theta; /* of RMSNorm; base of the rotary frequencies */
    bool tied;         /* the head is the table of embeddings */
    bool attention_bias, mlp_bias;
    int rope; /* enum llama_rope */
    double rope_factor, rope_low, rope_high;
    int64_t rope_original; /* of LLAMA_ROPE_LLAMA3: original_max_position_embeddings */
    int64_t bos, pad;      /* ids; -1: none */
    int64_t eos[LLAMA_MAX_EOS];
    int n_eos;
};

/* The file `path` (a config.json). Refused: other models, other activations than silu, numbers that make no sense. */
MUST_USE int llama_config_load(const char *path, struct llama_config *out, struct err *e);
MUST_USE int llama_config_read(const struct hf_config *file, struct llama_config *out, struct err *e);
/* Sizes that fit together, for configurations that do not come from a file; ERR_INPUT names the key. A zero kv_heads or
 * head_dim is filled in first. */
MUST_USE int llama_config_check(struct llama_config *c, struct err *e);
/* Is it this family's model_type or architecture? */
bool llama_config_matches(const struct hf_config *file);
/* The config.json that says this, for LlamaForCausalLM. New reference; NULL without memory. */
json_t *llama_config_json(const struct llama_config *c);
/* Tokens that a text may have: the trained length, times the factor of linear and dynamic scaling (llama3's is trained). */
int64_t llama_context(const struct llama_config *c);
/* "none", "linear", "dynamic", "llama3". */
const char *llama_rope_name(enum llama_rope r);

#endif
