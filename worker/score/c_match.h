/* From a row of similarities to a point: the soft argmax over a window around the best cell.
 *
 * A row holds the similarities of one source token with all P x P target tokens, or sums of `members` such rows, whose
 * mean is meant. With c the mean, m the first of its greatest values, and the window all cells at most `window` rows
 * and columns away from m:
 *
 *     c' = c in the window, 0 outside (a logit of zero, not minus infinity: cells outside take part)
 *     p  = softmax(c' / temperature) over all cells
 *     x  = sum of p_column(j) * lin(j), y likewise, with lin = P numbers from -1 to 1; (x + 1) (P - 1) / 2, within
 * 0..P-1 point = x * stride + floor(stride / 2), stride = side / P
 *
 * c_match() computes in float32; what is outside the window is one number, so only the window costs. c_match_bf16()
 * rounds each step to bfloat16 as the released code does it with features of that type: mean, difference, quotient,
 * exponential, sum, p, and its sums over rows and columns; from there on it is float32. */
#ifndef ACSWEEP_WORKER_SCORE_C_MATCH_H
#define ACSWEEP_WORKER_SCORE_C_MATCH_H

#include <stddef.h>

#include "common/err.h"
#include "common/own.h"
#include "worker/score/c_frame.h"

#define C_GRID_MAX 256

struct c_match {
    int grid;          /* P */
    int window;        /* 0: no window, all cells take part with their values */
    float temperature; /* above 0 */
    float stride, offset;
    float lin[C_GRID_MAX + 8]; /* zeros behind the grid's */
};

struct c_match c_match_make(int grid, int side, int window, double temperature);

/* Floats that a row of this grid takes: the cells, then at least four of minus infinity. A multiple of C_LANES. */
size_t c_row_size(int grid);
/* Write what is behind the cells. */
void c_row_finish(float *row, int grid);

void c_match_bf16(const struct c_match *m, const float *sums, int members, struct c_point *out);

#endif
