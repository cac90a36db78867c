#include "policy/regret.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LIST = 3 };

static const struct policy_regret nothing = { NAN, NAN, NAN, NAN, NAN, NAN, NAN };

static double highest(const double *v, size_t n)
{
    double high = v[0];
    for (size_t i = 1; i < n; i++)
        high = fmax(high, v[i]);
    return high;
}

static double lowest(const double *v, size_t n)
{
    double low = v[0];
    for (size_t i = 1; i < n; i++)
        low = fmin(low, v[i]);
    return low;
}

static size_t better(const double *v, size_t n, double value)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += v[i] > value;
    return count;
}

static void lose(const double *truth, size_t n, struct policy_regret *out)
{
    double best = highest(truth, n), range = best - lowest(truth, n);
    out->lost = best - out->value;
    out->share = range > 0 ? out->lost / range : 0;
}

void policy_regret_of(const double *truth, size_t n, const size_t *list, size_t n_list, struct policy_regret *out)
{
    size_t above = better(truth, n, truth[list[0]]);
    *out = (struct policy_regret){
        .value = truth[list[0]], .rank = (double)above + 1, .is_best = above == 0, .in_top3 = above < LIST
    };
    for (size_t i = 0; i < n_list && i < LIST; i++)
        if (better(truth, n, truth[list[i]]) == 0)
            out->in_list = 1;
    lose(truth, n, out);
}

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* Chance that at least one of `marked` is among k drawn from n: 1 - C(n - marked, k) / C(n, k). */
static double chance_of_any(size_t n, size_t marked, size_t k)
{
    double none = 1;
    for (size_t i = 0; i < k; i++)
        none *= i + marked < n ? (double)(n - marked - i) / (double)(n - i) : 0;
    return 1 - none;
}

/* In ascending order the i-th (from 0) is the largest of k drawn with the chance C(i, k - 1) / C(n, k). That is k / n
 * for the last, and (i - k + 1) / i of it for the one before the i-th. Equals may stand in any order: they count alike.
 */
int policy_regret_by_lot(const double *truth, size_t n, size_t k, struct policy_regret *out, struct err *e)
{
    *out = nothing;
    if (k > n)
        return FAIL(e, ERR_USAGE, "%zu cannot be drawn from %zu", k, n);
    AUTO(free) double *v = malloc((n + 1) * sizeof *v);
    if (!v)
        return FAIL_NOMEM(e);
    if (k == 0)
        return 0;
    memcpy(v, truth, n * sizeof *v);
    qsort(v, n, sizeof *v, by_value);
    *out = (struct policy_regret){ 0 };
    double chance = (double)k / (double)n;
    size_t best = 0, above = 0; /* how many are the best; how many are better than the i-th */
    for (size_t i = n; i-- > 0;) {
        above = i + 1 < n && v[i] < v[i + 1] ? n - 1 - i : above;
        best += v[i] == v[n - 1];
        out->value += chance * v[i];
        out->rank += chance * ((double)above + 1);
        out->is_best += above == 0 ? chance : 0;
        out->in_top3 += above < LIST ? chance : 0;
        chance *= i > 0 && i + 1 > k ? (double)(i + 1 - k) / (double)i : 0;
    }
    size_t named = k > LIST ? k : LIST;
    out->in_list = chance_of_any(n, best, named < n ? named : n);
    lose(truth, n, out);
    return 0;
}

void policy_regret_mean(const struct policy_regret *rows, size_t n, struct policy_regret *out)
{
    size_t used = 0;
    *out = (struct policy_regret){ 0 };
    for (size_t i = 0; i < n; i++) {
        if (isnan(rows[i].value))
            continue;
        used++;
        out->value += rows[i].value;
        out->lost += rows[i].lost;
        out->share += rows[i].share;
        out->rank += rows[i].rank;
        out->is_best += rows[i].is_best;
        out->in_top3 += rows[i].in_top3;
        out->in_list += rows[i].in_list;
    }
    if (used == 0) {
        *out = nothing;
        return;
    }
    double *fields[] = {
        &out->value, &out->lost, &out->share, &out->rank, &out->is_best, &out->in_top3, &out->in_list
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        *fields[i] /= (double)used;
}
