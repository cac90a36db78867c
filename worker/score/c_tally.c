#include "worker/score/c_tally.h"

#include <math.h>

/* The least common multiple of 1 to 30: every part k/n of up to 30 points is a whole number of its inverses. */
#define DENOMINATOR UINT64_C(2329089562800)
_Static_assert(UINT64_MAX / DENOMINATOR > C_PAIRS_MAX, "sums of all pairs fit");

struct c_tally {
    size_t subsets, categories, alphas;
    uint64_t *correct; /* [subset][category][alpha] */
    uint64_t *geo;     /* [subset] */
};

size_t c_tally_bytes(size_t subsets, size_t categories, size_t alphas)
{
    return subsets * (categories * alphas + 1) * sizeof(uint64_t);
}

struct c_tally *c_tally_create(size_t subsets, size_t categories, size_t alphas)
{
    AUTO(c_tally_destroy) struct c_tally *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    *t = (struct c_tally){ subsets, categories, alphas, NULL, NULL };
    t->correct = calloc(subsets * categories * alphas, sizeof *t->correct);
    t->geo = calloc(subsets, sizeof *t->geo);
    return t->correct && t->geo ? TAKE(t) : NULL;
}

void c_tally_destroy(struct c_tally *t)
{
    if (!t)
        return;
    free(t->correct);
    free(t->geo);
    free(t);
}

void c_tally_add(struct c_tally *t, size_t subset, size_t category, size_t points, size_t geo_points,
                 const struct c_counts *counts)
{
    uint64_t *sums = &t->correct[(subset * t->categories + category) * t->alphas];
    uint64_t each = DENOMINATOR / points;
    for (size_t a = 0; a < t->alphas; a++)
        sums[a] += counts->correct[a] * each;
    if (geo_points)
        t->geo[subset] += counts->geo * (DENOMINATOR / geo_points);
}

void c_tally_merge(struct c_tally *t, const struct c_tally *more)
{
    for (size_t i = 0; i < t->subsets * t->categories * t->alphas; i++)
        t->correct[i] += more->correct[i];
    for (size_t i = 0; i < t->subsets; i++)
        t->geo[i] += more->geo[i];
}

/* The sum is below 2^64 and a double has 53 bits: whole pairs first, then the rest, so that 1/2 is 0.5. */
static double mean(uint64_t sum, size_t pairs)
{
    double whole = (double)(sum / DENOMINATOR), rest = (double)(sum % DENOMINATOR) / (double)DENOMINATOR;
    return (whole + rest) / (double)pairs;
}

double c_tally_mean(const struct c_tally *t, size_t subset, size_t category, size_t alpha, size_t pairs)
{
    uint64_t sum = 0;
    for (size_t c = 0; c < t->categories; c++)
        if (category == C_ALL || category == c)
            sum += t->correct[(subset * t->categories + c) * t->alphas + alpha];
    return mean(sum, pairs);
}

double c_tally_geo(const struct c_tally *t, size_t subset, size_t pairs)
{
    return pairs ? mean(t->geo[subset], pairs) : NAN;
}
