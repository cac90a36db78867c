#include "worker/pretrain/ridge.h"

#include <math.h>
#include <string.h>

struct ridge {
    size_t width, classes; /* width with the constant */
    double *mean, *scale;  /* (width - 1) */
    double *gram;          /* (width,width), then its Cholesky factor */
    double *weights;       /* (width,classes) */
    double *row;           /* (width): features of one row, brought to scale; the constant last */
};

static void ridge_free_cleanup(struct ridge *r)
{
    free(r->mean);
    free(r->scale);
    free(r->gram);
    free(r->weights);
    free(r->row);
}

static int make(struct ridge *r, const struct ridge_data *d, struct err *e)
{
    r->width = d->width + 1;
    r->classes = d->classes;
    r->mean = calloc(r->width, sizeof *r->mean);
    r->scale = calloc(r->width, sizeof *r->scale);
    r->gram = calloc(r->width * r->width, sizeof *r->gram);
    r->weights = calloc(r->width * r->classes, sizeof *r->weights);
    r->row = calloc(r->width, sizeof *r->row);
    return r->mean && r->scale && r->gram && r->weights && r->row ? 0 : FAIL_NOMEM(e);
}

static void find_scale(struct ridge *r, const struct ridge_data *d)
{
    for (size_t k = 0; k < d->width; k++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < d->n; i++) {
            double x = d->features[i * d->width + k];
            sum += x;
            squares += x * x;
        }
        r->mean[k] = sum / (double)d->n;
        double variance = squares / (double)d->n - r->mean[k] * r->mean[k];
        r->scale[k] = variance > 1e-12 ? 1 / sqrt(variance) : 0;
    }
}

static void take_row(struct ridge *r, const float *features)
{
    for (size_t k = 0; k + 1 < r->width; k++)
        r->row[k] = (features[k] - r->mean[k]) * r->scale[k];
    r->row[r->width - 1] = 1;
}

/* gram = X'X + n lambda I, weights = X'Y */
static void add_up(struct ridge *r, const struct ridge_data *d, double lambda)
{
    for (size_t i = 0; i < d->n; i++) {
        take_row(r, d->features + i * d->width);
        for (size_t a = 0; a < r->width; a++) {
            for (size_t b = 0; b <= a; b++)
                r->gram[a * r->width + b] += r->row[a] * r->row[b];
            r->weights[a * r->classes + (size_t)d->labels[i]] += r->row[a];
        }
    }
    for (size_t a = 0; a < r->width; a++)
        r->gram[a * r->width + a] += lambda * (double)d->n;
}

/* gram = L L', L in its lower half. The penalty keeps the pivots positive. */
static void factor(struct ridge *r)
{
    size_t w = r->width;
    for (size_t a = 0; a < w; a++)
        for (size_t b = 0; b <= a; b++) {
            double sum = r->gram[a * w + b];
            for (size_t k = 0; k < b; k++)
                sum -= r->gram[a * w + k] * r->gram[b * w + k];
            r->gram[a * w + b] = a == b ? sqrt(sum) : sum / r->gram[b * w + b];
        }
}

static void solve(struct ridge *r)
{
    size_t w = r->width, c = r->classes;
    for (size_t a = 0; a < w; a++)
        for (size_t j = 0; j < c; j++) {
            for (size_t k = 0; k < a; k++)
                r->weights[a * c + j] -= r->gram[a * w + k] * r->weights[k * c + j];
            r->weights[a * c + j] /= r->gram[a * w + a];
        }
    for (size_t a = w; a-- > 0;)
        for (size_t j = 0; j < c; j++) {
            for (size_t k = a + 1; k < w; k++)
                r->weights[a * c + j] -= r->gram[k * w + a] * r->weights[k * c + j];
            r->weights[a * c + j] /= r->gram[a * w + a];
        }
}

static double output(const struct ridge *r, size_t class)
{
    double sum = 0;
    for (size_t a = 0; a < r->width; a++)
        sum += r->row[a] * r->weights[a * r->classes + class];
    return sum;
}

/* Classes that come before the right one; of equals the smaller number does. */
static size_t rank_of(const struct ridge *r, size_t label)
{
    double own = output(r, label);
    size_t before = 0;
    for (size_t c = 0; c < r->classes; c++) {
        double x = output(r, c);
        before += x > own || (x == own && c < label);
    }
    return before;
}

int ridge_classify(const struct ridge_data *train, const struct ridge_data *test, double lambda,
                   struct ridge_score *out, struct err *e)
{
    AUTO(ridge_free) struct ridge r = { 0 };
    size_t first = 0, five = 0;
    TRY(make(&r, train, e));
    find_scale(&r, train);
    add_up(&r, train, lambda);
    factor(&r);
    solve(&r);
    for (size_t i = 0; i < test->n; i++) {
        take_row(&r, test->features + i * test->width);
        size_t rank = rank_of(&r, (size_t)test->labels[i]);
        first += rank < 1;
        five += rank < 5;
    }
    *out = (struct ridge_score){ (double)first / (double)test->n, (double)five / (double)test->n };
    return 0;
}
