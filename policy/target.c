#include "policy/target.h"

#include <float.h>
#include <math.h>
#include <string.h>

void policy_target_destroy(struct policy_target *g)
{
    if (!g)
        return;
    for (size_t b = 0; g->ridges && b < g->m; b++)
        policy_ridge_destroy(g->ridges[b]);
    free(g->ridges);
    free(g->weights);
    free(g->y);
    free(g->sum_ac);
    free(g->mean);
    free(g->sd);
    free(g->imagined);
    free(g->fantasy);
    free(g->started);
    free(g);
}

static int copy_weights(struct policy_target *g, const double *weights, struct err *e)
{
    double sum = 0;
    for (size_t b = 0; b < g->m; b++) {
        double w = weights ? weights[b] : 1;
        if (!(w >= 0) || isinf(w))
            return FAIL(e, ERR_INPUT, "the weight of benchmark %zu is %g; give a number of 0 or more", b + 1, w);
        sum += g->weights[b] = w;
    }
    if (!(sum > 0) || isinf(sum))
        return FAIL(e, ERR_INPUT, "no benchmark of the policy's target has a weight; give one a weight above 0");
    for (size_t b = 0; b < g->m; b++)
        g->weights[b] /= sum;
    return 0;
}

/* A NaN of any benchmark with a weight makes the sum NaN, which is what "unknown" means here. */
static void observe(struct policy_target *g)
{
    for (size_t r = 0; r < g->n; r++) {
        g->y[r] = g->sum_ac[r] = 0;
        for (size_t b = 0; b < g->m; b++) {
            const struct policy_points *p = &g->points[b];
            g->imagined[b * g->n + r] = p->y[r];
            if (g->weights[b] == 0)
                continue;
            g->y[r] += g->weights[b] * p->y[r];
            g->sum_ac[r] += g->weights[b] * (p->a[r] + p->c[r]);
            g->started[r] |= !isnan(p->y[r]);
        }
        g->n_measured += !isnan(g->y[r]);
    }
}

struct policy_target *policy_target_create(const struct policy_points *points, size_t m, const double *weights,
                                           double direction_prior, struct err *e)
{
    AUTO(policy_target_destroy) struct policy_target *g = calloc(1, sizeof *g);
    if (!g)
        return FAIL_NOMEM(e), NULL;
    size_t n = points[0].n;
    *g = (struct policy_target){ .n = n, .m = m, .points = points, .direction_prior = direction_prior };
    g->weights = calloc(m, sizeof *g->weights);
    g->ridges = calloc(m, sizeof *g->ridges);
    g->y = calloc(n, sizeof *g->y);
    g->sum_ac = calloc(n, sizeof *g->sum_ac);
    g->mean = calloc(n, sizeof *g->mean);
    g->sd = calloc(n, sizeof *g->sd);
    g->imagined = calloc(m * n, sizeof *g->imagined);
    g->fantasy = calloc(n, sizeof *g->fantasy);
    g->started = calloc(n, sizeof *g->started);
    if (!g->weights || !g->ridges || !g->y || !g->sum_ac || !g->mean || !g->sd || !g->imagined || !g->fantasy ||
        !g->started)
        return FAIL_NOMEM(e), NULL;
    if (!(direction_prior >= 0 && direction_prior <= 1))
        return FAIL_NULL(e, ERR_INPUT, "direction_prior is %g; give a number from 0 to 1", direction_prior);
    if (copy_weights(g, weights, e) < 0)
        return NULL;
    observe(g);
    return TAKE(g);
}

static double best_so_far(const struct policy_target *g)
{
    double best = -INFINITY;
    for (size_t r = 0; r < g->n; r++) {
        double y = g->fantasy[r] ? g->mean[r] : g->y[r];
        if (!isnan(y))
            best = fmax(best, y);
    }
    return best;
}

int policy_target_fit(struct policy_target *g, struct err *e)
{
    for (size_t r = 0; r < g->n; r++)
        g->mean[r] = g->sd[r] = 0;
    for (size_t b = 0; b < g->m; b++) {
        const struct policy_points *p = &g->points[b];
        policy_ridge_destroy(g->ridges[b]);
        g->ridges[b] = policy_ridge_create(p->a, p->c, g->imagined + b * g->n, g->fantasy, g->n, g->direction_prior, e);
        if (!g->ridges[b])
            return -1;
        for (size_t r = 0; r < g->n && g->weights[b] > 0; r++) {
            g->mean[r] += g->weights[b] * policy_ridge_mean(g->ridges[b], r);
            g->sd[r] += g->weights[b] * policy_ridge_cov(g->ridges[b], r, r);
        }
    }
    for (size_t r = 0; r < g->n; r++)
        g->sd[r] = sqrt(g->sd[r]);
    g->best = best_so_far(g);
    return 0;
}

void policy_target_imagine(struct policy_target *g, size_t r)
{
    for (size_t b = 0; b < g->m; b++)
        if (isnan(g->imagined[b * g->n + r]))
            g->imagined[b * g->n + r] = policy_ridge_mean(g->ridges[b], r);
    g->fantasy[r] = true;
}

/* E max(f - best, 0) for a normal f. */
static double expected_improvement(double mean, double sd, double best)
{
    if (!(sd > 0))
        return fmax(mean - best, 0);
    double z = (mean - best) / sd;
    return sd * (z * 0.5 * erfc(-z * M_SQRT1_2) + exp(-z * z / 2) / sqrt(2 * M_PI));
}

double policy_target_value(const struct policy_target *g, size_t r)
{
    if (isinf(g->best))
        return g->sum_ac[r];
    return g->direction_prior < 1 ? expected_improvement(g->mean[r], g->sd[r], g->best) : g->mean[r] + g->sd[r];
}

/* What an unobserved row is listed by; NaN for rows that are not eligible. Trusting the law: its upper end, as in the
 * choice. Hedged: how many standard deviations it is behind the leader's own belief (not its measured value, which
 * noise may have lifted), so that a close rival stays listed. */
static double list_value(const struct policy_target *g, const bool *away, size_t leader, size_t r)
{
    if ((away && away[r]) || !isnan(g->y[r]))
        return NAN;
    if (leader == g->n)
        return g->sum_ac[r];
    if (g->direction_prior == 1)
        return g->mean[r] + g->sd[r];
    bool believed = !isnan(g->mean[leader]); /* a leader without scores has only its measured value */
    double lead = believed ? g->mean[leader] : g->y[leader], lead_sd = believed ? g->sd[leader] : 0;
    return (g->mean[r] - lead) / fmax(hypot(g->sd[r], lead_sd), DBL_MIN);
}

size_t policy_target_list(const struct policy_target *g, const bool *away, size_t list[3])
{
    size_t n_list = 0, leader = g->n;
    for (size_t r = 0; r < g->n; r++)
        if (!(away && away[r]) && !isnan(g->y[r]) && (leader == g->n || g->y[r] > g->y[leader]))
            leader = r;
    if (leader < g->n)
        list[n_list++] = leader;
    for (; n_list < 3; n_list++) {
        size_t best = g->n;
        for (size_t r = 0; r < g->n; r++) {
            double value = list_value(g, away, leader, r);
            if (!isnan(value) && !policy_list_holds(list, n_list, r) &&
                (best == g->n || value > list_value(g, away, leader, best)))
                best = r;
        }
        if (best == g->n)
            break;
        list[n_list] = best;
    }
    return n_list;
}

/* A joint draw of the target: sum w mean + sum sqrt(w) (draw - mean) has the covariance sum w cov of the header. What
 * was observed keeps its value; what was not is drawn with the noise of a measurement, since it is to be compared with
 * such. */
static void draw_target(const struct policy_target *g, struct policy_random *random, double *scratch, double *out)
{
    double noise2 = 0;
    for (size_t r = 0; r < g->n; r++)
        out[r] = g->mean[r];
    for (size_t b = 0; b < g->m; b++) {
        if (g->weights[b] == 0)
            continue;
        double root = sqrt(g->weights[b]);
        noise2 += g->weights[b] * policy_ridge_noise(g->ridges[b]);
        policy_ridge_sample(g->ridges[b], random, scratch);
        for (size_t r = 0; r < g->n; r++)
            out[r] += root * (scratch[r] - policy_ridge_mean(g->ridges[b], r));
    }
    double noise = sqrt(noise2);
    for (size_t r = 0; r < g->n; r++)
        out[r] = isnan(g->y[r]) ? out[r] + noise * policy_random_normal(random) : g->y[r];
}

int policy_target_confidence(const struct policy_target *g, const bool *away, const size_t *list, size_t n_list,
                             int draws, struct policy_random *random, double *p, struct err *e)
{
    AUTO(free) double *scratch = malloc(2 * (g->n + 1) * sizeof *scratch);
    if (!scratch)
        return FAIL_NOMEM(e);
    double *f = scratch + g->n;
    int hits = 0;
    for (int d = 0; d < draws; d++) {
        draw_target(g, random, scratch, f);
        size_t best = g->n;
        for (size_t r = 0; r < g->n; r++)
            if (!(away && away[r]) && !isnan(f[r]) && (best == g->n || f[r] > f[best]))
                best = r;
        hits += policy_list_holds(list, n_list, best);
    }
    *p = draws > 0 ? (double)hits / draws : NAN;
    return 0;
}
