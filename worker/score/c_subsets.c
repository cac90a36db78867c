#include "worker/score/c_subsets.h"

#include <string.h>

#include "worker/score/c_vector.h"
#include "worker/score/c_window.h"

/* ---- the order ------------------------------------------------------------------------------------------------------
 */

/* By members in ascending order, a set right before those that continue it: depth-first order. */
static int by_members(uint32_t a, uint32_t b)
{
    uint32_t differ = a ^ b, lowest = differ & -differ, above = ~(lowest | (lowest - 1));
    if (!differ)
        return 0;
    if (a & lowest)
        return b & above ? -1 : 1;
    return a & above ? 1 : -1;
}

static int by_size(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    int size = __builtin_popcount(a) - __builtin_popcount(b);
    return size ? size : by_members(a, b);
}

void c_subsets_all(int n, uint32_t *out)
{
    size_t count = ((size_t)1 << n) - 1;
    for (size_t i = 0; i < count; i++)
        out[i] = (uint32_t)i + 1;
    qsort(out, count, sizeof *out, by_size);
}

struct entry {
    uint32_t members;
    int grid, subset;
};

static int by_group(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    return a->grid != b->grid ? (a->grid < b->grid ? -1 : 1) : by_members(a->members, b->members);
}

struct maker {
    struct c_order *order;
    const struct c_shape *encoders;
    size_t n_encoders;
    enum c_arith arith;
    struct err *e;
};

static int fill_entries(const struct maker *m, const uint32_t *subsets, size_t n, int grid, struct entry *entries)
{
    uint32_t known = m->n_encoders < 32 ? (UINT32_C(1) << m->n_encoders) - 1 : UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        if (!subsets[i] || subsets[i] & ~known)
            return FAIL(m->e, ERR_INPUT, "representation %zu has %s", i,
                        subsets[i] ? "a member that is not there" : "no members");
        int finest = 0;
        for (size_t k = 0; k < m->n_encoders; k++)
            if (subsets[i] >> k & 1 && m->encoders[k].grid > finest)
                finest = m->encoders[k].grid;
        entries[i] = (struct entry){ subsets[i], grid ? grid : finest, (int)i };
        m->order->grids[i] = entries[i].grid;
    }
    return 0;
}

static bool is_rounded(const struct maker *m, uint32_t members)
{
    for (size_t k = 0; k < m->n_encoders; k++)
        if (members >> k & 1 && m->encoders[k].type != C_BF16)
            return false;
    return m->arith == C_STORED;
}

/* Steps from `before` (what the sums hold) to `to`; its common beginning with `before` is kept. */
static size_t add_steps(const struct maker *m, uint32_t before, const struct entry *to, struct c_step *steps)
{
    uint32_t differ = before ^ to->members, kept = to->members & ((differ & -differ) - 1);
    size_t n = 0;
    for (uint32_t left = to->members & ~kept; left; left &= left - 1) {
        kept |= left & -left;
        steps[n++] = (struct c_step){ .depth = (uint8_t)__builtin_popcount(kept),
                                      .encoder = (uint8_t)__builtin_ctz(left),
                                      .subset = C_NO_SUBSET };
    }
    steps[n - 1].subset = to->subset;
    steps[n - 1].rounded = is_rounded(m, to->members);
    return n;
}

/* The entries of one grid from `entries` on; n of them are left. */
static int add_group(const struct maker *m, const struct entry *entries, size_t n, struct c_group *g)
{
    size_t steps = 0, end = 0;
    g->grid = entries[0].grid;
    for (; end < n && entries[end].grid == g->grid; end++)
        steps += (size_t)__builtin_popcount(entries[end].members);
    g->n_subsets = end;
    g->steps = arena_array(&m->order->memory, steps, sizeof *g->steps);
    if (!g->steps)
        return FAIL_NOMEM(m->e);
    for (size_t i = 0; i < end; i++) {
        uint32_t before = i ? entries[i - 1].members : 0, members = entries[i].members;
        if (before == members)
            return FAIL(m->e, ERR_INPUT, "representation %d is the same as representation %d", entries[i].subset,
                        entries[i - 1].subset);
        g->n_steps += add_steps(m, before, &entries[i], g->steps + g->n_steps);
        g->encoders |= members;
        g->depth = __builtin_popcount(members) > g->depth ? __builtin_popcount(members) : g->depth;
    }
    return 0;
}

static int add_groups(const struct maker *m, const struct entry *entries, size_t n)
{
    struct c_order *o = m->order;
    size_t grids = 0;
    for (size_t i = 0; i < n; i++)
        grids += i == 0 || entries[i].grid != entries[i - 1].grid;
    o->groups = arena_array(&o->memory, grids, sizeof *o->groups);
    if (!o->groups)
        return FAIL_NOMEM(m->e);
    for (size_t at = 0; at < n; at += o->groups[o->n_groups++].n_subsets)
        TRY(add_group(m, entries + at, n - at, &o->groups[o->n_groups]));
    return 0;
}

struct c_order *c_order_create(const uint32_t *subsets, size_t n, const struct c_shape *encoders, size_t n_encoders,
                               int grid, enum c_arith arith, struct err *e)
{
    AUTO(c_order_destroy) struct c_order *o = calloc(1, sizeof *o);
    struct maker m = { o, encoders, n_encoders, arith, e };
    AUTO(free) struct entry *entries = calloc(n + 1, sizeof *entries);
    if (!o || !entries || !(o->grids = arena_array(&o->memory, n + 1, sizeof *o->grids)))
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    if (!n || n > INT32_MAX || n_encoders > C_ENCODERS_MAX || grid < 0 || grid > C_GRID_MAX)
        return FAIL_NULL(e, ERR_INPUT,
                         "%zu representations of %zu encoders on grid %d: at least one, at most %d encoders, and "
                         "a grid of 1 to %d are wanted",
                         n, n_encoders, grid, C_ENCODERS_MAX, C_GRID_MAX);
    if (fill_entries(&m, subsets, n, grid, entries) < 0)
        return NULL;
    qsort(entries, n, sizeof *entries, by_group);
    return add_groups(&m, entries, n) < 0 ? NULL : TAKE(o);
}

void c_order_destroy(struct c_order *o)
{
    if (!o)
        return;
    arena_free(&o->memory);
    free(o);
}

/* ---- one point ------------------------------------------------------------------------------------------------------
 */

C_INLINE void c_subsets_match_body(const struct c_group *g, const struct c_match *m, const float *const *rows,
                                   float *sums, struct c_point *out)
{
    size_t size = c_row_size(m->grid);
    const float *at[C_ENCODERS_MAX + 1]; /* the sum of each depth */
    for (size_t i = 0; i < g->n_steps; i++) {
        const struct c_step *s = &g->steps[i];
        float *to = sums + (size_t)(s->depth - 1) * size;
        int32_t best = s->depth == 1 ? c_add_and_find(rows[s->encoder], NULL, NULL, size)
                                     : c_add_and_find(at[s->depth - 1], rows[s->encoder], to, size);
        at[s->depth] = s->depth == 1 ? rows[s->encoder] : to;
        if (s->subset == C_NO_SUBSET)
            continue;
        if (s->rounded)
            c_match_bf16(m, at[s->depth], s->depth, &out[s->subset]);
        else
            out[s->subset] = c_match_body(m, at[s->depth], best, s->depth);
    }
}

C_KERNEL(c_subsets_match,
         (const struct c_group *g, const struct c_match *m, const float *const *rows, float *sums, struct c_point *out),
         (g, m, rows, sums, out))
