#include "worker/exec/native_features.h"

#include <stdlib.h>
#include <string.h>

#include "common/parse.h"
#include "worker/torch/safetensors.h"

struct native_features {
    struct safetensors **files;
    size_t n_files;
    const void **maps; /* by the set's picture */
};

void native_features_close(struct native_features *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n_files; i++)
        safetensors_release(f->files[i]);
    free(f->files);
    free(f->maps);
    free(f);
}

static int open_files(struct native_features *f, const struct exec_task *t, size_t member, struct err *e)
{
    char prefix[40];
    size_t len = (size_t)snprintf(prefix, sizeof prefix, "features:%zu:", member);
    f->files = calloc(t->spec->n_inputs + 1, sizeof *f->files);
    if (!f->files)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < t->spec->n_inputs; i++) {
        AUTO(free) char *path = NULL;
        if (strncmp(t->spec->inputs[i]->name, prefix, len) != 0)
            continue;
        TRY(native_artifact(t, t->spec->inputs[i], "features", &path, e));
        struct safetensors *file = safetensors_open(path, e);
        if (!file)
            return -1;
        f->files[f->n_files++] = file;
    }
    return f->n_files ? 0 : FAIL(e, ERR_INPUT, "the task has no input %s...", prefix);
}

/* *at: the file in which the last picture was found; pictures come in the files' order. */
static const struct st_tensor *find(const struct native_features *f, const char *path, size_t *at)
{
    for (size_t k = 0; k < f->n_files; k++) {
        size_t i = (*at + k) % f->n_files;
        const struct st_tensor *t = safetensors_find(f->files[i], path);
        if (t) {
            *at = i;
            return t;
        }
    }
    return NULL;
}

static int shape_of(const struct safetensors *file, const struct st_tensor *t, struct c_shape *s, struct err *e)
{
    const char *text = safetensors_metadata(file, "grid");
    int64_t grid = 0;
    struct err why = { 0 };
    if (!text || parse_i64(text, 1, 4096, &grid, &why) < 0 || t->rank != 2 || t->dims[0] != grid * grid ||
        t->dims[1] > 1000000 || (t->type != TH_F32 && t->type != TH_BF16 && t->type != TH_F16)) {
        char what[64];
        return FAIL(e, ERR_INPUT, "%s: %s is %s, no map of P x P tokens", safetensors_path(file), t->name,
                    st_describe(t, what, sizeof what));
    }
    *s = (struct c_shape){ .type = t->type == TH_F32    ? C_F32
                                   : t->type == TH_BF16 ? C_BF16
                                                        : C_F16,
                           .grid = (int)grid,
                           .channels = (int)t->dims[1] };
    return 0;
}

static int find_maps(struct native_features *f, const struct spair *set, struct c_shape *shape, struct err *e)
{
    size_t at = 0;
    f->maps = calloc(set->n_images + 1, sizeof *f->maps);
    if (!f->maps)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < set->n_images; i++) {
        struct c_shape s;
        const struct st_tensor *t = find(f, set->images[i]->path, &at);
        if (!t)
            return FAIL(e, ERR_INPUT, "no features of %s: the pictures changed since they were extracted",
                        set->images[i]->path);
        TRY(shape_of(f->files[at], t, &s, e));
        if (i && (s.grid != shape->grid || s.channels != shape->channels || s.type != shape->type))
            return FAIL(e, ERR_INPUT, "%s: features of %s have another shape than those before",
                        safetensors_path(f->files[at]), t->name);
        *shape = s;
        f->maps[i] = t->data;
    }
    return 0;
}

static int open_map(void *arg, size_t image, struct c_map *out, struct err *e)
{
    (void)e;
    const struct native_features *f = arg;
    *out = (struct c_map){ .raw = f->maps[image] };
    return 0;
}

static void close_map(void *arg, struct c_map *map)
{
    (void)arg;
    (void)map; /* files stay mapped; the kernel takes pages back when it needs them */
}

struct native_features *native_features_open(const struct exec_task *t, size_t member, const char *name,
                                             const struct spair *set, struct c_source *out, struct err *e)
{
    AUTO(native_features_close) struct native_features *f = calloc(1, sizeof *f);
    if (!f)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    *out = (struct c_source){ .name = name, .open = open_map, .close = close_map, .arg = f };
    if (open_files(f, t, member, e) < 0 || find_maps(f, set, &out->shape, e) < 0)
        return NULL;
    return TAKE(f);
}
