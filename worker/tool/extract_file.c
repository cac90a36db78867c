/* --image: all pictures into one safetensors file. */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "worker/tool/extract_job.h"
#include "worker/torch/safetensors.h"

static struct image_set *named_files(const struct opts *o, struct err *e)
{
    const char *const *given;
    size_t n = opts_list(o, "image", &given), args = opts_n_args(o);
    AUTO(free) const char **paths = calloc(n + args + 1, sizeof *paths);
    if (!paths)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        paths[i] = given[i];
    for (size_t i = 0; i < args; i++)
        paths[n + i] = opts_arg(o, i);
    return image_set_files(NULL, paths, n + args, e);
}

static int declare(const struct extract_job *j, const struct image_set *set, struct st_writer *w, struct err *e)
{
    struct extract_shape s = extractor_shape(j->x);
    TRY(extract_write_settings(j, w, e));
    for (size_t i = 0; i < image_set_count(set); i++)
        TRY(st_writer_declare(w, image_set_path(set, i), s.dtype, TH_DIMS(s.tokens, s.channels), e));
    return 0;
}

struct sink {
    struct extract_job *j;
    const struct image_set *set;
    struct st_writer *w;
};

static int take(void *arg, size_t image, const void *features, struct err *e)
{
    const struct sink *s = arg;
    TRY(st_writer_put(s->w, image_set_path(s->set, image), features, extractor_bytes(s->j->x), e));
    return extract_tick(s->j, e);
}

static int check_room(const struct extract_job *j, struct err *e)
{
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s", j->out) >= (int)sizeof copy)
        return FAIL(e, ERR_INPUT, "--out: the path is too long");
    return extract_check_room(dirname(copy), (uint64_t)j->total * extractor_bytes(j->x), e);
}

int extract_to_file(struct extract_job *j, struct err *e)
{
    AUTO(image_set_destroy) struct image_set *set = named_files(j->o, e);
    if (!set || image_set_check(set, "--image", e) < 0)
        return -1;
    j->total = image_set_count(set);
    TRY(check_room(j, e));
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(j->out, e);
    if (!w)
        return -1;
    struct sink s = { j, set, w };
    TRY(declare(j, set, w, e));
    TRY(extract_compute(j, set, take, &s, e));
    return st_writer_commit(w, e);
}
