/* Image sets from directories. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "worker/data/image_set_build.h"

#define DEPTH_MOST 32

struct walk {
    struct image_set *set;
    char path[PATH_MAX]; /* whole path of where we are */
    size_t root;         /* bytes of it, with the slash, that are not part of the names */
    struct stat above[DEPTH_MOST];
    struct err *e;
};

static bool is_picture(const char *name)
{
    static const char *const endings[] = { ".jpg", ".jpeg", ".png", ".webp" };
    size_t len = strlen(name);
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        size_t n = strlen(endings[i]);
        if (len > n && strcasecmp(name + len - n, endings[i]) == 0)
            return true;
    }
    return false;
}

static int visit_directory(struct walk *w, size_t len, size_t depth, const struct stat *st);

/* w->path is that of the entry. */
static int visit(struct walk *w, size_t len, size_t depth, const char *name)
{
    struct stat st;
    if (stat(w->path, &st) < 0)
        return is_picture(name) ? FAIL(w->e, ERR_INPUT, "%s: cannot open: %s", w->path, strerror(errno)) : 0;
    if (S_ISDIR(st.st_mode))
        return visit_directory(w, len, depth + 1, &st);
    image_set_tally(w->set)->entries++;
    if (S_ISREG(st.st_mode) && is_picture(name))
        return image_set_add(w->set, w->path + w->root, w->e);
    image_set_tally(w->set)->without++;
    return 0;
}

static int visit_entries(struct walk *w, DIR *d, size_t len, size_t depth)
{
    struct dirent *entry;
    while (errno = 0, (entry = readdir(d))) {
        if (entry->d_name[0] == '.')
            continue;
        size_t n = strlen(entry->d_name);
        if (len + 1 + n >= sizeof w->path)
            return FAIL(w->e, ERR_INPUT, "%.200s...: the path is too long", w->path);
        w->path[len] = '/';
        memcpy(w->path + len + 1, entry->d_name, n + 1);
        int rc = visit(w, len + 1 + n, depth, entry->d_name);
        w->path[len] = '\0';
        TRY(rc);
    }
    return errno ? FAIL(w->e, ERR_INPUT, "%s: cannot read: %s", w->path, strerror(errno)) : 0;
}

static int visit_directory(struct walk *w, size_t len, size_t depth, const struct stat *st)
{
    if (depth >= DEPTH_MOST)
        return FAIL(w->e, ERR_INPUT, "%s: directories are nested deeper than %d levels", w->path, DEPTH_MOST);
    for (size_t i = 0; i < depth; i++)
        if (w->above[i].st_dev == st->st_dev && w->above[i].st_ino == st->st_ino)
            return FAIL(w->e, ERR_INPUT, "%s: a link to a directory that it lies in; remove it", w->path);
    w->above[depth] = *st;
    DIR *d = opendir(w->path);
    if (!d)
        return FAIL(w->e, ERR_INPUT, "%s: cannot open: %s", w->path, strerror(errno));
    int rc = visit_entries(w, d, len, depth);
    closedir(d);
    return rc;
}

/* The pictures below `dir`/`part`; their names begin with `part`. */
static struct image_set *from_directory(const char *dir, const char *part, struct err *e)
{
    struct stat st;
    AUTO(image_set_destroy) struct image_set *s = image_set_create(dir, e);
    AUTO(free) struct walk *w = calloc(1, sizeof *w);
    if (!s || !w)
        return s ? FAIL_NULL(e, ERR_ENV, "out of memory") : NULL;
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    w->set = s;
    w->e = e;
    w->root = len + 1;
    int n = snprintf(w->path, sizeof w->path, "%.*s%s%s", (int)len, dir, *part ? "/" : "", part);
    if (n >= (int)sizeof w->path)
        return FAIL_NULL(e, ERR_INPUT, "%.200s...: the path is too long", dir);
    if (stat(w->path, &st) < 0 || !S_ISDIR(st.st_mode))
        return FAIL_NULL(e, ERR_INPUT, "%s: no such directory", w->path);
    if (visit_directory(w, (size_t)n, 0, &st) < 0 || image_set_sort(s, e) < 0 || image_set_finish(s, w->path, e) < 0)
        return NULL;
    return TAKE(s);
}

struct image_set *image_set_folder(const char *dir, struct err *e)
{
    return from_directory(dir, "", e);
}

struct image_set *image_set_spair(const char *dir, struct err *e)
{
    return from_directory(dir, "JPEGImages", e);
}
