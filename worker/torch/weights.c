#include "worker/torch/weights.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/map.h"

#define MAX_INDEX ((size_t)64 << 20)

struct item {
    const struct st_tensor *tensor;
    struct safetensors *file;
};

struct weights {
    char *path;
    struct safetensors **files;
    struct item *items; /* by name */
    size_t n_files, n;
};

static const char *const stems[] = { "model", "diffusion_pytorch_model", "adapter_model" };

static int out_of_memory(struct err *e)
{
    return FAIL_NOMEM(e);
}

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static int join(char out[PATH_MAX], const char *dir, const char *name, const char *suffix, struct err *e)
{
    if (snprintf(out, PATH_MAX, "%s/%s%s", dir, name, suffix) >= PATH_MAX)
        return FAIL(e, ERR_INPUT, "%.80s...: the path is too long", dir);
    return 0;
}

/* ---- the index ------------------------------------------------------------------------------------------------------
 */

static bool is_plain_file_name(const char *s)
{
    return s && s[0] && s[0] != '.' && !strchr(s, '/') && strlen(s) <= NAME_MAX;
}

static int check_map(const json_t *map, struct err *e)
{
    const char *name;
    json_t *file;
    if (!json_is_object(map))
        return FAIL(e, ERR_INPUT, "there is no weight_map in it");
    json_object_foreach((json_t *)map, name, file)
    {
        if (!is_plain_file_name(json_string_value(file)))
            return FAIL(e, ERR_INPUT, "weight_map: '%.200s' does not name a file beside the index", name);
    }
    return 0;
}

json_t *weights_parse_index(const char *text, size_t len, const char *path, struct err *e)
{
    json_error_t why;
    json_t *index = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (!index)
        return FAIL_NULL(e, ERR_INPUT, "%s: line %d: %s", path, why.line, why.text);
    json_t *map = json_object_get(index, "weight_map");
    bool good = check_map(map, e) == 0;
    if (good)
        json_incref(map);
    else
        err_wrap(e, "%s", path);
    json_decref(index);
    return good ? map : NULL;
}

static json_t *read_index(const char *path, struct err *e)
{
    AUTO(fclose) FILE *f = fopen(path, "re");
    struct stat st;
    if (!f || fstat(fileno(f), &st) < 0)
        return FAIL_NULL(e, ERR_ENV, "%s: cannot open: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > MAX_INDEX)
        return FAIL_NULL(e, ERR_INPUT, "%s: it is not a file of at most %zu MiB", path, MAX_INDEX >> 20);
    AUTO(free) char *text = malloc((size_t)st.st_size + 1);
    if (!text)
        return out_of_memory(e), NULL;
    return weights_parse_index(text, fread(text, 1, (size_t)st.st_size, f), path, e);
}

/* ---- files and their tensors ----------------------------------------------------------------------------------------
 */

static int add_file(struct weights *w, const char *path, struct safetensors **out, struct err *e)
{
    struct safetensors **more = realloc(w->files, (w->n_files + 1) * sizeof *more);
    if (!more)
        return out_of_memory(e);
    w->files = more;
    *out = more[w->n_files] = safetensors_open(path, e);
    if (!*out)
        return -1;
    w->n_files++;
    return 0;
}

static int open_one(struct weights *w, const char *path, struct err *e)
{
    struct safetensors *f;
    TRY(add_file(w, path, &f, e));
    w->items = calloc(safetensors_count(f) + 1, sizeof *w->items);
    if (!w->items)
        return out_of_memory(e);
    for (; w->n < safetensors_count(f); w->n++)
        w->items[w->n] = (struct item){ safetensors_at(f, w->n), f };
    return 0;
}

/* The open file of that name; opened when it is the first time. */
static int shard(struct weights *w, struct map *open, const char *dir, const char *name, struct safetensors **out,
                 struct err *e)
{
    char path[PATH_MAX];
    *out = map_get(open, name, strlen(name));
    if (*out)
        return 0;
    TRY(join(path, dir, name, "", e));
    if (!exists(path))
        return FAIL(e, ERR_INPUT, "%s: the index names this file, but it is not there; fetch the checkpoint again",
                    path);
    TRY(add_file(w, path, out, e));
    return map_put(open, name, strlen(name), *out, e);
}

static int add_mapped(struct weights *w, struct safetensors *f, const char *name, struct err *e)
{
    const struct st_tensor *t = safetensors_find(f, name);
    if (!t)
        return FAIL(e, ERR_INPUT, "%s: the index says that '%.200s' is in this file, but it is not",
                    safetensors_path(f), name);
    w->items[w->n++] = (struct item){ t, f };
    return 0;
}

/* Tensors of the shards that the index does not name belong to the checkpoint too: a model that has no use for them must
 * be able to say so. */
static int add_unlisted(struct weights *w, const json_t *map, struct map *seen, struct err *e)
{
    size_t room = w->n;
    for (size_t k = 0; k < w->n_files; k++)
        room += safetensors_count(w->files[k]);
    struct item *more = realloc(w->items, (room + 1) * sizeof *more);
    if (!more)
        return out_of_memory(e);
    w->items = more;
    for (size_t k = 0; k < w->n_files; k++)
        for (size_t i = 0; i < safetensors_count(w->files[k]); i++) {
            const struct st_tensor *t = safetensors_at(w->files[k], i);
            if (json_object_get(map, t->name) || map_get(seen, t->name, strlen(t->name)))
                continue;
            TRY(map_put(seen, t->name, strlen(t->name), w, e));
            w->items[w->n++] = (struct item){ t, w->files[k] };
        }
    return 0;
}

static int open_mapped(struct weights *w, const char *dir, json_t *map, struct map *open, struct err *e)
{
    const char *name;
    json_t *file;
    w->items = calloc(json_object_size(map) + 1, sizeof *w->items);
    if (!w->items)
        return out_of_memory(e);
    json_object_foreach(map, name, file)
    {
        struct safetensors *f;
        TRY(shard(w, open, dir, json_string_value(file), &f, e));
        TRY(add_mapped(w, f, name, e));
    }
    return 0;
}

static int open_index(struct weights *w, const char *dir, const char *path, struct err *e)
{
    json_t *map = read_index(path, e);
    struct map open = { 0 }, seen = { 0 };
    int rc = map ? open_mapped(w, dir, map, &open, e) : -1;
    rc = rc < 0 ? -1 : add_unlisted(w, map, &seen, e);
    map_free(&open);
    map_free(&seen);
    json_decref(map);
    return rc;
}

static int no_weights(const char *dir, struct err *e)
{
    static const char *const pickles[] = { "pytorch_model.bin", "pytorch_model.bin.index.json" };
    char path[PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(pickles); i++) {
        TRY(join(path, dir, pickles[i], "", e));
        if (exists(path))
            return FAIL(e, ERR_INPUT,
                        "%s: there is no model.safetensors, only %s, a format that can run any program when it is read; "
                        "convert it once (docs/cli.md, \"Older checkpoints\")",
                        dir, pickles[i]);
    }
    return FAIL(e, ERR_INPUT,
                "%s: there is no model.safetensors, no index of one, and no diffusion_pytorch_model.safetensors; fetch "
                "the checkpoint again",
                dir);
}

static int open_directory(struct weights *w, const char *dir, struct err *e)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(stems); i++) { /* one file comes first, as in transformers */
        TRY(join(path, dir, stems[i], ".safetensors", e));
        if (exists(path))
            return open_one(w, path, e);
        TRY(join(path, dir, stems[i], ".safetensors.index.json", e));
        if (exists(path))
            return open_index(w, dir, path, e);
    }
    return no_weights(dir, e);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->tensor->name, ((const struct item *)b)->tensor->name);
}

struct weights *weights_open(const char *path, struct err *e)
{
    AUTO(weights_destroy) struct weights *w = calloc(1, sizeof *w);
    struct stat st;
    if (!w || !(w->path = strdup(path)))
        return out_of_memory(e), NULL;
    if (stat(path, &st) < 0)
        return FAIL_NULL(e, ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    if ((S_ISDIR(st.st_mode) ? open_directory : open_one)(w, path, e) < 0)
        return NULL;
    qsort(w->items, w->n, sizeof *w->items, by_name);
    return TAKE(w);
}

void weights_destroy(struct weights *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n_files; i++)
        safetensors_release(w->files[i]);
    free(w->files);
    free(w->items);
    free(w->path);
    free(w);
}

/* ---- looking things up ----------------------------------------------------------------------------------------------
 */

static const struct item *find(const struct weights *w, const char *name)
{
    const struct st_tensor key = { .name = name };
    const struct item wanted = { .tensor = &key };
    return w->n ? bsearch(&wanted, w->items, w->n, sizeof *w->items, by_name) : NULL;
}

const char *weights_path(const struct weights *w)
{
    return w->path;
}

size_t weights_count(const struct weights *w)
{
    return w->n;
}

const struct st_tensor *weights_at(const struct weights *w, size_t i)
{
    return i < w->n ? w->items[i].tensor : NULL;
}

const struct st_tensor *weights_find(const struct weights *w, const char *name)
{
    const struct item *i = find(w, name);
    return i ? i->tensor : NULL;
}

const char *weights_metadata(const struct weights *w, const char *key)
{
    const char *value = NULL;
    for (size_t i = 0; i < w->n_files && !value; i++)
        value = safetensors_metadata(w->files[i], key);
    return value;
}

struct safetensors *weights_file(const struct weights *w, const struct st_tensor *t)
{
    const struct item *i = find(w, t->name);
    return i ? i->file : NULL;
}
