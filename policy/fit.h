/* The law: performance as a polynomial of the normalised scores, fitted on the trained rows, and how good the fit is.
 */
#ifndef ACSWEEP_POLICY_FIT_H
#define ACSWEEP_POLICY_FIT_H

#include "policy/table.h"

enum policy_columns { POLICY_COLUMNS_A, POLICY_COLUMNS_C, POLICY_COLUMNS_AC };

/* Which polynomial. The paper's law is { POLICY_COLUMNS_AC, 2 }. */
struct policy_shape {
    enum policy_columns columns;
    int degree; /* 1 or 2 */
};

/* Terms in the paper's order. */
enum policy_term { POLICY_TERM_A, POLICY_TERM_C, POLICY_TERM_A2, POLICY_TERM_AC, POLICY_TERM_C2, POLICY_TERMS };

struct policy_fit {
    struct policy_shape shape;
    size_t n_train, rank;
    double intercept;          /* NaN when nothing was trained */
    double coef[POLICY_TERMS]; /* NaN for a term that the shape does not have */
    double r2;                 /* on the trained rows; NaN when their values are all equal */
    double r2_adjusted;        /* NaN without a degree of freedom to spare */
    double r2_loo;             /* leave-one-out: 1 - PRESS / total; NaN under three rows */
    double spearman;           /* of prediction and value on the trained rows */
};

/* Fit on the rows that are in `train` (NULL = all) and have the scores of the shape and a performance. */
MUST_USE int policy_fit(const struct policy_points *p, const bool *train, struct policy_shape shape,
                        struct policy_fit *out, struct err *e);

/* As policy_fit() on the rows listed, all of which are complete, without the measures of goodness (they stay NaN). */
MUST_USE int policy_fit_rows(const struct policy_points *p, const size_t *rows, size_t n_rows,
                             struct policy_shape shape, struct policy_fit *out, struct err *e);

/* Prediction on the normalised scale; NaN when a score it needs is unknown or nothing was trained. */
double policy_fit_predict(const struct policy_fit *fit, double a, double c);

/* Rank correlation with mean ranks for ties; NaN under two rows or when a side is constant. ERR_ENV without memory. */
MUST_USE int policy_spearman(const double *x, const double *y, size_t n, double *rho, struct err *e);

#endif
