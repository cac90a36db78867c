#include "worker/extract/representation.h"

#include <stdlib.h>
#include <string.h>

#include "worker/extract/feature_table.h"

struct member {
    char *name;
    struct extractor *encoder; /* or */
    struct feature_table *features;
    int64_t grid, channels;
};

struct representation {
    struct member *members;
    size_t n;
    struct representation_shape shape;
    struct th_device device;
};

/* ---- opening --------------------------------------------------------------------------------------------------------
 */

static int open_encoder(struct member *m, const struct representation_options *o, const struct extract_options *own,
                        struct err *e)
{
    struct extract_options options = *own;
    options.dtype = o->dtype;
    options.device = o->device;
    options.batch = o->batch;
    if (own->all_tokens)
        return FAIL(e, ERR_INPUT, "class and register tokens have no place on a grid; leave all_tokens out");
    if (!(m->encoder = extractor_open(&options, e)))
        return -1;
    m->grid = extractor_shape(m->encoder).grid;
    m->channels = extractor_shape(m->encoder).channels;
    return 0;
}

static int open_features(struct member *m, const struct representation_member *own, struct err *e)
{
    if (!(m->features = feature_table_open(own->features, own->n_features, e)))
        return -1;
    struct feature_shape shape = feature_table_shape(m->features);
    m->grid = shape.grid;
    m->channels = shape.channels;
    if (shape.tokens == shape.grid * shape.grid)
        return 0;
    return FAIL(e, ERR_INPUT,
                "its features have %lld tokens, which are no grid of %lld x %lld: extract them again "
                "without class and register tokens",
                (long long)shape.tokens, (long long)shape.grid, (long long)shape.grid);
}

static int open_member(struct member *m, const struct representation_options *o,
                       const struct representation_member *own, struct err *e)
{
    const char *name = own->name ? own->name : own->encoder.checkpoint ? own->encoder.checkpoint : own->features[0];
    if (!(m->name = strdup(name)))
        return FAIL_NOMEM(e);
    int rc = own->n_features ? open_features(m, own, e) : open_encoder(m, o, &own->encoder, e);
    return rc < 0 ? err_wrap(e, "member '%.200s'", m->name) : 0;
}

/* The grid is the one asked for or the finest. */
static void find_shape(struct representation *r, const struct representation_options *o)
{
    int64_t grid = o->grid, channels = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct member *m = &r->members[i];
        channels += m->channels;
        if (o->grid == 0 && m->grid > grid)
            grid = m->grid;
    }
    r->shape =
        (struct representation_shape){ .tokens = grid * grid, .channels = channels, .grid = grid, .dtype = o->dtype };
}

struct representation *representation_open(const struct representation_options *o, struct err *e)
{
    AUTO(representation_close) struct representation *r = calloc(1, sizeof *r);
    if (!r || !(r->members = calloc(o->n + 1, sizeof *r->members)))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (o->n < 1 || o->grid < 0)
        return FAIL_NULL(e, ERR_INPUT, "a representation has at least one encoder, and a grid of at least 1 x 1");
    r->device = o->device;
    for (; r->n < o->n; r->n++)
        if (open_member(&r->members[r->n], o, &o->members[r->n], e) < 0) {
            r->n++; /* what is open of it is closed too */
            return NULL;
        }
    find_shape(r, o);
    return TAKE(r);
}

void representation_close(struct representation *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++) {
        extractor_close(r->members[i].encoder);
        feature_table_close(r->members[i].features);
        free(r->members[i].name);
    }
    free(r->members);
    free(r);
}

struct representation_shape representation_shape(const struct representation *r)
{
    return r->shape;
}

/* ---- combining ------------------------------------------------------------------------------------------------------
 */

/* x (B,g*g,d) -> (B,grid*grid,d) */
static struct tensor *on_grid(struct tensor *x, int64_t grid, enum th_dtype t)
{
    TH_SCOPE(s);
    int64_t b = th_size(x, 0), g = 1, d = th_size(x, 2);
    while (g * g < th_size(x, 1))
        g++;
    if (g == grid)
        return th_return(&s, th_to(x, t));
    struct tensor *map = th_reshape(th_transpose(th_to(x, TH_F32), 1, 2), TH_DIMS(b, d, g, g));
    /* the strides of a view would choose another kernel, which rounds in another way */
    map = th_resize(th_contiguous(map), (struct th_resize_to){ .mode = TH_BILINEAR, .h = grid, .w = grid });
    return th_return(&s, th_to(th_transpose(th_flatten(map, 2, 3), 1, 2), t));
}

struct tensor *representation_combine(struct tensor *const *parts, size_t n, int64_t grid, enum th_dtype t)
{
    TH_SCOPE(s);
    struct tensor *all = NULL;
    for (size_t i = 0; i < n; i++) {
        struct tensor *part = on_grid(parts[i], grid, t);
        all = i == 0 ? part : th_cat(TH_LIST(all, part), 2);
    }
    return th_return(&s, th_contiguous(all));
}

/* What each member makes of the n pictures that `arg` names. */
typedef struct tensor *member_fn(const struct member *m, const void *arg, size_t n, struct err *e);

static struct tensor *combine_members(const struct representation *r, member_fn *f, const void *arg, size_t n,
                                      struct err *e)
{
    TH_SCOPE(s);
    AUTO(free) struct tensor **parts = calloc(r->n, sizeof *parts);
    if (!parts)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (n < 1)
        return FAIL_NULL(e, ERR_BUG, "features of no picture");
    for (size_t i = 0; i < r->n; i++) {
        struct tensor *x = f(&r->members[i], arg, n, e);
        if (!x)
            return NULL;
        parts[i] = th_to(th_to_device(x, r->device), r->shape.dtype);
    }
    struct tensor *all = representation_combine(parts, r->n, r->shape.grid, r->shape.dtype);
    return th_check(e) < 0 ? NULL : th_return(&s, all);
}

/* ---- from pictures --------------------------------------------------------------------------------------------------
 */

/* The same pictures, as the members want them. */
struct sources {
    const struct image *pictures;
    const char *const *names;
};

static struct tensor *encode_or_look_up(const struct member *m, const void *arg, size_t n, struct err *e)
{
    const struct sources *from = arg;
    if (m->encoder ? !from->pictures : !from->names)
        return FAIL_NULL(e, ERR_BUG, "member '%.100s' reads %s", m->name,
                         m->encoder ? "pictures, not stored features" : "stored features, not pictures");
    return m->encoder ? extractor_pictures(m->encoder, from->pictures, n, e)
                      : feature_table_read(m->features, from->names, n, e);
}

struct tensor *representation_mixed(const struct representation *r, const struct image *pictures,
                                    const char *const *names, size_t n, struct err *e)
{
    struct sources from = { pictures, names };
    return combine_members(r, encode_or_look_up, &from, n, e);
}

bool representation_needs_pictures(const struct representation *r)
{
    bool needed = false;
    for (size_t i = 0; i < r->n; i++)
        needed = needed || r->members[i].encoder;
    return needed;
}

struct tensor *representation_pictures(const struct representation *r, const struct image *pictures, size_t n,
                                       struct err *e)
{
    return representation_mixed(r, pictures, NULL, n, e);
}

struct tensor *representation_files(const struct representation *r, const char *const *paths, size_t n, struct err *e)
{
    AUTO(free) struct image *pictures = calloc(n + 1, sizeof *pictures);
    if (!pictures)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    size_t loaded = 0;
    while (loaded < n && image_load(paths[loaded], &(struct image_options){ 0 }, &pictures[loaded], e) == 0)
        loaded++;
    struct tensor *x = loaded == n ? representation_pictures(r, pictures, n, e) : NULL;
    for (size_t i = 0; i < loaded; i++)
        image_free(&pictures[i]);
    return x;
}

/* ---- from files -----------------------------------------------------------------------------------------------------
 */

struct tensor *representation_stored(const struct representation *r, const char *const *names, size_t n, struct err *e)
{
    return representation_mixed(r, NULL, names, n, e);
}
