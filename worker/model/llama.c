#include "worker/model/llama_impl.h"

#include <stdio.h>
#include <string.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/model/model_file.h"
#include "worker/torch/th_train.h"

/* ---- making ---------------------------------------------------------------------------------------------------------
 */

static int check_options(const struct llama_options *o, struct err *e)
{
    char name[16];
    if (!th_dtype_is_float(o->dtype))
        return FAIL(e, ERR_BUG, "a model cannot compute in %s", th_dtype_name(o->dtype));
    if (o->dtype == TH_F16 && o->device.type == TH_DEV_CPU)
        return FAIL(e, ERR_INPUT, "%s cannot compute in f16; take f32 or bf16", th_device_name(o->device, name));
    return th_device_check(o->device, e);
}

/* Everything but the tensors. */
static struct llama *prepare(const struct llama_config *c, const struct llama_options *o, struct err *e)
{
    AUTO(llama_destroy) struct llama *m = calloc(1, sizeof *m);
    if (!m)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    m->config = *c;
    m->options = *o;
    if (check_options(o, e) < 0)
        return NULL;
    m->params = params_create(e);
    m->w.blocks = calloc((size_t)c->layers, sizeof *m->w.blocks);
    if (!m->params)
        return NULL;
    if (!m->w.blocks)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    for (int64_t i = 0; i < c->layers; i++)
        m->w.blocks[i].model = m;
    llama_want(m->params, &m->config, &m->w);
    return TAKE(m);
}

static void tie(struct llama *m)
{
    if (m->config.tied)
        m->w.head.w = m->w.embed;
}

struct llama *llama_open(const char *dir, const struct llama_options *o, struct err *e)
{
    char path[4096];
    struct llama_config c;
    if (snprintf(path, sizeof path, "%s/config.json", dir) >= (int)sizeof path)
        return FAIL_NULL(e, ERR_INPUT, "%.80s...: the path is too long", dir);
    if (llama_config_load(path, &c, e) < 0)
        return NULL;
    AUTO(weights_destroy) struct weights *w = weights_open(dir, e);
    AUTO(llama_destroy) struct llama *m = w ? prepare(&c, o, e) : NULL;
    if (!m || params_check(m->params, w, "config.json", e) < 0 || params_load(m->params, w, o->dtype, o->device, e) < 0)
        return NULL;
    tie(m);
    return TAKE(m);
}

struct llama *llama_create(const struct llama_config *c, const struct llama_options *o, uint64_t seed, struct err *e)
{
    struct llama_config whole = *c;
    if (llama_config_check(&whole, e) < 0)
        return NULL;
    AUTO(llama_destroy) struct llama *m = prepare(&whole, o, e);
    if (!m || params_fresh(m->params, seed, o->dtype, o->device, e) < 0)
        return NULL;
    tie(m);
    return TAKE(m);
}

void llama_destroy(struct llama *m)
{
    if (!m)
        return;
    params_destroy(m->params);
    free(m->w.blocks);
    free(m);
}

int llama_save(const struct llama *m, const char *dir, enum th_dtype t, struct err *e)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/model.safetensors", dir) >= (int)sizeof path)
        return FAIL(e, ERR_INPUT, "%.80s...: the path is too long", dir);
    TRY(params_save(m->params, path, t, e));
    AUTO(json_decref) json_t *j = llama_config_json(&m->config);
    if (!j || json_object_set_new(j, "torch_dtype", json_string(torch_dtype_name(t))) < 0)
        return FAIL_NOMEM(e);
    return model_file_write_json(dir, "config.json", j, e);
}

/* ---- what it is -----------------------------------------------------------------------------------------------------
 */

const struct llama_config *llama_config(const struct llama *m)
{
    return &m->config;
}

struct llama_options llama_options(const struct llama *m)
{
    return m->options;
}

struct params *llama_params(const struct llama *m)
{
    return m->params;
}

struct linear *llama_linear(struct llama *m, int64_t block, enum llama_layer which)
{
    return &m->w.blocks[block].linear[which];
}

/* ---- computing ------------------------------------------------------------------------------------------------------
 */

/* x (B,N,H*hd) -> (B,H,N,hd), a view */
static struct tensor *split_heads(struct tensor *x, int64_t heads)
{
    int64_t b = th_size(x, 0), n = th_size(x, 1);
    return th_transpose(th_reshape(x, TH_DIMS(b, n, heads, -1)), 1, 2);
}

/* One query a row: those that share a key become rows of one product, and keys need not be copied for each of them.
 * q (B,H,1,hd), k and v (B,Hk,M,hd) -> (B,1,H*hd) */
static struct tensor *attend_one(struct tensor *q, struct tensor *k, struct tensor *v, struct tensor *mask)
{
    int64_t b = th_size(q, 0), hd = th_size(q, 3);
    struct tensor *groups = th_reshape(q, TH_DIMS(b, th_size(k, 1), -1, hd));        /* (B,Hk,H/Hk,hd) */
    struct tensor *y = th_sdpa(groups, k, v, (struct th_attention){ .mask = mask }); /* (B,Hk,H/Hk,hd) */
    return th_reshape(y, TH_DIMS(b, 1, -1));
}

static struct tensor *attend_many(struct tensor *q, struct tensor *k, struct tensor *v, struct tensor *mask)
{
    struct tensor *y = th_sdpa(q, k, v, (struct th_attention){ .mask = mask, .causal = !mask }); /* (B,H,N,hd) */
    return th_flatten(th_transpose(y, 1, 2), 2, 3);
}

/* x (B,N,D) -> (B,N,D) */
static struct tensor *attention(const struct llama_block *b, struct tensor *x, const struct reading *r)
{
    TH_SCOPE(s);
    const struct llama_config *c = &b->model->config;
    struct tensor *q = split_heads(linear_apply(&b->linear[LLAMA_Q], x), c->heads);
    struct tensor *k = split_heads(linear_apply(&b->linear[LLAMA_K], x), c->kv_heads);
    struct tensor *v = split_heads(linear_apply(&b->linear[LLAMA_V], x), c->kv_heads);
    q = th_rope(q, r->queries.cos, r->queries.sin);
    llama_reading_keys(r, b - b->model->w.blocks, &k, &v);
    struct tensor *y = th_size(q, 2) == 1 ? attend_one(q, k, v, r->mask) : attend_many(q, k, v, r->mask);
    return th_return(&s, linear_apply(&b->linear[LLAMA_O], y));
}

/* x (B,N,D) -> (B,N,D) */
static struct tensor *mlp(const struct llama_block *b, struct tensor *x)
{
    TH_SCOPE(s);
    struct tensor *gate = th_silu(linear_apply(&b->linear[LLAMA_GATE], x)); /* (B,N,M) */
    struct tensor *up = linear_apply(&b->linear[LLAMA_UP], x);
    return th_return(&s, linear_apply(&b->linear[LLAMA_DOWN], th_mul(gate, up)));
}

/* x (B,N,D) -> (B,N,D) */
static struct tensor *block(const struct llama_block *b, struct tensor *x, const struct reading *r)
{
    TH_SCOPE(s);
    double eps = b->model->config.eps;
    x = th_add(x, attention(b, th_rms_norm(x, b->norm1, eps), r));
    x = th_add(x, mlp(b, th_rms_norm(x, b->norm2, eps)));
    return th_return(&s, x);
}

/* For th_recompute: all that it needs but x follows from the shape of x. */
static struct tensor *block_again(struct tensor *x, void *arg)
{
    TH_SCOPE(s);
    const struct llama_block *b = arg;
    struct reading r;
    if (!llama_reading_begin(b->model, x, (struct llama_pass){ 0 }, &r))
        return NULL;
    return th_return(&s, block(b, x, &r));
}

static bool has_dropout(const struct llama *m)
{
    for (int64_t i = 0; i < m->config.layers; i++)
        for (int k = 0; k < LLAMA_LAYERS; k++) {
            const struct lora *l = m->w.blocks[i].linear[k].lora;
            if (l && l->dropout > 0)
                return true;
        }
    return false;
}

static bool check_input(const struct llama *m, struct tensor *x, struct llama_pass p)
{
    char text[100];
    if (!th_is_shape(x, TH_DIMS(-1, -1, m->config.width)) || th_size(x, 1) < 1 || !th_dtype_is_float(th_dtype_of(x)))
        TH_FAIL(ERR_BUG, "a decoder takes floats (B,N,%lld), N from 1 on, not %s", (long long)m->config.width,
                th_describe(x, text, sizeof text));
    else if (p.recompute && has_dropout(m))
        TH_FAIL(ERR_BUG, "blocks with dropout cannot be computed again");
    return !th_failed();
}

struct tensor *llama_embed(const struct llama *m, struct tensor *ids)
{
    return th_embedding(m->w.embed, ids);
}

struct tensor *llama_forward(const struct llama *m, struct tensor *x, struct llama_pass pass)
{
    TH_SCOPE(s);
    struct reading r;
    if (!check_input(m, x, pass))
        return NULL;
    x = th_to(x, m->options.dtype);
    if (!llama_reading_begin(m, x, pass, &r))
        return NULL;
    for (int64_t i = 0; i < m->config.layers; i++) {
        struct llama_block *b = &m->w.blocks[i];
        bool again = pass.recompute && th_grad_is_on() && th_requires_grad(x);
        struct tensor *y = again ? th_recompute(block_again, x, b) : block(b, x, &r);
        th_drop(x); /* or every state would stay until the end */
        x = y;
    }
    return th_return(&s, th_rms_norm(x, m->w.norm, m->config.eps));
}

struct tensor *llama_logits(const struct llama *m, struct tensor *hidden)
{
    return linear_apply(&m->w.head, hidden);
}

/* What each token is to be followed by: (B,N) -> (B(N-1)) */
static struct tensor *of_next(struct tensor *x)
{
    return th_reshape(th_slice(x, 1, 1, INT64_MAX), TH_DIMS(-1));
}

static struct tensor *loss(const struct llama *m, struct tensor *hidden, struct tensor *labels, struct tensor *weights,
                           int64_t *targets)
{
    TH_SCOPE(s);
    int64_t n = th_size(hidden, 1), d = m->config.width;
    struct tensor *h = th_reshape(th_slice(hidden, 1, 0, n - 1), TH_DIMS(-1, d)); /* (B(N-1),D) */
    struct tensor *next = of_next(labels);
    struct tensor *which = th_reshape(th_nonzero(th_ne_s(next, LLAMA_IGNORE)), TH_DIMS(-1)); /* (T) */
    if (targets)
        *targets = th_size(which, 0);
    if (th_size(which, 0) == 0) /* nothing to learn, but part of the graph */
        return th_return(&s, th_sum_to(th_slice(h, 0, 0, 0), TH_SCALAR_DIMS, false, TH_F32));
    if (weights)
        weights = th_index_select(of_next(weights), 0, which);
    return th_return(&s, th_linear_cross_entropy(th_index_select(h, 0, which), m->w.head.w,
                                                 th_index_select(next, 0, which), weights, 0));
}

struct tensor *llama_loss(const struct llama *m, struct tensor *hidden, struct tensor *labels, int64_t *targets)
{
    return loss(m, hidden, labels, NULL, targets);
}

struct tensor *llama_weighted_loss(const struct llama *m, struct tensor *hidden, struct tensor *labels,
                                   struct tensor *weights)
{
    return loss(m, hidden, labels, weights, NULL);
}
