#include "policy/ridge.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

/* Unknowns: beta0 and the five weights of g. Everything below is linear in y and in the prior mean m = a + c, so the
 * posterior given tau is  mean = Ly + tau (m - Lm),  cov = tau^2 S,  with L and S free of tau. */
enum { D = 6, GRID = 20, STATES = 2 * GRID };

struct policy_ridge {
    size_t n;
    bool fitted;
    double *features;   /* n x D: 1, a, c, a^2, ac, c^2 */
    double *base;       /* L y */
    double *slope;      /* m - L m */
    double *spread;     /* n x D: features half, the coordinates of a noiseless value in independent unit normals */
    double half[D * D]; /* lower triangular: S = (features half) (features half)' */
    double tau[STATES], weight[STATES]; /* mixture; the first half follows the direction, the second does not */
    double mean_tau;                    /* E[tau 1(direction)] */
    double var_tau;                     /* Var[tau 1(direction)] */
    double tau2;                        /* E[tau^2] */
};

void policy_ridge_destroy(struct policy_ridge *g)
{
    if (!g)
        return;
    free(g->features);
    free(g->base);
    free(g->slope);
    free(g->spread);
    free(g);
}

static void make_features(struct policy_ridge *g, const double *a, const double *c)
{
    for (size_t i = 0; i < g->n; i++) {
        double row[D] = { 1, a[i], c[i], a[i] * a[i], a[i] * c[i], c[i] * c[i] };
        memcpy(g->features + i * D, row, sizeof row);
    }
}

/* Cholesky factor of the posterior precision  F'F / noise^2 + diag(0, 1/prior^2, ...)  over the measured rows. */
static int factor(const struct policy_ridge *g, const size_t *rows, size_t k, double *chol, struct err *e)
{
    const double noise2 = POLICY_RIDGE_NOISE * POLICY_RIDGE_NOISE,
                 prior2 = POLICY_RIDGE_PRIOR_SD * POLICY_RIDGE_PRIOR_SD;
    memset(chol, 0, D * D * sizeof *chol);
    for (size_t r = 0; r < k; r++) {
        const double *f = g->features + rows[r] * D;
        for (int j = 0; j < D; j++)
            for (int i = j; i < D; i++)
                chol[j * D + i] += f[i] * f[j] / noise2;
    }
    for (int i = 1; i < D; i++)
        chol[i * D + i] += 1 / prior2;
    lapack_int info = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', D, chol, D);
    return info == 0 ? 0
                     : FAIL(e, ERR_BUG, "the ridge's precision is not positive definite (LAPACK says %d)", (int)info);
}

/* Posterior mean of the unknowns when the measured rows show `z`. */
static int solve(const struct policy_ridge *g, const size_t *rows, size_t k, const double *chol, const double *z,
                 double *theta, struct err *e)
{
    const double noise2 = POLICY_RIDGE_NOISE * POLICY_RIDGE_NOISE;
    memset(theta, 0, D * sizeof *theta);
    for (size_t r = 0; r < k; r++)
        for (int i = 0; i < D; i++)
            theta[i] += g->features[rows[r] * D + (size_t)i] * z[rows[r]] / noise2;
    lapack_int info = LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'L', D, 1, chol, D, theta, D);
    return info == 0 ? 0 : FAIL(e, ERR_BUG, "the ridge's equations have no solution (LAPACK says %d)", (int)info);
}

static double dot(const double *x, const double *y)
{
    double sum = 0;
    for (int i = 0; i < D; i++)
        sum += x[i] * y[i];
    return sum;
}

/* The bilinear form whose value at z, z is Q: misfit of the rows in noise units plus the weights in prior units. */
static double misfit(const struct policy_ridge *g, const size_t *rows, size_t k, const double *z1, const double *theta1,
                     const double *z2, const double *theta2)
{
    double rest = 0, weights = dot(theta1, theta2) - theta1[0] * theta2[0];
    for (size_t r = 0; r < k; r++) {
        const double *f = g->features + rows[r] * D;
        rest += (z1[rows[r]] - dot(f, theta1)) * (z2[rows[r]] - dot(f, theta2));
    }
    return rest / (POLICY_RIDGE_NOISE * POLICY_RIDGE_NOISE) + weights / (POLICY_RIDGE_PRIOR_SD * POLICY_RIDGE_PRIOR_SD);
}

/* log(0) = -inf gives a state no weight. Weights are set relative to the best, so that exp() cannot underflow
 * everywhere. */
static void weigh(struct policy_ridge *g, const double *log_weight)
{
    double best = -INFINITY, sum = 0;
    for (int s = 0; s < STATES; s++)
        best = fmax(best, log_weight[s]);
    for (int s = 0; s < STATES; s++)
        sum += g->weight[s] = exp(log_weight[s] - best);
    for (int s = 0; s < STATES; s++)
        g->weight[s] /= sum;
    double first = 0, second = 0;
    g->tau2 = 0;
    for (int s = 0; s < STATES; s++) {
        double w = g->weight[s], t = g->tau[s], followed = s < GRID ? t : 0;
        first += w * followed;
        second += w * followed * followed;
        g->tau2 += w * t * t;
    }
    g->mean_tau = first;
    g->var_tau = fmax(0, second - first * first);
}

/* tau = range * exp(20 points from ln 1/4 to ln 8); without a range (nothing, or one value, measured) the single tau 1.
 */
static void mix(struct policy_ridge *g, double range, size_t k, double yy, double ym, double mm, double prior)
{
    double log_weight[STATES];
    for (int s = 0; s < STATES; s++) {
        bool follows = s < GRID;
        double step = (double)(s % GRID) / (GRID - 1), log_prior = log(follows ? prior : 1 - prior);
        if (!(range > 0)) {
            g->tau[s] = 1;
            log_weight[s] = log_prior;
            continue;
        }
        double t = g->tau[s] = range * exp(log(0.25) + step * (log(8) - log(0.25)));
        double q = yy / (t * t) + (follows ? mm - 2 * ym / t : 0);
        log_weight[s] = log_prior - (double)(k - 1) * log(t) - q / 2;
    }
    weigh(g, log_weight);
}

/* half = transposed inverse of the Cholesky factor, so that half half' is the posterior covariance of the unknowns. */
static int invert(struct policy_ridge *g, double *chol, struct err *e)
{
    lapack_int info = LAPACKE_dtrtri(LAPACK_COL_MAJOR, 'L', 'N', D, chol, D);
    if (info != 0)
        return FAIL(e, ERR_BUG, "the ridge's factor has no inverse (LAPACK says %d)", (int)info);
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++)
            g->half[i * D + j] = j >= i ? chol[i * D + j] : 0; /* chol is column-major: its transpose, row by row */
    return 0;
}

static int fit(struct policy_ridge *g, const double *m, const double *y, const bool *fantasy, const size_t *rows,
               size_t k, double prior, struct err *e)
{
    double chol[D * D], theta_y[D], theta_m[D], low = INFINITY, high = -INFINITY;
    TRY(factor(g, rows, k, chol, e));
    TRY(solve(g, rows, k, chol, y, theta_y, e));
    TRY(solve(g, rows, k, chol, m, theta_m, e));
    TRY(invert(g, chol, e));
    for (size_t r = 0; r < k; r++)
        if (!fantasy || !fantasy[rows[r]]) {
            low = fmin(low, y[rows[r]]);
            high = fmax(high, y[rows[r]]);
        }
    mix(g, high > low ? high - low : 0, k, misfit(g, rows, k, y, theta_y, y, theta_y),
        misfit(g, rows, k, y, theta_y, m, theta_m), misfit(g, rows, k, m, theta_m, m, theta_m), prior);
    for (size_t i = 0; i < g->n; i++) {
        const double *f = g->features + i * D;
        g->base[i] = dot(f, theta_y);
        g->slope[i] = m[i] - dot(f, theta_m);
    }
    return 0;
}

/* Nothing measured: beta0 is free, so only differences mean something; it is taken as 0 and known. */
static void prior_only(struct policy_ridge *g, const double *m, double prior)
{
    mix(g, 0, 0, 0, 0, 0, prior);
    for (size_t i = 0; i < g->n; i++) {
        g->base[i] = 0 * m[i]; /* keeps NaN */
        g->slope[i] = m[i];
    }
    for (int i = 1; i < D; i++)
        g->half[i * D + i] = POLICY_RIDGE_PRIOR_SD;
}

static void make_spread(struct policy_ridge *g)
{
    for (size_t i = 0; i < g->n; i++)
        for (int j = 0; j < D; j++) {
            double sum = 0;
            for (int l = 0; l < D; l++)
                sum += g->features[i * D + (size_t)l] * g->half[l * D + j];
            g->spread[i * D + (size_t)j] = sum;
        }
}

struct policy_ridge *policy_ridge_create(const double *a, const double *c, const double *y, const bool *fantasy,
                                         size_t n, double direction_prior, struct err *e)
{
    AUTO(policy_ridge_destroy) struct policy_ridge *g = calloc(1, sizeof *g);
    AUTO(free) double *m = malloc((n + 1) * sizeof *m);
    AUTO(free) size_t *rows = malloc((n + 1) * sizeof *rows);
    if (!g || !m || !rows)
        return FAIL_NOMEM(e), NULL;
    g->n = n;
    g->features = malloc((n + 1) * D * sizeof *g->features);
    g->base = malloc((n + 1) * sizeof *g->base);
    g->slope = malloc((n + 1) * sizeof *g->slope);
    g->spread = malloc((n + 1) * D * sizeof *g->spread);
    if (!g->features || !g->base || !g->slope || !g->spread)
        return FAIL_NOMEM(e), NULL;
    make_features(g, a, c);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        m[i] = a[i] + c[i];
        if (!isnan(m[i]) && !isnan(y[i]))
            rows[k++] = i;
    }
    if (k == 0)
        prior_only(g, m, direction_prior);
    else if (fit(g, m, y, fantasy, rows, k, direction_prior, e) < 0)
        return NULL;
    make_spread(g);
    return TAKE(g);
}

double policy_ridge_mean(const struct policy_ridge *g, size_t i)
{
    return g->base[i] + g->mean_tau * g->slope[i];
}

double policy_ridge_cov(const struct policy_ridge *g, size_t i, size_t j)
{
    return g->tau2 * dot(g->spread + i * D, g->spread + j * D) + g->var_tau * g->slope[i] * g->slope[j];
}

double policy_ridge_noise(const struct policy_ridge *g)
{
    return g->tau2 * POLICY_RIDGE_NOISE * POLICY_RIDGE_NOISE;
}

void policy_ridge_sample(const struct policy_ridge *g, struct policy_random *random, double *out)
{
    double u = policy_random_unit(random), unit[D];
    int state = 0;
    while (state < STATES - 1 && (u -= g->weight[state]) >= 0)
        state++;
    for (int j = 0; j < D; j++)
        unit[j] = policy_random_normal(random);
    double t = g->tau[state], along = state < GRID ? t : 0;
    for (size_t i = 0; i < g->n; i++)
        out[i] = g->base[i] + along * g->slope[i] + t * dot(g->spread + i * D, unit);
}
