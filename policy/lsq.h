/* Least squares of minimum norm of the centred problem, by singular values with an explicit rank.
 *
 * With fewer rows than columns + 1 many planes fit exactly; the one whose coefficients (not the intercept) are shortest
 * is taken, as the paper's own tool does. Which singular values count decides the answer there: centring k rows leaves
 * rank k - 1 at most, but the last singular value is computed as about 1e-15 of the first instead of 0, and a cut at
 * machine epsilon sometimes lets it in. So the rank is bounded by min(k - 1, columns) and values under POLICY_LSQ_CUT
 * of the largest are dropped (on the paper's table genuine ones are above 8e-7, null ones below 2e-15). */
#ifndef ACSWEEP_POLICY_LSQ_H
#define ACSWEEP_POLICY_LSQ_H

#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

#define POLICY_LSQ_CUT 1e-11

enum { POLICY_LSQ_MAX_COLUMNS = 5 };

/* x (rows x columns, column-major), y (rows) -> coef (columns), intercept, rank. rows >= 1, 1 <= columns <= the
 * maximum. */
MUST_USE int policy_lsq(const double *x, const double *y, size_t rows, size_t columns, double *coef, double *intercept,
                        size_t *rank, struct err *e);

#endif
