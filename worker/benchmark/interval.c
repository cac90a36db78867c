#include "worker/benchmark/interval.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define Z95 1.959963984540054
#define SAME 1e-9 /* of the size of what is compared: rounding, no difference */

/* ---- parts ----------------------------------------------------------------------------------------------------------
 */

struct part {
    struct interval_unit *units;
    size_t n;
    double worth, weight;
    bool varies;
};

struct parts {
    struct interval_unit *units; /* part by part, in the order in which they came */
    struct part *v;
    size_t n;
};

static void parts_free_cleanup(struct parts *p)
{
    free(p->units);
    free(p->v);
}

static void weigh(struct part *p)
{
    double sum = 0;
    for (size_t i = 0; i < p->n; i++) {
        sum += p->units[i].sum;
        p->weight += p->units[i].weight;
    }
    p->worth = sum / p->weight;
    for (size_t i = 0; i < p->n; i++)
        p->varies |= fabs(p->units[i].sum / p->units[i].weight - p->worth) > SAME * (1 + fabs(p->worth));
}

static int parts_make(const struct interval_unit *units, size_t n, struct parts *p, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        p->n = units[i].part >= p->n ? units[i].part + 1 : p->n;
    p->units = malloc(n * sizeof *p->units);
    p->v = calloc(p->n, sizeof *p->v);
    if (!p->units || !p->v)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        p->v[units[i].part].n++;
    for (size_t k = 0, at = 0; k < p->n; at += p->v[k++].n)
        p->v[k].units = p->units + at;
    for (size_t i = n; i-- > 0;) { /* from the back, so that each part's are in order */
        struct part *part = &p->v[units[i].part];
        part->units[--part->n] = units[i];
    }
    for (size_t i = 0; i < n; i++)
        p->v[units[i].part].n++;
    for (size_t k = 0; k < p->n; k++)
        weigh(&p->v[k]);
    return 0;
}

/* ---- bootstrap ------------------------------------------------------------------------------------------------------
 */

/* SplitMix64 (Steele, Lea, Flood 2014), a number below n from its upper half. */
static size_t draw(uint64_t *state, size_t n)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (size_t)(((x ^ x >> 31) >> 32) * n >> 32);
}

static double draw_part(const struct part *p, uint64_t *state)
{
    double sum = 0, weight = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct interval_unit *u = &p->units[draw(state, p->n)];
        sum += u->sum;
        weight += u->weight;
    }
    return sum / weight;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double normal_share(double z)
{
    return 0.5 * erfc(-z * M_SQRT1_2);
}

/* The z that has this share below it, by halving; erfc is monotonous and the share is not extreme. */
static double normal_point(double share)
{
    double low = -10, high = 10;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        *(normal_share(middle) < share ? &low : &high) = middle;
    }
    return (low + high) / 2;
}

/* How far the median of the draws is off the value, in normal units; draws that equal it count half. */
static double median_bias(const double *draws, double value)
{
    double below = 0;
    for (size_t i = 0; i < INTERVAL_DRAWS; i++) {
        bool same = fabs(draws[i] - value) <= SAME * (1 + fabs(value));
        below += same ? 0.5 : draws[i] < value;
    }
    return normal_point(fmin(fmax(below, 0.5), INTERVAL_DRAWS - 0.5) / INTERVAL_DRAWS);
}

/* A sixth of the skewness of the parts' sum, from what each unit adds to it. */
static double acceleration(const struct parts *p)
{
    double squares = 0, cubes = 0;
    for (size_t k = 0; k < p->n; k++)
        for (size_t i = 0; i < p->v[k].n; i++) {
            const struct interval_unit *u = &p->v[k].units[i];
            double influence = (u->sum - p->v[k].worth * u->weight) / p->v[k].weight;
            squares += influence * influence;
            cubes += influence * influence * influence;
        }
    return cubes / (6 * squares * sqrt(squares));
}

/* The draw at which the end lies that would be at `z` if the draws were normal. Rounded away from the middle. The divisor stays
 * above 0: |a| is a sixth at most, and the bias, of INTERVAL_DRAWS draws, below 3.5. */
static double end_at(const double *draws, double z, double bias, double a)
{
    double moved = bias + z;
    double at = (INTERVAL_DRAWS + 1) * normal_share(bias + moved / (1 - a * moved));
    at = z < 0 ? floor(at + SAME) : ceil(at - SAME);
    return draws[(size_t)fmin(fmax(at, 1), INTERVAL_DRAWS) - 1];
}

/* Of the parts that vary together; `value` is what they are worth. */
static int bootstrap(const struct parts *p, double value, struct interval *out, struct err *e)
{
    uint64_t state = 0;
    AUTO(free) double *draws = calloc(INTERVAL_DRAWS, sizeof *draws);
    if (!draws)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < INTERVAL_DRAWS; i++)
        for (size_t k = 0; k < p->n; k++)
            draws[i] += p->v[k].varies ? draw_part(&p->v[k], &state) : 0;
    qsort(draws, INTERVAL_DRAWS, sizeof *draws, ascending);
    double bias = median_bias(draws, value), a = acceleration(p);
    *out = (struct interval){ end_at(draws, -Z95, bias, a), end_at(draws, Z95, bias, a) };
    return 0;
}

/* ---- the interval ---------------------------------------------------------------------------------------------------
 */

struct interval interval_wilson(double p, size_t n)
{
    double z2 = Z95 * Z95 / (double)n;
    double middle = (p + z2 / 2) / (1 + z2), half = sqrt(z2 * (p * (1 - p) + z2 / 4)) / (1 + z2);
    return (struct interval){ fmin(fmax(middle - half, 0), p), fmax(fmin(middle + half, 1), p) };
}

static double square(double x)
{
    return x * x;
}

int interval_compute(const struct interval_unit *units, size_t n, double most, struct interval *out, struct err *e)
{
    AUTO(parts_free) struct parts p = { 0 };
    double value = 0, varying = 0, below = 0, above = 0; /* the latter two in squares */
    bool any = false;
    TRY(parts_make(units, n, &p, e));
    for (size_t k = 0; k < p.n; k++) {
        const struct part *part = &p.v[k];
        value += part->worth;
        varying += part->varies ? part->worth : 0;
        any |= part->varies;
        if (part->varies)
            continue;
        struct interval w = interval_wilson(fmin(fmax(part->worth / most, 0), 1), part->n);
        below += square(part->worth - most * w.low);
        above += square(most * w.high - part->worth);
    }
    struct interval drawn = { varying, varying };
    if (any)
        TRY(bootstrap(&p, varying, &drawn, e));
    below += square(varying - fmin(drawn.low, varying));
    above += square(fmax(drawn.high, varying) - varying);
    *out = (struct interval){ fmax(value - sqrt(below), 0), fmin(value + sqrt(above), most * (double)p.n) };
    return 0;
}
