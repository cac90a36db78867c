#include "worker/extract/extractor.h"

#include <stdlib.h>
#include <string.h>

#include "worker/data/decode_ahead.h"
#include "worker/data/image_feed.h"

struct extractor {
    struct extract_options o;
    struct vit *model;
    struct preprocess preprocess;
    struct extract_shape shape;
};

int extract_geometry_parse(const char *name, enum extract_geometry *out, struct err *e)
{
    static const char *const names[] = { "own", "letterbox", "stretch_mismatch", "stretch_both" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum extract_geometry)i;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "no geometry is called '%.40s'; there are own, letterbox, stretch_mismatch, stretch_both",
                name);
}

/* ---- opening -------------------------------------------------------------------------------------------------------
 */

static int open_preprocess(struct extractor *x, struct err *e)
{
    const struct extract_options *o = &x->o;
    uint32_t own = (uint32_t)vit_config(x->model)->image;
    struct preprocess_options p = { .size = o->resolution, .half = o->geometry == EXTRACT_STRETCH_MISMATCH };
    p.pad = o->pad && o->geometry == EXTRACT_OWN;
    if (o->geometry != EXTRACT_OWN) {
        p.geometry = o->geometry == EXTRACT_LETTERBOX ? PREPROCESS_LETTERBOX : PREPROCESS_STRETCH;
        p.size = o->resolution ? o->resolution : own;
    }
    char path[4096];
    if (snprintf(path, sizeof path, "%s/preprocessor_config.json", o->checkpoint) >= (int)sizeof path)
        return FAIL(e, ERR_INPUT, "the path of the checkpoint is longer than %zu bytes", sizeof path);
    return preprocess_load(path, &p, &x->preprocess, e);
}

static int find_shape(struct extractor *x, struct err *e)
{
    uint32_t width, height;
    int64_t patch = vit_config(x->model)->patch;
    preprocess_output(&x->preprocess, &width, &height);
    if (width != height)
        return FAIL(e, ERR_INPUT, "%s: pictures become %u x %u, but an encoder here takes squares", x->o.checkpoint,
                    width, height);
    if (width < (uint32_t)patch)
        return FAIL(e, ERR_INPUT,
                    "%s: pictures of %u pixels are smaller than a patch of %lld; ask for a larger resolution",
                    x->o.checkpoint, width, (long long)patch);
    x->shape = (struct extract_shape){ .tokens = vit_tokens(x->model, height, width),
                                       .channels = vit_config(x->model)->width,
                                       .grid = height / patch,
                                       .dtype = x->o.dtype };
    return 0;
}

struct extractor *extractor_open(const struct extract_options *o, struct err *e)
{
    AUTO(extractor_close) struct extractor *x = calloc(1, sizeof *x);
    if (!x)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    x->o = *o;
    x->o.batch = o->batch > 0 ? o->batch : 8;
    if (!(x->o.checkpoint = strdup(o->checkpoint)))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    struct vit_options v = { .dtype = o->compute,
                             .device = o->device,
                             .layer = o->layer,
                             .final_norm = o->final_norm,
                             .all_tokens = o->all_tokens,
                             .positions = o->positions };
    x->model = vit_open(o->checkpoint, &v, e);
    if (!x->model || open_preprocess(x, e) < 0 || find_shape(x, e) < 0)
        return NULL;
    return TAKE(x);
}

void extractor_close(struct extractor *x)
{
    if (!x)
        return;
    vit_destroy(x->model);
    free((char *)x->o.checkpoint);
    free(x);
}

struct extract_shape extractor_shape(const struct extractor *x)
{
    return x->shape;
}

size_t extractor_bytes(const struct extractor *x)
{
    return (size_t)(x->shape.tokens * x->shape.channels) * th_dtype_size(x->shape.dtype);
}

/* ---- computing ------------------------------------------------------------------------------------------------------
 */

struct run {
    const struct extractor *x;
    float *pixels;  /* [batch][3][H][W] */
    char *features; /* [batch][tokens][channels] of the wanted dtype */
    size_t image;   /* of the set: the next to be taken */
};

/* pixels [n][3][H][W] -> (n,N,D) */
static struct tensor *encode(const struct extractor *x, float *pixels, size_t n)
{
    TH_SCOPE(s);
    uint32_t width, height;
    preprocess_output(&x->preprocess, &width, &height);
    struct tensor *in = th_wrap(pixels, TH_DIMS((int64_t)n, 3, height, width), TH_F32, NULL, NULL);
    struct tensor *tokens = vit_forward(x->model, th_to(th_to_device(in, x->o.device), x->o.compute));
    if (tokens && !th_is_shape(tokens, TH_DIMS((int64_t)n, x->shape.tokens, x->shape.channels)))
        return TH_FAIL(ERR_BUG, "%s: the model gave other tokens than announced", x->o.checkpoint);
    return th_return(&s, th_to(tokens, x->shape.dtype));
}

/* n pictures' features in r->features. */
static int forward(struct run *r, size_t n, struct err *e)
{
    TH_SCOPE(s);
    const struct extract_shape *shape = &r->x->shape;
    th_read(encode(r->x, r->pixels, n), shape->dtype, r->features, (int64_t)n * shape->tokens * shape->channels);
    return th_check(e);
}

static int one_batch(struct run *r, struct decode_ahead *ahead, size_t *got, extract_take_fn *take, void *arg,
                     struct err *e)
{
    size_t bytes = extractor_bytes(r->x);
    TRY(decode_ahead_read(ahead, r->pixels, (size_t)r->x->o.batch, got, e));
    if (!*got)
        return 0;
    TRY(forward(r, *got, e));
    for (size_t i = 0; i < *got; i++)
        TRY(take(arg, r->image + i, r->features + i * bytes, e));
    r->image += *got;
    return 0;
}

int extractor_run(const struct extractor *x, const struct image_set *set, size_t first, size_t count,
                  extract_take_fn *take, void *arg, struct err *e)
{
    size_t batch = (size_t)x->o.batch, floats = preprocess_floats(&x->preprocess);
    AUTO(free) float *pixels = malloc(batch * floats * sizeof *pixels);
    AUTO(free) char *features = malloc(batch * extractor_bytes(x));
    if (!pixels || !features)
        return FAIL_NOMEM(e);
    struct image_feed feed = { .set = set, .first = first, .preprocess = &x->preprocess, .options = x->o.images };
    struct decode_ahead_job job = {
        .n = count, .floats = floats, .make = image_feed_make, .arg = &feed, .threads = x->o.threads, .ahead = 2 * batch
    };
    AUTO(decode_ahead_stop) struct decode_ahead *ahead = decode_ahead_start(&job, e);
    if (!ahead)
        return -1;
    struct run r = { .x = x, .pixels = pixels, .features = features, .image = first };
    for (size_t got = 1; got;)
        TRY(one_batch(&r, ahead, &got, take, arg, e));
    return 0;
}

/* ---- pictures in memory ---------------------------------------------------------------------------------------------
 */

static struct tensor *encode_pictures(const struct extractor *x, const struct image *pictures, size_t n, float *pixels,
                                      struct err *e)
{
    size_t floats = preprocess_floats(&x->preprocess);
    for (size_t i = 0; i < n; i++)
        if (preprocess_apply(&x->preprocess, &pictures[i], pixels + i * floats, e) < 0)
            return NULL;
    return encode(x, pixels, n);
}

struct tensor *extractor_pictures(const struct extractor *x, const struct image *pictures, size_t n, struct err *e)
{
    TH_SCOPE(s);
    const struct extract_shape *shape = &x->shape;
    size_t batch = n < (size_t)x->o.batch ? n : (size_t)x->o.batch;
    AUTO(free) float *pixels = malloc((batch + 1) * preprocess_floats(&x->preprocess) * sizeof *pixels);
    if (!pixels)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    const int64_t dims[] = { (int64_t)n, shape->tokens, shape->channels };
    struct tensor *all = th_empty(dims, 3, shape->dtype, x->o.device);
    for (size_t at = 0, count; at < n; at += count) {
        TH_SCOPE(turn);
        count = n - at < batch ? n - at : batch;
        struct tensor *tokens = encode_pictures(x, pictures + at, count, pixels, e);
        if (!tokens && !th_failed())
            return NULL;
        th_copy_(th_slice(all, 0, (int64_t)at, (int64_t)(at + count)), tokens);
    }
    return th_check(e) < 0 ? NULL : th_return(&s, all);
}
