#include "worker/model/layers.h"

#include "worker/torch/th_train.h"

struct tensor *linear_apply(const struct linear *l, struct tensor *x)
{
    if (!l->lora)
        return th_linear(x, l->w, l->b);
    TH_SCOPE(s);
    const struct lora *f = l->lora;
    struct tensor *in = f->dropout > 0 ? th_dropout(f->rng, x, f->dropout) : x;
    struct tensor *low = th_linear(th_linear(in, f->a, NULL), f->b, NULL);
    return th_return(&s, th_add_scaled(th_linear(x, l->w, l->b), low, f->scale));
}

void linear_merge(struct linear *l)
{
    if (!l->lora)
        return;
    TH_SCOPE(s);
    th_grad(false);
    struct tensor *low = th_matmul(th_to(l->lora->b, TH_F32), th_to(l->lora->a, TH_F32));
    th_copy_(l->w, th_add_scaled(th_to(l->w, TH_F32), low, l->lora->scale));
    l->lora = NULL;
}

struct tensor *norm_apply(const struct norm *n, struct tensor *x, double eps)
{
    return th_layer_norm(x, n->w, n->b, eps);
}

struct tensor *activation_apply(enum activation a, struct tensor *x)
{
    switch (a) {
    case ACT_GELU:
        return th_gelu(x);
    case ACT_GELU_TANH:
        return th_gelu_tanh(x);
    case ACT_QUICK_GELU:
        return th_quick_gelu(x);
    case ACT_RELU:
        return th_relu(x);
    case ACT_SILU:
        return th_silu(x);
    }
    return TH_FAIL(ERR_BUG, "activation %d is unknown", (int)a);
}

/* (B,N,D) -> (B,H,N,D/H), a view */
static struct tensor *split_heads(struct tensor *x, int64_t heads)
{
    int64_t b = th_size(x, 0), n = th_size(x, 1), d = th_size(x, 2);
    return th_transpose(th_reshape(x, TH_DIMS(b, n, heads, d / heads)), 1, 2);
}

struct tensor *attend(struct tensor *q, struct tensor *k, struct tensor *v, int64_t heads)
{
    TH_SCOPE(s);
    struct tensor *y = th_sdpa(split_heads(q, heads), split_heads(k, heads), split_heads(v, heads),
                               (struct th_attention){ 0 });        /* (B,H,N,D/H) */
    return th_return(&s, th_flatten(th_transpose(y, 1, 2), 2, 3)); /* (B,N,D) */
}
