/* Any bytes as a file of torch.save: refused as bad input, or tensors whose every byte lies in the file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/torch/torch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    uint8_t *bytes = malloc(size + 1);
    memcpy(bytes, data, size);
    struct safetensors *f = torch_file_parse(bytes, size, "file.bin", &e);
    if (!f && (e.kind != ERR_INPUT || !strstr(e.text, "file.bin")))
        abort();
    uint64_t sum = 0;
    for (size_t i = 0; f && i < safetensors_count(f); i++) {
        const struct st_tensor *t = safetensors_at(f, i);
        for (size_t k = 0; k < t->bytes && k < 4096; k++)
            sum += ((const uint8_t *)t->data)[k] + ((const uint8_t *)t->data)[t->bytes - 1 - k];
        if (safetensors_find(f, t->name) != t)
            abort();
    }
    safetensors_release(f);
    free(bytes);
    return sum == UINT64_MAX;
}
