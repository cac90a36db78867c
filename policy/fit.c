#include "policy/fit.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "policy/lsq.h"

static_assert((int)POLICY_TERMS == (int)POLICY_LSQ_MAX_COLUMNS, "every term is a column");

static bool has_term(struct policy_shape shape, enum policy_term term)
{
    static const struct {
        bool a, c;
        int degree;
    } needs[POLICY_TERMS] = {
        [POLICY_TERM_A] = { true, false, 1 },  [POLICY_TERM_C] = { false, true, 1 },
        [POLICY_TERM_A2] = { true, false, 2 }, [POLICY_TERM_AC] = { true, true, 2 },
        [POLICY_TERM_C2] = { false, true, 2 },
    };
    return needs[term].degree <= shape.degree && !(needs[term].a && shape.columns == POLICY_COLUMNS_C) &&
           !(needs[term].c && shape.columns == POLICY_COLUMNS_A);
}

static double term_value(enum policy_term term, double a, double c)
{
    switch (term) {
    case POLICY_TERM_A:
        return a;
    case POLICY_TERM_C:
        return c;
    case POLICY_TERM_A2:
        return a * a;
    case POLICY_TERM_AC:
        return a * c;
    default:
        return c * c;
    }
}

static void forget(struct policy_fit *fit, struct policy_shape shape)
{
    *fit = (struct policy_fit){
        .shape = shape, .intercept = NAN, .r2 = NAN, .r2_adjusted = NAN, .r2_loo = NAN, .spearman = NAN
    };
    for (int t = 0; t < POLICY_TERMS; t++)
        fit->coef[t] = NAN;
}

int policy_fit_rows(const struct policy_points *p, const size_t *rows, size_t n_rows, struct policy_shape shape,
                    struct policy_fit *out, struct err *e)
{
    enum { FEW = 64 };
    forget(out, shape);
    out->n_train = n_rows;
    if (n_rows == 0)
        return 0;
    double few[(POLICY_TERMS + 1) * FEW], coef[POLICY_TERMS];
    AUTO(free) double *many = n_rows > FEW ? malloc((POLICY_TERMS + 1) * n_rows * sizeof *many) : NULL;
    if (n_rows > FEW && !many)
        return FAIL_NOMEM(e);
    double *x = many ? many : few, *y = x + POLICY_TERMS * n_rows;
    size_t columns = 0;
    for (int t = 0; t < POLICY_TERMS; t++) {
        if (!has_term(shape, t))
            continue;
        for (size_t i = 0; i < n_rows; i++)
            x[columns * n_rows + i] = term_value(t, p->a[rows[i]], p->c[rows[i]]);
        columns++;
    }
    for (size_t i = 0; i < n_rows; i++)
        y[i] = p->y[rows[i]];
    TRY(policy_lsq(x, y, n_rows, columns, coef, &out->intercept, &out->rank, e));
    for (int t = 0, j = 0; t < POLICY_TERMS; t++)
        if (has_term(shape, t))
            out->coef[t] = coef[j++];
    return 0;
}

double policy_fit_predict(const struct policy_fit *fit, double a, double c)
{
    double sum = fit->intercept;
    for (int t = 0; t < POLICY_TERMS; t++)
        if (has_term(fit->shape, t))
            sum += fit->coef[t] * term_value(t, a, c);
    return sum;
}

/* ---- how good the fit is ---------------------------------------------------------------------------------------- */

/* Mean rank of each value: 1 + how many are smaller + half of how many others are equal. */
static double mean_rank(const double *v, size_t n, size_t i)
{
    size_t less = 0, equal = 0;
    for (size_t j = 0; j < n; j++) {
        less += v[j] < v[i];
        equal += v[j] == v[i];
    }
    return (double)less + ((double)equal + 1) / 2;
}

int policy_spearman(const double *x, const double *y, size_t n, double *rho, struct err *e)
{
    *rho = NAN;
    if (n < 2)
        return 0;
    AUTO(free) double *rx = malloc(2 * n * sizeof *rx);
    if (!rx)
        return FAIL_NOMEM(e);
    double *ry = rx + n, middle = ((double)n + 1) / 2, xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < n; i++) {
        rx[i] = mean_rank(x, n, i) - middle;
        ry[i] = mean_rank(y, n, i) - middle;
        xy += rx[i] * ry[i];
        xx += rx[i] * rx[i];
        yy += ry[i] * ry[i];
    }
    if (xx > 0 && yy > 0)
        *rho = xy / sqrt(xx * yy);
    return 0;
}

static double predict_row(const struct policy_fit *fit, const struct policy_points *p, size_t row)
{
    return policy_fit_predict(fit, p->a[row], p->c[row]);
}

/* Sum of squared errors of each row under the fit of all the others. */
static int press(const struct policy_points *p, const size_t *rows, size_t n, struct policy_shape shape, double *sum,
                 struct err *e)
{
    AUTO(free) size_t *others = malloc(n * sizeof *others);
    if (!others)
        return FAIL_NOMEM(e);
    *sum = 0;
    for (size_t left = 0; left < n; left++) {
        size_t k = 0;
        for (size_t i = 0; i < n; i++)
            if (i != left)
                others[k++] = rows[i];
        struct policy_fit fit;
        TRY(policy_fit_rows(p, others, k, shape, &fit, e));
        double miss = p->y[rows[left]] - predict_row(&fit, p, rows[left]);
        *sum += miss * miss;
    }
    return 0;
}

static int measure(const struct policy_points *p, const size_t *rows, size_t n, struct policy_fit *fit, struct err *e)
{
    AUTO(free) double *guess = malloc(2 * (n + 1) * sizeof *guess);
    if (!guess)
        return FAIL_NOMEM(e);
    double *value = guess + n, mean = 0, total = 0, left = 0, left_out = 0;
    for (size_t i = 0; i < n; i++) {
        guess[i] = predict_row(fit, p, rows[i]);
        value[i] = p->y[rows[i]];
        mean += value[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        total += (value[i] - mean) * (value[i] - mean);
        left += (value[i] - guess[i]) * (value[i] - guess[i]);
    }
    TRY(policy_spearman(guess, value, n, &fit->spearman, e));
    if (!(total > 0))
        return 0;
    size_t terms = 0;
    for (int t = 0; t < POLICY_TERMS; t++)
        terms += has_term(fit->shape, t);
    fit->r2 = 1 - left / total;
    if (n > terms + 1)
        fit->r2_adjusted = 1 - (left / total) * ((double)n - 1) / (double)(n - terms - 1);
    if (n >= 3) {
        TRY(press(p, rows, n, fit->shape, &left_out, e));
        fit->r2_loo = 1 - left_out / total;
    }
    return 0;
}

int policy_fit(const struct policy_points *p, const bool *train, struct policy_shape shape, struct policy_fit *out,
               struct err *e)
{
    AUTO(free) size_t *rows = calloc(p->n + 1, sizeof *rows);
    if (!rows)
        return FAIL_NOMEM(e);
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        bool a_missing = shape.columns != POLICY_COLUMNS_C && isnan(p->a[i]);
        bool c_missing = shape.columns != POLICY_COLUMNS_A && isnan(p->c[i]);
        if ((!train || train[i]) && !a_missing && !c_missing && !isnan(p->y[i]))
            rows[n++] = i;
    }
    TRY(policy_fit_rows(p, rows, n, shape, out, e));
    return n == 0 ? 0 : measure(p, rows, n, out, e);
}
