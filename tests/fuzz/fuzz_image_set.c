/* Any bytes as a LLaVA or JSONL file: refused with its name, or a set whose paths stay below their directory, each
 * found under its own name. */
#include <stdlib.h>
#include <string.h>

#include "worker/data/image_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    AUTO(image_set_destroy) struct image_set *s = image_set_parse((const char *)data, size, "fuzz.json", "/tmp", &e);
    if (!s) {
        if (e.kind != ERR_INPUT || strncmp(e.text, "fuzz.json:", 10) != 0)
            abort();
        return 0;
    }
    for (size_t i = 0; i < image_set_count(s); i++) {
        const char *path = image_set_path(s, i);
        if (path[0] == '/' || strstr(path, "//") || strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0 ||
            strstr(path, "/../") || image_set_find(s, path) != (int64_t)i)
            abort();
    }
    return 0;
}
