#include "worker/exec/probe.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "worker/exec/cudart.h"
#include "worker/exec/executor.h"

static json_t *device_json(const struct cudart_device *d)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:i, s:s}", "uuid", d->uuid, "name", d->name, "memory_bytes",
                     (json_int_t)d->memory_bytes, "free_bytes", (json_int_t)d->free_bytes, "compute_capability",
                     (int)d->compute_capability, "state", d->state);
}

/* A slice of a GPU is made visible by its own name only, which CUDA does not tell: it is the one by which we were given it. */
static void name_slice(int index, struct cudart_device *d)
{
    const char *p = getenv("CUDA_VISIBLE_DEVICES");
    for (; p && index > 0; index--) {
        p = strchr(p, ',');
        p = p ? p + 1 : NULL;
    }
    if (p && strncmp(p, "MIG-", 4) == 0)
        snprintf(d->uuid, sizeof d->uuid, "%.*s", (int)strcspn(p, ","), p);
}

static int list_devices(json_t *list, struct err *e)
{
    AUTO(cudart_close) struct cudart *c = cudart_open(e);
    if (!c)
        return -1;
    int count;
    TRY(cudart_count(c, &count, e));
    for (int i = 0; i < count; i++) {
        struct cudart_device d;
        cudart_describe(c, i, &d);
        name_slice(i, &d);
        if (json_array_append_new(list, device_json(&d)) < 0)
            return FAIL_NOMEM(e);
    }
    return 0;
}

static json_t *list_executors(void)
{
    json_t *list = json_array();
    for (const char *const *name = executor_names(); *name; name++)
        if (json_array_append_new(list, json_string(*name)) < 0)
            return json_decref(list), NULL;
    return list;
}

int probe_print(FILE *out, struct err *e)
{
    AUTO(json_decref) json_t *root = json_object();
    json_t *list = json_array();
    struct err why = { 0 };
    if (list_devices(list, &why) < 0)
        json_array_clear(list);
    if (json_object_set_new(root, "devices", list) < 0 || json_object_set_new(root, "note", json_string(why.text)) < 0 ||
        json_object_set_new(root, "executors", list_executors()) < 0)
        return FAIL_NOMEM(e);
    if (json_dumpf(root, out, JSON_COMPACT) < 0 || fputc('\n', out) == EOF || fflush(out) != 0)
        return FAIL(e, ERR_ENV, "cannot write the answer of --probe");
    return 0;
}
