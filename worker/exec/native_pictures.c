#include "worker/exec/native_pictures.h"

#include <string.h>

#include "worker/exec/native.h"
#include "worker/score/c_album.h"

/* Together with the other one below what a result may carry inline. */
#define PICTURES_MOST ((size_t)256 << 10)
#define THUMBNAILS_MOST ((size_t)704 << 10)

static int add_inline(struct exec_result *r, const char *name, const json_t *o, size_t most, struct err *e)
{
    AUTO(free) char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    if (!text)
        return FAIL_NOMEM(e);
    size_t n = strlen(text);
    if (n > most)
        return FAIL(e, ERR_INPUT, "%s of %zu bytes; %zu are the most", name, n, most);
    struct exec_artifact *a = exec_result_artifact(r, e);
    if (!a)
        return -1;
    snprintf(a->name, sizeof a->name, "%s", name);
    snprintf(a->store, sizeof a->store, "inline");
    digest_bytes(text, n, a->digest);
    a->bytes = n;
    a->content = TAKE(text);
    return 0;
}

static int add_all(const json_t *wanted, const struct c_job *job, size_t subset, const char *root,
                   struct exec_result *r, struct err *e)
{
    size_t pairs[C_ALBUM_PAIRS_MAX];
    json_int_t asked = json_integer_value(json_object_get(wanted, "pairs"));
    size_t n = c_album_choose(job->set, asked > 0 ? (size_t)asked : 0, pairs);
    struct c_job own = *job;
    own.subsets = &job->subsets[subset];
    own.n_subsets = 1;
    if (!n)
        return 0;
    AUTO(json_decref) json_t *albums = c_album(&own, pairs, n, e);
    if (!albums)
        return -1;
    TRY(add_inline(r, "pictures", json_array_get(albums, 0), PICTURES_MOST, e));
    if (!json_is_true(json_object_get(wanted, "thumbnails")))
        return 0;
    AUTO(json_decref) json_t *thumbnails = c_album_thumbnails(job->set, root, pairs, n, e);
    return thumbnails ? add_inline(r, "thumbnails", thumbnails, THUMBNAILS_MOST, e) : -1;
}

void native_pictures_add(const struct exec_task *t, const struct c_job *job, size_t subset, const char *root,
                         struct exec_result *r)
{
    struct err e = { 0 };
    char log[1200];
    const json_t *wanted = json_object_get(t->execution, "pictures");
    if (!wanted || add_all(wanted, job, subset, root, r, &e) == 0)
        return;
    int n = snprintf(log, sizeof log, "some correspondence pictures are left out: %s\n", e.text);
    exec_progress(t, 1, NULL, log, (size_t)n);
}
