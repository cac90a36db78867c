#include "worker/exec/artifact.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "worker/layout.h"

#define INLINE_MAX ((uint64_t)1 << 20) /* all inline artifacts of one result together */
#define LISTING_MAX ((size_t)64 << 20)
#define OPEN_DIRS 32

struct artifact_dir {
    char *root, *temp, *place, *object; /* place is the object's path below root */
    bool shared, published;
    uint64_t inline_bytes;
};

static int fail_path(struct err *e, const char *path)
{
    return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
}

static int make_names(struct artifact_dir *d, const struct exec_task *t, struct err *e)
{
    const char *id = t->spec->identity;
    d->shared = t->store[0] != '\0';
    d->root = layout_artifacts(t->store, t->scratch);
    d->temp = layout_temp(t->store, t->scratch, id, t->token);
    if (!d->root || !d->temp ||
        asprintf(&d->place, "objects/%.2s/%s.%u-%llu", id, id, t->token->attempt, (unsigned long long)t->token->epoch) <
            0 ||
        asprintf(&d->object, "%s/%s", d->root, d->place) < 0)
        return FAIL_NOMEM(e);
    return 0;
}

struct artifact_dir *artifact_begin(const struct exec_task *t, struct err *e)
{
    AUTO(artifact_end) struct artifact_dir *d = calloc(1, sizeof *d);
    if (!d)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    if (!t->store[0] && !t->scratch[0])
        return FAIL_NULL(e, ERR_ENV, "this node has neither a store nor a scratch directory for artifacts");
    if (!layout_is_identity(t->spec->identity))
        return FAIL_NULL(e, ERR_INPUT, "the task has no identity of 64 hex digits to name its artifacts by");
    if (make_names(d, t, e) < 0)
        return NULL;
    remove_tree(d->temp); /* of an earlier exec of this very attempt */
    if (make_dirs(d->temp, e) < 0)
        return NULL;
    return TAKE(d);
}

void artifact_end(struct artifact_dir *d)
{
    if (!d)
        return;
    if (d->temp && !d->published)
        remove_tree(d->temp);
    free(d->root);
    free(d->temp);
    free(d->place);
    free(d->object);
    free(d);
}

const char *artifact_path(const struct artifact_dir *d)
{
    return d->temp;
}

/* ---- digests ------------------------------------------------------------------------------------------------------ */

/* A directory's digest is that of the sorted list "PATH SIZE DIGEST\n" of its files. nftw has no argument for the
 * visitor, hence these; acsweep-exec runs one task at a time on one thread. */
static struct {
    struct buf lines;
    size_t skip;
    uint64_t bytes;
    struct err *e;
} listing;

static int list_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    char hex[DIGEST_HEX_SIZE];
    uint64_t bytes;
    if (type == FTW_D)
        return 0;
    if (type != FTW_F || !S_ISREG(st->st_mode))
        return FAIL(listing.e, ERR_TASK, "artifact %s is neither a file nor a directory", path);
    if (digest_file(path, hex, &bytes, listing.e) < 0)
        return -1;
    listing.bytes += bytes;
    buf_printf(&listing.lines, "%s %llu %s\n", path + listing.skip, (unsigned long long)bytes, hex);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int digest_lines(char *text, char hex[DIGEST_HEX_SIZE], struct err *e)
{
    size_t n = 0, at = 0;
    for (const char *p = text; *p; p++)
        n += *p == '\n';
    AUTO(free) const char **lines = calloc(n + 1, sizeof *lines);
    AUTO(buf_free) struct buf sorted = BUF_INIT(LISTING_MAX);
    if (!lines)
        return FAIL_NOMEM(e);
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line && at < n; line = strtok_r(NULL, "\n", &save))
        lines[at++] = line;
    qsort(lines, at, sizeof *lines, by_text);
    for (size_t i = 0; i < at; i++)
        buf_printf(&sorted, "%s\n", lines[i]);
    TRY(buf_check(&sorted, "list of an artifact's files", e));
    digest_bytes(buf_text(&sorted), sorted.len, hex);
    return 0;
}

static int digest_dir(const char *path, char hex[DIGEST_HEX_SIZE], uint64_t *bytes, struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(LISTING_MAX);
    listing.lines = BUF_INIT(LISTING_MAX);
    listing.skip = strlen(path) + 1;
    listing.bytes = 0;
    listing.e = e;
    int done = nftw(path, list_one, OPEN_DIRS, FTW_PHYS);
    text = listing.lines;
    listing.lines = BUF_INIT(0);
    if (done != 0)
        return e->kind == ERR_NONE ? fail_path(e, path) : -1;
    TRY(buf_check(&text, "list of an artifact's files", e));
    *bytes = listing.bytes;
    if (!text.len)
        buf_puts(&text, "");
    return digest_lines(text.data, hex, e);
}

/* ---- adding and publishing ----------------------------------------------------------------------------------------- */

/* The path below the attempt's directory, without tricks: no way out by "..", by a link or by an absolute path. */
static int inside(const struct artifact_dir *d, const char *path, char *whole, const char **below, struct err *e)
{
    char asked[PATH_MAX], base[PATH_MAX];
    bool absolute = path[0] == '/';
    if (snprintf(asked, sizeof asked, "%s%s%s", absolute ? "" : d->temp, absolute ? "" : "/", path) >= (int)sizeof asked)
        return FAIL(e, ERR_TASK, "artifact path is too long: %.80s...", path);
    if (!realpath(d->temp, base))
        return fail_path(e, d->temp);
    if (!realpath(asked, whole))
        return FAIL(e, ERR_TASK, "artifact '%s' is not in the output directory: %s", path, strerror(errno));
    size_t n = strlen(base);
    if (strncmp(whole, base, n) != 0 || whole[n] != '/')
        return FAIL(e, ERR_TASK, "artifact '%s' leads out of the output directory; write it below ACSWEEP_OUT", path);
    *below = whole + n + 1;
    return 0;
}

static int read_whole(const char *path, size_t len, void **out, struct err *e)
{
    AUTO(fclose) FILE *f = fopen(path, "re");
    if (!f)
        return fail_path(e, path);
    AUTO(free) void *bytes = malloc(len + 1);
    if (!bytes)
        return FAIL_NOMEM(e);
    if (fread(bytes, 1, len, f) != len)
        return FAIL(e, ERR_TASK, "artifact %s changed while it was read", path);
    *out = TAKE(bytes);
    return 0;
}

int artifact_add(struct artifact_dir *d, const char *name, const char *path, struct exec_result *r, struct err *e)
{
    char whole[PATH_MAX];
    const char *below = NULL;
    struct stat st;
    TRY(inside(d, path, whole, &below, e));
    struct exec_artifact *a = exec_result_artifact(r, e);
    if (!a)
        return -1;
    if (!name[0] || strlen(name) >= sizeof a->name)
        return FAIL(e, ERR_TASK, "artifact name '%.40s' must have 1 to %zu bytes", name, sizeof a->name - 1);
    for (size_t i = 0; i + 1 < r->n_artifacts; i++)
        if (strcmp(r->artifacts[i].name, name) == 0)
            return FAIL(e, ERR_TASK, "artifact '%s' comes twice", name);
    if (!utf8_is_valid(below))
        return FAIL(e, ERR_TASK, "artifact '%s' leads to a file whose name is not UTF-8", name);
    snprintf(a->name, sizeof a->name, "%s", name);
    if (stat(whole, &st) < 0)
        return fail_path(e, whole);
    if (S_ISDIR(st.st_mode))
        TRY(digest_dir(whole, a->digest, &a->bytes, e));
    else
        TRY(digest_file(whole, a->digest, &a->bytes, e));
    if (!d->shared && S_ISREG(st.st_mode) && a->bytes <= INLINE_MAX - d->inline_bytes) {
        d->inline_bytes += a->bytes;
        snprintf(a->store, sizeof a->store, "inline");
        return read_whole(whole, (size_t)a->bytes, &a->content, e);
    }
    snprintf(a->store, sizeof a->store, "%s", d->shared ? "shared" : "scratch");
    if (snprintf(a->path, sizeof a->path, "%s/%s", d->place, below) >= (int)sizeof a->path)
        return FAIL(e, ERR_TASK, "artifact path is too long: %.80s...", below);
    return 0;
}

static int sync_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type != FTW_F && type != FTW_DP)
        return 0;
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 || fsync(fd) < 0 ? -1 : 0;
}

static int sync_dir(const char *path)
{
    AUTO(close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -1 : 0;
}

static int move_into_place(struct artifact_dir *d, struct err *e)
{
    AUTO(free) char *parent = strdup(d->object);
    if (!parent)
        return FAIL_NOMEM(e);
    *strrchr(parent, '/') = '\0';
    TRY(make_dirs(parent, e));
    if (nftw(d->temp, sync_one, OPEN_DIRS, FTW_DEPTH | FTW_PHYS) != 0)
        return fail_path(e, d->temp);
    if (rename(d->temp, d->object) < 0)
        return fail_path(e, d->object);
    d->published = true;
    return sync_dir(parent) < 0 ? fail_path(e, parent) : 0;
}

int artifact_publish(struct artifact_dir *d, struct exec_result *r, struct err *e)
{
    bool needed = false;
    for (size_t i = 0; i < r->n_artifacts; i++)
        needed |= strcmp(r->artifacts[i].store, "inline") != 0;
    return needed ? move_into_place(d, e) : 0;
}
