/* Inside worker/score: c_dot() as torch computes sum(a * b) of bfloat16 tensors: every product is rounded to bfloat16,
 * they are summed in float32, and the sum is rounded. Values must be finite and small, as those of unit tokens are. */
#ifndef ACSWEEP_WORKER_SCORE_A_DOT_H
#define ACSWEEP_WORKER_SCORE_A_DOT_H

#include <stddef.h>

void a_dot_bf16(const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width, float *out,
                size_t out_stride);

#endif
