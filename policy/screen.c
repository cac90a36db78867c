#include "policy/screen.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* One look at the space: which rows are scored, and sums over the parts of a row for the 2 m columns. */
struct guesser {
    const struct policy_screen *s;
    struct policy_points *points;
    size_t n, m;
    bool *scored;   /* [n] has every score */
    uint64_t *bits; /* [n] one bit for a member, several members may share it: a quick "no" */
    double *mean;   /* [2 m] over the parts of the row at hand */
    double *gain;   /* [2 m] what combining brings */
};

static void guesser_free_cleanup(struct guesser *g)
{
    free(g->scored);
    free(g->bits);
    free(g->mean);
    free(g->gain);
}

/* Column k: a of benchmark k / 2, or its c. */
static double *column(const struct guesser *g, size_t k)
{
    return k % 2 ? g->points[k / 2].c : g->points[k / 2].a;
}

static int guesser_init(struct guesser *g, struct err *e)
{
    g->scored = calloc(g->n + 1, sizeof *g->scored);
    g->bits = calloc(g->n + 1, sizeof *g->bits);
    g->mean = calloc(2 * g->m, sizeof *g->mean);
    g->gain = calloc(2 * g->m, sizeof *g->gain);
    if (!g->scored || !g->bits || !g->mean || !g->gain)
        return FAIL_NOMEM(e);
    for (size_t r = 0; r < g->n; r++) {
        g->scored[r] = true;
        for (size_t k = 0; k < 2 * g->m; k++)
            g->scored[r] &= !isnan(column(g, k)[r]);
        for (size_t i = 0; i < g->s->n_members[r]; i++)
            g->bits[r] |= (uint64_t)1 << g->s->members[r][i] % 64;
    }
    return 0;
}

static bool has_member(const struct policy_screen *s, size_t r, size_t member)
{
    for (size_t i = 0; i < s->n_members[r]; i++)
        if (s->members[r][i] == member)
            return true;
    return false;
}

/* q is made of some, but not all, of the members of r. */
static bool is_part(const struct guesser *g, size_t q, size_t r)
{
    if (g->s->n_members[q] >= g->s->n_members[r] || (g->bits[q] & ~g->bits[r]))
        return false;
    for (size_t i = 0; i < g->s->n_members[q]; i++)
        if (!has_member(g->s, r, g->s->members[q][i]))
            return false;
    return true;
}

/* g->mean over the largest scored parts of r; returns how many there are. */
static size_t mean_of_parts(struct guesser *g, size_t r)
{
    size_t largest = 0, parts = 0;
    for (size_t q = 0; q < g->n; q++) {
        if (!g->scored[q] || g->s->n_members[q] < largest || !is_part(g, q, r))
            continue;
        if (g->s->n_members[q] > largest) {
            largest = g->s->n_members[q];
            parts = 0;
        }
        for (size_t k = 0; k < 2 * g->m; k++)
            g->mean[k] = (parts ? g->mean[k] : 0) + column(g, k)[q];
        parts++;
    }
    for (size_t k = 0; k < 2 * g->m && parts; k++)
        g->mean[k] /= (double)parts;
    return parts;
}

static void learn_gain(struct guesser *g)
{
    size_t pairs = 0;
    for (size_t r = 0; r < g->n; r++) {
        if (!g->scored[r] || g->s->n_members[r] < 2 || mean_of_parts(g, r) == 0)
            continue;
        pairs++;
        for (size_t k = 0; k < 2 * g->m; k++)
            g->gain[k] += column(g, k)[r] - g->mean[k];
    }
    for (size_t k = 0; k < 2 * g->m && pairs; k++)
        g->gain[k] /= (double)pairs;
}

int policy_screen_guess(const struct policy_screen *s, struct policy_points *points, size_t m, bool *guessed,
                        struct err *e)
{
    __attribute__((
        cleanup(guesser_free_cleanup))) struct guesser g = { .s = s, .points = points, .n = points[0].n, .m = m };
    TRY(guesser_init(&g, e));
    learn_gain(&g);
    for (size_t r = 0; r < g.n; r++) {
        guessed[r] = !g.scored[r] && !s->asked[r] && mean_of_parts(&g, r) > 0;
        for (size_t k = 0; guessed[r] && k < 2 * m; k++)
            if (isnan(column(&g, k)[r]))
                column(&g, k)[r] = g.mean[k] + g.gain[k];
    }
    return 0;
}
