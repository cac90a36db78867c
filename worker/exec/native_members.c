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

static int read_aspect(json_t *encoding, bool *pad, struct err *e)
{
    const char *name;
    TRY(native_text(encoding, "image_aspect", "square", &name, e));
    *pad = strcmp(name, "pad") == 0;
    if (*pad || strcmp(name, "square") == 0)
        return 0;
    return FAIL(e, ERR_INPUT, "pictures have no image_aspect '%.40s'; use square or pad", name);
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
    bool pad;
    m->n = 0;
    TRY(refuse(representation, "fusion", "raw", e));
    TRY(read_aspect(encoding, &pad, e));
    TRY(native_dtype(encoding, "dtype", &m->dtype, e));
    TRY(native_int(encoding, "select_layer", NULL, &layer, e));
    TRY(native_int(representation, "target_grid", &(int64_t){ 0 }, &m->grid, e));
    size_t n = json_array_size(members);
    if (n < 1 || n > NATIVE_MEMBERS_MAX || n != json_array_size(named))
        return FAIL(e, ERR_INPUT, "a representation of %zu encoders, %zu of them named; 1 to %d can be computed", n,
                    json_array_size(named), NATIVE_MEMBERS_MAX);
    for (; m->n < n; m->n++) {
        TRY(read_member(json_array_get(members, m->n), json_array_get(named, m->n), layer, &m->list[m->n], e));
        m->list[m->n].encoder.pad = pad;
    }
    return 0;
}

const char *native_member_path(const struct exec_task *t, json_t *names, size_t i, struct err *e)
{
    const char *checkpoint;
    json_t *one = json_array_get(json_object_get(names, "members"), i);
    return native_text(one, "checkpoint", NULL, &checkpoint, e) < 0 ? NULL : exec_path(t, checkpoint, e);
}

struct representation *native_members_open(const struct exec_task *t, struct native_members *m, json_t *names,
                                           struct th_device device, struct err *e)
{
    for (size_t i = 0; i < m->n; i++)
        if (!m->list[i].n_features && !(m->list[i].encoder.checkpoint = native_member_path(t, names, i, e)))
            return NULL;
    struct representation_options o = {
        .members = m->list, .n = m->n, .grid = m->grid, .dtype = m->dtype, .device = device
    };
    return representation_open(&o, e);
}

/* ---- kept features --------------------------------------------------------------------------------------------------
 */

static int find_member(const struct exec_task *t, size_t i, struct representation_member *m, struct native_caches *c,
                       struct err *e)
{
    char prefix[40];
    size_t len = (size_t)snprintf(prefix, sizeof prefix, "cache:%zu:", i);
    m->features = c->lists[i] = calloc(t->spec->n_inputs + 1, sizeof *c->lists[i]);
    if (!m->features)
        return FAIL_NOMEM(e);
    for (size_t k = 0; k < t->spec->n_inputs; k++) {
        if (strncmp(t->spec->inputs[k]->name, prefix, len) != 0)
            continue;
        TRY(native_artifact(t, t->spec->inputs[k], "features", &c->files[c->n], e));
        c->lists[i][m->n_features++] = c->files[c->n++];
    }
    return 0;
}

int native_caches_find(const struct exec_task *t, struct representation_member *list, size_t n, struct native_caches *c,
                       struct err *e)
{
    c->files = calloc(t->spec->n_inputs + 1, sizeof *c->files);
    if (!c->files)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        TRY(find_member(t, i, &list[i], c, e));
    return 0;
}

void native_caches_free(struct native_caches *c)
{
    for (size_t i = 0; c->files && i <= c->n; i++) /* the last may have been found and be missing */
        free(c->files[i]);
    for (size_t i = 0; i < NATIVE_MEMBERS_MAX; i++)
        free(c->lists[i]);
    free(c->files);
    *c = (struct native_caches){ 0 };
}
