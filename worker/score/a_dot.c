#include "worker/score/a_dot.h"

#include "worker/score/c_tokens.h"
#include "worker/score/c_vector.h"

#define TILE_ROWS 4

C_INLINE void round_all(vec8 *v)
{
    int8v bits = (int8v)*v;
    *v = (vec8)((bits + 0x7FFF + (bits >> 16 & 1)) & ~0xFFFF);
}

C_INLINE float sum_lanes(const vec8 *v)
{
    const float *x = (const float *)v;
    return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

C_INLINE void tile(const float *rows, size_t n_rows, const float *token, size_t width, float *out, size_t out_stride)
{
    vec8 sums[TILE_ROWS] = { 0 };
    for (size_t c = 0; c < width; c += C_LANES)
        for (size_t r = 0; r < n_rows; r++) {
            vec8 product = *(const vec8 *)(rows + r * width + c) * *(const vec8 *)(token + c);
            round_all(&product);
            sums[r] += product;
        }
    for (size_t r = 0; r < n_rows; r++)
        out[r * out_stride] = c_bf16(sum_lanes(&sums[r]));
}

C_INLINE void a_dot_bf16_body(const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width,
                              float *out, size_t out_stride)
{
    size_t r = 0;
    for (; r + TILE_ROWS <= n_rows; r += TILE_ROWS)
        for (size_t t = 0; t < n_tokens; t++)
            tile(rows + r * width, TILE_ROWS, tokens + t * width, width, out + r * out_stride + t, out_stride);
    for (; r < n_rows; r++)
        for (size_t t = 0; t < n_tokens; t++)
            tile(rows + r * width, 1, tokens + t * width, width, out + r * out_stride + t, out_stride);
}

C_KERNEL(a_dot_bf16,
         (const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width, float *out,
          size_t out_stride),
         (rows, n_rows, tokens, n_tokens, width, out, out_stride))
