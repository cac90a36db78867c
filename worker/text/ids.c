#include "worker/text/ids.h"

#include <string.h>

void ids_free(struct ids *ids)
{
    free(ids->v);
    *ids = (struct ids){ 0 };
}

int ids_reserve(struct ids *ids, size_t more, struct err *e)
{
    if (more <= ids->cap - ids->n)
        return 0;
    size_t cap = ids->cap ? ids->cap : 64;
    while (cap - ids->n < more) {
        if (cap > SIZE_MAX / 2 / sizeof *ids->v)
            return FAIL_NOMEM(e);
        cap *= 2;
    }
    int32_t *v = realloc(ids->v, cap * sizeof *v);
    if (!v)
        return FAIL_NOMEM(e);
    ids->v = v;
    ids->cap = cap;
    return 0;
}

int ids_add(struct ids *ids, int32_t id, struct err *e)
{
    TRY(ids_reserve(ids, 1, e));
    ids->v[ids->n++] = id;
    return 0;
}

int ids_append(struct ids *ids, const int32_t *v, size_t n, struct err *e)
{
    TRY(ids_reserve(ids, n, e));
    if (n)
        memcpy(ids->v + ids->n, v, n * sizeof *v);
    ids->n += n;
    return 0;
}
