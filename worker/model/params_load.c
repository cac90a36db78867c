/* Declared parameters become tensors, and files again. */
#include "worker/model/params_impl.h"
#include "worker/torch/th_train.h"

#define FRESH_DEVIATION 0.02

/* Let go of what an earlier load put there. */
static void drop_all(struct params *p)
{
    for (size_t i = 0; i < p->n; i++)
        th_drop(TAKE(p->items[i].loaded));
}

/* Keep what `make` makes for every slot; all of them, or none. */
static int fill(struct params *p, struct tensor *(*make)(const struct param *item, void *arg), void *arg, struct err *e)
{
    TRY(params_declared(p, e));
    drop_all(p);
    p->drop_all = drop_all;
    for (size_t i = 0; i < p->n && !th_failed(); i++) {
        struct param *item = &p->items[i];
        if (!item->slot)
            continue;
        TH_SCOPE(s);
        *item->slot = item->loaded = th_keep(make(item, arg));
    }
    return th_check(e);
}

/* ---- from a checkpoint ----------------------------------------------------------------------------------------------
 */

struct source {
    const struct weights *weights;
    enum th_dtype dtype;
    struct th_device device;
};

static struct tensor *load_one(const struct param *item, void *arg)
{
    const struct source *from = arg;
    return weights_load(from->weights, item->name, item->dims, item->rank, from->dtype, from->device);
}

int params_load(struct params *p, const struct weights *w, enum th_dtype t, struct th_device d, struct err *e)
{
    struct source from = { w, t, d };
    return fill(p, load_one, &from, e);
}

/* ---- at random ------------------------------------------------------------------------------------------------------
 */

struct fresh {
    struct th_rng *rng;
    enum th_dtype dtype;
    struct th_device device;
};

static struct tensor *make_fresh(const struct param *item, void *arg)
{
    struct fresh *f = arg;
    switch (item->kind) {
    case PARAM_WEIGHT:
        return th_to(th_mul_s_(th_randn(f->rng, item->dims, item->rank, TH_F32, f->device), FRESH_DEVIATION), f->dtype);
    case PARAM_BIAS:
        return th_zeros(item->dims, item->rank, f->dtype, f->device);
    case PARAM_GAIN:
        return th_ones(item->dims, item->rank, f->dtype, f->device);
    }
    return TH_FAIL(ERR_BUG, "'%s' is of no known kind", item->name);
}

int params_fresh(struct params *p, uint64_t seed, enum th_dtype t, struct th_device d, struct err *e)
{
    struct fresh f = { th_rng_create(seed, e), t, d };
    if (!f.rng)
        return -1;
    int rc = fill(p, make_fresh, &f, e);
    th_rng_destroy(f.rng);
    return rc;
}

/* ---- training, saving -----------------------------------------------------------------------------------------------
 */

int params_train(struct params *p, const char *pattern, bool on, struct err *e)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i].loaded && param_matches(pattern, p->items[i].name + p->root)) {
            th_requires_grad_(p->items[i].loaded, on);
            n++;
        }
    TRY(th_check(e));
    return n ? 0 : FAIL(e, ERR_BUG, "no parameter is called '%s'", pattern);
}

static int put(struct st_writer *w, const struct param *item, enum th_dtype t, struct err *e)
{
    TH_SCOPE(s);
    struct tensor *x = th_contiguous(th_to_device(th_to(th_detach(item->loaded), t), TH_CPU));
    void *data = th_data(x);
    TRY(th_check(e));
    return st_writer_put(w, item->name, data, (size_t)th_bytes(x), e);
}

int params_save(const struct params *p, const char *path, enum th_dtype t, struct err *e)
{
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(path, e);
    if (!w)
        return -1;
    TRY(st_writer_metadata(w, "format", "pt", e)); /* transformers wants to be told */
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i].loaded)
            TRY(st_writer_declare(w, p->items[i].name, t, p->items[i].dims, p->items[i].rank, e));
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i].loaded)
            TRY(put(w, &p->items[i], t, e));
    return st_writer_commit(w, e);
}
