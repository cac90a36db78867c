#include "policy/region.h"

#include <math.h>

struct policy_region {
    size_t n, n_placed;
    uint64_t *
        code; /* bits of both coordinates at the finest level, interleaved: a cell of level L is a prefix of 2 L bits */
    size_t *order; /* the points that have coordinates, by code, so that the members of any cell stand together */
    int *cell;     /* scratch of draw() */
};

void policy_region_destroy(struct policy_region *g)
{
    if (!g)
        return;
    free(g->code);
    free(g->order);
    free(g->cell);
    free(g);
}

/* floor(v * 2^levels); the value 1 belongs to the last cell. */
static uint64_t finest(double v)
{
    double last = (double)((1u << POLICY_REGION_LEVELS) - 1);
    return (uint64_t)fmax(0, fmin(floor(v * (double)(1u << POLICY_REGION_LEVELS)), last));
}

static uint64_t interleave(uint64_t x, uint64_t y)
{
    uint64_t code = 0;
    for (int bit = POLICY_REGION_LEVELS - 1; bit >= 0; bit--)
        code = code << 2 | (x >> bit & 1) << 1 | (y >> bit & 1);
    return code;
}

static int by_code(const void *x, const void *y, void *arg)
{
    const uint64_t *code = arg;
    size_t i = *(const size_t *)x, j = *(const size_t *)y;
    return code[i] != code[j] ? (code[i] > code[j] ? 1 : -1) : (i > j) - (i < j);
}

struct policy_region *policy_region_create(const double *a, const double *c, size_t n, struct err *e)
{
    AUTO(policy_region_destroy) struct policy_region *g = calloc(1, sizeof *g);
    if (!g)
        return FAIL_NOMEM(e), NULL;
    g->n = n;
    g->code = calloc(n + 1, sizeof *g->code);
    g->order = calloc(n + 1, sizeof *g->order);
    g->cell = calloc(n + 1, sizeof *g->cell);
    if (!g->code || !g->order || !g->cell)
        return FAIL_NOMEM(e), NULL;
    for (size_t i = 0; i < n; i++) {
        if (isnan(a[i]) || isnan(c[i]))
            continue;
        g->code[i] = interleave(finest(a[i]), finest(c[i]));
        g->order[g->n_placed++] = i;
    }
    qsort_r(g->order, g->n_placed, sizeof *g->order, by_code, g->code);
    return TAKE(g);
}

/* Number the cells of one level that hold points and no sampled one. */
static size_t number_cells(const struct policy_region *g, const bool *sampled, const bool *away, int *cell, int level)
{
    int shift = 2 * (POLICY_REGION_LEVELS - level);
    size_t cells = 0;
    for (size_t i = 0; i < g->n; i++)
        cell[i] = -1;
    for (size_t begin = 0, end; begin < g->n_placed; begin = end) {
        bool taken = false, any = false;
        for (end = begin; end < g->n_placed && g->code[g->order[end]] >> shift == g->code[g->order[begin]] >> shift;
             end++) {
            bool here = !(away && away[g->order[end]]);
            taken |= here && sampled[g->order[end]];
            any |= here;
        }
        if (taken || !any)
            continue;
        for (size_t k = begin; k < end; k++)
            if (!(away && away[g->order[k]]))
                cell[g->order[k]] = (int)cells;
        cells++;
    }
    return cells;
}

void policy_region_cells(const struct policy_region *g, const bool *sampled, const bool *away, int *cell, size_t *cells,
                         int *level)
{
    for (*level = 1; *level <= POLICY_REGION_LEVELS; ++*level)
        if ((*cells = number_cells(g, sampled, away, cell, *level)) > 0)
            return;
    /* What is left shares its scores with sampled points: each is its own cell. */
    *cells = 0;
    for (size_t k = 0; k < g->n_placed; k++) {
        size_t i = g->order[k];
        cell[i] = !sampled[i] && !(away && away[i]) ? (int)(*cells)++ : -1;
    }
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
