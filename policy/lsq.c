#include "policy/lsq.h"

#include <lapacke.h>
#include <string.h>

enum { P = POLICY_LSQ_MAX_COLUMNS, FEW_ROWS = 64 };

static double mean(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return sum / (double)n;
}

/* Solve from the parts: coef = V_r S_r^-1 U_r' (y - mean y). u is rows x p, vt p x columns, both column-major. */
static size_t solve(const double *u, const double *s, const double *vt, const double *y, double y_mean, size_t rows,
                    size_t columns, size_t p, double *coef)
{
    size_t most = rows - 1 < columns ? rows - 1 : columns, rank = 0;
    while (rank < most && s[rank] > POLICY_LSQ_CUT * s[0])
        rank++;
    for (size_t j = 0; j < columns; j++)
        coef[j] = 0;
    for (size_t r = 0; r < rank; r++) {
        double dot = 0;
        for (size_t i = 0; i < rows; i++)
            dot += u[r * rows + i] * (y[i] - y_mean);
        for (size_t j = 0; j < columns; j++)
            coef[j] += vt[j * p + r] * dot / s[r];
    }
    return rank;
}

int policy_lsq(const double *x, const double *y, size_t rows, size_t columns, double *coef, double *intercept,
               size_t *rank, struct err *e)
{
    size_t p = rows < columns ? rows : columns;
    double x_mean[P], s[P], vt[P * P], superb[P], small[2 * P * FEW_ROWS];
    AUTO(free) double *large = rows > FEW_ROWS ? malloc(2 * P * rows * sizeof *large) : NULL;
    if (rows > FEW_ROWS && !large)
        return FAIL_NOMEM(e);
    double *centred = large ? large : small, *u = centred + P * rows;
    for (size_t j = 0; j < columns; j++) {
        x_mean[j] = mean(x + j * rows, rows);
        for (size_t i = 0; i < rows; i++)
            centred[j * rows + i] = x[j * rows + i] - x_mean[j];
    }
    lapack_int info = LAPACKE_dgesvd(LAPACK_COL_MAJOR, 'S', 'S', (lapack_int)rows, (lapack_int)columns, centred,
                                     (lapack_int)rows, s, u, (lapack_int)rows, vt, (lapack_int)p, superb);
    if (info != 0)
        return FAIL(e, ERR_BUG, "the singular values of a %zu x %zu fit did not converge (LAPACK says %d)", rows,
                    columns, (int)info);
    double y_mean = mean(y, rows);
    *rank = solve(u, s, vt, y, y_mean, rows, columns, p, coef);
    *intercept = y_mean;
    for (size_t j = 0; j < columns; j++)
        *intercept -= coef[j] * x_mean[j];
    return 0;
}
