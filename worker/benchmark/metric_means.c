#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "worker/benchmark/metric_run.h"

void means_free(struct means *m)
{
    free(m->items);
    map_free(&m->by_name);
    arena_free(&m->arena);
}

/* "kind:name" into buf; the end of a name that is very long does not tell means apart. */
static const char *full_name(const char *kind, const char *name, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s%.200s", kind, name ? ":" : "", name ? name : "");
    return buf;
}

static struct mean *add_mean(struct means *m, const char *name, struct err *e)
{
    if (m->n == m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 32;
        struct mean **items = realloc(m->items, cap * sizeof(struct mean *));
        if (!items)
            return FAIL_NULL(e, ERR_NOMEM, "out of memory");
        m->items = items;
        m->cap = cap;
    }
    struct mean *new = arena_alloc(&m->arena, sizeof *new);
    if (!new || !(new->name = arena_text(&m->arena, name)))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (map_put(&m->by_name, new->name, strlen(new->name), new, e) < 0)
        return NULL;
    m->items[m->n++] = new;
    return new;
}

int means_add(struct means *m, const char *kind, const char *name, double value, struct err *e)
{
    char full[256];
    full_name(kind, name, full, sizeof full);
    struct mean *mean = map_get(&m->by_name, full, strlen(full));
    if (!mean && !(mean = add_mean(m, full, e)))
        return -1;
    mean->sum += value;
    mean->squares += value * value;
    mean->n++;
    return 0;
}

const struct mean *means_find(const struct means *m, const char *kind, const char *name)
{
    char full[256];
    full_name(kind, name, full, sizeof full);
    return map_get(&m->by_name, full, strlen(full));
}

double mean_value(const struct mean *m)
{
    return m->sum / (double)m->n;
}

double mean_variance(const struct mean *m)
{
    double n = (double)m->n, spread = m->squares - m->sum * m->sum / n;
    if (m->n < 2)
        return NAN;
    return spread > 0 ? spread / (n - 1) / n : 0;
}
