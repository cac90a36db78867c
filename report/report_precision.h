/* How far the measured numbers can be trusted, from the numbers of questions behind them.
 *
 * A score of p out of a maximum M on n questions, each right or wrong, has the standard error M sqrt(q (1 - q) / n)
 * with q = p / M. For answers that count in part (VQA) it is an upper bound; for sums of several accuracies (MME) it is
 * the order of magnitude. What the evaluation itself reports goes before that. */
#ifndef ACSWEEP_REPORT_REPORT_PRECISION_H
#define ACSWEEP_REPORT_REPORT_PRECISION_H

#include "report/report_data.h"

/* `questions` and `reported` are metrics of the evaluation, NaN where there are none. NaN = not known. */
double report_standard_error(const struct report_benchmark *b, double performance, double questions, double reported);

/* Set `tied`: the difference to the best measured target is below two standard errors of a difference between
 * independent samples. Both answer the same questions, so the true error is smaller: "tied" is said too often rather
 * than too rarely. */
void report_mark_ties(struct report *r);

#endif
