#include "worker/exec/native_content.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/mono.h"
#include "worker/exec/native.h"
#include "worker/extract/open_set.h"
#include "worker/layout.h"

#define LOOK_AGAIN_NS (600 * NS_PER_S)
#define WAIT_NS (NS_PER_S / 10)

/* ---- the cache of this node ---------------------------------------------------------------------------------------
 */

/* A file's name for a path; NULL in *out when this node has no scratch directory. */
static int cache_of(const struct exec_task *t, const char *path, bool images, char **out, struct err *e)
{
    char hex[DIGEST_HEX_SIZE];
    AUTO(free) char *dir = NULL;
    *out = NULL;
    if (!t->scratch[0])
        return 0;
    if (asprintf(&dir, "%s/content", t->scratch) < 0)
        return FAIL_NOMEM(e);
    TRY(make_dirs(dir, e));
    digest_bytes(path, strlen(path), hex);
    return asprintf(out, "%s/%.32s%s", dir, hex, images ? ".images" : "") < 0 ? FAIL_NOMEM(e) : 0;
}

/* One at a time reads what lies at a path: the next one finds all of it in the cache. */
static int lock_cache(const struct exec_task *t, const char *cache, int *fd, struct err *e)
{
    AUTO(free) char *path = NULL;
    if (asprintf(&path, "%s.lock", cache) < 0)
        return FAIL_NOMEM(e);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
    while (flock(*fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
        if (exec_wait(t, WAIT_NS))
            return FAIL(e, ERR_INTERRUPTED, "asked to stop");
    }
    return 0;
}

/* ---- digests ------------------------------------------------------------------------------------------------------
 */

struct reading {
    const struct exec_task *t;
    char what[100];
};

static int report(void *arg, uint64_t done, uint64_t bytes, struct err *e)
{
    const struct reading *r = arg;
    return native_progress(r->t, r->what, (size_t)(done >> 20), (size_t)(bytes >> 20), e);
}

/* The list itself, and the pictures it names. */
static int digest_image_list(const char *path, const struct content_options *o, struct content *out, struct err *e)
{
    AUTO(image_set_destroy) struct image_set *set = open_image_set(path, e);
    if (!set)
        return -1;
    size_t n = image_set_count(set);
    AUTO(free) char *dir = strdup(path), *file = strdup(path);
    AUTO(free) const char **names = calloc(n + 1, sizeof *names);
    if (!dir || !file || !names)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++)
        names[i] = image_set_path(set, i);
    names[n] = basename(file);
    return content_digest_files(dirname(dir), names, n + 1, o, out, e);
}

int native_content_find(const struct exec_task *t, const char *name, bool images, struct content *out, struct err *e)
{
    struct reading r = { .t = t };
    struct stat st;
    AUTO(free) char *cache = NULL;
    AUTO(close) int lock = -1;
    const char *path = exec_path(t, name, e);
    if (!path || cache_of(t, path, images, &cache, e) < 0)
        return -1;
    if (cache)
        TRY(lock_cache(t, cache, &lock, e));
    snprintf(r.what, sizeof r.what, "MiB of %.60s", name);
    const struct content_options o = { .cache = cache, .progress = report, .arg = &r };
    if (images && stat(path, &st) == 0 && S_ISREG(st.st_mode))
        return digest_image_list(path, &o, out, e);
    return content_digest(path, &o, out, e);
}

/* ---- is it the same as everywhere? --------------------------------------------------------------------------------
 */

/* What was found equal, and until when that is believed: a task is over in seconds, and looking at a directory of a
 * million pictures is not. The oldest one makes room. */
struct belief {
    char name[256], digest[DIGEST_HEX_SIZE];
    int64_t until;
};

static struct belief *find_belief(const char *name, const char *digest)
{
    static struct belief beliefs[64]; /* of this exec, which has one task at a time */
    struct belief *oldest = beliefs;
    for (size_t i = 0; i < ARRAY_LEN(beliefs); i++) {
        if (strcmp(beliefs[i].name, name) == 0 && strcmp(beliefs[i].digest, digest) == 0)
            return &beliefs[i];
        if (beliefs[i].until < oldest->until)
            oldest = &beliefs[i];
    }
    *oldest = (struct belief){ 0 };
    snprintf(oldest->name, sizeof oldest->name, "%s", name);
    snprintf(oldest->digest, sizeof oldest->digest, "%s", digest);
    return oldest;
}

static int differ(const char *name, const char *here, const char *wanted, struct err *e)
{
    char node[256] = "?";
    gethostname(node, sizeof node - 1);
    return FAIL(
        e, ERR_INPUT,
        "on node %.100s, '%.80s' has the content digest %s, but this sweep is about %s: bring the same files "
        "there; or, if they are the right ones, correct its digest in sweep.cfg, or cancel the sweep and submit "
        "it again",
        node, name, here, wanted);
}

static int check_one(const struct exec_task *t, const char *name, json_t *entry, struct err *e)
{
    const char *digest;
    struct content c;
    TRY(native_text(entry, "digest", NULL, &digest, e));
    struct belief *b = find_belief(name, digest);
    if (b->until > mono_now())
        return 0;
    b->until = 0;
    TRY(native_content_find(t, name, json_is_true(json_object_get(entry, "images")), &c, e));
    if (strcmp(c.digest, digest) != 0)
        return differ(name, c.digest, digest, e);
    b->until = mono_now() + LOOK_AGAIN_NS;
    return 0;
}

int native_content_check(const struct exec_task *t, struct err *e)
{
    const char *name;
    json_t *entry;
    json_object_foreach(json_object_get(t->execution, "content"), name, entry) TRY(check_one(t, name, entry, e));
    return 0;
}
