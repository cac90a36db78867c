/* The answer of acsweep-exec --probe, which crosses a process boundary: gpu_parse. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/gpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    static struct gpu_list list;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    if (gpu_parse(text, &list, &e) < 0 && e.kind != ERR_PEER)
        abort();
    free(text);
    return 0;
}
