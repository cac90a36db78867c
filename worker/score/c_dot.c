#include "worker/score/c_dot.h"

#include "worker/score/c_tokens.h"
#include "worker/score/c_vector.h"

/* A tile of 4 rows x 2 tokens keeps eight vectors of partial sums in registers. */
#define TILE_ROWS 4
#define TILE_TOKENS 2

C_INLINE float sum_lanes(const vec8 *v)
{
    const float *x = (const float *)v;
    return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

C_INLINE void tile(const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width, float *out,
                   size_t out_stride)
{
    vec8 sums[TILE_ROWS][TILE_TOKENS] = { 0 };
    for (size_t c = 0; c < width; c += C_LANES)
        for (size_t t = 0; t < n_tokens; t++) {
            vec8 token = *(const vec8 *)(tokens + t * width + c);
            for (size_t r = 0; r < n_rows; r++)
                sums[r][t] += *(const vec8 *)(rows + r * width + c) * token;
        }
    for (size_t r = 0; r < n_rows; r++)
        for (size_t t = 0; t < n_tokens; t++)
            out[r * out_stride + t] = sum_lanes(&sums[r][t]);
}

C_INLINE void some_rows(const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width,
                        float *out, size_t out_stride)
{
    size_t t = 0;
    for (; t + TILE_TOKENS <= n_tokens; t += TILE_TOKENS)
        tile(rows, n_rows, tokens + t * width, TILE_TOKENS, width, out + t, out_stride);
    for (; t < n_tokens; t++)
        tile(rows, n_rows, tokens + t * width, 1, width, out + t, out_stride);
}

C_INLINE void c_dot_body(const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width,
                         float *out, size_t out_stride)
{
    size_t r = 0;
    for (; r + TILE_ROWS <= n_rows; r += TILE_ROWS)
        some_rows(rows + r * width, TILE_ROWS, tokens, n_tokens, width, out + r * out_stride, out_stride);
    for (; r < n_rows; r++)
        some_rows(rows + r * width, 1, tokens, n_tokens, width, out + r * out_stride, out_stride);
}

C_KERNEL(c_dot,
         (const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width, float *out,
          size_t out_stride),
         (rows, n_rows, tokens, n_tokens, width, out, out_stride))
