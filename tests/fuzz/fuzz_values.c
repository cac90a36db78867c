/* Any bytes: policy_table_read_values refuses them as bad input that names the place, or takes them, and then every
 * value is there and finite. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    AUTO(policy_table_destroy)
    struct policy_table *t =
        policy_table_create((const char *const[]){ "A", "B,\"b\"" }, 2, (const char *const[]){ "X", "Y" }, 2, &e);
    if (!t)
        abort();
    if (policy_table_read_values(t, (const char *)data, size, "fuzz.csv", &e) < 0) {
        if (e.kind != ERR_INPUT || strncmp(e.text, "fuzz.csv: ", 10) != 0)
            abort();
        return 0;
    }
    for (size_t i = 0; i < 4; i++)
        if (!isfinite(policy_table_perf(t, i / 2, i % 2)) || isinf(policy_table_a(t, i / 2, i % 2)) ||
            isinf(policy_table_c(t, i / 2, i % 2)))
            abort();
    return 0;
}
