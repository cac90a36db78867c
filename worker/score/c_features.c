#include "worker/score/c_features.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "worker/score/c_match.h"
#include "worker/torch/safetensors.h"

#define TENSOR "features"
#define FILES_MAX 8192 /* mappings of a process are limited too */

/* A file that is mapped; the list goes from the one used last to the one used longest ago. */
struct file {
    struct safetensors *bytes; /* NULL: not mapped */
    const void *raw;
    size_t size;
    struct file *newer, *older;
};

struct directory {
    struct c_features *owner;
    char *name, *path;
    struct c_shape shape;
    struct file *files; /* one for each image */
    struct directory *next;
};

struct c_features {
    const struct spair *set;
    const char *geometry; /* that features must have if they say any; NULL: no matter */
    size_t budget, mapped, n_mapped;
    struct file *newest, *oldest;
    struct directory *directories;
    pthread_mutex_t lock;
};

/* ---- one file -------------------------------------------------------------------------------------------------------
 */

static int read_type(const struct st_tensor *t, enum c_type *out)
{
    switch (t->type) {
    case TH_F32:
        *out = C_F32;
        return 0;
    case TH_BF16:
        *out = C_BF16;
        return 0;
    case TH_F16:
        *out = C_F16;
        return 0;
    default:
        return -1;
    }
}

int c_features_tensor(const struct safetensors *file, const struct st_tensor **out, struct c_shape *shape,
                      struct err *e)
{
    const struct st_tensor *t = safetensors_find(file, TENSOR);
    char text[200];
    if (!t)
        return FAIL(e, ERR_INPUT, "it has no tensor '" TENSOR "'");
    if (read_type(t, &shape->type) < 0 || t->rank != 2 || t->dims[1] < 1 || t->dims[1] > INT_MAX / 64)
        return FAIL(e, ERR_INPUT, "'" TENSOR "' is %s; F32, BF16 or F16 of [tokens, channels] is wanted",
                    st_describe(t, text, sizeof text));
    for (shape->grid = 1; shape->grid < C_GRID_MAX && (int64_t)shape->grid * shape->grid < t->dims[0]; shape->grid++)
        ;
    if ((int64_t)shape->grid * shape->grid != t->dims[0])
        return FAIL(e, ERR_INPUT, "'" TENSOR "' has %lld tokens; a square grid of P x P is wanted, with P from 1 to %d",
                    (long long)t->dims[0], C_GRID_MAX);
    shape->channels = (int)t->dims[1];
    *out = t;
    return 0;
}

static int path_of(const struct directory *d, size_t image, char out[PATH_MAX], struct err *e)
{
    const struct spair_image *im = d->owner->set->images[image];
    const char *file = strrchr(im->path, '/'), *dot = strrchr(im->path, '.');
    file = file ? file + 1 : im->path;
    int stem = dot && dot > file ? (int)(dot - file) : (int)strlen(file);
    if (snprintf(out, PATH_MAX, "%s/%s/%.*s.safetensors", d->path, im->category, stem, file) >= PATH_MAX)
        return FAIL(e, ERR_INPUT, "%.200s...: the path is too long", d->path);
    return 0;
}

static struct safetensors *open_file(const struct directory *d, size_t image, const struct st_tensor **tensor,
                                     struct c_shape *shape, struct err *e)
{
    char path[PATH_MAX];
    if (path_of(d, image, path, e) < 0)
        return NULL;
    AUTO(safetensors_release) struct safetensors *file = safetensors_open(path, e);
    if (!file)
        return NULL;
    if (c_features_tensor(file, tensor, shape, e) < 0) {
        err_wrap(e, "%s", path);
        return NULL;
    }
    return TAKE(file);
}

static bool same_shape(const struct c_shape *a, const struct c_shape *b)
{
    return a->type == b->type && a->grid == b->grid && a->channels == b->channels;
}

/* ---- files that are mapped; under the lock --------------------------------------------------------------------------
 */

static void unlink_file(struct c_features *f, struct file *file)
{
    *(file->newer ? &file->newer->older : &f->newest) = file->older;
    *(file->older ? &file->older->newer : &f->oldest) = file->newer;
}

static void link_newest(struct c_features *f, struct file *file)
{
    file->newer = NULL;
    file->older = f->newest;
    *(f->newest ? &f->newest->newer : &f->oldest) = file;
    f->newest = file;
}

/* Holders keep the mapping until they close it. */
static void forget(struct c_features *f, struct file *file)
{
    unlink_file(f, file);
    f->mapped -= file->size;
    f->n_mapped--;
    safetensors_release(file->bytes);
    file->bytes = NULL;
}

static int map_file(struct directory *d, size_t image, struct file *file, struct err *e)
{
    struct c_features *f = d->owner;
    const struct st_tensor *t;
    struct c_shape shape;
    file->bytes = open_file(d, image, &t, &shape, e);
    if (!file->bytes)
        return -1;
    if (!same_shape(&shape, &d->shape)) {
        const char *path = safetensors_path(file->bytes);
        FAIL(e, ERR_INPUT, "%s: it changed while it was in use", path);
        safetensors_release(TAKE(file->bytes));
        return -1;
    }
    file->raw = t->data;
    file->size = t->bytes;
    link_newest(f, file);
    f->mapped += file->size;
    f->n_mapped++;
    while (f->oldest != file && (f->mapped > f->budget || f->n_mapped > FILES_MAX))
        forget(f, f->oldest);
    return 0;
}

static int open_map(void *arg, size_t image, struct c_map *out, struct err *e)
{
    struct directory *d = arg;
    struct file *file = &d->files[image];
    int rc = 0;
    pthread_mutex_lock(&d->owner->lock);
    if (!file->bytes) {
        rc = map_file(d, image, file, e);
    } else {
        unlink_file(d->owner, file);
        link_newest(d->owner, file);
    }
    if (rc == 0)
        *out = (struct c_map){ file->raw, safetensors_hold(file->bytes) };
    pthread_mutex_unlock(&d->owner->lock);
    return rc;
}

static void close_map(void *arg, struct c_map *map)
{
    (void)arg;
    safetensors_release(map->hold);
}

/* ---- directories ----------------------------------------------------------------------------------------------------
 */

static int count_missing(const struct directory *d, size_t *missing, char first[PATH_MAX], struct err *e)
{
    char path[PATH_MAX];
    *missing = 0;
    for (size_t i = 0; i < d->owner->set->n_images; i++) {
        TRY(path_of(d, i, path, e));
        if (access(path, F_OK) == 0 || errno != ENOENT)
            continue;
        if ((*missing)++ == 0)
            memcpy(first, path, sizeof path);
    }
    return 0;
}

/* What `acsweep extract` says in every file of how it was made. Other programs may leave it out. */
static int check_origin(const struct directory *d, const struct safetensors *file, const struct safetensors *first,
                        struct err *e)
{
    static const char *const keys[] = { "checkpoint", "layer",     "final_norm", "geometry",
                                        "resolution", "positions", "exif",       "compute" };
    const char *geometry = safetensors_metadata(file, "geometry"), *wanted = d->owner->geometry;
    if (geometry && wanted && strcmp(geometry, wanted) != 0)
        return FAIL(e, ERR_INPUT,
                    "%s was extracted with the geometry '%.40s', but is to be scored with '%s'; extract it again, or "
                    "score with the same",
                    safetensors_path(file), geometry, wanted);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *a = safetensors_metadata(first, keys[i]), *b = safetensors_metadata(file, keys[i]);
        if (a != b && (!a || !b || strcmp(a, b) != 0))
            return FAIL(e, ERR_INPUT,
                        "%s and %s were extracted differently (their '%s' is not the same); finish the extraction, or "
                        "extract into another directory",
                        safetensors_path(first), safetensors_path(file), keys[i]);
    }
    return 0;
}

static int check_files(struct directory *d, struct err *e)
{
    AUTO(safetensors_release) struct safetensors *first = NULL;
    char absent[PATH_MAX];
    size_t missing, n = d->owner->set->n_images;
    TRY(count_missing(d, &missing, absent, e));
    if (missing)
        return FAIL(e, ERR_INPUT,
                    "%zu of %zu pictures have no features; the first file that is missing is %s. Extract them with "
                    "`acsweep extract`",
                    missing, n, absent);
    for (size_t i = 0; i < n; i++) {
        const struct st_tensor *t;
        struct c_shape shape;
        char text[200];
        AUTO(safetensors_release) struct safetensors *file = open_file(d, i, &t, &shape, e);
        if (!file)
            return -1;
        if (i == 0) {
            d->shape = shape;
            first = safetensors_hold(file);
        }
        if (!same_shape(&shape, &d->shape))
            return FAIL(e, ERR_INPUT,
                        "%s: '" TENSOR "' is %s, unlike those before it (%d x %d tokens of %d channels); all of one "
                        "directory must come from one encoder",
                        safetensors_path(file), st_describe(t, text, sizeof text), d->shape.grid, d->shape.grid,
                        d->shape.channels);
        TRY(check_origin(d, file, first, e));
    }
    return 0;
}

static struct directory *directory_create(struct c_features *f, const char *name, const char *path)
{
    struct directory *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->owner = f;
    d->next = f->directories;
    f->directories = d; /* freed with the others from here on */
    d->name = strdup(name);
    d->path = strdup(path);
    d->files = calloc(f->set->n_images + 1, sizeof *d->files);
    return d->name && d->path && d->files ? d : NULL;
}

int c_features_add(struct c_features *f, const char *name, const char *dir, struct c_source *out, struct err *e)
{
    struct directory *d = directory_create(f, name, dir);
    if (!d)
        return FAIL_NOMEM(e);
    TRY(check_files(d, e));
    *out = (struct c_source){ .name = d->name, .shape = d->shape, .open = open_map, .close = close_map, .arg = d };
    return 0;
}

struct c_features *c_features_create(const struct spair *set, size_t budget, struct err *e)
{
    struct c_features *f = calloc(1, sizeof *f);
    if (!f)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    f->set = set;
    f->budget = budget;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void c_features_expect(struct c_features *f, const char *geometry)
{
    f->geometry = geometry;
}

void c_features_destroy(struct c_features *f)
{
    if (!f)
        return;
    while (f->newest)
        forget(f, f->newest);
    for (struct directory *d = f->directories, *next; d; d = next) {
        next = d->next;
        free(d->name);
        free(d->path);
        free(d->files);
        free(d);
    }
    pthread_mutex_destroy(&f->lock);
    free(f);
}

size_t c_features_mapped(const struct c_features *f)
{
    return f->mapped;
}

int c_sources_check(const struct c_source *sources, size_t n, enum c_arith arith, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct c_shape *s = &sources[i].shape;
        if (s->grid < 1 || s->grid > C_GRID_MAX || s->channels < 1)
            return FAIL(e, ERR_INPUT, "%s: %d x %d tokens of %d channels cannot be compared", sources[i].name, s->grid,
                        s->grid, s->channels);
        if (arith == C_STORED && s->type == C_F16)
            return FAIL(e, ERR_INPUT,
                        "%s: its features are F16, and arithmetic in the stored type is made for F32 and BF16; use "
                        "fp32, or extract them in bf16",
                        sources[i].name);
    }
    return 0;
}
