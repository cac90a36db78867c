#include "common/map.h"

#include <string.h>

/* FNV-1a, then a finaliser: keys are ids and names of our own making, so no seed is needed. */
static uint32_t hash_of(const void *key, size_t len)
{
    const unsigned char *p = key;
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(1099511628211);
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(h >> 32);
}

void map_free(struct map *m)
{
    free(m->slots);
    *m = (struct map){ 0 };
}

static struct map_slot *find(const struct map *m, const void *key, size_t len, uint32_t hash)
{
    size_t mask = m->cap - 1, i = hash & mask;
    while (m->slots[i].value) {
        struct map_slot *s = &m->slots[i];
        if (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0)
            return s;
        i = (i + 1) & mask;
    }
    return &m->slots[i];
}

void *map_get(const struct map *m, const void *key, size_t len)
{
    return m->cap ? find(m, key, len, hash_of(key, len))->value : NULL;
}

static int grow(struct map *m, struct err *e)
{
    struct map bigger = { .cap = m->cap ? 2 * m->cap : 64, .n = m->n };
    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].value)
            *find(&bigger, m->slots[i].key, m->slots[i].len, m->slots[i].hash) = m->slots[i];
    free(m->slots);
    *m = bigger;
    return 0;
}

int map_put(struct map *m, const void *key, size_t len, void *value, struct err *e)
{
    if (m->n + m->n / 2 >= m->cap)
        TRY(grow(m, e));
    uint32_t hash = hash_of(key, len);
    struct map_slot *s = find(m, key, len, hash);
    if (!s->value)
        m->n++;
    *s = (struct map_slot){ .key = key, .len = (uint32_t)len, .hash = hash, .value = value };
    return 0;
}

void *map_remove(struct map *m, const void *key, size_t len)
{
    struct map_slot *s = m->cap ? find(m, key, len, hash_of(key, len)) : NULL;
    if (!s || !s->value)
        return NULL;
    void *value = s->value;
    m->n--;
    /* Close the hole: move back every follower that could no longer be found across it. */
    size_t mask = m->cap - 1, hole = (size_t)(s - m->slots), i = hole;
    for (;;) {
        i = (i + 1) & mask;
        if (!m->slots[i].value)
            break;
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].value = NULL;
    return value;
}

void *map_next(const struct map *m, size_t *i)
{
    while (*i < m->cap) {
        void *value = m->slots[(*i)++].value;
        if (value)
            return value;
    }
    return NULL;
}
