/* --spair: a file for each picture, the layout that the C score reads. A file is there whole or not at all, and says in
 * its metadata what it was computed with: so a second run finds out which are left to do. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/map.h"
#include "worker/data/spair.h"
#include "worker/layout.h"
#include "worker/tool/extract_job.h"
#include "worker/torch/safetensors.h"

#define PICTURES "JPEGImages/"
#define FILE_ROOM 8192 /* bytes that a file takes beside its features */

/* "JPEGImages/cat/a.b.jpg" -> OUT/cat/a.b.safetensors */
static int output_path(const struct extract_job *j, const char *picture, char *path, size_t size, struct err *e)
{
    const char *below = strncmp(picture, PICTURES, strlen(PICTURES)) == 0 ? picture + strlen(PICTURES) : picture;
    const char *slash = strrchr(below, '/'), *dot = strrchr(below, '.');
    int len = dot && (!slash || dot > slash) ? (int)(dot - below) : (int)strlen(below);
    if (snprintf(path, size, "%s/%.*s.safetensors", j->out, len, below) >= (int)size)
        return FAIL(e, ERR_INPUT, "%s/%s: the path is too long", j->out, below);
    return 0;
}

/* ---- what is there already ------------------------------------------------------------------------------------------
 */

static bool same_settings(const struct extract_job *j, const struct safetensors *f)
{
    const char *key;
    json_t *value;
    json_object_foreach(j->settings, key, value)
    {
        const char *has = safetensors_metadata(f, key);
        if (!has || strcmp(has, json_string_value(value)) != 0)
            return false;
    }
    return true;
}

/* A whole file of this very job. Anything else at that path will be replaced. */
static bool is_done(const struct extract_job *j, const char *path)
{
    struct err ignored = { 0 };
    struct extract_shape s = extractor_shape(j->x);
    if (opts_flag(j->o, "force"))
        return false;
    AUTO(safetensors_release) struct safetensors *f = safetensors_open(path, &ignored);
    const struct st_tensor *t = f ? safetensors_find(f, "features") : NULL;
    return t && safetensors_count(f) == 1 && t->type == s.dtype && t->rank == 2 && t->dims[0] == s.tokens &&
           t->dims[1] == s.channels && same_settings(j, f);
}

/* ---- what is to be done ---------------------------------------------------------------------------------------------
 */

struct todo {
    const char **pictures;
    size_t n;
    struct map taken; /* output path -> picture */
    struct arena names;
};

static void todo_free(struct todo *t)
{
    free(t->pictures);
    map_free(&t->taken);
    arena_free(&t->names);
}
static void todo_free_cleanup(struct todo *t)
{
    todo_free(t);
}

/* Two pictures of a category may differ in their ending only. */
static int claim(struct todo *t, const char *path, const char *picture, struct err *e)
{
    const char *other = map_get(&t->taken, path, strlen(path)), *name = arena_text(&t->names, path);
    if (other)
        return FAIL(e, ERR_INPUT, "%s and %s would both become %s; rename one of them", other, picture, path);
    if (!name)
        return FAIL_NOMEM(e);
    return map_put(&t->taken, name, strlen(name), (void *)picture, e);
}

/* Make room for it, and see whether it is done. */
static int look_at(struct extract_job *j, struct todo *t, const char *picture, bool *done, struct err *e)
{
    char path[PATH_MAX];
    TRY(output_path(j, picture, path, sizeof path, e));
    TRY(claim(t, path, picture, e));
    *done = is_done(j, path);
    if (*done)
        return 0;
    *strrchr(path, '/') = '\0';
    return make_dirs(path, e);
}

/* A batch is done when all of it is. Sums in matrix products depend on the size of a batch in their last bits, so
 * batches stay whole: a resumed extraction writes the same bytes as an undisturbed one. */
static int find_todo(struct extract_job *j, const struct spair *set, struct todo *t, struct err *e)
{
    size_t batch = (size_t)opts_int(j->o, "batch");
    t->pictures = calloc(set->n_images + 1, sizeof *t->pictures);
    if (!t->pictures)
        return FAIL_NOMEM(e);
    j->total = set->n_images;
    for (size_t first = 0; first < set->n_images; first += batch) {
        size_t end = first + batch < set->n_images ? first + batch : set->n_images;
        bool whole = true;
        for (size_t i = first; i < end; i++) {
            bool done;
            TRY(look_at(j, t, set->images[i]->path, &done, e));
            whole = whole && done;
        }
        for (size_t i = first; i < end && !whole; i++)
            t->pictures[t->n++] = set->images[i]->path;
    }
    j->kept = j->total - t->n;
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------------------------------
 */

struct sink {
    struct extract_job *j;
    const struct image_set *set;
};

static int take(void *arg, size_t image, const void *features, struct err *e)
{
    const struct sink *s = arg;
    struct extract_shape shape = extractor_shape(s->j->x);
    char path[PATH_MAX];
    TRY(output_path(s->j, image_set_path(s->set, image), path, sizeof path, e));
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(path, e);
    if (!w)
        return -1;
    TRY(extract_write_settings(s->j, w, e));
    TRY(st_writer_declare(w, "features", shape.dtype, TH_DIMS(shape.tokens, shape.channels), e));
    TRY(st_writer_put(w, "features", features, extractor_bytes(s->j->x), e));
    TRY(st_writer_commit(w, e));
    return extract_tick(s->j, e);
}

static int compute(struct extract_job *j, const char *root, const struct todo *t, struct err *e)
{
    if (t->n == 0)
        return 0;
    TRY(extract_check_room(j->out, (uint64_t)t->n * (extractor_bytes(j->x) + FILE_ROOM), e));
    AUTO(image_set_destroy) struct image_set *set = image_set_files(root, t->pictures, t->n, e);
    if (!set)
        return -1;
    struct sink s = { j, set };
    if (extract_compute(j, set, take, &s, e) == 0)
        return 0;
    if (e->kind == ERR_INTERRUPTED)
        return err_wrap(e, "%zu of %zu pictures are done, the same command goes on from there", j->kept + j->computed,
                        j->total);
    return -1;
}

int extract_to_directory(struct extract_job *j, struct err *e)
{
    const char *root = opts_text(j->o, "spair");
    AUTO(spair_destroy) struct spair *set = spair_load(root, opts_text(j->o, "split"), e);
    AUTO(todo_free) struct todo t = { 0 };
    if (!set)
        return -1;
    TRY(make_dirs(j->out, e));
    TRY(find_todo(j, set, &t, e));
    return compute(j, root, &t, e);
}
