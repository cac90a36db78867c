#include "worker/text/sampler.h"

#include <stdbool.h>
#include <string.h>

/* ---- random numbers -----------------------------------------------------------------------------------------------
 */

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 to bound - 1, each as likely (Lemire 2019). */
static uint32_t below(uint64_t *state, uint32_t bound)
{
    uint64_t product = (next(state) >> 32) * bound;
    uint32_t least = (uint32_t)-bound % bound;
    while ((uint32_t)product < least)
        product = (next(state) >> 32) * bound;
    return (uint32_t)(product >> 32);
}

static void shuffle(uint32_t *v, size_t n, uint64_t *state)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = below(state, (uint32_t)i);
        uint32_t x = v[i - 1];
        v[i - 1] = v[j];
        v[j] = x;
    }
}

static uint64_t start(uint64_t seed, uint64_t epoch)
{
    return seed + (epoch << 32);
}

void sampler_random(size_t n, uint64_t seed, uint64_t epoch, uint32_t *order)
{
    uint64_t state = start(seed, epoch);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    shuffle(order, n, &state);
}

/* ---- grouped by length --------------------------------------------------------------------------------------------
 */

struct item {
    uint32_t index;
    uint32_t length;
    size_t place; /* in the shuffled order: equal lengths keep it */
};

static int longest_first(const void *pa, const void *pb)
{
    const struct item *a = pa, *b = pb;
    if (a->length != b->length)
        return a->length > b->length ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Working memory for one batch. */
struct dealing {
    struct item *items;
    uint64_t *total; /* of a chunk; UINT64_MAX: full */
    uint32_t *chunk; /* batch entries, chunk by chunk */
    size_t *filled;
    size_t chunks;
};

static void dealing_free_cleanup(struct dealing *d)
{
    free(d->items);
    free(d->total);
    free(d->chunk);
    free(d->filled);
}

static int dealing_make(struct dealing *d, size_t batch, size_t chunks, struct err *e)
{
    d->items = calloc(batch, sizeof *d->items);
    d->total = calloc(chunks, sizeof *d->total);
    d->chunk = calloc(batch, sizeof *d->chunk);
    d->filled = calloc(chunks, sizeof *d->filled);
    d->chunks = chunks;
    return d->items && d->total && d->chunk && d->filled ? 0 : FAIL_NOMEM(e);
}

/* split_to_even_chunks: each item to the chunk with the least so far; a batch that does not divide, in turn. */
static void deal(struct dealing *d, size_t n)
{
    bool even = n % d->chunks == 0;
    size_t each = n / d->chunks, at = 0;
    memset(d->total, 0, d->chunks * sizeof *d->total);
    memset(d->filled, 0, d->chunks * sizeof *d->filled);
    for (size_t c = 0; !even && c < d->chunks; c++)
        for (size_t i = c; i < n; i += d->chunks)
            d->chunk[at++] = d->items[i].index;
    for (size_t i = 0; even && i < n; i++) {
        size_t least = 0;
        for (size_t c = 1; c < d->chunks; c++)
            if (d->total[c] < d->total[least])
                least = c;
        d->chunk[least * each + d->filled[least]++] = d->items[i].index;
        d->total[least] = d->filled[least] == each ? UINT64_MAX : d->total[least] + d->items[i].length;
    }
}

/* The indices of one modality in v: permuted, and each batch of them sorted and dealt. */
static int group(uint32_t *v, size_t n, const int32_t *lengths, const struct sampler_rules *rules, uint64_t *state,
                 struct err *e)
{
    AUTO(dealing_free) struct dealing d = { 0 };
    TRY(dealing_make(&d, rules->batch, rules->chunks, e));
    shuffle(v, n, state);
    for (size_t from = 0; from < n; from += rules->batch) {
        size_t count = n - from < rules->batch ? n - from : rules->batch;
        for (size_t i = 0; i < count; i++) {
            int64_t length = lengths[v[from + i]];
            d.items[i] = (struct item){ v[from + i], (uint32_t)(length < 0 ? -length : length), i };
        }
        qsort(d.items, count, sizeof *d.items, longest_first);
        deal(&d, count);
        memcpy(v + from, d.chunk, count * sizeof *v);
    }
    return 0;
}

static int check(const int32_t *lengths, size_t n, const struct sampler_rules *rules, struct err *e)
{
    if (!rules->batch || !rules->chunks || rules->batch % rules->chunks)
        return FAIL(e, ERR_INPUT, "a batch of %zu samples cannot be dealt into %zu chunks of the same number",
                    rules->batch, rules->chunks);
    for (size_t i = 0; i < n; i++)
        if (lengths[i] == 0)
            return FAIL(e, ERR_INPUT, "sample %zu has the length 0", i);
    return n > UINT32_MAX ? FAIL(e, ERR_INPUT, "over %u samples", UINT32_MAX) : 0;
}

/* Where the last batch of a modality begins: it may be a whole one, and is set apart all the same. */
static size_t last_batch(size_t n, size_t batch)
{
    return n ? (n - 1) / batch * batch : 0;
}

/* The whole batches of both in random order; what remains of both is a batch that goes first, and the rest last. */
static void arrange(const uint32_t *images, size_t n_images, const uint32_t *texts, size_t n_texts, size_t batch,
                    uint32_t *places, uint32_t *mixed, uint64_t *state, uint32_t *order)
{
    size_t last_image = last_batch(n_images, batch), last_text = last_batch(n_texts, batch);
    size_t whole_images = last_image / batch, whole = whole_images + last_text / batch, at = 0;
    size_t n_mixed = n_images - last_image;
    memcpy(mixed, images + last_image, n_mixed * sizeof *mixed);
    memcpy(mixed + n_mixed, texts + last_text, (n_texts - last_text) * sizeof *mixed);
    n_mixed += n_texts - last_text;
    size_t front = n_mixed >= batch ? batch : 0;
    memcpy(order, mixed, front * sizeof *order);
    at = front;
    for (size_t i = 0; i < whole; i++)
        places[i] = (uint32_t)i;
    shuffle(places, whole, state);
    for (size_t i = 0; i < whole; i++, at += batch) {
        size_t b = places[i];
        const uint32_t *from = b < whole_images ? images + b * batch : texts + (b - whole_images) * batch;
        memcpy(order + at, from, batch * sizeof *order);
    }
    memcpy(order + at, mixed + front, (n_mixed - front) * sizeof *order);
}

int sampler_grouped(const int32_t *lengths, size_t n, const struct sampler_rules *rules, uint32_t *order, struct err *e)
{
    size_t n_images = 0, n_texts = 0;
    uint64_t state = start(rules->seed, rules->epoch);
    TRY(check(lengths, n, rules, e));
    AUTO(free)
    uint32_t *v = malloc((n + 1) * sizeof *v), *mixed = malloc(2 * rules->batch * sizeof *mixed),
             *places = malloc((n + 1) * sizeof *places);
    if (!v || !mixed || !places)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        n_images += lengths[i] > 0;
    uint32_t *images = v, *texts = v + n_images;
    n_images = 0;
    for (size_t i = 0; i < n; i++)
        *(lengths[i] > 0 ? &images[n_images++] : &texts[n_texts++]) = (uint32_t)i;
    TRY(group(images, n_images, lengths, rules, &state, e));
    TRY(group(texts, n_texts, lengths, rules, &state, e));
    if (n_images && n_texts)
        arrange(images, n_images, texts, n_texts, rules->batch, places, mixed, &state, order);
    else if (n)
        memcpy(order, v, n * sizeof *order);
    return 0;
}
