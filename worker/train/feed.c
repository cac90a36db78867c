#include "worker/train/feed.h"

#include <stdlib.h>
#include <string.h>

#include "worker/data/decode_ahead.h"
#include "worker/text/sampler.h"

struct feed {
    struct feed_options o;
    int64_t a_chunk;   /* samples of a chunk */
    int64_t a_step;    /* samples of a step that this process has */
    int64_t a_epoch;   /* steps of an epoch */
    int64_t first;     /* epoch of orders[0] */
    size_t n_orders;
    uint32_t **orders; /* of each epoch, the data's numbers */
    struct decode_ahead *ahead;
    struct train_sample *ring; /* item i is at i % n_ring, which no other item takes while i is in use */
    size_t n_ring, read;
    size_t mismatches;
};

/* ---- order ----------------------------------------------------------------------------------------------------------
 */

static int make_order(struct feed *f, uint64_t epoch, uint32_t *order, struct err *e)
{
    const struct train_recipe *r = f->o.recipe;
    struct sampler_rules rules = {
        .seed = (uint64_t)r->seed, .epoch = epoch, .batch = (size_t)r->batch, .chunks = (size_t)r->chunks
    };
    if (r->sampler == TRAIN_GROUPED)
        return sampler_grouped(chat_set_lengths(f->o.data), f->o.n, &rules, order, e);
    sampler_random(f->o.n, rules.seed, epoch, order);
    return 0;
}

static int make_orders(struct feed *f, struct err *e)
{
    int64_t last = f->o.steps > f->o.from ? (f->o.steps - 1) / f->a_epoch : f->first;
    size_t n = (size_t)(last - f->first) + 1;
    if (!(f->orders = calloc(n, sizeof *f->orders)))
        return FAIL_NOMEM(e);
    for (; f->n_orders < n; f->n_orders++) {
        uint32_t *order = f->orders[f->n_orders] = calloc(f->o.n, sizeof *order);
        if (!order)
            return FAIL_NOMEM(e);
        if (make_order(f, (uint64_t)f->first + f->n_orders, order, e) < 0) {
            free(order);
            return -1;
        }
    }
    return 0;
}

size_t feed_index(const struct feed *f, int64_t step, int64_t place)
{
    const uint32_t *order = f->orders[step / f->a_epoch - f->first];
    return order[(size_t)(step % f->a_epoch * f->o.recipe->batch + place) % f->o.n];
}

/* The data's number of this process's item i. */
static size_t index_of(const struct feed *f, size_t i)
{
    int64_t step = f->o.from + (int64_t)i / f->a_step, at = (int64_t)i % f->a_step;
    int64_t chunk = at / f->a_chunk * f->o.size + f->o.rank;
    return feed_index(f, step, chunk * f->a_chunk + at % f->a_chunk);
}

/* ---- samples --------------------------------------------------------------------------------------------------------
 */

static void clear(struct train_sample *s)
{
    s->ids.n = s->labels.n = 0;
    image_free(&s->picture);
    s->picture = (struct image){ 0 };
    free(s->name);
    s->name = NULL;
    s->has_image = false;
}

static int read_picture(const struct feed *f, struct train_sample *s, struct err *e)
{
    char path[4096];
    if (!f->o.images)
        return 0;
    if (snprintf(path, sizeof path, "%s/%s", f->o.images, s->name) >= (int)sizeof path)
        return FAIL(e, ERR_INPUT, "%.100s: the path is too long", s->name);
    return image_load(path, &(struct image_options){ 0 }, &s->picture, e);
}

/* Item i; on a thread of decode_ahead, whose own block of numbers is not used. */
static int make(void *arg, size_t i, float *unused, struct err *e)
{
    struct feed *f = arg;
    struct train_sample *s = &f->ring[i % f->n_ring];
    AUTO(chat_sample_free) struct chat_sample chat = { 0 };
    struct conversation_rules rules = { .template = f->o.recipe->template == TRAIN_PLAIN ? CONVERSATION_PLAIN
                                                                                         : CONVERSATION_VICUNA_V1,
                                        .max_length = (size_t)f->o.recipe->max_length };
    *unused = 0;
    clear(s);
    TRY(chat_set_read(f->o.data, index_of(f, i), &chat, e));
    if (chat.image && !(s->name = strdup(chat.image)))
        return FAIL_NOMEM(e);
    if (conversation_encode(f->o.tokenizer, &rules, chat.turns, chat.n_turns, chat.image != NULL, &s->ids, &s->labels,
                            &s->info, e) < 0)
        return err_wrap(e, "sample %zu of the training data", index_of(f, i));
    s->has_image = s->info.images > 0;
    return s->has_image ? read_picture(f, s, e) : 0;
}

/* ---- opening, reading -----------------------------------------------------------------------------------------------
 */

static int start(struct feed *f, struct err *e)
{
    size_t n = f->o.steps > f->o.from ? (size_t)((f->o.steps - f->o.from) * f->a_step) : 0;
    size_t most = (size_t)(f->o.most ? f->o.most : f->a_chunk), some = 4 * (size_t)f->o.threads;
    size_t ahead = most > some ? most : some;
    struct decode_ahead_job job = {
        .n = n, .floats = 1, .make = make, .arg = f, .threads = f->o.threads, .ahead = ahead
    };
    /* An item begins when the one `ahead` before it was taken; at most as many are in use meanwhile. */
    f->n_ring = 2 * ahead;
    if (!(f->ring = calloc(f->n_ring, sizeof *f->ring)))
        return FAIL_NOMEM(e);
    f->ahead = decode_ahead_start(&job, e);
    return f->ahead ? 0 : -1;
}

struct feed *feed_open(const struct feed_options *o, struct err *e)
{
    AUTO(feed_close) struct feed *f = calloc(1, sizeof *f);
    if (!f)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    const struct train_recipe *r = o->recipe;
    f->o = *o;
    f->a_chunk = r->batch / r->chunks;
    f->a_step = f->a_chunk * ((r->chunks - o->rank + o->size - 1) / o->size);
    f->a_epoch = ((int64_t)o->n + r->batch - 1) / r->batch;
    f->first = o->from / f->a_epoch;
    if (make_orders(f, e) < 0 || start(f, e) < 0)
        return NULL;
    return TAKE(f);
}

void feed_close(struct feed *f)
{
    if (!f)
        return;
    decode_ahead_stop(f->ahead);
    for (size_t i = 0; i < f->n_orders; i++)
        free(f->orders[i]);
    free(f->orders);
    for (size_t i = 0; i < f->n_ring && f->ring; i++) {
        clear(&f->ring[i]);
        ids_free(&f->ring[i].ids);
        ids_free(&f->ring[i].labels);
    }
    free(f->ring);
    free(f);
}

int feed_next(struct feed *f, int64_t n, const struct train_sample **list, struct err *e)
{
    if ((size_t)n > f->n_ring / 2)
        return FAIL(e, ERR_BUG, "%lld samples at a time are too many", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        size_t got = 0;
        float unused;
        TRY(decode_ahead_read(f->ahead, &unused, 1, &got, e));
        if (got == 0)
            return FAIL(e, ERR_BUG, "there are no more samples");
        list[i] = &f->ring[f->read++ % f->n_ring];
        f->mismatches += list[i]->info.mismatch;
    }
    return 0;
}

size_t feed_mismatches(const struct feed *f)
{
    return f->mismatches;
}
