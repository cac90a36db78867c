#include "worker/data/content_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH 64
#define MAX_FILES 100000000u

void content_list_free(struct content_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->files[i].name);
    free(l->files);
    *l = (struct content_list){ 0 };
}

int content_file_take(struct content_file *f, const struct stat *st, const char *path, struct err *e)
{
    if (!S_ISREG(st->st_mode))
        return FAIL(e, ERR_INPUT, "%s is no regular file: a content digest is of files and directories", path);
    f->size = (uint64_t)st->st_size;
    f->inode = (uint64_t)st->st_ino;
    f->changed = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    return 0;
}

static int add(struct content_list *l, const char *name, const char *path, const struct stat *st, struct err *e)
{
    if (l->n == MAX_FILES)
        return FAIL(e, ERR_INPUT, "%s: more than %u files", path, MAX_FILES);
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        struct content_file *more = realloc(l->files, cap * sizeof *more);
        if (!more)
            return FAIL_NOMEM(e);
        l->files = more;
        l->cap = cap;
    }
    struct content_file f = { 0 };
    TRY(content_file_take(&f, st, path, e));
    if (!(f.name = strdup(name)))
        return FAIL_NOMEM(e);
    l->bytes += f.size;
    l->files[l->n++] = f;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct content_file *)a)->name, ((const struct content_file *)b)->name);
}

static void sort(struct content_list *l)
{
    if (l->n)
        qsort(l->files, l->n, sizeof *l->files, by_name);
}

/* ---- directories --------------------------------------------------------------------------------------------------
 */

struct walk {
    struct content_list *list;
    char path[4096];
    size_t root; /* bytes of the path before a name */
    struct {
        dev_t device;
        ino_t inode;
    } above[MAX_DEPTH];
};

static int enter(struct walk *w, const struct stat *st, unsigned depth, struct err *e)
{
    if (depth == MAX_DEPTH)
        return FAIL(e, ERR_INPUT, "%s: more than %d directories in each other", w->path, MAX_DEPTH);
    for (unsigned i = 0; i < depth; i++)
        if (w->above[i].device == st->st_dev && w->above[i].inode == st->st_ino)
            return FAIL(e, ERR_INPUT, "%s leads back into a directory that it lies in", w->path);
    w->above[depth].device = st->st_dev;
    w->above[depth].inode = st->st_ino;
    return 0;
}

static void closedir_cleanup(DIR **d)
{
    if (*d)
        closedir(*d);
}

static int walk_dir(struct walk *w, size_t len, unsigned depth, struct err *e);

static int walk_entry(struct walk *w, size_t len, const char *name, unsigned depth, struct err *e)
{
    struct stat st;
    int n = snprintf(w->path + len, sizeof w->path - len, "/%s", name);
    if (n < 0 || (size_t)n >= sizeof w->path - len)
        return FAIL(e, ERR_INPUT, "%.200s...: a path longer than %zu bytes", w->path, sizeof w->path);
    if (stat(w->path, &st) < 0)
        return FAIL(e, errno == ENOENT || errno == ELOOP ? ERR_INPUT : ERR_ENV, "%s: %s", w->path,
                    errno == ENOENT ? "a link to a file that is not there" : strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return add(w->list, w->path + w->root, w->path, &st, e);
    TRY(enter(w, &st, depth, e));
    return walk_dir(w, len + (size_t)n, depth + 1, e);
}

static int walk_dir(struct walk *w, size_t len, unsigned depth, struct err *e)
{
    __attribute__((cleanup(closedir_cleanup))) DIR *d = opendir(w->path);
    if (!d)
        return FAIL(e, ERR_ENV, "%s: %s", w->path, strerror(errno));
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(d);
        if (!entry && errno)
            return FAIL(e, ERR_ENV, "%s: %s", w->path, strerror(errno));
        if (!entry)
            return 0;
        if (entry->d_name[0] == '.')
            continue;
        TRY(walk_entry(w, len, entry->d_name, depth, e));
        w->path[len] = '\0';
    }
}

int content_list_walk(struct content_list *l, const char *path, struct err *e)
{
    struct walk w = { .list = l };
    struct stat st;
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len >= sizeof w.path)
        return FAIL(e, ERR_INPUT, "%.200s...: a path longer than %zu bytes", path, sizeof w.path);
    memcpy(w.path, path, len);
    w.root = len + 1;
    if (stat(w.path, &st) < 0)
        return FAIL(e, ERR_ENV, "%s: %s", w.path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return add(l, "", w.path, &st, e);
    TRY(enter(&w, &st, 0, e));
    TRY(walk_dir(&w, len, 1, e));
    if (!l->n)
        return FAIL(e, ERR_INPUT, "%s: a directory without files", path);
    sort(l);
    return 0;
}

/* ---- named files --------------------------------------------------------------------------------------------------
 */

static void drop_repeated(struct content_list *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (n && strcmp(l->files[n - 1].name, l->files[i].name) == 0) {
            l->bytes -= l->files[i].size;
            free(l->files[i].name);
        } else {
            l->files[n++] = l->files[i];
        }
    }
    l->n = n;
}

int content_list_named(struct content_list *l, const char *dir, const char *const *names, size_t n, struct err *e)
{
    char path[4096];
    struct stat st;
    for (size_t i = 0; i < n; i++) {
        if (snprintf(path, sizeof path, "%s/%s", dir, names[i]) >= (int)sizeof path)
            return FAIL(e, ERR_INPUT, "%.200s...: a path longer than %zu bytes", path, sizeof path);
        if (stat(path, &st) < 0)
            return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
        TRY(add(l, names[i], path, &st, e));
    }
    sort(l);
    drop_repeated(l);
    return 0;
}
