/* A hash map from a few bytes to a pointer (open addressing, linear probing). Keys are not copied: they live in the
 * value, which must keep them unchanged while it is in the map. */
#ifndef ACSWEEP_COMMON_MAP_H
#define ACSWEEP_COMMON_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct map_slot {
    const void *key;
    void *value; /* NULL = free */
    uint32_t hash, len;
};
struct map {
    struct map_slot *slots;
    size_t n, cap; /* cap is 0 or a power of two */
};

/* The map itself is plain memory: start with {0}. map_free frees no values. */
void map_free(struct map *m);
void *map_get(const struct map *m, const void *key, size_t len);
/* Insert or replace; `value` must not be NULL. */
MUST_USE int map_put(struct map *m, const void *key, size_t len, void *value, struct err *e);
/* The removed value, or NULL. */
void *map_remove(struct map *m, const void *key, size_t len);
/* for (size_t i = 0; (v = map_next(&m, &i));) visits every value; not across changes of the map. */
void *map_next(const struct map *m, size_t *i);

#endif
