/* A multimodal model: connector and decoder joined, the way LLaVA joins them. Which pictures' features go in is the
 * caller's (worker/extract/representation.h); here they are numbers (I,N,d).
 *
 *     struct vlm_batch b;
 *     TH_SCOPE(s);
 *     TRY(vlm_embed(v, samples, n, features, 2048, &b, e));                      // b.x (B,N,D), b.labels (B,N)
 *     struct tensor *h = llama_forward(v->llama, b.x, (struct llama_pass){ .lengths = b.lengths, .recompute = true });
 *     struct tensor *loss = llama_loss(v->llama, h, b.labels, NULL);
 *     ...
 *     vlm_batch_free(&b);
 *
 * A directory of such a model:
 *
 *     config.json                    as LLaVA writes it (mm_projector_type, mm_hidden_size ...), the decoder's keys,
 * and under "acsweep" what it was trained with, the representation foremost model.safetensors.index.json   and the two
 * files that it names: decoder, connector; LLaVA reads them as its own mm_projector.safetensors, .bin the connector
 * alone tokenizer.model ...            copied from the decoder's directory */
#ifndef ACSWEEP_WORKER_MODEL_VLM_H
#define ACSWEEP_WORKER_MODEL_VLM_H

#include "worker/model/connector.h"
#include "worker/model/llama.h"

#define VLM_IMAGE (-200) /* among ids: here a picture's tokens go */

struct vlm {
    struct llama *llama;
    struct connector *connector;
    json_t *about; /* the object "acsweep" of its config.json; NULL: none */
};

struct vlm_options {
    const char *connector; /* path, as connector_open's; NULL: `dir` */
    enum th_dtype dtype;
    struct th_device device;
};
/* `dir` holds a decoder, and a connector unless the options name another. ERR_INPUT when they do not fit together. */
struct vlm *vlm_open(const char *dir, const struct vlm_options *o, struct err *e);
/* Takes both over, also when it fails. */
struct vlm *vlm_join(struct llama *m, struct connector *c, struct err *e);
void vlm_destroy(struct vlm *v);

struct vlm_about {
    const char *vision_tower;   /* for config.json's mm_vision_tower; several names are joined by '.' there */
    int select_layer;           /* hidden state of the encoders, e.g. -2 */
    const char *tokenizer_from; /* directory whose tokenizer files are copied; NULL: none */
    const json_t *about;        /* for "acsweep" in config.json; NULL: none */
    int64_t max_length;         /* tokenizer_model_max_length; 0 = 2048 */
};
/* Write a whole model into `dir`, which must exist. config.json comes last: a directory without it is not whole. */
MUST_USE int vlm_save(const struct vlm *v, const char *dir, const struct vlm_about *a, enum th_dtype t, struct err *e);

/* ---- batches --------------------------------------------------------------------------------------------------------
 */

struct vlm_sample {
    const int32_t *ids;    /* with VLM_IMAGE once for each picture */
    const int32_t *labels; /* for each id; NULL: none is a target. That of VLM_IMAGE is not looked at */
    size_t n;
};

struct vlm_batch {
    struct tensor *x; /* (B,N,D), N the longest row; zeros behind each row's end */
    struct tensor
        *labels;      /* (B,N) i64; LLAMA_IGNORE for pictures and padding; for text-only batches without labels too */
    int64_t *lengths; /* (B) */
    int64_t rows;
    size_t cut;     /* rows that were longer than max_length and lost their end */
    size_t targets; /* labels that are not LLAMA_IGNORE, the first of each row not counted */
};

/* The k-th VLM_IMAGE of the batch, rows in order, becomes the k-th picture of `features` (I,N,d), any float dtype on
 * the model's device; NULL: there is none. ERR_INPUT when their numbers differ. The connector takes part in the graph
 * even without pictures (as LLaVA's zero picture does), so that its gradients are zeros and not absent. max_length 0:
 * no limit. Tensors belong to the innermost scope. */
MUST_USE int vlm_embed(const struct vlm *v, const struct vlm_sample *samples, size_t n, struct tensor *features,
                       int64_t max_length, struct vlm_batch *out, struct err *e);
void vlm_batch_free(struct vlm_batch *b);

DEFINE_CLEANUP(vlm_destroy, struct vlm *)
static inline UNUSED void vlm_batch_free_cleanup(struct vlm_batch *b)
{
    vlm_batch_free(b);
}

#endif
