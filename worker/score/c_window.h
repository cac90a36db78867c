/* Inside worker/score: the window of c_match.h, and its soft argmax in float32, to be inlined into a kernel. */
#ifndef ACSWEEP_WORKER_SCORE_C_WINDOW_H
#define ACSWEEP_WORKER_SCORE_C_WINDOW_H

#include "worker/score/c_match.h"
#include "worker/score/c_tokens.h"
#include "worker/score/c_vector.h"

struct c_window {
    int top, left;
    int rows, columns;
    int outside; /* cells that are not in it */
};

C_INLINE struct c_window c_window_around(const struct c_match *m, int32_t best)
{
    int row = best / m->grid, column = best % m->grid, last = m->grid - 1;
    int right = column + m->window < last ? column + m->window : last;
    int bottom = row + m->window < last ? row + m->window : last;
    struct c_window w = { .top = row > m->window ? row - m->window : 0,
                          .left = column > m->window ? column - m->window : 0 };
    w.rows = bottom - w.top + 1;
    w.columns = right - w.left + 1;
    w.outside = m->grid * m->grid - w.rows * w.columns;
    return w;
}

/* to = a + b (b NULL: a stands for the sum already), and the first of its greatest cells. Each lane keeps its own first
 * greatest, and where it was; equal ones of several lanes are settled by place. */
C_INLINE int32_t c_add_and_find(const float *a, const float *b, float *to, size_t n)
{
    const int8v first = { 0, 1, 2, 3, 4, 5, 6, 7 };
    vec8 greatest = *(const vec8 *)a;
    int8v at = first, here = first;
    if (b)
        greatest += *(const vec8 *)b;
    for (size_t i = 0; i < n; i += C_LANES, here += C_LANES) {
        vec8 sum = *(const vec8 *)(a + i);
        if (b) {
            sum += *(const vec8 *)(b + i);
            *(vec8 *)(to + i) = sum;
        }
        int8v more = sum > greatest;
        at = (here & more) | (at & ~more);
        greatest = (vec8)(((int8v)sum & more) | ((int8v)greatest & ~more));
    }
    const float *g = (const float *)&greatest;
    const int32_t *where = (const int32_t *)&at;
    int best = 0;
    for (int i = 1; i < C_LANES; i++)
        if (g[i] > g[best] || (g[i] == g[best] && where[i] < where[best]))
            best = i;
    return where[best];
}

C_INLINE float c_window_clamp(float at, int last)
{
    return at < 0 ? 0 : at > (float)last ? (float)last : at;
}

/* Expectations within -1..1 -> the point. */
C_INLINE struct c_point c_window_point(const struct c_match *m, float x, float y)
{
    float last = (float)(m->grid - 1);
    x = c_window_clamp((x + 1) * last / 2, m->grid - 1);
    y = c_window_clamp((y + 1) * last / 2, m->grid - 1);
    float fx = x * m->stride, fy = y * m->stride;
    return (struct c_point){ fx + m->offset, fy + m->offset };
}

/* e^x for x <= 0, to a relative 2e-7; below -87 it stays at e^-87. Cody and Waite's reduction, Cephes' polynomial. */
C_INLINE void c_exp4(vec4 *x)
{
    const vec4 lowest = { -87, -87, -87, -87 }, zero = { 0 };
    const float round = 12582912; /* 1.5 * 2^23: adding it leaves whole numbers */
    int4v low = *x<lowest, high = *x> zero;
    int4v bits = (low & (int4v)lowest) | (~low & ~high & (int4v)*x);
    vec4 t = (vec4)bits;
    vec4 n = (t * 1.44269504f + round) - round;
    vec4 r = (t - n * 0.693359375f) + n * 2.12194440e-4f;
    vec4 p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1;
    int4v power = __builtin_convertvector(n * 8388608, int4v); /* n << 23: n more in the exponent */
    *x = (vec4)((int4v)p + power);
}

C_INLINE float c_sum4(const vec4 *v)
{
    const float *x = (const float *)v;
    return (x[0] + x[2]) + (x[1] + x[3]);
}

/* Lanes that belong to a window's row of which `left` columns are to come. */
C_INLINE void c_lanes4(int left, int4v *mask)
{
    const int4v lane = { 0, 1, 2, 3 };
    *mask = lane < left;
}

/* `best` is the first of the greatest of `sums`. Over all cells lin sums to zero, so with q = e^(outside's logit) the
 * sum of e * lin over the cells outside is minus q times the sum of lin over the window. */
C_INLINE struct c_point c_match_body(const struct c_match *m, const float *sums, int32_t best, int members)
{
    struct c_window w = c_window_around(m, best);
    float scale = 1 / (m->temperature * (float)members);
    float greatest = w.outside > 0 && sums[best] < 0 ? 0 : sums[best];
    vec4 total = { 0 }, x = { 0 }, y = { 0 }, outside = { -greatest * scale };
    float lin_x = 0, lin_y = 0;
    c_exp4(&outside);
    for (int r = w.top; r < w.top + w.rows; r++) {
        vec4 row = { 0 };
        for (int c = 0; c < w.columns; c += 4) {
            int4v mask;
            c_lanes4(w.columns - c, &mask);
            vec4 e = (*(const vec4 *)(sums + r * m->grid + w.left + c) - greatest) * scale;
            c_exp4(&e);
            e = (vec4)((int4v)e & mask);
            row += e;
            x += e * *(const vec4 *)(m->lin + w.left + c);
        }
        total += row;
        y += row * m->lin[r];
        lin_y += m->lin[r];
    }
    for (int c = 0; c < w.columns; c++)
        lin_x += m->lin[w.left + c];
    float q = w.outside > 0 ? ((const float *)&outside)[0] : 0;
    float sum = c_sum4(&total) + q * (float)w.outside;
    float ex = c_sum4(&x) - q * (lin_x * (float)w.rows), ey = c_sum4(&y) - q * (lin_y * (float)w.columns);
    return c_window_point(m, ex / sum, ey / sum);
}

#endif
