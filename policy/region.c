#include "policy/region.h"

#include <math.h>

struct policy_region {
    size_t n;
    uint32_t *x, *y; /* coordinates at the finest level; OUTSIDE = no coordinate */
    int *cell;       /* scratch of draw() */
    uint64_t *key;   /* scratch of cells(): key of each free cell in the order of its first point */
};

enum { OUTSIDE = UINT32_MAX >> 1 };

void policy_region_destroy(struct policy_region *g)
{
    if (!g)
        return;
    free(g->x);
    free(g->y);
    free(g->cell);
    free(g->key);
    free(g);
}

/* floor(v * 2^levels); the value 1 belongs to the last cell. */
static uint32_t finest(double v)
{
    double last = (double)((1u << POLICY_REGION_LEVELS) - 1);
    return (uint32_t)fmax(0, fmin(floor(v * (double)(1u << POLICY_REGION_LEVELS)), last));
}

struct policy_region *policy_region_create(const double *a, const double *c, size_t n, struct err *e)
{
    AUTO(policy_region_destroy) struct policy_region *g = calloc(1, sizeof *g);
    if (!g)
        return FAIL_NOMEM(e), NULL;
    g->n = n;
    g->x = calloc(n + 1, sizeof *g->x);
    g->y = calloc(n + 1, sizeof *g->y);
    g->cell = calloc(n + 1, sizeof *g->cell);
    g->key = calloc(n + 1, sizeof *g->key);
    if (!g->x || !g->y || !g->cell || !g->key)
        return FAIL_NOMEM(e), NULL;
    for (size_t i = 0; i < n; i++) {
        bool known = !isnan(a[i]) && !isnan(c[i]);
        g->x[i] = known ? finest(a[i]) : OUTSIDE;
        g->y[i] = known ? finest(c[i]) : OUTSIDE;
    }
    return TAKE(g);
}

static bool takes_part(const struct policy_region *g, const bool *away, size_t i)
{
    return g->x[i] != OUTSIDE && !(away && away[i]);
}

static uint64_t cell_key(const struct policy_region *g, size_t i, int level)
{
    int shift = POLICY_REGION_LEVELS - level;
    return ((uint64_t)(g->x[i] >> shift) << 32) | (g->y[i] >> shift);
}

/* Number the cells of one level: those holding a sampled point first, to be dropped, then the free ones. */
static size_t number_cells(const struct policy_region *g, const bool *sampled, const bool *away, int *cell, int level)
{
    size_t taken = 0, all;
    for (size_t i = 0; i < g->n; i++) {
        if (!sampled[i] || !takes_part(g, away, i))
            continue;
        g->key[taken++] = cell_key(g, i, level);
    }
    all = taken;
    for (size_t i = 0; i < g->n; i++) {
        cell[i] = -1;
        if (sampled[i] || !takes_part(g, away, i))
            continue;
        uint64_t key = cell_key(g, i, level);
        size_t j = 0;
        while (j < all && g->key[j] != key)
            j++;
        if (j == all)
            g->key[all++] = key;
        if (j >= taken)
            cell[i] = (int)(j - taken);
    }
    return all - taken;
}

void policy_region_cells(const struct policy_region *g, const bool *sampled, const bool *away, int *cell, size_t *cells,
                         int *level)
{
    for (*level = 1; *level <= POLICY_REGION_LEVELS; ++*level)
        if ((*cells = number_cells(g, sampled, away, cell, *level)) > 0)
            return;
    /* What is left shares its scores with sampled points: each is its own cell. */
    *cells = 0;
    for (size_t i = 0; i < g->n; i++)
        cell[i] = !sampled[i] && takes_part(g, away, i) ? (int)(*cells)++ : -1;
}

bool policy_region_draw(struct policy_region *g, const bool *sampled, const bool *away, struct policy_random *random,
                        size_t *point, int *level, size_t *cells)
{
    int at_level;
    size_t n_cells, members = 0;
    policy_region_cells(g, sampled, away, g->cell, &n_cells, &at_level);
    if (level)
        *level = at_level;
    if (cells)
        *cells = n_cells;
    if (n_cells == 0)
        return false;
    int chosen = (int)policy_random_below(random, n_cells);
    for (size_t i = 0; i < g->n; i++)
        members += g->cell[i] == chosen;
    size_t nth = policy_random_below(random, members);
    for (size_t i = 0; i < g->n; i++)
        if (g->cell[i] == chosen && nth-- == 0)
            *point = i;
    return true;
}
