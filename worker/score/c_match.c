#include "worker/score/c_match.h"

#include <math.h>
#include <string.h>

#include "worker/score/c_tokens.h"
#include "worker/score/c_window.h"

struct c_match c_match_make(int grid, int side, int window, double temperature)
{
    struct c_match m = { .grid = grid,
                         .window = window > 0 && window < grid ? window : grid,
                         .temperature = (float)temperature };
    double stride = (double)side / grid, step = grid > 1 ? 2.0 / (grid - 1) : 0;
    m.stride = (float)stride;
    m.offset = (float)floor(stride / 2);
    for (int i = 0; i < grid; i++)
        m.lin[i] = i > 0 && i == grid - 1 ? 1.0f : (float)(i * step - 1);
    return m;
}

size_t c_row_size(int grid)
{
    return c_padded((size_t)grid * (size_t)grid + 4);
}

void c_row_finish(float *row, int grid)
{
    for (size_t i = (size_t)grid * (size_t)grid; i < c_row_size(grid); i++)
        row[i] = -INFINITY;
}

/* ---- bfloat16 -------------------------------------------------------------------------------------------------------
 */

struct rounded {
    float mean[C_GRID_MAX * C_GRID_MAX + C_LANES];
    float p[C_GRID_MAX * C_GRID_MAX]; /* the window's, rows of `stride` */
    int stride;
    double row[C_GRID_MAX], column[C_GRID_MAX]; /* sums of p over all cells */
};

C_INLINE void round4(vec4 *x)
{
    int4v bits = (int4v)*x;
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & ~0xFFFF;
    *x = (vec4)bits;
}

C_INLINE int32_t rounded_mean(const float *sums, size_t size, int members, float *mean)
{
    for (size_t i = 0; i < size; i += 4) {
        vec4 x = *(const vec4 *)(sums + i) / (float)members;
        round4(&x);
        *(vec4 *)(mean + i) = x;
    }
    return c_add_and_find(mean, NULL, NULL, size);
}

C_INLINE void exponential(vec4 *x, float greatest, float temperature)
{
    vec4 t = *x - greatest;
    round4(&t);
    t /= temperature;
    round4(&t);
    c_exp4(&t);
    round4(&t);
    *x = t;
}

/* Exponentials of the window's cells. The lanes behind a row's end hold those of other cells. */
C_INLINE double exponentials(const struct c_match *m, const struct c_window *w, float greatest, struct rounded *s)
{
    double total = 0;
    for (int r = 0; r < w->rows; r++) {
        const float *from = s->mean + (w->top + r) * m->grid + w->left;
        float *to = s->p + r * s->stride;
        for (int c = 0; c < w->columns; c += 4) {
            vec4 x = *(const vec4 *)(from + c);
            exponential(&x, greatest, m->temperature);
            *(vec4 *)(to + c) = x;
        }
        for (int c = 0; c < w->columns; c++)
            total += to[c];
    }
    return total;
}

/* The sums are made in double and rounded where a whole sum is stored. */
C_INLINE void sum_rows_and_columns(const struct c_window *w, int grid, float divisor, float outside, struct rounded *s)
{
    for (int i = 0; i < grid; i++) {
        s->row[i] = (double)outside * (i >= w->top && i < w->top + w->rows ? grid - w->columns : grid);
        s->column[i] = (double)outside * (i >= w->left && i < w->left + w->columns ? grid - w->rows : grid);
    }
    for (int r = 0; r < w->rows; r++) {
        float *p = s->p + r * s->stride;
        for (int c = 0; c < w->columns; c += 4) {
            vec4 x = *(const vec4 *)(p + c) / divisor;
            round4(&x);
            *(vec4 *)(p + c) = x;
        }
        for (int c = 0; c < w->columns; c++) {
            s->row[w->top + r] += p[c];
            s->column[w->left + c] += p[c];
        }
    }
}

C_INLINE float expectation(const double *sums, const struct c_match *m)
{
    float sum = 0;
    for (int i = 0; i < m->grid; i++)
        sum += c_bf16((float)sums[i]) * m->lin[i];
    return sum;
}

C_INLINE void c_match_bf16_body(const struct c_match *m, const float *sums, int members, struct c_point *out)
{
    struct rounded s;
    memset(s.mean, 0, sizeof(vec8)); /* the compiler cannot see that no row is empty */
    int32_t best = rounded_mean(sums, c_row_size(m->grid), members, s.mean);
    struct c_window w = c_window_around(m, best);
    s.stride = (w.columns + 3) / 4 * 4;
    float greatest = w.outside > 0 && s.mean[best] < 0 ? 0 : s.mean[best], outside = 0;
    vec4 nothing = { 0 };
    exponential(&nothing, greatest, m->temperature);
    if (w.outside > 0)
        outside = ((const float *)&nothing)[0];
    double total = exponentials(m, &w, greatest, &s) + (double)w.outside * outside;
    float divisor = c_bf16((float)total);
    sum_rows_and_columns(&w, m->grid, divisor, c_bf16(outside / divisor), &s);
    *out = c_window_point(m, expectation(s.column, m), expectation(s.row, m));
}

C_KERNEL(c_match_bf16, (const struct c_match *m, const float *sums, int members, struct c_point *out),
         (m, sums, members, out))
