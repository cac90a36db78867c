/* Declared parameters become tensors. */
#include "worker/model/params_impl.h"

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
