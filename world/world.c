/* A whole world in a directory: written aside under a lock, renamed when everything is there. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/file.h"
#include "world/concept.h"
#include "world/making.h"

#define VERSION 8 /* of the pictures and texts: a larger one where the same seed gives others */
#define RECORD "world.json"
#define UNFINISHED "unfinished"
#define PNG_MOST ((size_t)64 << 20)

/* ---- directories ----------------------------------------------------------------------------------------------------
 */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int remove_tree(const char *path, struct err *e)
{
    if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
        return FAIL(e, ERR_ENV, "%s: cannot remove: %s", path, strerror(errno));
    return 0;
}

static bool has_file(const char *dir, const char *name)
{
    char path[PATH_MAX];
    return snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path && access(path, F_OK) == 0;
}

/* Begin `aside`, which an interrupted run may have left; *lock is held until the process ends. */
static int begin_aside(const char *aside, int *lock, struct err *e)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.*s/" UNFINISHED, PATH_MAX - 16, aside);
    if (mkdir(aside, 0777) < 0 && (errno != EEXIST || !has_file(aside, UNFINISHED)))
        return FAIL(e, ERR_ENV, "%s: cannot create: %s", aside, strerror(errno));
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*lock < 0)
        return FAIL(e, ERR_ENV, "%s: cannot create: %s", path, strerror(errno));
    if (flock(*lock, LOCK_EX | LOCK_NB) < 0)
        return FAIL(e, ERR_ENV, "%s is being written by another acsweep world; wait for it", aside);
    return 0;
}

/* What an interrupted run left, except for the lock. */
static int clear_aside(const char *aside, struct err *e)
{
    static const char *const parts[] = { "pretrain", "stage1", "stage2", "benchmarks", "correspondence", "held-out", RECORD };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/%s", aside, parts[i]) >= (int)sizeof path)
            return FAIL(e, ERR_ENV, "the path is too long: %.200s...", aside);
        TRY(remove_tree(path, e));
    }
    return 0;
}

static int sync_all(const char *dir, struct err *e)
{
    AUTO(close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && syncfs(fd) == 0 ? 0 : FAIL(e, ERR_ENV, "%s: cannot make durable: %s", dir, strerror(errno));
}

/* ---- the record -----------------------------------------------------------------------------------------------------
 */

/* What decides every pixel and text. */
static json_t *identity(const struct art *a, const struct world_sizes *s)
{
    json_t *fonts = json_object();
    for (size_t i = 0; i < ART_FONTS; i++)
        json_object_set_new(fonts, art_font_name(i), json_string(art_font_digest(a, i)));
    if (art_other_digest(a))
        json_object_set_new(fonts, artist_name(OTHER_FONT), json_string(art_other_digest(a)));
    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "version", VERSION, "seed",
                     (json_int_t)s->seed, "edge", (json_int_t)s->edge, "pair_edge", (json_int_t)s->pair_edge,
                     "pretrain", (json_int_t)s->pretrain, "stage1", (json_int_t)s->stage1, "stage2",
                     (json_int_t)s->stage2, "questions", (json_int_t)s->questions, "pairs", (json_int_t)s->pairs,
                     "fonts_sha256", fonts);
}

static json_t *record_read(const char *dir)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/" RECORD, dir) >= (int)sizeof path)
        return NULL;
    json_t *j = json_load_file(path, 0, NULL);
    if (json_is_object(json_object_get(j, "sprite_world")))
        return j;
    json_decref(j);
    return NULL;
}

static int record_write(struct making *m, json_t *made_from, json_t **summary, struct err *e)
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof sum + 1];
    crypto_hash_sha256_final(&m->pixels, sum);
    sodium_bin2hex(hex, sizeof hex, sum, sizeof sum);
    json_t *j = json_pack("{s:s, s:O, s:I, s:I, s:s}", "about",
                          "sprite world: drawn pictures; scores are not comparable with published ones", "sprite_world",
                          made_from, "concepts", (json_int_t)concept_count(), "pictures", (json_int_t)m->pictures,
                          "pixels_sha256", hex);
    AUTO(free) char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    *summary = j;
    char path[PATH_MAX];
    if (!text || snprintf(path, sizeof path, "%s/" RECORD, m->root) >= (int)sizeof path)
        return FAIL_NOMEM(e);
    return file_replace(path, text, strlen(text), e);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------
 */

/* 0: nothing is in the way; 1: the same world is; -1: something else. */
static int look_at(const char *dir, const json_t *made_from, bool force, json_t **summary, struct err *e)
{
    AUTO(json_decref) json_t *record = record_read(dir);
    if (record && json_equal(json_object_get(record, "sprite_world"), made_from)) {
        *summary = json_incref(record);
        return 1;
    }
    if (record)
        return force ? 0
                     : FAIL(e, ERR_USAGE,
                            "%s holds another sprite world (other seed, sizes or fonts); give another --out, "
                            "or --force to make it anew",
                            dir);
    if (rmdir(dir) == 0 || errno == ENOENT)
        return 0;
    return FAIL(e, ERR_USAGE, "%s exists and is no sprite world; give another --out", dir);
}

static int make_parts_of_world(struct making *m, struct err *e)
{
    TRY(make_pretrain(m, e));
    TRY(make_facts(m, e));
    TRY(make_lessons(m, e));
    TRY(make_described(m, e));
    TRY(make_stage1(m, e));
    TRY(make_stage2(m, e));
    TRY(make_benchmarks(m, e));
    TRY(make_warps(m, e));
    TRY(make_parts(m, e));
    return make_held_out(m, e);
}

/* `aside` takes the place of `dir`, which is a world of ours or not there. */
static int swap_in(const char *aside, const char *dir, struct err *e)
{
    char old[PATH_MAX], lock[PATH_MAX];
    if (snprintf(old, sizeof old, "%s.old", dir) >= (int)sizeof old ||
        snprintf(lock, sizeof lock, "%s/" UNFINISHED, aside) >= (int)sizeof lock)
        return FAIL(e, ERR_ENV, "the path is too long: %.200s...", dir);
    TRY(sync_all(aside, e));
    if (rename(dir, old) < 0 && errno != ENOENT)
        return FAIL(e, ERR_ENV, "%s: cannot rename: %s", dir, strerror(errno));
    if (unlink(lock) < 0 || rename(aside, dir) < 0)
        return FAIL(e, ERR_ENV, "%s: cannot become %s: %s", aside, dir, strerror(errno));
    TRY(file_sync_dir(dir, e));
    return remove_tree(old, e);
}

int world_make(struct art *a, const struct world_sizes *sizes, const char *dir, bool force, json_t **summary,
               struct err *e)
{
    struct making m = { .art = a, .sizes = *sizes, .png = BUF_INIT(PNG_MOST) };
    AUTO(close) int lock = -1;
    AUTO(json_decref) json_t *made_from = identity(a, sizes);
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    char to[PATH_MAX];
    if (!made_from)
        return FAIL_NOMEM(e);
    if (len == 0 || snprintf(to, sizeof to, "%.*s", (int)len, dir) >= PATH_MAX - 16)
        return FAIL(e, ERR_USAGE, "--out: '%.80s' cannot be a directory's path", dir);
    snprintf(m.root, sizeof m.root, "%.*s.part", PATH_MAX - 8, to);
    int there = look_at(to, made_from, force, summary, e);
    if (there != 0)
        return there;
    crypto_hash_sha256_init(&m.pixels);
    TRY(begin_aside(m.root, &lock, e));
    TRY(clear_aside(m.root, e));
    int rc = make_parts_of_world(&m, e);
    buf_free(&m.png);
    TRY(rc);
    TRY(record_write(&m, made_from, summary, e));
    return swap_in(m.root, to, e);
}
