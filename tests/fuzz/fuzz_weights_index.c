/* Any text: weights_parse_index refuses it as bad input that names the file, or every file that it gives is a plain
 * name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/torch/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    const char *name;
    json_t *file, *map = weights_parse_index((const char *)data, size, "fuzz", &e);
    if (!map && (e.kind != ERR_INPUT || strncmp(e.text, "fuzz: ", 6) != 0))
        abort();
    json_object_foreach(map, name, file)
    {
        const char *s = json_string_value(file);
        if (!s || !s[0] || s[0] == '.' || strchr(s, '/'))
            abort();
    }
    json_decref(map);
    return 0;
}
