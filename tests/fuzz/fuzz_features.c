/* A file of features: whatever its bytes are, tokens of unit length or one error come out, on its own grid and on
 * others. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "worker/score/c_features.h"
#include "worker/torch/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define FLOATS_MOST 65536

static void make_tokens(const struct st_tensor *t, const struct c_shape *s, int grid, enum c_arith arith)
{
    static float out[FLOATS_MOST];
    size_t cells = (size_t)grid * (size_t)grid, width = c_padded((size_t)s->channels);
    struct err e = { 0 };
    if (cells * width > FLOATS_MOST)
        return;
    if (c_tokens(t->data, s, grid, arith, NULL, cells, out, &e) < 0) {
        if (e.kind != ERR_INPUT && e.kind != ERR_NOMEM)
            abort();
        return;
    }
    for (size_t i = 0; i < cells * width; i++)
        if (!(fabsf(out[i]) < 1.02f))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err e = { 0 };
    uint8_t *copy = malloc(len + 1);
    if (!copy)
        return 0;
    if (len)
        memcpy(copy, data, len);
    const struct st_tensor *t = NULL;
    struct c_shape s = { 0 };
    struct safetensors *f = safetensors_parse(copy, len, "fuzz", &e);
    if (f && c_features_tensor(f, &t, &s, &e) == 0) {
        size_t cells = (size_t)s.grid * (size_t)s.grid, size = s.type == C_F32 ? 4 : 2;
        if (t->bytes != cells * (size_t)s.channels * size)
            abort();
        make_tokens(t, &s, s.grid, C_FP32);
        make_tokens(t, &s, 5, C_FP32);
        if (s.type != C_F16)
            make_tokens(t, &s, s.grid + 1, C_STORED);
    } else if (e.kind != ERR_INPUT && e.kind != ERR_NOMEM) {
        abort();
    }
    safetensors_release(f);
    free(copy);
    return 0;
}
