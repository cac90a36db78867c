#include "common/arena.h"

#include <stdint.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 << 10)
#define ALIGN _Alignof(max_align_t)

struct arena_block {
    struct arena_block *older;
    size_t used, size;
    _Alignas(max_align_t) unsigned char bytes[];
};

static void *take(struct arena *a, size_t size, size_t align)
{
    struct arena_block *b = a->newest;
    size_t at = b ? (b->used + align - 1) / align * align : 0;
    if (!b || at > b->size || size > b->size - at) {
        size_t room = size > BLOCK_BYTES / 4 ? size : BLOCK_BYTES;
        if (room > SIZE_MAX - sizeof *b)
            return NULL;
        struct arena_block *fresh = malloc(sizeof *fresh + room);
        if (!fresh)
            return NULL;
        fresh->used = size;
        fresh->size = room;
        /* A large piece goes behind the newest block, whose rest stays in use. */
        struct arena_block **where = room == size && b ? &b->older : &a->newest;
        fresh->older = *where;
        *where = fresh;
        return fresh->bytes;
    }
    b->used = at + size;
    return b->bytes + at;
}

void *arena_alloc(struct arena *a, size_t size)
{
    void *p = take(a, size ? size : 1, ALIGN);
    return p ? memset(p, 0, size ? size : 1) : NULL;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    return size && n > SIZE_MAX / 2 / size ? NULL : arena_alloc(a, n * size);
}

char *arena_text_n(struct arena *a, const char *s, size_t len)
{
    char *p = take(a, len + 1, 1);
    if (!p)
        return NULL;
    if (len)
        memcpy(p, s, len);
    p[len] = '\0';
    return p;
}

char *arena_text(struct arena *a, const char *s)
{
    return arena_text_n(a, s, strlen(s));
}

void arena_free(struct arena *a)
{
    while (a->newest) {
        struct arena_block *b = a->newest;
        a->newest = b->older;
        free(b);
    }
}
