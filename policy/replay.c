#include "policy/replay.h"

#include <math.h>

static const struct policy_shape the_law = { POLICY_COLUMNS_AC, 2 };

void policy_replay_destroy(struct policy_replay *g)
{
    if (!g)
        return;
    policy_region_destroy(g->region);
    policy_points_free(&g->points);
    free(g->row);
    free(g->memo);
    free(g->train);
    free(g->trained);
    free(g->value);
    free(g->cell);
    free(g);
}

static bool complete(const struct policy_points *p, size_t r)
{
    return !isnan(p->a[r]) && !isnan(p->c[r]) && !isnan(p->y[r]);
}

static void copy_complete(struct policy_replay *g, const struct policy_points *p)
{
    struct policy_points *q = &g->points;
    size_t k = 0;
    for (size_t r = 0; r < p->n; r++) {
        if (!complete(p, r))
            continue;
        q->a[k] = p->a[r];
        q->c[k] = p->c[r];
        q->y[k] = p->y[r];
        g->row[k] = r;
        if (q->y[k] > q->y[g->best])
            g->best = k;
        k++;
    }
}

struct policy_replay *policy_replay_create(const struct policy_points *p, bool memo, struct err *e)
{
    AUTO(policy_replay_destroy) struct policy_replay *g = calloc(1, sizeof *g);
    if (!g)
        return FAIL_NOMEM(e), NULL;
    size_t n = 0;
    for (size_t r = 0; r < p->n; r++)
        n += complete(p, r);
    if (n < 2)
        return FAIL_NULL(e, ERR_INPUT, "%zu representation%s a, c and a performance; a simulation needs at least 2", n,
                         n == 1 ? " has" : "s have");
    g->n = n;
    if (policy_points_create(&g->points, n, e) < 0)
        return NULL;
    g->row = malloc(n * sizeof *g->row);
    g->train = calloc(n, sizeof *g->train);
    g->trained = calloc(n, sizeof *g->trained);
    g->value = calloc(n, sizeof *g->value);
    g->cell = calloc(n, sizeof *g->cell);
    if (!g->row || !g->train || !g->trained || !g->value || !g->cell)
        return FAIL_NOMEM(e), NULL;
    copy_complete(g, p);
    if (!(g->region = policy_region_create(g->points.a, g->points.c, n, e)))
        return NULL;
    if (memo && n <= POLICY_RECALL_EXACT && !(g->memo = calloc((size_t)1 << n, sizeof *g->memo)))
        return FAIL_NOMEM(e), NULL;
    return TAKE(g);
}

size_t policy_replay_set(struct policy_replay *g, uint64_t mask)
{
    size_t k = 0;
    for (size_t r = 0; r < g->n; r++) {
        g->train[r] = mask >> r & 1;
        if (g->train[r])
            g->trained[k++] = r;
    }
    return k;
}

int policy_replay_predict(struct policy_replay *g, size_t k, struct err *e)
{
    struct policy_fit fit;
    TRY(policy_fit_rows(&g->points, g->trained, k, the_law, &fit, e));
    for (size_t r = 0; r < g->n; r++)
        g->value[r] = policy_fit_predict(&fit, g->points.a[r], g->points.c[r]);
    return 0;
}

double policy_replay_chance(struct policy_replay *g, enum policy_rule rule, size_t slots)
{
    bool measured = g->train[g->best];
    switch (rule) {
    case POLICY_RULE_EXACT:
        for (size_t r = 0; r < g->n; r++)
            g->value[r] =
                policy_rank_value(POLICY_RANKING_MEASURED_FIRST, g->value[r], g->train[r] ? g->points.y[r] : NAN);
        return policy_rank_chance(g->value, NULL, g->n, g->best, slots);
    case POLICY_RULE_LIST:
        return measured ? 1 : policy_rank_chance(g->value, g->train, g->n, g->best, slots - 1);
    case POLICY_RULE_UNION:
        return measured ? 1 : policy_rank_chance(g->value, g->train, g->n, g->best, slots);
    case POLICY_RULE_REST:
        return measured ? 0 : policy_rank_chance(g->value, g->train, g->n, g->best, slots);
    case POLICY_RULE_MEASURED:
        return measured;
    default:
        return policy_rank_chance(g->value, NULL, g->n, g->best, slots);
    }
}

/* Best y minus the y of the largest prediction, averaged over ties. */
static double regret(const struct policy_replay *g)
{
    double top = -INFINITY, sum = 0;
    size_t tied = 0;
    for (size_t r = 0; r < g->n; r++)
        top = fmax(top, g->value[r]);
    for (size_t r = 0; r < g->n; r++)
        if (g->value[r] >= top - POLICY_TIE) {
            sum += g->points.y[r];
            tied++;
        }
    return g->points.y[g->best] - sum / (double)tied;
}

int policy_replay_judge(struct policy_replay *g, size_t k, struct policy_memo *out, struct err *e)
{
    TRY(policy_replay_predict(g, k, e));
    out->list3 = policy_replay_chance(g, POLICY_RULE_LIST, 3);
    /* One point has no law: the paper counts, and recommends, that point itself. */
    out->hit = k == 1 ? g->trained[0] == g->best : policy_replay_chance(g, POLICY_RULE_FIT, 3);
    out->regret = k == 1 ? g->points.y[g->best] - g->points.y[g->trained[0]] : regret(g);
    return 0;
}

/* Chance of each row under policy_region_draw(): uniform over free cells, then over the members. */
static void next_chances(struct policy_replay *g, double *next)
{
    size_t cells;
    int level;
    policy_region_cells(g->region, g->train, NULL, g->cell, &cells, &level);
    for (size_t r = 0; r < g->n; r++) {
        size_t members = 0;
        for (size_t i = 0; i < g->n && g->cell[r] >= 0; i++)
            members += g->cell[i] == g->cell[r];
        next[r] = members > 0 ? 1 / ((double)cells * (double)members) : 0;
    }
}

int policy_replay_recall(struct policy_replay *g, uint64_t mask, const struct policy_memo **out, struct err *e)
{
    struct policy_memo *memo = &g->memo[mask];
    *out = memo;
    if (memo->known)
        return 0;
    size_t k = policy_replay_set(g, mask);
    if (k > 0)
        TRY(policy_replay_judge(g, k, memo, e));
    next_chances(g, memo->next);
    memo->known = true;
    return 0;
}
