/* Any bytes: safetensors_parse refuses them as bad input that names the file, or takes them, and then every tensor lies
 * inside them, and all of them cover the data exactly. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/torch/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct safetensors *f, const uint8_t *bytes, size_t size)
{
    size_t covered = 0;
    uint8_t sum = 0;
    for (size_t i = 0; i < safetensors_count(f); i++) {
        const struct st_tensor *t = safetensors_at(f, i);
        const uint8_t *from = t->data;
        if (from < bytes || from > bytes + size || t->bytes > (size_t)(bytes + size - from))
            abort();
        if (safetensors_find(f, t->name) != t || t->rank > ST_MAX_RANK)
            abort();
        for (size_t b = 0; b < t->bytes; b++)
            sum ^= from[b];
        covered += t->bytes;
    }
    uint64_t header;
    memcpy(&header, bytes, 8);
    if (covered + header + 8 != size)
        abort();
    (void)*(volatile uint8_t *)&sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    struct safetensors *f = safetensors_parse(copy, size, "fuzz", &e);
    if (f)
        check(f, copy, size);
    else if (e.kind != ERR_INPUT || strncmp(e.text, "fuzz: ", 6) != 0)
        abort();
    safetensors_release(f);
    free(copy);
    return 0;
}
