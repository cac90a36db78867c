#include "worker/pretrain/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "worker/layout.h"

static int make_parent(const char *path, struct err *e)
{
    AUTO(free) char *parent = strdup(path);
    if (!parent)
        return FAIL_NOMEM(e);
    char *slash = strrchr(parent, '/');
    if (!slash || slash == parent)
        return 0;
    *slash = '\0';
    return make_dirs(parent, e);
}

int output_check(struct output *o, const char *path, struct err *e)
{
    struct stat st;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (snprintf(o->path, sizeof o->path, "%.*s", (int)n, path) >= (int)sizeof o->path)
        return FAIL(e, ERR_USAGE, "--out: the path is too long");
    if (lstat(o->path, &st) == 0)
        return FAIL(e, ERR_USAGE, "--out: %s is there already; remove it, or name another", o->path);
    TRY(make_parent(o->path, e));
    TRY(output_begin(o, e));
    output_end(o);
    return 0;
}

int output_begin(struct output *o, struct err *e)
{
    snprintf(o->draft, sizeof o->draft, "%s.part-%ld", o->path, (long)getpid());
    if (mkdir(o->draft, 0777) == 0)
        return 0;
    FAIL(e, ERR_ENV, "%s: %s", o->draft, strerror(errno));
    o->draft[0] = '\0';
    return -1;
}

int output_commit(struct output *o, struct err *e)
{
    if (rename(o->draft, o->path) < 0)
        return FAIL(e, ERR_ENV, "%s: cannot be renamed to %s: %s", o->draft, o->path, strerror(errno));
    o->draft[0] = '\0';
    return file_sync_dir(o->path, e);
}

void output_end(struct output *o)
{
    if (o->draft[0])
        remove_tree(o->draft);
    o->draft[0] = '\0';
}
