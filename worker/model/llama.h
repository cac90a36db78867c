/* The decoder: LLaMA and what is built like it (Vicuna v1.5 is LLaMA 2). RMSNorm before each branch, rotary positions
 * with halves rotated, grouped-query attention, SwiGLU. Equal to transformers' LlamaForCausalLM in f32.
 *
 *     struct llama_options o = LLAMA_DEFAULTS;
 *     AUTO(llama_destroy) struct llama *m = llama_open("/models/vicuna-7b-v1.5", &o, e);
 *     ...
 *     TH_SCOPE(s);
 *     struct tensor *x = llama_embed(m, ids);                                        // (B,N) -> (B,N,D)
 *     struct tensor *h = llama_forward(m, x, (struct llama_pass){ .lengths = n });   // (B,N,D)
 *     struct tensor *logits = llama_logits(m, h);                                    // (B,N,V)
 *     TRY(th_check(e));
 *
 * Padding is on the right: row b has lengths[b] tokens, and what stands behind them is never seen by them, because
 * attention is causal. So training needs no mask, whatever the lengths; hidden states of padding are without meaning,
 * and labels there must be LLAMA_IGNORE.
 *
 * Nothing is changed in place, so gradients flow where th_grad is on and params_train has asked for them. */
#ifndef ACSWEEP_WORKER_MODEL_LLAMA_H
#define ACSWEEP_WORKER_MODEL_LLAMA_H

#include "worker/model/layers.h"
#include "worker/model/llama_config.h"

#define LLAMA_IGNORE (-100) /* a label that is no target */

struct llama_options {
    enum th_dtype dtype; /* of weights and of what is computed; f16 not on the CPU */
    struct th_device device;
};
#define LLAMA_DEFAULTS ((struct llama_options){ .dtype = TH_F32, .device = TH_CPU })

struct llama;

/* `dir` in Hugging Face layout: config.json, and weights as safetensors or pytorch_model*.bin, in one file or many.
 * ERR_INPUT when they are not such a model, or when tensors are missing, of another shape or unknown (the list is in
 * the text); a LLaVA checkpoint's model.mm_projector.* and model.vision_tower.* are left alone. */
struct llama *llama_open(const char *dir, const struct llama_options *o, struct err *e);
/* The same model with weights at random (see params_fresh). */
struct llama *llama_create(const struct llama_config *c, const struct llama_options *o, uint64_t seed, struct err *e);
void llama_destroy(struct llama *m);
/* Write dir/config.json and dir/model.safetensors, as transformers and llama_open read them. LoRA factors are not part
 * of it: merge them before (linear_merge). */
MUST_USE int llama_save(const struct llama *m, const char *dir, enum th_dtype t, struct err *e);

/* ---- what it is -----------------------------------------------------------------------------------------------------
 */

const struct llama_config *llama_config(const struct llama *m);
struct llama_options llama_options(const struct llama *m);
struct params *llama_params(const struct llama *m); /* to train, count or save them */

/* The linear layers of a block, for LoRA: llama_linear(m, 3, LLAMA_V)->lora = &factors. */
enum llama_layer { LLAMA_Q, LLAMA_K, LLAMA_V, LLAMA_O, LLAMA_GATE, LLAMA_UP, LLAMA_DOWN, LLAMA_LAYERS };
struct linear *llama_linear(struct llama *m, int64_t block, enum llama_layer which);
/* "self_attn.q_proj" ... "mlp.down_proj": in checkpoints "model.layers.3.self_attn.q_proj.weight". */
const char *llama_layer_name(enum llama_layer which);
/* Output and input width of such a layer. */
void llama_layer_size(const struct llama_config *c, enum llama_layer which, int64_t *out, int64_t *in);

/* ---- computing; errors are the thread's, as in th.h -----------------------------------------------------------------
 */

/* Keys and values of what a batch has read so far. One pass at a time may use it. */
struct llama_cache;
/* For `batch` rows of at most `capacity` tokens each, padding included; memory is taken at once. */
struct llama_cache *llama_cache_create(const struct llama *m, int64_t batch, int64_t capacity, struct err *e);
/* What its keys and values take on the device. */
int64_t llama_cache_bytes(const struct llama *m, int64_t batch, int64_t capacity);
void llama_cache_destroy(struct llama_cache *c);
/* Forget what was read; the memory stays. */
void llama_cache_clear(struct llama_cache *c);
/* Tokens that row b has read, without padding. */
int64_t llama_cache_length(const struct llama_cache *c, int64_t b);
int64_t llama_cache_room(const struct llama_cache *c); /* columns that are left */

struct llama_pass {
    const int64_t *lengths;    /* (B) tokens of each row, from 0 to N, the rest is padding; NULL: all have N */
    struct llama_cache *cache; /* NULL: the tokens of this pass are all there is. Else they come after those that were
                                  read, and are remembered; without gradients only. */
    bool recompute;            /* keep only the input of each block, and compute it again during th_backward. LoRA
                                  factors with dropout cannot be recomputed: an error */
};

/* ids (B,N), i64 on the model's device -> (B,N,D) */
struct tensor *llama_embed(const struct llama *m, struct tensor *ids);
/* x (B,N,D) -> hidden states under the final norm, (B,N,D) */
struct tensor *llama_forward(const struct llama *m, struct tensor *x, struct llama_pass pass);
/* hidden (...,D) -> (...,V) */
struct tensor *llama_logits(const struct llama *m, struct tensor *hidden);
/* Mean over all targets of the cross entropy between the logits of token i and labels of token i + 1. hidden (B,N,D),
 * labels (B,N) i64. LLAMA_IGNORE is no target. Logits are made only for targets, some rows at a time, and never kept:
 * (B,N,V) does not exist. *targets (may be NULL): their number; where there are none the loss is 0, and its gradients
 * too. */
struct tensor *llama_loss(const struct llama *m, struct tensor *hidden, struct tensor *labels, int64_t *targets);
/* The same with weights (B,N) f32, of each label: the sum of weights times cross entropies. */
struct tensor *llama_weighted_loss(const struct llama *m, struct tensor *hidden, struct tensor *labels,
                                   struct tensor *weights);

DEFINE_CLEANUP(llama_destroy, struct llama *)
DEFINE_CLEANUP(llama_cache_destroy, struct llama_cache *)

#endif
