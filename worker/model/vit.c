#include "worker/model/vit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h" /* json_decref_cleanup */

#include "worker/model/vit_impl.h"

struct vit {
    struct vit_config config;
    struct vit_options options;
    int64_t layer; /* of the options, from 0 */
    struct params *params;
    struct vit_weights w;
};

/* ---- making ---------------------------------------------------------------------------------------------------------
 */

static int resolve_layer(const struct vit_config *c, int layer, int64_t *out, struct err *e)
{
    *out = layer < 0 ? c->layers + 1 + layer : layer;
    if (*out < 0 || *out > c->layers)
        return FAIL(e, ERR_INPUT,
                    "there is no hidden state %d: this model has %lld layers, so they go from 0 (or %lld) to "
                    "%lld (or -1)",
                    layer, (long long)c->layers, (long long)-c->layers - 1, (long long)c->layers);
    return 0;
}

static int check_options(const struct vit_options *o, struct err *e)
{
    char name[16];
    if (!th_dtype_is_float(o->dtype))
        return FAIL(e, ERR_BUG, "a model cannot compute in %s", th_dtype_name(o->dtype));
    if (o->dtype == TH_F16 && o->device.type == TH_DEV_CPU)
        return FAIL(e, ERR_INPUT, "%s cannot compute in f16; take f32 or bf16", th_device_name(o->device, name));
    return th_device_check(o->device, e);
}

/* Everything but the tensors. `root` as params_root's. */
static struct vit *prepare(const struct vit_config *c, const struct vit_options *o, const char *root, struct err *e)
{
    AUTO(vit_destroy) struct vit *v = calloc(1, sizeof *v);
    if (!v)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    v->config = *c;
    v->options = *o;
    if (check_options(o, e) < 0 || resolve_layer(c, o->layer, &v->layer, e) < 0)
        return NULL;
    v->params = params_create(e);
    v->w.blocks = calloc((size_t)v->layer + 1, sizeof *v->w.blocks);
    if (!v->params)
        return NULL;
    if (!v->w.blocks)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    params_root(v->params, root);
    vit_want(v->params, &v->config, (struct vit_extent){ v->layer, o->final_norm }, &v->w);
    return TAKE(v);
}

struct vit *vit_open(const char *dir, const struct vit_options *o, struct err *e)
{
    char path[4096];
    struct vit_config c;
    if (snprintf(path, sizeof path, "%s/config.json", dir) >= (int)sizeof path)
        return FAIL_NULL(e, ERR_INPUT, "%.80s...: the path is too long", dir);
    if (vit_config_load(path, &c, e) < 0)
        return NULL;
    AUTO(weights_destroy) struct weights *w = weights_open(dir, e);
    AUTO(vit_destroy) struct vit *v = w ? prepare(&c, o, vit_root(&c, w), e) : NULL;
    if (!v || params_check(v->params, w, "config.json", e) < 0 || params_load(v->params, w, o->dtype, o->device, e) < 0)
        return NULL;
    return TAKE(v);
}

struct vit *vit_create(const struct vit_config *c, const struct vit_options *o, uint64_t seed, struct err *e)
{
    if (vit_config_check(c, e) < 0)
        return NULL;
    AUTO(vit_destroy) struct vit *v = prepare(c, o, vit_root(c, NULL), e);
    if (!v || params_fresh(v->params, seed, o->dtype, o->device, e) < 0)
        return NULL;
    return TAKE(v);
}

void vit_destroy(struct vit *v)
{
    if (!v)
        return;
    params_destroy(v->params);
    free(v->w.blocks);
    free(v);
}

/* Whole or not at all. */
static int write_file(const char *path, const char *text, struct err *e)
{
    char draft[4200];
    snprintf(draft, sizeof draft, "%s.part", path);
    FILE *f = fopen(draft, "we");
    bool good = f && fprintf(f, "%s\n", text) > 0 && fflush(f) == 0 && fsync(fileno(f)) == 0;
    if (f && fclose(f) != 0)
        good = false;
    if (good && rename(draft, path) == 0)
        return 0;
    FAIL(e, ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
    unlink(draft);
    return -1;
}

static int save_config(const struct vit_config *c, const char *path, struct err *e)
{
    AUTO(json_decref) json_t *j = vit_config_json(c);
    AUTO(free) char *text = j ? json_dumps(j, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
    return text ? write_file(path, text, e) : FAIL_NOMEM(e);
}

int vit_save(const struct vit *v, const char *dir, enum th_dtype t, struct err *e)
{
    char path[4096];
    if (v->layer < v->config.layers || !v->options.final_norm)
        return FAIL(e, ERR_BUG, "a model that is not wholly loaded cannot be saved");
    if (snprintf(path, sizeof path, "%s/model.safetensors", dir) >= (int)sizeof path)
        return FAIL(e, ERR_INPUT, "%.80s...: the path is too long", dir);
    TRY(params_save(v->params, path, t, e));
    snprintf(path, sizeof path, "%s/config.json", dir);
    return save_config(&v->config, path, e);
}

/* ---- what it is -----------------------------------------------------------------------------------------------------
 */

const struct vit_config *vit_config(const struct vit *v)
{
    return &v->config;
}

struct params *vit_params(const struct vit *v)
{
    return v->params;
}

int64_t vit_layer(const struct vit *v)
{
    return v->layer;
}

static int64_t dropped_tokens(const struct vit *v)
{
    return v->options.all_tokens ? 0 : vit_prefix_tokens(&v->config);
}

int64_t vit_tokens(const struct vit *v, int64_t h, int64_t w)
{
    return vit_grid(&v->config, h) * vit_grid(&v->config, w) + vit_prefix_tokens(&v->config) - dropped_tokens(v);
}

/* ---- computing ------------------------------------------------------------------------------------------------------
 */

static struct tensor *check_pixels(const struct vit *v, struct tensor *pixels)
{
    const struct vit_config *c = &v->config;
    char text[100];
    if (th_is_shape(pixels, TH_DIMS(-1, c->channels, -1, -1)) && th_size(pixels, 0) > 0 &&
        th_size(pixels, 2) >= c->patch && th_size(pixels, 3) >= c->patch && th_dtype_is_float(th_dtype_of(pixels)))
        return pixels;
    return TH_FAIL(ERR_INPUT, "pictures must be floats (B,%lld,H,W), H and W at least %lld; these are %s",
                   (long long)c->channels, (long long)c->patch, th_describe(pixels, text, sizeof text));
}

/* x (B,n,D) below a row of tokens t (1 or none,m,D): (B,m+n,D) */
static struct tensor *put_before(const struct vit *v, struct tensor *t, struct tensor *x)
{
    int64_t b = th_size(x, 0), d = v->config.width;
    struct tensor *rows = th_expand(th_reshape(t, TH_DIMS(1, -1, d)), TH_DIMS(b, -1, -1));
    return th_cat(TH_LIST(rows, x), 1);
}

/* pixels (B,C,H,W) -> patches (B,h*w,D) */
static struct tensor *embed_patches(const struct vit *v, struct tensor *pixels)
{
    TH_SCOPE(s);
    struct th_conv stride = { .stride = v->config.patch };
    struct tensor *map = th_conv2d(th_to(pixels, v->options.dtype), v->w.patch.w, v->w.patch.b, stride); /* (B,D,h,w) */
    return th_return(&s, th_transpose(th_flatten(map, 2, 3), 1, 2));
}

/* pixels (B,C,H,W) -> hidden state 0, (B,N,D) */
static struct tensor *embed(const struct vit *v, struct tensor *pixels)
{
    TH_SCOPE(s);
    const struct vit_config *c = &v->config;
    const struct vit_weights *w = &v->w;
    if (!check_pixels(v, pixels))
        return NULL;
    int64_t height = th_size(pixels, 2), width = th_size(pixels, 3);
    struct tensor *x = embed_patches(v, pixels);
    if (c->class_token)
        x = put_before(v, w->class_token, x);
    x = th_add(x, vit_positions_for(c, v->options.positions, w->positions, vit_grid(c, height), vit_grid(c, width),
                                    height == width));
    if (c->registers) { /* they have no position */
        struct tensor *patches = th_slice(x, 1, 1, INT64_MAX);
        x = th_cat(TH_LIST(th_slice(x, 1, 0, 1), put_before(v, w->registers, patches)), 1);
    }
    if (c->pre_norm)
        x = norm_apply(&w->pre_norm, x, c->eps);
    return th_return(&s, x);
}

/* x + scale * y */
static struct tensor *add_branch(struct tensor *x, struct tensor *y, struct tensor *scale)
{
    return th_add(x, scale ? th_mul(y, scale) : y);
}

static struct tensor *attention(const struct vit *v, const struct vit_block *b, struct tensor *x)
{
    TH_SCOPE(s);
    struct tensor *y = attend(linear_apply(&b->q, x), linear_apply(&b->k, x), linear_apply(&b->v, x), v->config.heads);
    return th_return(&s, linear_apply(&b->out, y));
}

/* x (B,N,D) -> (B,N,D); SwiGLU: silu of the first half gates the second */
static struct tensor *mlp(const struct vit *v, const struct vit_block *b, struct tensor *x)
{
    TH_SCOPE(s);
    struct tensor *up = linear_apply(&b->fc1, x); /* (B,N,M) or (B,N,2M) */
    if (v->config.swiglu)
        up = th_mul(th_silu(th_chunk(up, 2, 2, 0)), th_chunk(up, 2, 2, 1));
    else
        up = activation_apply((enum activation)v->config.activation, up);
    return th_return(&s, linear_apply(&b->fc2, up));
}

/* x (B,N,D) -> (B,N,D) */
static struct tensor *block(const struct vit *v, const struct vit_block *b, struct tensor *x)
{
    TH_SCOPE(s);
    x = add_branch(x, attention(v, b, norm_apply(&b->norm1, x, v->config.eps)), b->scale1);
    x = add_branch(x, mlp(v, b, norm_apply(&b->norm2, x, v->config.eps)), b->scale2);
    return th_return(&s, x);
}

static struct tensor *wanted_tokens(const struct vit *v, struct tensor *x)
{
    int64_t drop = dropped_tokens(v);
    return drop ? th_slice(x, 1, drop, INT64_MAX) : x;
}

struct tensor *vit_final_norm(const struct vit *v, struct tensor *tokens)
{
    return norm_apply(&v->w.final_norm, tokens, v->config.eps);
}

struct tensor *vit_forward(const struct vit *v, struct tensor *pixels)
{
    TH_SCOPE(s);
    struct tensor *x = embed(v, pixels);
    for (int64_t i = 0; i < v->layer; i++) {
        struct tensor *y = block(v, &v->w.blocks[i], x);
        th_drop(x); /* or every state would stay until the end */
        x = y;
    }
    x = wanted_tokens(v, x);
    return th_return(&s, v->options.final_norm ? vit_final_norm(v, x) : x);
}

bool vit_forward_all(const struct vit *v, struct tensor *pixels, struct tensor **states)
{
    TH_SCOPE(s);
    struct tensor *x = embed(v, pixels);
    states[0] = th_hand_up(&s, wanted_tokens(v, x));
    for (int64_t i = 0; i < v->layer; i++) {
        x = block(v, &v->w.blocks[i], x);
        states[i + 1] = th_hand_up(&s, wanted_tokens(v, x));
    }
    return !th_failed();
}
