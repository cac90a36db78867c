#include "worker/benchmark/sample.h"

#include <string.h>

#include "common/map.h"

struct stream {
    uint64_t state;
};

static uint64_t next(struct stream *s)
{
    uint64_t z = s->state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Uniform in 0..n-1: what lies above the greatest multiple of n is drawn again. */
static size_t below(struct stream *s, uint64_t n)
{
    uint64_t most = UINT64_MAX - (UINT64_MAX % n + 1) % n, x;
    do
        x = next(s);
    while (x > most);
    return (size_t)(x % n);
}

static int fail_none(const struct question_set *s, struct err *e)
{
    return FAIL(e, ERR_INPUT, "%s: no question has a picture; the A score needs some", question_set_name(s));
}

/* The first question of each different first picture. */
static int list_pictures(const struct question_set *s, size_t *list, size_t *n, struct err *e)
{
    struct map seen = { 0 };
    int rc = 0;
    *n = 0;
    for (size_t i = 0; i < question_set_count(s) && rc == 0; i++) {
        const struct question *q = question_set_at(s, i);
        if (q->n_images == 0 || map_get(&seen, q->images[0], strlen(q->images[0])))
            continue;
        rc = map_put(&seen, q->images[0], strlen(q->images[0]), (void *)q, e);
        list[(*n)++] = i;
    }
    map_free(&seen);
    return rc;
}

int sample_random(const struct question_set *s, size_t n, uint64_t seed, size_t *out, size_t *count, struct err *e)
{
    AUTO(free) size_t *list = malloc(question_set_count(s) * sizeof *list);
    size_t all = 0;
    if (!list)
        return FAIL_NOMEM(e);
    TRY(list_pictures(s, list, &all, e));
    if (all == 0)
        return fail_none(s, e);
    struct stream random = { seed };
    *count = n < all ? n : all;
    for (size_t i = 0; i < *count; i++) {
        size_t k = i + below(&random, all - i), picked = list[k];
        list[k] = list[i];
        out[i] = picked;
    }
    return 0;
}

struct request {
    size_t question, length;
    const char *prompt;
};

static int by_length(const void *a, const void *b)
{
    const struct request *x = a, *y = b;
    int by_text = strcmp(x->prompt, y->prompt);
    if (x->length != y->length)
        return x->length > y->length ? -1 : 1;
    return by_text ? by_text : x->question < y->question ? -1 : 1;
}

int sample_longest(const struct question_set *s, const size_t *lengths, const char *const *prompts, size_t n,
                   size_t *out, size_t *count, struct err *e)
{
    AUTO(free) struct request *list = malloc(question_set_count(s) * sizeof *list);
    size_t all = 0;
    if (!list)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < question_set_count(s); i++)
        if (question_set_at(s, i)->n_images)
            list[all++] = (struct request){ i, lengths[i], prompts[i] };
    if (all == 0)
        return fail_none(s, e);
    qsort(list, all, sizeof *list, by_length);
    *count = n < all ? n : all;
    for (size_t i = 0; i < *count; i++)
        out[i] = list[i].question;
    return 0;
}
