/* Layers that models are put together from: their weights, what they ask of a checkpoint, what they compute. Shapes: B
 * batch, N tokens, D width, H heads.
 *
 * A layer is plain memory inside of its model; its tensors belong to the struct params that they were declared in. */
#ifndef ACSWEEP_WORKER_MODEL_LAYERS_H
#define ACSWEEP_WORKER_MODEL_LAYERS_H

#include "worker/model/params.h"
#include "worker/torch/th.h"

enum activation {
    ACT_GELU,       /* with erf */
    ACT_GELU_TANH,  /* the tanh approximation */
    ACT_QUICK_GELU, /* x sigmoid(1.702 x) */
    ACT_RELU,
    ACT_SILU,
};
const char *activation_name(enum activation a); /* as published configurations name it */

/* A trained difference of low rank: W + scale B A. Whoever attaches it owns it. */
struct lora {
    struct tensor *a, *b; /* (r,I), (O,r) */
    double scale;         /* alpha / r */
    double dropout;       /* of what goes into A; 0: none */
    struct th_rng *rng;   /* for dropout */
};
struct linear {
    struct tensor *w, *b;    /* (O,I), (O) or NULL */
    const struct lora *lora; /* NULL: none */
};
struct norm {
    struct tensor *w, *b; /* (D) */
};

/* ---- declaring (layers_want.c; no libtorch): NAME.weight and NAME.bias, see params.h --------------------------------
 */

void linear_want(struct params *p, struct linear *l, int64_t out, int64_t in, bool bias, const char *name);
void norm_want(struct params *p, struct norm *n, int64_t width, const char *name);

/* ---- computing (layers.c); errors are the thread's, as in th.h ------------------------------------------------------
 */

/* x (...,I) -> (...,O): x W' + b, and with LoRA + scale (dropout(x) A') B' */
struct tensor *linear_apply(const struct linear *l, struct tensor *x);
/* Add the LoRA factors to the weight, in place and in f32, and detach them; nothing without. */
void linear_merge(struct linear *l);
/* x (...,D) -> (...,D), layer norm */
struct tensor *norm_apply(const struct norm *n, struct tensor *x, double eps);
struct tensor *activation_apply(enum activation a, struct tensor *x);

/* softmax(q k' / sqrt(D/H)) v for every head, all tokens looking at all: q, k, v (B,N,D) -> (B,N,D) */
struct tensor *attend(struct tensor *q, struct tensor *k, struct tensor *v, int64_t heads);

#endif
