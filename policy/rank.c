#include "policy/rank.h"

#include <math.h>

double policy_rank_value(enum policy_ranking how, double prediction, double measured)
{
    return how == POLICY_RANKING_MEASURED_FIRST && !isnan(measured) ? measured : prediction;
}

struct entry {
    double value;
    size_t row;
};

static int by_value(const void *x, const void *y)
{
    const struct entry *p = x, *q = y;
    if (p->value != q->value)
        return p->value > q->value ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

int policy_rank(const double *values, size_t n, int *rank, struct err *e)
{
    AUTO(free) struct entry *order = malloc((n + 1) * sizeof *order);
    if (!order)
        return FAIL_NOMEM(e);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        rank[i] = 0;
        if (!isnan(values[i]))
            order[k++] = (struct entry){ values[i], i };
    }
    qsort(order, k, sizeof *order, by_value);
    for (size_t i = 0; i < k; i++)
        rank[order[i].row] = (int)i + 1;
    return 0;
}

double policy_rank_chance(const double *values, const bool *skip, size_t n, size_t who, size_t slots)
{
    if (isnan(values[who]) || (skip && skip[who]))
        return 0;
    size_t above = 0, tied = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == who || (skip && skip[i]) || isnan(values[i]))
            continue;
        above += values[i] > values[who] + POLICY_TIE;
        tied += fabs(values[i] - values[who]) <= POLICY_TIE;
    }
    if (above >= slots)
        return 0;
    double free_slots = (double)(slots - above);
    return fmin(1, free_slots / ((double)tied + 1));
}
