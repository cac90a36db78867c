/* Raw feature maps of one picture, and the unit tokens that are compared.
 *
 * The way of a token: stored value -> (another grid: bilinear resampling of the raw map) -> divided by its L2 norm +
 * 1e-10. In arithmetic C_FP32 every step is float32, whatever the features are stored in. In C_STORED each step is
 * rounded to the stored type, as the released code does it by computing in that type. */
#ifndef ACSWEEP_WORKER_SCORE_C_TOKENS_H
#define ACSWEEP_WORKER_SCORE_C_TOKENS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/err.h"
#include "common/own.h"

enum c_type { C_F32, C_BF16, C_F16 };
enum c_arith { C_FP32, C_STORED };

/* "fp32", "stored". */
const char *c_arith_name(enum c_arith a);
MUST_USE int c_arith_parse(const char *name, enum c_arith *out, struct err *e);

struct c_shape {
    enum c_type type;
    int grid;     /* P: the map has P x P tokens, row by row */
    int channels; /* of a token */
};

/* Channels are padded with zeros to a multiple of this, so that rows of tokens suit c_dot(). */
#define C_LANES 8
static inline size_t c_padded(size_t n)
{
    return (n + C_LANES - 1) / C_LANES * C_LANES;
}

/* The nearest bfloat16, ties to even; finite values only. */
static inline float c_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* n stored values, which need not be aligned, as floats. */
void c_read(const void *raw, enum c_type type, size_t n, float *out);

/* Unit tokens of a map `raw` (P x P, channels), seen on a grid x grid map: those of `cells` (n of them, row * grid +
 * column), or with cells NULL the first n of all. out has n rows of c_padded(channels). A token of zeros stays zero.
 * ERR_INPUT names the token when a value is not finite. Rounding to the stored type is done for bf16; f32 has none, and
 * f16 must not be asked for it (c_sources_check()). */
MUST_USE int c_tokens(const void *raw, const struct c_shape *shape, int grid, enum c_arith arith, const int *cells,
                      size_t n, float *out, struct err *e);

#endif
