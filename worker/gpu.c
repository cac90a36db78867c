#include "worker/gpu.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h"

static int copy_text(json_t *o, const char *key, char *out, size_t room, struct err *e)
{
    const char *s = json_string_value(json_object_get(o, key));
    if (!s)
        return FAIL(e, ERR_PEER, "acsweep-exec --probe: no text '%s'", key);
    snprintf(out, room, "%s", s);
    return 0;
}

static int copy_number(json_t *o, const char *key, uint64_t *out, struct err *e)
{
    json_t *v = json_object_get(o, key);
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return FAIL(e, ERR_PEER, "acsweep-exec --probe: no whole number '%s'", key);
    *out = (uint64_t)json_integer_value(v);
    return 0;
}

static int copy_gpu(json_t *o, struct gpu *g, struct err *e)
{
    uint64_t capability;
    TRY(copy_text(o, "uuid", g->uuid, sizeof g->uuid, e));
    TRY(copy_text(o, "name", g->name, sizeof g->name, e));
    TRY(copy_text(o, "state", g->state, sizeof g->state, e));
    TRY(copy_number(o, "memory_bytes", &g->memory_bytes, e));
    TRY(copy_number(o, "free_bytes", &g->free_bytes, e));
    TRY(copy_number(o, "compute_capability", &capability, e));
    g->compute_capability = capability < 1000 ? (uint32_t)capability : 0;
    return 0;
}

static int copy_executors(json_t *list, struct gpu_list *out, struct err *e)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || i == GPU_MAX_EXECUTORS || strlen(name) >= sizeof out->executors[0])
            return FAIL(e, ERR_PEER, "acsweep-exec --probe: 'executors' must be at most %d short names", GPU_MAX_EXECUTORS);
        snprintf(out->executors[out->n_executors++], sizeof out->executors[0], "%s", name);
    }
    return 0;
}

int gpu_parse(const char *text, struct gpu_list *out, struct err *e)
{
    json_error_t why;
    AUTO(json_decref) json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    json_t *list = json_object_get(root, "devices");
    *out = (struct gpu_list){ 0 };
    if (!json_is_array(list))
        return FAIL(e, ERR_PEER, "acsweep-exec --probe said '%.80s', which is no list of devices", text);
    if (json_array_size(list) > GPU_MAX)
        return FAIL(e, ERR_PEER, "acsweep-exec --probe lists %zu devices; at most %d are allowed", json_array_size(list),
                    GPU_MAX);
    for (; out->n < json_array_size(list); out->n++)
        TRY(copy_gpu(json_array_get(list, out->n), &out->gpus[out->n], e));
    TRY(copy_executors(json_object_get(root, "executors"), out, e));
    return copy_text(root, "note", out->note, sizeof out->note, e);
}
