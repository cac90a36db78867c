/* What a batch has read so far, and what a pass adds to it.
 *
 * Column j of the cache is the same column for all rows: where row b had padding, its key in that column is never seen.
 * So rows of unequal length go on together, each at its own position. Keys are kept rotated, except under dynamic
 * scaling, where the rotation of all of them changes with every token. */
#include <stdlib.h>
#include <string.h>

#include "worker/model/llama_impl.h"
#include "worker/torch/th_train.h"

struct llama_cache {
    int64_t batch, capacity, used; /* rows, columns */
    int64_t layers;
    bool ragged;        /* some row has padding between its tokens */
    bool raw;           /* keys are not rotated yet */
    int64_t *lengths;   /* (B) tokens read */
    int64_t *positions; /* (B,capacity) of the token in that column; -1: padding */
    struct tensor **k, **v;
};

static int make_room(const struct llama *m, struct llama_cache *c, struct err *e)
{
    for (int64_t i = 0; i < c->layers; i++) {
        TH_SCOPE(s);
        const int64_t dims[] = { c->batch, m->config.kv_heads, c->capacity, m->config.head_dim };
        c->k[i] = th_keep(th_empty(dims, 4, m->options.dtype, m->options.device));
        c->v[i] = th_keep(th_empty(dims, 4, m->options.dtype, m->options.device));
    }
    return th_check(e);
}

int64_t llama_cache_bytes(const struct llama *m, int64_t batch, int64_t capacity)
{
    const struct llama_config *c = &m->config;
    return 2 * c->layers * batch * c->kv_heads * capacity * c->head_dim * (int64_t)th_dtype_size(m->options.dtype);
}

struct llama_cache *llama_cache_create(const struct llama *m, int64_t batch, int64_t capacity, struct err *e)
{
    AUTO(llama_cache_destroy) struct llama_cache *c = calloc(1, sizeof *c);
    if (batch < 1 || capacity < 1)
        return FAIL_NULL(e, ERR_BUG, "a cache for %lld rows of %lld tokens", (long long)batch, (long long)capacity);
    if (!c)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    *c = (struct llama_cache){ .batch = batch, .capacity = capacity, .layers = m->config.layers };
    c->raw = m->config.rope == LLAMA_ROPE_DYNAMIC;
    c->lengths = calloc((size_t)batch, sizeof *c->lengths);
    c->positions = calloc((size_t)batch, (size_t)capacity * sizeof *c->positions);
    c->k = calloc((size_t)c->layers, sizeof *c->k);
    c->v = calloc((size_t)c->layers, sizeof *c->v);
    if (!c->lengths || !c->positions || !c->k || !c->v)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return make_room(m, c, e) < 0 ? NULL : TAKE(c);
}

void llama_cache_destroy(struct llama_cache *c)
{
    if (!c)
        return;
    for (int64_t i = 0; i < c->layers; i++) {
        th_drop(c->k ? c->k[i] : NULL);
        th_drop(c->v ? c->v[i] : NULL);
    }
    free(c->k);
    free(c->v);
    free(c->lengths);
    free(c->positions);
    free(c);
}

void llama_cache_clear(struct llama_cache *c)
{
    memset(c->lengths, 0, (size_t)c->batch * sizeof *c->lengths);
    c->used = 0;
    c->ragged = false;
}

int64_t llama_cache_length(const struct llama_cache *c, int64_t b)
{
    return c->lengths[b];
}

int64_t llama_cache_room(const struct llama_cache *c)
{
    return c->capacity - c->used;
}

/* ---- a pass ---------------------------------------------------------------------------------------------------------
 */

static bool refuse(const char *why)
{
    TH_FAIL(ERR_BUG, "a decoder's pass: %s", why);
    return false;
}

static bool check_pass(struct tensor *x, struct llama_pass p)
{
    int64_t b = th_size(x, 0), n = th_size(x, 1);
    for (int64_t i = 0; p.lengths && i < b; i++)
        if (p.lengths[i] < 0 || p.lengths[i] > n)
            return refuse("a row's length is not from 0 to N");
    if (!p.cache)
        return true;
    if (p.cache->batch != b)
        return refuse("the cache is for another number of rows");
    if (n > llama_cache_room(p.cache))
        return refuse("there is no room left in the cache");
    if (th_grad_is_on() || p.recompute)
        return refuse("a cache and gradients exclude each other");
    return true;
}

/* Note the columns at .. at+n-1 as read. */
static void advance(struct llama_cache *c, const int64_t *lengths, int64_t n)
{
    for (int64_t b = 0; b < c->batch; b++) {
        int64_t count = lengths ? lengths[b] : n, *row = c->positions + b * c->capacity + c->used;
        for (int64_t i = 0; i < n; i++)
            row[i] = i < count ? c->lengths[b] + i : -1;
        c->lengths[b] += count;
        c->ragged |= count < n;
    }
    c->used += n;
}

/* Positions of the columns from .. from+n-1, (B,n); one row when all rows have the same. Padding gets 0. */
static struct rope rope_of_columns(const struct llama *m, const struct llama_cache *c, int64_t from, int64_t n)
{
    int64_t rows = c->ragged ? c->batch : 1;
    AUTO(free) int64_t *at = malloc((size_t)(rows * n) * sizeof *at);
    if (!at) {
        TH_FAIL(ERR_NOMEM, "out of memory");
        return (struct rope){ 0 };
    }
    for (int64_t i = 0; i < rows * n; i++) {
        int64_t position = c->positions[i / n * c->capacity + from + i % n];
        at[i] = position < 0 ? 0 : position;
    }
    return llama_rope_at(m, at, rows, n, c->used);
}

/* (B,1,N,M): query column at+i of row b sees key column j when that is no padding and not behind it. */
static struct tensor *ragged_mask(const struct llama *m, const struct llama_cache *c, int64_t at, int64_t n)
{
    int64_t all = c->used;
    AUTO(free) uint8_t *see = malloc((size_t)(c->batch * n * all));
    if (!see)
        return TH_FAIL(ERR_NOMEM, "out of memory");
    for (int64_t b = 0; b < c->batch; b++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < all; j++)
                see[(b * n + i) * all + j] = c->positions[b * c->capacity + j] >= 0 && j <= at + i;
    return th_to(th_from(see, TH_DIMS(c->batch, 1, n, all), TH_U8, m->options.device), TH_BOOL);
}

bool llama_reading_begin(const struct llama *m, struct tensor *x, struct llama_pass p, struct reading *out)
{
    *out = (struct reading){ .cache = p.cache, .n = th_size(x, 1) };
    if (!check_pass(x, p))
        return false;
    if (!p.cache) {
        out->queries = out->keys = llama_rope_plain(m, out->n);
        return !th_failed();
    }
    struct llama_cache *c = p.cache;
    out->at = c->used;
    advance(c, p.lengths, out->n);
    out->queries = rope_of_columns(m, c, out->at, out->n);
    out->keys = c->raw ? rope_of_columns(m, c, 0, c->used) : out->queries;
    if (c->ragged && out->at > 0) /* before that causality alone keeps padding out of sight */
        out->mask = ragged_mask(m, c, out->at, out->n);
    return !th_failed();
}

static struct tensor *rotate(struct tensor *k, struct rope r)
{
    return th_rope(k, r.cos, r.sin);
}

static struct tensor *remember(struct tensor *store, const struct reading *r, struct tensor *x)
{
    th_copy_(th_slice(store, 2, r->at, r->at + r->n), x);
    return th_slice(store, 2, 0, r->at + r->n);
}

void llama_reading_keys(const struct reading *r, int64_t i, struct tensor **k, struct tensor **v)
{
    struct llama_cache *c = r->cache;
    if (!c || !c->raw)
        *k = rotate(*k, r->keys);
    if (!c)
        return;
    *k = remember(c->k[i], r, *k);
    *v = remember(c->v[i], r, *v);
    if (c->raw)
        *k = rotate(*k, r->keys);
}
