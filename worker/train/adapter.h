/* LoRA (Hu et al. 2021) on a decoder: every linear layer of its blocks, not the head, as LLaVA's --lora_enable; and its
 * files, those of the Python library PEFT: adapter_config.json and adapter_model.safetensors.
 *
 * W becomes W + alpha / rank * B A. A begins uniform within 1 / sqrt(inputs), B at zero, as PEFT begins. There is no
 * dropout: what is trained is a function of the data and its order. */
#ifndef ACSWEEP_WORKER_TRAIN_ADAPTER_H
#define ACSWEEP_WORKER_TRAIN_ADAPTER_H

#include "worker/model/vlm.h"

struct adapter;

/* Attached to `m`, which must outlive it. */
struct adapter *adapter_create(struct llama *m, int64_t rank, double alpha, uint64_t seed, struct err *e);
/* Read from `dir` and attached. ERR_INPUT when it is not of this decoder. */
struct adapter *adapter_open(const char *dir, struct llama *m, struct err *e);
/* Detached from the decoder, unless it was merged. NULL is fine. */
void adapter_destroy(struct adapter *a);

/* `base` is written down as what it belongs to. */
MUST_USE int adapter_save(const struct adapter *a, const char *dir, const char *base, enum th_dtype t, struct err *e);
/* Into the weights of the decoder, in place. */
MUST_USE int adapter_merge(struct adapter *a, struct err *e);

/* for (size_t i = 0; (x = adapter_next(a, &i, name));) visits the factors, named as in a checkpoint of the whole model:
 * "model.layers.0.self_attn.q_proj.lora_A.weight". */
struct tensor *adapter_next(const struct adapter *a, size_t *i, char name[128]);
int64_t adapter_elements(const struct adapter *a);

/* Does `dir` hold an adapter? */
bool adapter_is_in(const char *dir);
/* A model that stage 2 has left in `dir`: a whole one; or an adapter and a connector, which are put on the decoder in the
 * directory `llm`. */
struct vlm *adapter_open_model(const char *dir, const char *llm, const struct vlm_options *o, struct err *e);

DEFINE_CLEANUP(adapter_destroy, struct adapter *)

#endif
