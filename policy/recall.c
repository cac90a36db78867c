#include "policy/recall.h"

#include <math.h>
#include <string.h>

#include "policy/replay.h"
#include "policy/target.h"

void policy_recall_free(struct policy_recall *r)
{
    free(r->block);
    *r = (struct policy_recall){ 0 };
}

static void lay_curves(struct policy_curves *c, double **at, size_t n)
{
    c->cumulative = *at;
    c->list3 = *at + n;
    c->measured = *at + 2 * n;
    *at += 3 * n;
}

static double fraction(size_t k, size_t n)
{
    return k < n ? (double)k / (double)n : 1;
}

/* How many come before row r in the order of a + c; equal ones in the order of the table. */
static size_t place_by_sum(const struct policy_points *p, size_t r)
{
    size_t before = 0;
    for (size_t i = 0; i < p->n; i++) {
        double sum = p->a[i] + p->c[i], own = p->a[r] + p->c[r];
        before += sum > own || (sum == own && i < r);
    }
    return before;
}

/* Chance, and the order by a + c: the best one's place in that order decides everything. */
static void fill_baselines(struct policy_recall *r, const struct policy_replay *g)
{
    const struct policy_points *p = &g->points;
    size_t before = place_by_sum(p, g->best);
    for (size_t i = 0; i < g->n; i++)
        r->a_plus_c_regret[place_by_sum(p, i)] = p->y[g->best] - p->y[i];
    for (size_t k = 1; k < g->n; k++)
        r->a_plus_c_regret[k] = fmin(r->a_plus_c_regret[k], r->a_plus_c_regret[k - 1]);
    for (size_t k = 1; k <= g->n; k++) {
        r->chance.cumulative[k - 1] = fraction(k + 3, g->n);
        r->chance.list3[k - 1] = fraction(k + 2, g->n);
        r->chance.measured[k - 1] = fraction(k, g->n);
        r->a_plus_c.cumulative[k - 1] = before < k + 3;
        r->a_plus_c.list3[k - 1] = before < k + 2;
        r->a_plus_c.measured[k - 1] = before < k;
    }
}

int policy_recall_create(struct policy_recall *r, size_t n, struct err *e)
{
    r->n = n;
    double *at = r->block = calloc(POLICY_RECALL_CURVES * n + 1, sizeof *at);
    if (!at)
        return FAIL_NOMEM(e);
    lay_curves(&r->policy, &at, n);
    lay_curves(&r->chance, &at, n);
    lay_curves(&r->a_plus_c, &at, n);
    r->regret = at;
    r->a_plus_c_regret = at + n;
    return 0;
}

static int recall_init(struct policy_recall *r, const struct policy_replay *g, struct err *e)
{
    *r = (struct policy_recall){ .best = g->row[g->best] };
    TRY(policy_recall_create(r, g->n, e));
    fill_baselines(r, g);
    return 0;
}

/* ---- mode paper ------------------------------------------------------------------------------------------------- */

/* One fine-tune more: `missed` is the chance that the best was in no list before. Ties are averaged, not drawn. */
static void score_step(struct policy_recall *r, size_t k, const struct policy_memo *now, bool measured, double *missed)
{
    *missed *= 1 - now->hit;
    r->policy.cumulative[k - 1] += 1 - *missed;
    r->policy.list3[k - 1] += now->list3;
    r->policy.measured[k - 1] += measured;
    r->regret[k - 1] += now->regret;
}

/* A row by the chances of the memo. Rounding may leave u just above 0 at the end: then the last possible row. */
static size_t draw(const double *next, size_t n, struct policy_random *random)
{
    double u = policy_random_unit(random);
    size_t last = 0;
    for (size_t r = 0; r < n; r++) {
        if (next[r] == 0)
            continue;
        last = r;
        if ((u -= next[r]) < 0)
            break;
    }
    return last;
}

static int run_with_memo(struct policy_replay *g, struct policy_recall *r, struct policy_random *random, struct err *e)
{
    uint64_t mask = 0;
    double missed = 1;
    const struct policy_memo *now;
    TRY(policy_replay_recall(g, 0, &now, e));
    for (size_t k = 1; k <= g->n; k++) {
        mask |= (uint64_t)1 << draw(now->next, g->n, random);
        TRY(policy_replay_recall(g, mask, &now, e));
        score_step(r, k, now, mask >> g->best & 1, &missed);
    }
    return 0;
}

static int run_without_memo(struct policy_replay *g, struct policy_recall *r, struct policy_random *random,
                            struct err *e)
{
    double missed = 1;
    struct policy_memo now;
    memset(g->train, 0, g->n * sizeof *g->train);
    for (size_t k = 1; k <= g->n; k++) {
        size_t row;
        if (!policy_region_draw(g->region, g->train, NULL, random, &row, NULL, NULL))
            return FAIL(e, ERR_BUG, "the region sampler stopped at %zu of %zu rows", k - 1, g->n);
        g->train[row] = true;
        g->trained[k - 1] = row;
        TRY(policy_replay_judge(g, k, &now, e));
        score_step(r, k, &now, g->train[g->best], &missed);
    }
    return 0;
}

static int simulate_paper(struct policy_replay *g, const struct policy_play *play, struct policy_recall *r,
                          struct err *e)
{
    struct policy_random random;
    policy_random_seed(&random, play->seed, play->stream);
    for (uint64_t i = 0; i < play->runs; i++)
        TRY(g->memo ? run_with_memo(g, r, &random, e) : run_without_memo(g, r, &random, e));
    for (size_t k = 0; k < g->n; k++) {
        r->policy.cumulative[k] /= (double)play->runs;
        r->policy.list3[k] /= (double)play->runs;
        r->policy.measured[k] /= (double)play->runs;
        r->regret[k] /= (double)play->runs;
    }
    return 0;
}

/* ---- mode default ----------------------------------------------------------------------------------------------- */

/* Show the policy one more row, the one it wants; y of the rest stays NaN for it. */
static int default_step(const struct policy_replay *g, struct policy_points *seen, double prior, size_t list[3],
                        size_t *n_list, struct err *e)
{
    AUTO(policy_target_destroy) struct policy_target *before = policy_target_create(seen, 1, NULL, prior, e);
    if (!before || policy_target_fit(before, e) < 0)
        return -1;
    size_t next = g->n;
    for (size_t r = 0; r < g->n; r++)
        if (isnan(seen->y[r]) && (next == g->n || policy_target_value(before, r) > policy_target_value(before, next)))
            next = r;
    seen->y[next] = g->points.y[next];
    AUTO(policy_target_destroy) struct policy_target *after = policy_target_create(seen, 1, NULL, prior, e);
    if (!after || policy_target_fit(after, e) < 0)
        return -1;
    *n_list = policy_target_list(after, NULL, list);
    return 0;
}

static int simulate_default(struct policy_replay *g, double prior, struct policy_recall *r, struct err *e)
{
    struct policy_points seen = { .n = g->n, .a = g->points.a, .c = g->points.c, .y = g->value };
    bool found = false;
    for (size_t i = 0; i < g->n; i++)
        g->value[i] = NAN;
    for (size_t k = 0; k < g->n; k++) {
        size_t list[3], n_list;
        TRY(default_step(g, &seen, prior, list, &n_list, e));
        bool hit = policy_list_holds(list, n_list, g->best);
        found |= hit;
        r->policy.cumulative[k] = found;
        r->policy.list3[k] = hit;
        r->policy.measured[k] = !isnan(seen.y[g->best]);
        r->regret[k] = g->points.y[g->best] - g->points.y[list[0]];
    }
    return 0;
}

int policy_recall_simulate(const struct policy_points *p, const struct policy_play *play, struct policy_recall *out,
                           struct err *e)
{
    bool paper = play->mode == POLICY_MODE_PAPER;
    AUTO(policy_replay_destroy) struct policy_replay *g = policy_replay_create(p, paper, e);
    if (!g)
        return -1;
    if (play->mode == POLICY_MODE_EXHAUSTIVE)
        return FAIL(e, ERR_USAGE, "mode exhaustive has nothing to simulate; use paper or default");
    if (paper && play->runs == 0)
        return FAIL(e, ERR_USAGE, "mode paper needs at least one run");
    TRY(recall_init(out, g, e));
    int rc = paper ? simulate_paper(g, play, out, e) : simulate_default(g, play->direction_prior, out, e);
    if (rc < 0)
        policy_recall_free(out);
    return rc;
}

/* ---- without drawing -------------------------------------------------------------------------------------------- */

/* Push the chance of each set on to its successors, in order of the masks: a successor's mask is always larger. */
static int push_sets(struct policy_replay *g, double *reached, double *missed, struct policy_recall *r, struct err *e)
{
    for (uint64_t mask = 0; mask < (uint64_t)1 << g->n; mask++) {
        const struct policy_memo *now;
        if (reached[mask] == 0)
            continue;
        TRY(policy_replay_recall(g, mask, &now, e));
        size_t k = policy_replay_set(g, mask);
        if (k > 0) {
            missed[mask] *= 1 - now->hit;
            r->policy.cumulative[k - 1] += reached[mask] - missed[mask];
            r->policy.list3[k - 1] += reached[mask] * now->list3;
            r->policy.measured[k - 1] += reached[mask] * (double)(mask >> g->best & 1);
            r->regret[k - 1] += reached[mask] * now->regret;
        }
        for (size_t row = 0; row < g->n; row++) {
            if (now->next[row] == 0)
                continue;
            reached[mask | (uint64_t)1 << row] += reached[mask] * now->next[row];
            missed[mask | (uint64_t)1 << row] += missed[mask] * now->next[row];
        }
    }
    return 0;
}

int policy_recall_law(const struct policy_points *p, struct policy_recall *out, struct err *e)
{
    AUTO(policy_replay_destroy) struct policy_replay *g = policy_replay_create(p, true, e);
    if (!g)
        return -1;
    if (!g->memo)
        return FAIL(e, ERR_INPUT, "%zu usable representations; the exact law is computed for up to %d", g->n,
                    POLICY_RECALL_EXACT);
    size_t sets = (size_t)1 << g->n;
    AUTO(free) double *reached = calloc(2 * sets, sizeof *reached);
    if (!reached)
        return FAIL_NOMEM(e);
    TRY(recall_init(out, g, e));
    reached[0] = reached[sets] = 1;
    if (push_sets(g, reached, reached + sets, out, e) < 0)
        return policy_recall_free(out), -1;
    return 0;
}

int policy_recall_exhaustive(const struct policy_points *p, enum policy_rule rule, size_t slots, double *out,
                             struct err *e)
{
    AUTO(policy_replay_destroy) struct policy_replay *g = policy_replay_create(p, true, e);
    if (!g)
        return -1;
    if (!g->memo)
        return FAIL(e, ERR_INPUT, "%zu usable representations; all subsets are tried for up to %d", g->n,
                    POLICY_RECALL_EXACT);
    size_t count[POLICY_RECALL_EXACT] = { 0 };
    memset(out, 0, g->n * sizeof *out);
    for (uint64_t mask = 1; mask < (uint64_t)1 << g->n; mask++) {
        size_t k = policy_replay_set(g, mask);
        TRY(policy_replay_predict(g, k, e));
        out[k - 1] += policy_replay_chance(g, rule, slots);
        count[k - 1]++;
    }
    for (size_t k = 0; k < g->n; k++)
        out[k] /= (double)count[k];
    return 0;
}
