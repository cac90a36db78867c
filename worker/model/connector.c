#include "worker/model/connector.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/model/layers.h"
#include "worker/torch/th_train.h"
#include "worker/torch/torch_file.h"

#define ROOT "model.mm_projector."
#define TENSORS 4

struct connector {
    struct connector_options options;
    int64_t in, out;
    struct params *params;
    struct linear first, second;
};

/* ---- making ---------------------------------------------------------------------------------------------------------
 */

static struct connector *prepare(int64_t in, int64_t out, const struct connector_options *o, struct err *e)
{
    AUTO(connector_destroy) struct connector *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    *c = (struct connector){ .options = *o, .in = in, .out = out, .params = params_create(e) };
    if (!c->params || th_device_check(o->device, e) < 0)
        return NULL;
    params_root(c->params, ROOT);
    linear_want(c->params, &c->first, out, in, true, "0");
    linear_want(c->params, &c->second, out, out, true, "2");
    return TAKE(c);
}

/* Uniform within 1 / sqrt(inputs): what Kaiming's rule with a = sqrt(5) comes to. */
static void fill_uniform(struct th_rng *rng, struct tensor *x, int64_t inputs)
{
    TH_SCOPE(s);
    int64_t dims[2] = { th_size(x, 0), th_rank(x) == 2 ? th_size(x, 1) : 1 };
    double bound = 1 / sqrt((double)inputs);
    struct tensor *u = th_rand(rng, dims, th_rank(x), TH_F32, TH_CPU);
    th_copy_(x, th_add_s(th_mul_s(u, 2 * bound), -bound));
}

static int fill_like_pytorch(struct connector *c, uint64_t seed, struct err *e)
{
    struct th_rng *rng = th_rng_create(seed, e);
    if (!rng)
        return -1;
    fill_uniform(rng, c->first.w, c->in);
    fill_uniform(rng, c->first.b, c->in);
    fill_uniform(rng, c->second.w, c->out);
    fill_uniform(rng, c->second.b, c->out);
    th_rng_destroy(rng);
    return th_check(e);
}

struct connector *connector_create(int64_t in, int64_t out, const struct connector_options *o, uint64_t seed,
                                   struct err *e)
{
    if (in < 1 || out < 1)
        return FAIL_NULL(e, ERR_INPUT, "a connector from %lld to %lld channels cannot be", (long long)in,
                         (long long)out);
    AUTO(connector_destroy) struct connector *c = prepare(in, out, o, e);
    if (!c || params_fresh(c->params, seed, o->dtype, o->device, e) < 0 || fill_like_pytorch(c, seed, e) < 0)
        return NULL;
    return TAKE(c);
}

void connector_destroy(struct connector *c)
{
    if (!c)
        return;
    params_destroy(c->params);
    free(c);
}

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

/* The file of a directory that has the connector; the directory itself when it may be in a whole checkpoint. */
static int find_file(const char *path, char out[4096], struct err *e)
{
    static const char *const names[] = { "/mm_projector.safetensors", "/mm_projector.bin", "" };
    struct stat st;
    if (stat(path, &st) < 0 || strlen(path) > 4000)
        return FAIL(e, ERR_INPUT, "%.300s: cannot open: %s", path, strerror(errno));
    for (size_t i = S_ISDIR(st.st_mode) ? 0 : ARRAY_LEN(names) - 1; i < ARRAY_LEN(names); i++) {
        snprintf(out, 4096, "%s%s", path, names[i]);
        if (stat(out, &st) == 0)
            return 0;
    }
    return 0;
}

static int read_sizes(const struct weights *w, int64_t *in, int64_t *out, struct err *e)
{
    const struct st_tensor *first = weights_find(w, ROOT "0.weight");
    if (!first || first->rank != 2 || first->dims[0] < 1 || first->dims[1] < 1)
        return FAIL(e, ERR_INPUT, "%s: there is no matrix '" ROOT "0.weight': it holds no connector of two layers",
                    weights_path(w));
    *out = first->dims[0];
    *in = first->dims[1];
    return 0;
}

struct connector *connector_open(const char *path, const struct connector_options *o, struct err *e)
{
    char file[4096];
    int64_t in, out;
    if (find_file(path, file, e) < 0)
        return NULL;
    AUTO(weights_destroy) struct weights *w = weights_open(file, e);
    if (!w || read_sizes(w, &in, &out, e) < 0)
        return NULL;
    AUTO(connector_destroy) struct connector *c = prepare(in, out, o, e);
    if (!c || params_check(c->params, w, "a connector (mlp2x_gelu)", e) < 0 ||
        params_load(c->params, w, o->dtype, o->device, e) < 0)
        return NULL;
    return TAKE(c);
}

/* ---- writing --------------------------------------------------------------------------------------------------------
 */

static int write_bin(const struct connector *c, const char *path, enum th_dtype t, struct err *e)
{
    TH_SCOPE(s);
    struct torch_file_tensor list[TENSORS];
    int64_t dims[TENSORS][2];
    struct tensor *x;
    const char *name;
    size_t n = 0;
    for (size_t i = 0; n < TENSORS && (x = params_next(c->params, &i, &name)); n++) {
        x = th_contiguous(th_to_device(th_to(th_detach(x), t), TH_CPU));
        for (int k = 0; k < th_rank(x); k++)
            dims[n][k] = th_size(x, k);
        list[n] = (struct torch_file_tensor){ .name = name,
                                              .type = t,
                                              .dims = dims[n],
                                              .rank = th_rank(x),
                                              .data = th_data(x),
                                              .bytes = (size_t)th_bytes(x) };
    }
    TRY(th_check(e));
    return torch_file_write(path, list, n, e);
}

int connector_save(const struct connector *c, const char *dir, enum th_dtype t, struct err *e)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/mm_projector.safetensors", dir) >= (int)sizeof path)
        return FAIL(e, ERR_INPUT, "%.80s...: the path is too long", dir);
    TRY(params_save(c->params, path, t, e));
    snprintf(path, sizeof path, "%s/mm_projector.bin", dir);
    return write_bin(c, path, t, e);
}

/* ---- what it is, and what it does -----------------------------------------------------------------------------------
 */

int64_t connector_in(const struct connector *c)
{
    return c->in;
}

int64_t connector_out(const struct connector *c)
{
    return c->out;
}

struct params *connector_params(const struct connector *c)
{
    return c->params;
}

struct tensor *connector_forward(const struct connector *c, struct tensor *x)
{
    TH_SCOPE(s);
    struct tensor *h = th_gelu(linear_apply(&c->first, th_to(x, c->options.dtype)));
    return th_return(&s, linear_apply(&c->second, h));
}
