#include "worker/exec/native_members.h"

#include <string.h>

static int refuse(json_t *o, const char *key, const char *only, struct err *e)
{
    const char *value;
    TRY(native_text(o, key, only, &value, e));
    if (strcmp(value, only) == 0)
        return 0;
    return FAIL(e, ERR_INPUT, "%s = \"%.40s\" is not built in; take \"%s\", or a program of your own", key, value, only);
}

static int read_dtype(json_t *encoding, enum th_dtype *out, struct err *e)
{
    static const struct {
        const char *name;
        enum th_dtype is;
    } known[] = { { "bf16", TH_BF16 }, { "fp16", TH_F16 }, { "fp32", TH_F32 } };
    const char *name;
    TRY(native_text(encoding, "dtype", NULL, &name, e));
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].name, name) == 0) {
            *out = known[i].is;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "features cannot be kept as '%.40s'; use bf16, fp16 or fp32", name);
}

static int read_member(json_t *one, json_t *names, int64_t layer, struct representation_member *m, struct err *e)
{
    int64_t resolution;
    const char *positions;
    *m = (struct representation_member){ .encoder = EXTRACT_DEFAULTS };
    TRY(native_int(one, "options.layer", &layer, &layer, e));
    TRY(native_int(one, "resolution", NULL, &resolution, e));
    TRY(native_text(one, "options.position_interpolation", "own", &positions, e));
    TRY(vit_positions_parse(positions, &m->encoder.positions, e));
    m->encoder.layer = (int)layer;
    m->encoder.resolution = (uint32_t)resolution;
    return native_text(names, "encoder", NULL, &m->name, e);
}

int native_members_read(json_t *representation, json_t *encoding, json_t *names, struct native_members *m,
                        struct err *e)
{
    json_t *members = json_object_get(representation, "members"), *named = json_object_get(names, "members");
    int64_t layer;
    m->n = 0;
    TRY(refuse(representation, "fusion", "raw", e));
    TRY(refuse(encoding, "image_aspect", "square", e));
    TRY(read_dtype(encoding, &m->dtype, e));
    TRY(native_int(encoding, "select_layer", NULL, &layer, e));
    TRY(native_int(representation, "target_grid", &(int64_t){ 0 }, &m->grid, e));
    size_t n = json_array_size(members);
    if (n < 1 || n > NATIVE_MEMBERS_MAX || n != json_array_size(named))
        return FAIL(e, ERR_INPUT, "a representation of %zu encoders, %zu of them named; 1 to %d can be computed", n,
                    json_array_size(named), NATIVE_MEMBERS_MAX);
    for (; m->n < n; m->n++)
        TRY(read_member(json_array_get(members, m->n), json_array_get(named, m->n), layer, &m->list[m->n], e));
    return 0;
}

struct representation *native_members_open(const struct exec_task *t, struct native_members *m, json_t *names,
                                           struct th_device device, struct err *e)
{
    for (size_t i = 0; i < m->n; i++) {
        const char *checkpoint;
        json_t *one = json_array_get(json_object_get(names, "members"), i);
        if (native_text(one, "checkpoint", NULL, &checkpoint, e) < 0 ||
            !(m->list[i].encoder.checkpoint = exec_path(t, checkpoint, e)))
            return NULL;
    }
    struct representation_options o = {
        .members = m->list, .n = m->n, .grid = m->grid, .dtype = m->dtype, .device = device
    };
    return representation_open(&o, e);
}
