/* All inner products of some rows with all tokens: the similarity rows of the needed source cells. */
#ifndef ACSWEEP_WORKER_SCORE_C_DOT_H
#define ACSWEEP_WORKER_SCORE_C_DOT_H

#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

/* out[r][t] = sum over c of rows[r][c] * tokens[t][c]. Both have `width` floats a row (a multiple of C_LANES,
 * c_tokens.h); row r of `out` begins at out + r * out_stride. Each sum is made in the same order whatever the numbers
 * of rows and tokens are: eight partial sums over c mod 8, then those in pairs. */
void c_dot(const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width, float *out,
           size_t out_stride);

/* Somebody else's product, such as one on a GPU; same meaning, sums in any order. */
typedef int (*c_dot_fn)(void *arg, const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width,
                        float *out, size_t out_stride, struct err *e);

#endif
