#include "policy/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/parse.h"

struct policy_table {
    size_t n, m;            /* representations, benchmarks */
    char **representations; /* [n] */
    char **benchmarks;      /* [m] */
    double *c, *a, *perf;   /* [n * m], row by representation */
};

static void free_names(char **names, size_t n)
{
    for (size_t i = 0; names && i < n; i++)
        free(names[i]);
    free(names);
}

void policy_table_destroy(struct policy_table *t)
{
    if (!t)
        return;
    free_names(t->representations, t->n);
    free_names(t->benchmarks, t->m);
    free(t->c);
    free(t->a);
    free(t->perf);
    free(t);
}

static int compare_names(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Two rows of one name would make every later message ambiguous. */
static int check_unique(char *const *names, size_t n, const char *what, struct err *e)
{
    AUTO(free) const char **sorted = malloc((n + 1) * sizeof *sorted);
    if (!sorted)
        return FAIL_NOMEM(e);
    memcpy(sorted, names, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_names);
    for (size_t i = 1; i < n; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            return FAIL(e, ERR_INPUT, "%s '%s' appears twice; keep one of them", what, sorted[i]);
    return 0;
}

static int copy_names(char ***out, const char *const *names, size_t n, const char *what, struct err *e)
{
    char **copy = *out = calloc(n + 1, sizeof *copy);
    if (!copy)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(names[i]);
        if (len == 0 || len > POLICY_MAX_NAME)
            return FAIL(e, ERR_INPUT, "the name of %s %zu has %zu bytes; allowed are 1..%d", what, i + 1, len,
                        POLICY_MAX_NAME);
        if (!(copy[i] = strdup(names[i])))
            return FAIL_NOMEM(e);
    }
    return check_unique(copy, n, what, e);
}

static double *unknowns(size_t n)
{
    double *v = malloc((n + 1) * sizeof *v);
    for (size_t i = 0; v && i < n; i++)
        v[i] = NAN;
    return v;
}

struct policy_table *policy_table_create(const char *const *representations, size_t n_representations,
                                         const char *const *benchmarks, size_t n_benchmarks, struct err *e)
{
    if (n_representations == 0 || n_representations > POLICY_MAX_REPRESENTATIONS)
        return FAIL_NULL(e, ERR_INPUT, "%zu representations; allowed are 1..%d", n_representations,
                         POLICY_MAX_REPRESENTATIONS);
    if (n_benchmarks == 0 || n_benchmarks > POLICY_MAX_BENCHMARKS)
        return FAIL_NULL(e, ERR_INPUT, "%zu benchmarks; allowed are 1..%d", n_benchmarks, POLICY_MAX_BENCHMARKS);
    AUTO(policy_table_destroy) struct policy_table *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL_NOMEM(e), NULL;
    t->n = n_representations;
    t->m = n_benchmarks;
    if (copy_names(&t->representations, representations, t->n, "representation", e) < 0 ||
        copy_names(&t->benchmarks, benchmarks, t->m, "benchmark", e) < 0)
        return NULL;
    t->c = unknowns(t->n * t->m);
    t->a = unknowns(t->n * t->m);
    t->perf = unknowns(t->n * t->m);
    if (!t->c || !t->a || !t->perf)
        return FAIL_NOMEM(e), NULL;
    return TAKE(t);
}

/* ---- cells ------------------------------------------------------------------------------------------------------ */

size_t policy_table_representations(const struct policy_table *t)
{
    return t->n;
}

size_t policy_table_benchmarks(const struct policy_table *t)
{
    return t->m;
}

const char *policy_table_representation(const struct policy_table *t, size_t r)
{
    return t->representations[r];
}

const char *policy_table_benchmark(const struct policy_table *t, size_t b)
{
    return t->benchmarks[b];
}

static int find_name(char *const *names, size_t n, const char *what, const char *name, size_t *out, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) {
            *out = i;
            return 0;
        }
    const char *near = parse_nearest(name, (const char *const *)names, n);
    return near ? FAIL(e, ERR_INPUT, "the table has no %s '%s'; did you mean '%s'?", what, name, near)
                : FAIL(e, ERR_INPUT, "the table has no %s '%s'; its first is '%s'", what, name, names[0]);
}

int policy_table_find_representation(const struct policy_table *t, const char *name, size_t *r, struct err *e)
{
    return find_name(t->representations, t->n, "representation", name, r, e);
}

int policy_table_find_benchmark(const struct policy_table *t, const char *name, size_t *b, struct err *e)
{
    return find_name(t->benchmarks, t->m, "benchmark", name, b, e);
}

double policy_table_c(const struct policy_table *t, size_t r, size_t b)
{
    return t->c[r * t->m + b];
}

double policy_table_a(const struct policy_table *t, size_t r, size_t b)
{
    return t->a[r * t->m + b];
}

double policy_table_perf(const struct policy_table *t, size_t r, size_t b)
{
    return t->perf[r * t->m + b];
}

void policy_table_set_c(struct policy_table *t, size_t r, double value)
{
    for (size_t b = 0; b < t->m; b++)
        policy_table_set_c_of(t, r, b, value);
}

void policy_table_set_c_of(struct policy_table *t, size_t r, size_t b, double value)
{
    t->c[r * t->m + b] = value;
}

void policy_table_set_a(struct policy_table *t, size_t r, size_t b, double value)
{
    t->a[r * t->m + b] = value;
}

void policy_table_set_perf(struct policy_table *t, size_t r, size_t b, double value)
{
    t->perf[r * t->m + b] = value;
}

/* ---- normalisation ---------------------------------------------------------------------------------------------- */

/* Range of the known values of the rows in `use` (NULL = all); 0 and 0 when there are none. */
static void find_range(const double *v, size_t n, const bool *use, double *low, double *range)
{
    double lo = INFINITY, hi = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (!isnan(v[i]) && (!use || use[i])) {
            lo = fmin(lo, v[i]);
            hi = fmax(hi, v[i]);
        }
    *low = lo <= hi ? lo : 0;
    *range = lo <= hi ? hi - lo : 0;
}

static void rescale(double *v, size_t n, double low, double range)
{
    for (size_t i = 0; i < n; i++)
        if (!isnan(v[i]))
            v[i] = range > 0 ? (v[i] - low) / range : 0;
}

void policy_min_max(double *v, size_t n)
{
    double low, range;
    find_range(v, n, NULL, &low, &range);
    rescale(v, n, low, range);
}

int policy_points_create(struct policy_points *p, size_t n, struct err *e)
{
    *p = (struct policy_points){ .n = n, .a = calloc(3 * n + 1, sizeof *p->a) };
    if (!p->a)
        return FAIL_NOMEM(e);
    p->c = p->a + n;
    p->y = p->a + 2 * n;
    return 0;
}

int policy_points_copy(struct policy_points *p, const struct policy_points *from, struct err *e)
{
    TRY(policy_points_create(p, from->n, e));
    memcpy(p->a, from->a, 3 * from->n * sizeof *p->a);
    p->y_low = from->y_low;
    p->y_range = from->y_range;
    return 0;
}

int policy_points_init(struct policy_points *p, const struct policy_table *t, size_t b, enum policy_normalise how,
                       const bool *train, struct err *e)
{
    TRY(policy_points_create(p, t->n, e));
    for (size_t r = 0; r < t->n; r++) {
        p->a[r] = policy_table_a(t, r, b);
        p->c[r] = policy_table_c(t, r, b);
        p->y[r] = policy_table_perf(t, r, b);
    }
    policy_min_max(p->a, p->n);
    policy_min_max(p->c, p->n);
    find_range(p->y, p->n, how == POLICY_NORMALISE_TRAIN ? train : NULL, &p->y_low, &p->y_range);
    rescale(p->y, p->n, p->y_low, p->y_range);
    return 0;
}

void policy_points_free(struct policy_points *p)
{
    free(p->a); /* one block for a, c and y */
    *p = (struct policy_points){ 0 };
}
