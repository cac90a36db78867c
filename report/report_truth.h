/* What the choice lost, where the performance of everything is known from a table beside the database: of each
 * benchmark and of the target what the policy recommends, how good that truly is, and what choices by lot would have
 * lost; and how well the law holds on all representations. The table makes the recall curves (report_law.h) possible,
 * too. */
#ifndef ACSWEEP_REPORT_REPORT_TRUTH_H
#define ACSWEEP_REPORT_REPORT_TRUTH_H

#include <jansson.h>

#include "policy/fit.h"
#include "policy/regret.h"
#include "report/report_data.h"

/* Of one benchmark, or (the last one) of the target, whose truth is the weighted mean of the benchmarks, each from 0,
 * the worst of all, to 1, the best of all. */
struct report_verdict {
    size_t list[3], n_list;                 /* first of the policy's ranking; 0 = nothing is ranked */
    size_t best, worst;                     /* truly */
    size_t fine_tunes;                      /* representations that were measured on it */
    double *values;                         /* [representations] */
    struct policy_regret ours, by_lot, one; /* the policy; the best of as many by lot; one by lot */
    struct policy_fit law;                  /* on all representations; not of the target */
};

struct report_truth {
    const char *file;                       /* name for people */
    struct report_verdict *verdicts;        /* [n_benchmarks + 1] */
    struct policy_regret ours, by_lot, one; /* means over the benchmarks; value and lost NaN where units differ */
    double r2, r2_loo;                      /* means over the benchmarks */
    size_t n_loo, n_useless;                /* benchmarks with a leave-one-out R^2; those where it is not above 0 */
    double *a, *c;                          /* cells: of the file, else of the sweep */
    double furthest;       /* largest difference of a measured value to its truth, as a share of the range; NaN */
    double *cells, *block; /* truth in the order of report.h; owns all numbers */
    char *path;
};

/* Read the file into r->truth and r->known; before report_law_apply(). */
MUST_USE int report_truth_read(struct report *r, const char *path, struct err *e);
/* Fill the verdicts; when the rest of the report is known. */
MUST_USE int report_truth_judge(struct report *r, struct err *e);
void report_truth_free(struct report_truth *t);

bool report_truth_any(const struct report *r);
/* The section, without its heading; the JSON object, NULL without a truth; one or two lines for a terminal. */
void report_truth_html(const struct report *r, struct buf *out);
json_t *report_truth_json(const struct report *r);
void report_truth_line(const struct report *r, struct buf *out);

#endif
