#include "worker/extract/feature_table.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/map.h"

struct feature_table {
    struct safetensors **files;
    size_t n, cap;
    struct map by_name; /* struct st_tensor */
    struct feature_shape shape;
};

/* ---- opening --------------------------------------------------------------------------------------------------------
 */

static int64_t root_of(int64_t tokens)
{
    int64_t g = 0;
    while ((g + 1) * (g + 1) <= tokens)
        g++;
    return g;
}

/* The first tensor of all sets the shape that the others must have. */
static void set_shape(struct feature_table *t, const struct safetensors *f, const struct st_tensor *first)
{
    const char *grid = safetensors_metadata(f, "grid");
    char *end;
    long stated = grid ? strtol(grid, &end, 10) : 0;
    t->shape.tokens = first->dims[0];
    t->shape.channels = first->dims[1];
    t->shape.dtype = first->type;
    t->shape.grid = stated > 0 ? stated : root_of(first->dims[0]);
}

static int add_tensor(struct feature_table *t, struct safetensors *f, const struct st_tensor *x, struct err *e)
{
    char is[100];
    if (x->rank != 2 || x->dims[0] < 1 || x->dims[1] < 1 || !th_dtype_is_float(x->type))
        return FAIL(e, ERR_INPUT, "'%.200s' is %s, not [tokens, channels] of floats", x->name,
                    st_describe(x, is, sizeof is));
    if (t->shape.pictures == 0)
        set_shape(t, f, x);
    if (x->dims[0] != t->shape.tokens || x->dims[1] != t->shape.channels || x->type != t->shape.dtype)
        return FAIL(e, ERR_INPUT, "'%.200s' is %s, but the first is %s[%lld,%lld]: these are features of two kinds",
                    x->name, st_describe(x, is, sizeof is), st_type_name(t->shape.dtype), (long long)t->shape.tokens,
                    (long long)t->shape.channels);
    if (map_get(&t->by_name, x->name, strlen(x->name)))
        return FAIL(e, ERR_INPUT, "'%.200s' is in another file too", x->name);
    t->shape.pictures++;
    return map_put(&t->by_name, x->name, strlen(x->name), (void *)x, e);
}

static int add_file(struct feature_table *t, const char *path, struct err *e)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 16;
        struct safetensors **more = realloc(t->files, cap * sizeof *more);
        if (!more)
            return FAIL_NOMEM(e);
        t->files = more;
        t->cap = cap;
    }
    struct safetensors *f = safetensors_open(path, e);
    if (!f)
        return -1;
    t->files[t->n++] = f;
    for (size_t i = 0; i < safetensors_count(f); i++)
        if (add_tensor(t, f, safetensors_at(f, i), e) < 0)
            return err_wrap(e, "%s", path);
    return 0;
}

static int is_feature_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && entry->d_name[0] != '.' && strcmp(dot, ".safetensors") == 0;
}

static int add_directory(struct feature_table *t, const char *dir, struct err *e)
{
    struct dirent **list;
    int n = scandir(dir, &list, is_feature_file, alphasort), rc = 0;
    if (n < 0)
        return FAIL(e, ERR_ENV, "%s: cannot read: %s", dir, strerror(errno));
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name);
        rc = rc < 0 ? rc : add_file(t, path, e);
        free(list[i]);
    }
    free(list);
    return rc;
}

struct feature_table *feature_table_open(const char *const *paths, size_t n, struct err *e)
{
    AUTO(feature_table_close) struct feature_table *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        if (stat(paths[i], &st) < 0)
            return FAIL_NULL(e, ERR_ENV, "%s: cannot open: %s", paths[i], strerror(errno));
        if ((S_ISDIR(st.st_mode) ? add_directory : add_file)(t, paths[i], e) < 0)
            return NULL;
    }
    if (t->shape.pictures == 0)
        return FAIL_NULL(e, ERR_INPUT, "%s: there are no features in it", n ? paths[0] : "an empty list");
    return TAKE(t);
}

void feature_table_close(struct feature_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        safetensors_release(t->files[i]);
    map_free(&t->by_name);
    free(t->files);
    free(t);
}

struct feature_shape feature_table_shape(const struct feature_table *t)
{
    return t->shape;
}

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

struct tensor *feature_table_read(const struct feature_table *t, const char *const *names, size_t n, struct err *e)
{
    TH_SCOPE(s);
    const int64_t dims[] = { (int64_t)n, t->shape.tokens, t->shape.channels };
    struct tensor *all = th_empty(dims, 3, t->shape.dtype, TH_CPU);
    char *to = th_data(all);
    if (th_check(e) < 0)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        const struct st_tensor *x = map_get(&t->by_name, names[i], strlen(names[i]));
        if (!x)
            return FAIL_NULL(e, ERR_INPUT, "there are no features of '%.300s'; extract the whole set again", names[i]);
        memcpy(to + i * x->bytes, x->data, x->bytes);
    }
    return th_return(&s, all);
}
