#include "worker/extract/feature_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"

static int part_path(const struct feature_job *j, size_t part, char *path, size_t size, struct err *e)
{
    if (snprintf(path, size, "%s/%06zu.safetensors", j->parts, part) < (int)size)
        return 0;
    return FAIL(e, ERR_ENV, "the path of a part is longer than %zu bytes", size);
}

static size_t parts_of(const struct feature_job *j)
{
    return (j->count + FEATURE_PART - 1) / FEATURE_PART;
}

static size_t part_size(const struct feature_job *j, size_t part)
{
    size_t left = j->count - part * FEATURE_PART;
    return left < FEATURE_PART ? left : FEATURE_PART;
}

/* ---- writing one file
 * ------------------------------------------------------------------------------------------------ */

static int declare(const struct feature_job *j, struct st_writer *w, size_t first, size_t count, struct err *e)
{
    struct extract_shape shape = extractor_shape(j->x);
    char grid[24];
    snprintf(grid, sizeof grid, "%lld", (long long)shape.grid);
    TRY(st_writer_metadata(w, "grid", grid, e));
    for (size_t i = 0; j->metadata && j->metadata[i][0]; i++)
        TRY(st_writer_metadata(w, j->metadata[i][0], j->metadata[i][1], e));
    for (size_t i = 0; i < count; i++)
        TRY(st_writer_declare(w, image_set_path(j->set, first + i), shape.dtype, TH_DIMS(shape.tokens, shape.channels),
                              e));
    return 0;
}

struct sink {
    const struct feature_job *j;
    struct st_writer *w;
};

static int take(void *arg, size_t image, const void *features, struct err *e)
{
    const struct sink *s = arg;
    TRY(st_writer_put(s->w, image_set_path(s->j->set, image), features, extractor_bytes(s->j->x), e));
    return s->j->progress ? s->j->progress(s->j->arg, image + 1 - s->j->first, s->j->count, e) : 0;
}

static int write_part(const struct feature_job *j, size_t part, const char *path, struct err *e)
{
    size_t first = j->first + part * FEATURE_PART, count = part_size(j, part);
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(path, e);
    if (!w)
        return -1;
    struct sink s = { j, w };
    TRY(declare(j, w, first, count, e));
    TRY(extractor_run(j->x, j->set, first, count, take, &s, e));
    return st_writer_commit(w, e);
}

/* ---- parts of an earlier try
 * ------------------------------------------------------------------------------------------ */

/* A part counts when it holds just what this job would put into it. */
static bool part_fits(const struct feature_job *j, size_t part, const struct safetensors *f)
{
    struct extract_shape shape = extractor_shape(j->x);
    size_t count = part_size(j, part);
    if (safetensors_count(f) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct st_tensor *t = safetensors_find(f, image_set_path(j->set, j->first + part * FEATURE_PART + i));
        if (!t || t->type != shape.dtype || t->rank != 2 || t->dims[0] != shape.tokens || t->dims[1] != shape.channels)
            return false;
    }
    for (size_t i = 0; j->metadata && j->metadata[i][0]; i++) {
        const char *has = safetensors_metadata(f, j->metadata[i][0]);
        if (!has || strcmp(has, j->metadata[i][1]) != 0)
            return false;
    }
    return true;
}

/* NULL: it is not there, or not whole, or something else: it is computed (again). */
static struct safetensors *open_part(const struct feature_job *j, size_t part, const char *path)
{
    struct err ignored = { 0 };
    if (access(path, R_OK) < 0)
        return NULL;
    struct safetensors *f = safetensors_open(path, &ignored);
    if (f && part_fits(j, part, f))
        return f;
    safetensors_release(f);
    return NULL;
}

static int make_part(const struct feature_job *j, size_t part, size_t *computed, struct err *e)
{
    char path[4200];
    TRY(part_path(j, part, path, sizeof path, e));
    AUTO(safetensors_release) struct safetensors *found = open_part(j, part, path);
    if (found)
        return 0;
    TRY(write_part(j, part, path, e));
    *computed += part_size(j, part);
    return 0;
}

static int copy_part(const struct feature_job *j, size_t part, struct st_writer *w, struct err *e)
{
    char path[4200];
    TRY(part_path(j, part, path, sizeof path, e));
    AUTO(safetensors_release) struct safetensors *f = safetensors_open(path, e);
    if (!f)
        return -1;
    for (size_t i = 0; i < safetensors_count(f); i++) {
        const struct st_tensor *t = safetensors_at(f, i);
        TRY(st_writer_put(w, t->name, t->data, t->bytes, e));
    }
    return 0;
}

static int join_parts(const struct feature_job *j, struct err *e)
{
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(j->out, e);
    if (!w)
        return -1;
    TRY(declare(j, w, j->first, j->count, e));
    for (size_t part = 0; part < parts_of(j); part++)
        TRY(copy_part(j, part, w, e));
    return st_writer_commit(w, e);
}

int feature_file_write(const struct feature_job *j, size_t *computed, struct err *e)
{
    size_t fresh = 0;
    for (size_t part = 0; part < parts_of(j); part++)
        TRY(make_part(j, part, &fresh, e));
    if (computed)
        *computed = fresh;
    return join_parts(j, e);
}
