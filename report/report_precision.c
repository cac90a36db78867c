#include "report/report_precision.h"

double report_standard_error(const struct report_benchmark *b, double performance, double questions, double reported)
{
    if (!isfinite(performance))
        return NAN;
    if (isfinite(reported) && reported >= 0)
        return reported;
    double n = isfinite(questions) && questions > 0 ? questions : (double)b->questions;
    double share = performance / b->maximum;
    if (!(n > 0) || !(b->maximum > 0) || !(share >= 0 && share <= 1))
        return NAN;
    return b->maximum * sqrt(share * (1 - share) / n);
}

void report_mark_ties(struct report *r)
{
    const struct report_representation *best = NULL;
    for (size_t i = 0; i < r->n_representations; i++)
        if (isfinite(r->representations[i].target) && (!best || r->representations[i].target > best->target))
            best = &r->representations[i];
    for (size_t i = 0; best && i < r->n_representations; i++) {
        struct report_representation *v = &r->representations[i];
        v->tied = v != best && best->target - v->target < 2 * hypot(best->target_se, v->target_se); /* false for NaN */
    }
}
