/* A result for programs and for people. */
#include <math.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/benchmark/metric.h"

static json_t *number_or_null(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

json_t *metric_result_json(const struct metric_result *r, const struct question_set *s, struct err *e)
{
    AUTO(json_decref) json_t *values = json_object();
    for (size_t i = 0; i < r->n_values; i++)
        if (json_object_set_new(values, r->values[i].name, json_real(r->values[i].value)) < 0)
            return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    json_t *all = json_pack("{s:s, s:s, s:s, s:f, s:o, s:f, s:f, s:b, s:I, s:I, s:f, s:o, s:s, s:f, s:O}", "benchmark",
                            question_set_family(s)->name, "metric", r->metric, "unit", r->unit, "performance",
                            r->performance, "standard_error", number_or_null(r->standard_error), "ci_low",
                            r->interval.low, "ci_high", r->interval.high, "above_chance", (int)metric_beats_chance(r),
                            "questions", (json_int_t)r->questions, "unparsed", (json_int_t)r->unparsed, "chance",
                            r->chance, "guess", number_or_null(r->guess), "constant", r->constant,
                            "constant_performance", r->constant_performance, "values", values);
    return all ? all : FAIL_NULL(e, ERR_NOMEM, "out of memory");
}

void metric_result_describe(const struct metric_result *r, struct buf *to)
{
    const char *space = r->unit[0] == '%' ? "" : " ";
    buf_printf(to, "%s %.2f%s%s, 95 %% interval %.2f to %.2f, over %zu\n", r->metric, r->performance, space, r->unit,
               r->interval.low, r->interval.high, r->questions);
    buf_printf(to, "chance %.2f%s%s (", r->chance, space, r->unit);
    if (r->guess > r->constant_performance)
        buf_printf(to, "by lot; the best constant answer, '%s': %.2f", r->constant, r->constant_performance);
    else
        buf_printf(to, "the best constant answer, '%s'", r->constant);
    buf_printf(to, "): %s\n", metric_beats_chance(r)           ? "above chance"
                              : r->interval.high < r->chance ? "below chance"
                                                             : "not told apart from chance");
}
