#include "worker/exec/native_pictures.h"

#include <string.h>

#include "common/log.h"
#include "worker/exec/native.h"
#include "worker/score/c_album.h"

/* Together what a result may carry inline, less a margin. */
#define PICTURES_MOST ((size_t)256 << 10)
#define THUMBNAILS_MOST ((size_t)704 << 10)

struct native_pictures {
    json_t *albums;     /* [subset] */
    json_t *thumbnails; /* NULL when they could not be made */
};

static void say(const struct exec_task *t, const struct err *why)
{
    log_warn("score_c.no_pictures", KV_STR("label", t->spec->label), KV_ERR(why));
}

struct native_pictures *native_pictures_make(const struct exec_task *t, const struct c_job *job, const char *root)
{
    struct err e = { 0 };
    size_t pairs[C_ALBUM_PAIRS_MAX];
    json_int_t asked = json_integer_value(json_object_get(json_object_get(t->execution, "pictures"), "pairs"));
    size_t n = asked > 0 ? c_album_choose(job->set, (size_t)asked, pairs) : 0;
    AUTO(native_pictures_destroy) struct native_pictures *p = n ? calloc(1, sizeof *p) : NULL;
    if (!p)
        return NULL;
    p->albums = c_album(job, pairs, n, &e);
    if (!p->albums) {
        say(t, &e);
        return NULL;
    }
    p->thumbnails = c_album_thumbnails(job->set, root, pairs, n, &e);
    if (!p->thumbnails)
        say(t, &e);
    return TAKE(p);
}

void native_pictures_destroy(struct native_pictures *p)
{
    if (!p)
        return;
    json_decref(p->albums);
    json_decref(p->thumbnails);
    free(p);
}

static int add_inline(struct exec_result *r, const char *name, const json_t *o, size_t most, struct err *e)
{
    AUTO(free) char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
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

void native_pictures_add(const struct native_pictures *p, const struct exec_task *t, size_t subset,
                         struct exec_result *r)
{
    struct err e = { 0 };
    const json_t *wanted = json_object_get(t->execution, "pictures");
    if (!p || !wanted)
        return;
    bool thumbnails = p->thumbnails && json_is_true(json_object_get(wanted, "thumbnails"));
    if (add_inline(r, "pictures", json_array_get(p->albums, subset), PICTURES_MOST, &e) < 0 ||
        (thumbnails && add_inline(r, "thumbnails", p->thumbnails, THUMBNAILS_MOST, &e) < 0))
        say(t, &e);
}
