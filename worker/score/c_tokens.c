#include "worker/score/c_tokens.h"

#include <math.h>

#define NORM_EPSILON 1e-10f

static const char *const arith_names[] = { "fp32", "stored" };

const char *c_arith_name(enum c_arith a)
{
    return arith_names[a];
}

int c_arith_parse(const char *name, enum c_arith *out, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(arith_names); i++)
        if (strcmp(arith_names[i], name) == 0) {
            *out = (enum c_arith)i;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "the arithmetic '%.40s' is neither fp32 nor stored", name);
}

/* ---- stored values --------------------------------------------------------------------------------------------------
 */

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float from_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3FF;
    if (exponent == 31)
        return from_bits(sign | 0x7F800000 | fraction << 13);
    if (exponent == 0) /* subnormal: fraction * 2^-24, exact in float32 */
        return sign ? -(float)fraction * 0x1p-24f : (float)fraction * 0x1p-24f;
    return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

void c_read(const void *raw, enum c_type type, size_t n, float *out)
{
    const uint8_t *at = raw;
    if (type == C_F32) {
        memcpy(out, at, n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, at + 2 * i, sizeof h);
        out[i] = type == C_BF16 ? from_bits((uint32_t)h << 16) : from_f16(h);
    }
}

static void read_token(const uint8_t *raw, const struct c_shape *s, size_t cell, float *out)
{
    size_t n = (size_t)s->channels;
    c_read(raw + cell * n * (s->type == C_F32 ? 4 : 2), s->type, n, out);
}

/* ---- another grid ---------------------------------------------------------------------------------------------------
 */

/* Two neighbours on one axis and their weights, pixel centres at half (align_corners false), edges repeated. */
struct tap {
    int at[2];
    float weight[2];
};

static struct tap tap_at(int to, int n_to, int n_from)
{
    float scale = (float)n_from / (float)n_to, x = scale * ((float)to + 0.5f) - 0.5f;
    x = x < 0 ? 0 : x;
    int first = (int)x;
    float part = x - (float)first;
    return (struct tap){ { first, first + (first < n_from - 1) }, { 1 - part, part } };
}

static void resample_token(const uint8_t *raw, const struct c_shape *s, int grid, int cell, float *corners, float *out)
{
    struct tap y = tap_at(cell / grid, grid, s->grid), x = tap_at(cell % grid, grid, s->grid);
    size_t n = (size_t)s->channels;
    for (int i = 0; i < 4; i++)
        read_token(raw, s, (size_t)(y.at[i / 2] * s->grid + x.at[i % 2]), corners + (size_t)i * n);
    for (size_t c = 0; c < n; c++) {
        float upper = x.weight[0] * corners[c] + x.weight[1] * corners[n + c];
        float lower = x.weight[0] * corners[2 * n + c] + x.weight[1] * corners[3 * n + c];
        out[c] = y.weight[0] * upper + y.weight[1] * lower;
    }
}

/* ---- unit length ----------------------------------------------------------------------------------------------------
 */

static void round_token(float *token, size_t n)
{
    for (size_t c = 0; c < n; c++)
        token[c] = c_bf16(token[c]);
}

/* Summed in double, so that the norm does not depend on an order. -1 when a value is not finite. */
static int normalise(float *token, size_t n, bool rounded)
{
    double squares = 0;
    for (size_t c = 0; c < n; c++)
        squares += (double)token[c] * token[c];
    float norm = (float)sqrt(squares);
    float divisor = rounded ? c_bf16(c_bf16(norm) + NORM_EPSILON) : norm + NORM_EPSILON;
    if (!isfinite(norm) || !isfinite(divisor))
        return -1;
    for (size_t c = 0; c < n; c++)
        token[c] /= divisor;
    if (rounded)
        round_token(token, n);
    return 0;
}

int c_tokens(const void *raw, const struct c_shape *shape, int grid, enum c_arith arith, const int *cells, size_t n,
             float *out, struct err *e)
{
    size_t channels = (size_t)shape->channels, stride = c_padded(channels);
    bool rounded = arith == C_STORED && shape->type == C_BF16, same = grid == shape->grid;
    AUTO(free) float *corners = same ? NULL : malloc(4 * channels * sizeof *corners);
    if (!same && !corners)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        int cell = cells ? cells[i] : (int)i;
        float *token = out + i * stride;
        if (same)
            read_token(raw, shape, (size_t)cell, token);
        else
            resample_token(raw, shape, grid, cell, corners, token);
        if (rounded && !same)
            round_token(token, channels);
        if (normalise(token, channels, rounded) < 0)
            return FAIL(e, ERR_INPUT, "the token in row %d, column %d has values that are not finite, or too large",
                        cell / grid, cell % grid);
        memset(token + channels, 0, (stride - channels) * sizeof *token);
    }
    return 0;
}
