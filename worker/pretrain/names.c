#include "worker/pretrain/names.h"

#include <string.h>

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->n; i++) {
        free(names->list[i]->text);
        free(names->list[i]);
    }
    free(names->list);
    map_free(&names->map);
    *names = (struct names){ 0 };
}

int64_t names_find(const struct names *names, const char *text, size_t len)
{
    const struct name *n = map_get(&names->map, text, len);
    return n ? (int64_t)n->number : -1;
}

static int make_room(struct names *names, struct err *e)
{
    if (names->n < names->cap)
        return 0;
    size_t cap = names->cap ? 2 * names->cap : 64;
    struct name **list = realloc(names->list, cap * sizeof *list);
    if (!list)
        return FAIL_NOMEM(e);
    names->list = list;
    names->cap = cap;
    return 0;
}

int64_t names_add(struct names *names, const char *text, size_t len, struct err *e)
{
    int64_t known = names_find(names, text, len);
    if (known >= 0)
        return known;
    TRY(make_room(names, e));
    AUTO(free) char *copy = strndup(text, len);
    AUTO(free) struct name *n = calloc(1, sizeof *n);
    if (!copy || !n)
        return FAIL_NOMEM(e);
    *n = (struct name){ copy, names->n };
    TRY(map_put(&names->map, copy, len, n, e));
    copy = NULL; /* n's */
    names->list[names->n++] = TAKE(n);
    return (int64_t)names->n - 1;
}
