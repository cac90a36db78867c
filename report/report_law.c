#include "report/report_law.h"

#include "policy/fit.h"
#include "policy/table.h"

static const struct policy_shape the_law = { POLICY_COLUMNS_AC, 2 };

/* One benchmark as a table of its own, because its C may come from a correspondence set of its own. */
static struct policy_table *table_of(const struct report *r, size_t benchmark, struct err *e)
{
    AUTO(free) const char **names = calloc(r->n_representations + 1, sizeof *names);
    if (!names)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    for (size_t i = 0; i < r->n_representations; i++)
        names[i] = r->representations[i].name;
    const char *name = r->benchmarks[benchmark].name;
    struct policy_table *t = policy_table_create(names, r->n_representations, &name, 1, e);
    for (size_t i = 0; t && i < r->n_representations; i++) {
        policy_table_set_c(t, i, report_cell(r, r->c, i, benchmark));
        policy_table_set_a(t, i, 0, report_cell(r, r->a, i, benchmark));
        policy_table_set_perf(t, i, 0, report_cell(r, r->performance, i, benchmark));
    }
    return t;
}

/* The law fitted on every measured representation, back on the benchmark's own scale. */
static int predict(struct report *r, size_t benchmark, const struct policy_table *t, struct err *e)
{
    AUTO(policy_points_free) struct policy_points p = { 0 };
    struct policy_fit fit;
    TRY(policy_points_init(&p, t, 0, POLICY_NORMALISE_WHOLE, NULL, e));
    TRY(policy_fit(&p, NULL, the_law, &fit, e));
    if (fit.n_train < 2)
        return 0; /* a constant is no prediction */
    for (size_t i = 0; i < r->n_representations; i++)
        r->predicted[i * r->n_benchmarks + benchmark] = p.y_low + p.y_range * policy_fit_predict(&fit, p.a[i], p.c[i]);
    return 0;
}

int report_law_apply(struct report *r, struct err *e)
{
    for (size_t b = 0; b < r->n_benchmarks && r->n_representations; b++) {
        AUTO(policy_table_destroy) struct policy_table *t = table_of(r, b, e);
        if (!t)
            return -1;
        TRY(predict(r, b, t, e));
    }
    return 0;
}
