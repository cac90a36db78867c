/* Declarations, and how they compare with a checkpoint. */
#include "worker/model/params_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct params *params_create(struct err *e)
{
    struct params *p = calloc(1, sizeof *p);
    return p ? p : FAIL_NULL(e, ERR_NOMEM, "out of memory");
}

void params_destroy(struct params *p)
{
    if (!p)
        return;
    if (p->drop_all)
        p->drop_all(p);
    arena_free(&p->arena);
    free(p->items);
    free(p->allowed);
    free(p);
}

/* ---- declaring ------------------------------------------------------------------------------------------------------
 */

const char *params_find_root(const struct weights *w, const char *const *roots, const char *name)
{
    char whole[256];
    for (size_t i = 0; roots[i]; i++) {
        snprintf(whole, sizeof whole, "%s%s", roots[i], name);
        if (weights_find(w, whole))
            return roots[i];
    }
    return roots[0];
}

void params_root(struct params *p, const char *prefix)
{
    p->misuse |= p->n > 0 || strlen(prefix) >= sizeof p->path;
    snprintf(p->path, sizeof p->path, "%s", prefix);
    p->root = strlen(p->path);
}

void params_enter(struct params *p, const char *fmt, ...)
{
    size_t at = strlen(p->path);
    va_list args;
    if (p->depth == (int)ARRAY_LEN(p->levels)) {
        p->misuse = true;
        return;
    }
    p->levels[p->depth++] = at;
    va_start(args, fmt);
    int n = vsnprintf(p->path + at, sizeof p->path - at, fmt, args);
    va_end(args);
    p->misuse |= n < 0 || (size_t)n >= sizeof p->path - at;
}

void params_leave(struct params *p)
{
    p->misuse |= p->depth == 0;
    if (p->depth > 0)
        p->path[p->levels[--p->depth]] = '\0';
}

static const char *whole_name(struct params *p, const char *name)
{
    char whole[512];
    int n = snprintf(whole, sizeof whole, "%s%s", p->path, name);
    p->misuse |= n < 0 || (size_t)n >= sizeof whole;
    const char *copy = arena_text(&p->arena, whole);
    p->failed |= copy == NULL;
    return copy;
}

/* A new element at the end; NULL without memory. */
static void *grow(struct params *p, void **items, size_t n, size_t *cap, size_t size)
{
    if (n == *cap) {
        size_t more = *cap ? *cap * 2 : 64;
        void *bigger = realloc(*items, more * size);
        p->failed |= bigger == NULL;
        if (!bigger)
            return NULL;
        *items = bigger;
        *cap = more;
    }
    return (char *)*items + n * size;
}

static struct param *add(struct params *p, const int64_t *dims, int rank, const char *name)
{
    void *items = p->items;
    struct param *item = grow(p, &items, p->n, &p->cap, sizeof *item);
    p->items = items;
    p->misuse |= rank < 0 || rank > PARAM_MAX_RANK;
    if (!item || p->misuse)
        return NULL;
    *item = (struct param){ .name = whole_name(p, name), .rank = rank };
    memcpy(item->dims, dims, (size_t)rank * sizeof *dims);
    if (!item->name)
        return NULL;
    p->n++;
    return item;
}

void params_want(struct params *p, struct tensor **slot, enum param_kind kind, const int64_t *dims, int rank,
                 const char *name)
{
    struct param *item = add(p, dims, rank, name);
    if (!item)
        return;
    item->kind = kind;
    item->needed = !p->unused;
    item->slot = p->unused ? NULL : slot;
}

void params_unused(struct params *p, bool on)
{
    p->unused = on;
}

void params_allow(struct params *p, const char *pattern)
{
    void *list = p->allowed;
    const char **item = grow(p, &list, p->n_allowed, &p->cap_allowed, sizeof *item);
    p->allowed = list;
    if (item)
        p->allowed[p->n_allowed++] = pattern;
}

bool param_matches(const char *pattern, const char *name)
{
    size_t len = strlen(pattern);
    bool open = len > 0 && pattern[len - 1] == '*';
    return strncmp(pattern, name, open ? len - 1 : len + 1) == 0;
}

int params_declared(const struct params *p, struct err *e)
{
    if (p->failed)
        return FAIL_NOMEM(e);
    return p->misuse || p->depth ? FAIL(e, ERR_BUG, "a model declares parameters that cannot be") : 0;
}

/* ---- what there is --------------------------------------------------------------------------------------------------
 */

struct tensor *params_next(const struct params *p, size_t *i, const char **name)
{
    while (*i < p->n) {
        const struct param *item = &p->items[(*i)++];
        if (item->loaded) {
            *name = item->name;
            return item->loaded;
        }
    }
    return NULL;
}

int64_t params_elements(const struct params *p)
{
    int64_t total = 0;
    for (size_t i = 0; i < p->n; i++) {
        int64_t n = p->items[i].slot != NULL;
        for (int k = 0; k < p->items[i].rank; k++)
            n *= p->items[i].dims[k];
        total += n;
    }
    return total;
}
