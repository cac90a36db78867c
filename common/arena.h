/* Memory by lifetime: many small blocks that end together. Nothing is freed singly.
 *
 * For read-only data that is built once (a config, a plan), where a million strings would cost more in malloc headers and
 * in freeing than in content. */
#ifndef ACSWEEP_COMMON_ARENA_H
#define ACSWEEP_COMMON_ARENA_H

#include <stddef.h>

#include "common/own.h"

struct arena_block;
struct arena {
    struct arena_block *newest; /* zero-initialised = empty */
};

/* Zeroed, aligned for any type; NULL without memory. */
void *arena_alloc(struct arena *a, size_t size);
/* n elements of `size`; NULL on overflow too. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* Copies with a NUL behind; NULL without memory. */
char *arena_text(struct arena *a, const char *s);
char *arena_text_n(struct arena *a, const char *s, size_t len);
void arena_free(struct arena *a);

static inline UNUSED void arena_free_cleanup(struct arena *a)
{
    arena_free(a);
}

#endif
