/* Any bytes as preprocessor_config.json: refused with its name, or a recipe under which a picture becomes finite
 * numbers. The first byte chooses options. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/data/preprocess.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct preprocess *p)
{
    struct err e = { 0 };
    uint8_t pixels[5 * 3 * 3] = { 0, 200, 17 };
    struct image im = { .width = 5, .height = 3, .pixels = pixels };
    uint32_t width, height;
    preprocess_output(p, &width, &height);
    if (!width || !height || width > PREPROCESS_MAX_EDGE || height > PREPROCESS_MAX_EDGE)
        abort();
    if (preprocess_floats(p) > 1 << 16 || p->shortest > 4096) /* a round must be short */
        return;
    float *out = malloc(preprocess_floats(p) * sizeof *out);
    if (!out || preprocess_apply(p, &im, out, &e) < 0)
        abort();
    for (size_t i = 0; i < preprocess_floats(p); i++)
        if (!isfinite(out[i]))
            abort();
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    struct preprocess p;
    if (!size)
        return 0;
    struct preprocess_options o = {
        .size = data[0] & 1 ? 20 : 0, .geometry = data[0] >> 1 & 3, .half = data[0] & 8, .pad = data[0] & 16
    };
    if (o.geometry > PREPROCESS_LETTERBOX)
        o.geometry = PREPROCESS_OWN;
    if (preprocess_parse((const char *)data + 1, size - 1, "fuzz.json", &o, &p, &e) == 0)
        check(&p);
    else if (e.kind != ERR_INPUT || strncmp(e.text, "fuzz.json:", 10) != 0)
        abort();
    return 0;
}
