#include "worker/data/image_set.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/map.h"
#include "worker/data/image_set_build.h"
#include "worker/data/json_items.h"

#define LIST_MOST ((size_t)4 << 30)
#define MISSING_NAMED 3

struct image_set {
    char *dir;
    const char **paths;
    size_t n, cap;
    struct arena names;
    struct map index; /* path -> 1 + its number */
    struct image_set_counts counts;
    char digest[DIGEST_HEX_SIZE];
};

/* ---- building -----------------------------------------------------------------------------------------------------
 */

struct image_set *image_set_create(const char *dir, struct err *e)
{
    AUTO(image_set_destroy) struct image_set *s = calloc(1, sizeof *s);
    struct stat st;
    if (!s || !(s->dir = strdup(dir)))
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    for (size_t n = strlen(s->dir); n > 1 && s->dir[n - 1] == '/'; n--)
        s->dir[n - 1] = '\0';
    if (stat(dir, &st) < 0)
        return FAIL_NULL(e, ERR_INPUT, "%s: cannot open: %s", dir, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return FAIL_NULL(e, ERR_INPUT, "%s: not a directory; name the one that the pictures are in", dir);
    return TAKE(s);
}

void image_set_destroy(struct image_set *s)
{
    if (!s)
        return;
    free(s->dir);
    free(s->paths);
    map_free(&s->index);
    arena_free(&s->names);
    free(s);
}

static int grow(struct image_set *s, struct err *e)
{
    if (s->n < s->cap)
        return 0;
    size_t cap = s->cap ? 2 * s->cap : 256;
    const char **paths = realloc(s->paths, cap * sizeof *paths);
    if (!paths)
        return FAIL_NOMEM(e);
    s->paths = paths;
    s->cap = cap;
    return 0;
}

int image_set_add(struct image_set *s, const char *path, struct err *e)
{
    size_t len = strlen(path);
    if (map_get(&s->index, path, len)) {
        s->counts.duplicates++;
        return 0;
    }
    TRY(grow(s, e));
    char *name = arena_text_n(&s->names, path, len);
    if (!name)
        return FAIL_NOMEM(e);
    TRY(map_put(&s->index, name, len, (void *)(s->n + 1), e));
    s->paths[s->n++] = name;
    return 0;
}

struct image_set_counts *image_set_tally(struct image_set *s)
{
    return &s->counts;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int image_set_sort(struct image_set *s, struct err *e)
{
    if (s->n)
        qsort(s->paths, s->n, sizeof *s->paths, by_bytes);
    for (size_t i = 0; i < s->n; i++)
        TRY(map_put(&s->index, s->paths[i], strlen(s->paths[i]), (void *)(i + 1), e));
    return 0;
}

int image_set_finish(struct image_set *s, const char *what, struct err *e)
{
    if (s->n == 0)
        return FAIL(e, ERR_INPUT, "%s: no picture there; JPEG, PNG and WebP files are read", what);
    AUTO(buf_free) struct buf list = BUF_INIT(LIST_MOST);
    for (size_t i = 0; i < s->n; i++)
        buf_add(&list, s->paths[i], strlen(s->paths[i]) + 1);
    TRY(buf_check(&list, "the list of pictures", e));
    digest_bytes(list.data, list.len, s->digest);
    return 0;
}

/* ---- from JSON ----------------------------------------------------------------------------------------------------
 */

int image_set_clean_path(const char *path, char *out, size_t size, struct err *e)
{
    size_t n = 0;
    if (!path[0] || path[0] == '/')
        return FAIL(e, ERR_INPUT, "the picture's path '%.80s' must be relative and not empty", path);
    for (const char *part = path; *part;) {
        size_t len = strcspn(part, "/");
        if (len == 2 && part[0] == '.' && part[1] == '.')
            return FAIL(e, ERR_INPUT, "the picture's path '%.80s' leads up by '..'; it must stay below its directory",
                        path);
        if (len > NAME_MAX || n + len + 2 > size)
            return FAIL(e, ERR_INPUT, "the picture's path '%.80s...' is too long", path);
        if (len && !(len == 1 && part[0] == '.')) {
            if (n)
                out[n++] = '/';
            memcpy(out + n, part, len);
            n += len;
        }
        part += len;
        part += *part == '/';
    }
    out[n] = '\0';
    return n ? 0 : FAIL(e, ERR_INPUT, "the picture's path '%.80s' names no file", path);
}

static int add_value(struct image_set *s, const json_t *v, struct err *e)
{
    char path[PATH_MAX];
    if (!json_is_string(v))
        return FAIL(e, ERR_INPUT, "'image' must be a path, or a list of paths");
    TRY(image_set_clean_path(json_string_value(v), path, sizeof path, e));
    return image_set_add(s, path, e);
}

static int add_item(struct image_set *s, const json_t *item, struct err *e)
{
    const json_t *v = json_object_get(item, "image");
    s->counts.entries++;
    if (!v || json_is_null(v) || (json_is_array(v) && json_array_size(v) == 0)) {
        s->counts.without++;
        return 0;
    }
    if (!json_is_array(v))
        return add_value(s, v, e);
    for (size_t i = 0; i < json_array_size(v); i++)
        TRY(add_value(s, json_array_get(v, i), e));
    return 0;
}

static struct image_set *from_items(struct json_items *items, const char *name, const char *dir, struct err *e)
{
    AUTO(image_set_destroy) struct image_set *s = image_set_create(dir, e);
    json_t *item;
    int rc;
    if (!s)
        return NULL;
    while ((rc = json_items_next(items, &item, e)) > 0) {
        rc = add_item(s, item, e);
        json_decref(item);
        if (rc < 0)
            return err_wrap(e, "%s", json_items_place(items)), NULL;
    }
    if (rc < 0 || image_set_finish(s, name, e) < 0)
        return NULL;
    return TAKE(s);
}

struct image_set *image_set_parse(const char *text, size_t len, const char *name, const char *dir, struct err *e)
{
    AUTO(json_items_close) struct json_items *items = json_items_from(text, len, name, e);
    return items ? from_items(items, name, dir, e) : NULL;
}

int image_set_check(const struct image_set *s, const char *name, struct err *e)
{
    char path[PATH_MAX], missing[3 * 120] = "";
    size_t n = 0, at = 0;
    struct stat st;
    for (size_t i = 0; i < s->n; i++) {
        TRY(image_set_full_path(s, i, path, sizeof path, e));
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
            continue;
        if (n++ < MISSING_NAMED)
            at += (size_t)snprintf(missing + at, sizeof missing - at, "%s%.100s", n > 1 ? ", " : "", s->paths[i]);
    }
    if (n)
        return FAIL(e, ERR_INPUT, "%s: %zu of %zu pictures are not %s%s: %s%s", name, n, s->n,
                    s->dir[0] ? "in " : "there, or no files", s->dir, missing, n > MISSING_NAMED ? ", ..." : "");
    return 0;
}

struct image_set *image_set_json(const char *path, const char *dir, struct err *e)
{
    AUTO(json_items_close) struct json_items *items = json_items_open(path, e);
    AUTO(image_set_destroy) struct image_set *s = items ? from_items(items, path, dir, e) : NULL;
    if (!s || image_set_check(s, path, e) < 0)
        return NULL;
    return TAKE(s);
}

struct image_set *image_set_files(const char *dir, const char *const *paths, size_t n, struct err *e)
{
    AUTO(image_set_destroy) struct image_set *s = image_set_create(dir ? dir : ".", e);
    if (!s)
        return NULL;
    if (!dir)
        s->dir[0] = '\0';
    for (size_t i = 0; i < n; i++)
        if (image_set_add(s, paths[i], e) < 0)
            return NULL;
    s->counts.entries = n;
    if (image_set_finish(s, dir ? dir : "the list of files", e) < 0)
        return NULL;
    return TAKE(s);
}

/* ---- asking -------------------------------------------------------------------------------------------------------
 */

size_t image_set_count(const struct image_set *s)
{
    return s->n;
}

const char *image_set_path(const struct image_set *s, size_t i)
{
    return s->paths[i];
}

int image_set_full_path(const struct image_set *s, size_t i, char *path, size_t size, struct err *e)
{
    if (snprintf(path, size, "%s%s%s", s->dir, s->dir[0] ? "/" : "", s->paths[i]) >= (int)size)
        return FAIL(e, ERR_INPUT, "%.200s...: the path is too long", s->paths[i]);
    return 0;
}

int64_t image_set_find(const struct image_set *s, const char *path)
{
    return (int64_t)(uintptr_t)map_get(&s->index, path, strlen(path)) - 1;
}

const char *image_set_digest(const struct image_set *s)
{
    return s->digest;
}

struct image_set_counts image_set_counts(const struct image_set *s)
{
    return s->counts;
}

size_t image_set_shards(const struct image_set *s, size_t per_shard)
{
    return (s->n + per_shard - 1) / per_shard;
}

struct image_range image_set_shard(const struct image_set *s, size_t per_shard, size_t shard)
{
    size_t first = shard * per_shard;
    if (first >= s->n)
        return (struct image_range){ s->n, 0 };
    return (struct image_range){ first, s->n - first < per_shard ? s->n - first : per_shard };
}
