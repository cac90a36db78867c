#include "worker/layout.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define OPEN_DIRS 32
#define IDENTITY_LENGTH 64

__attribute__((format(printf, 1, 2))) static char *text(const char *fmt, ...)
{
    char *out;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&out, fmt, args);
    va_end(args);
    return n < 0 ? NULL : out;
}

char *layout_attempts(const char *scratch)
{
    return text("%s/attempts", scratch);
}

char *layout_attempt(const char *scratch, const Acsweep__Token *t)
{
    return text("%s/attempts/%llu.%u-%llu", scratch, (unsigned long long)t->task_id, t->attempt,
                (unsigned long long)t->epoch);
}

char *layout_checkpoints(const char *store, const char *scratch)
{
    return text("%s/checkpoints", store[0] ? store : scratch);
}

char *layout_checkpoint(const char *store, const char *scratch, const char *identity, const Acsweep__Token *t)
{
    return text("%s/checkpoints/%s.%u-%llu", store[0] ? store : scratch, identity, t->attempt,
                (unsigned long long)t->epoch);
}

char *layout_artifacts(const char *store, const char *scratch)
{
    return text("%s%s", store[0] ? store : scratch, store[0] ? "" : "/store");
}

char *layout_temp(const char *store, const char *scratch, const char *identity, const Acsweep__Token *t)
{
    return text("%s%s/tmp/%s.%u-%llu", store[0] ? store : scratch, store[0] ? "" : "/store", identity, t->attempt,
                (unsigned long long)t->epoch);
}

bool layout_is_of(const char *name, const char *identity, unsigned *attempt, unsigned long long *epoch)
{
    size_t len = strlen(identity);
    return len && strncmp(name, identity, len) == 0 && sscanf(name + len, ".%u-%llu", attempt, epoch) == 2;
}

bool layout_is_identity(const char *identity)
{
    return strspn(identity, "0123456789abcdef") == IDENTITY_LENGTH && identity[IDENTITY_LENGTH] == '\0';
}

int make_dirs(const char *path, struct err *e)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return FAIL(e, ERR_ENV, "the path is too long: %.80s...", path);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char was = *p;
        *p = '\0';
        if (mkdir(part, 0777) < 0 && errno != EEXIST)
            return FAIL(e, ERR_ENV, "%s: %s", part, strerror(errno));
        *p = was;
        if (!was)
            return 0;
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_DP || type == FTW_DNR)
        rmdir(path);
    else
        unlink(path);
    return 0;
}

void remove_tree(const char *path)
{
    nftw(path, remove_one, OPEN_DIRS, FTW_DEPTH | FTW_PHYS);
}

/* ---- checkpoints --------------------------------------------------------------------------------------------------- */

/* Name of the newest earlier attempt's checkpoint in `found` ("" when none). */
static void newest_checkpoint(const char *parent, const char *identity, char *found, size_t room)
{
    DIR *d = opendir(parent);
    unsigned best_attempt = 0;
    unsigned long long best_epoch = 0;
    found[0] = '\0';
    for (struct dirent *de; d && (de = readdir(d));) {
        unsigned attempt;
        unsigned long long epoch;
        if (!layout_is_of(de->d_name, identity, &attempt, &epoch) || attempt < best_attempt ||
            (attempt == best_attempt && epoch < best_epoch))
            continue;
        best_attempt = attempt;
        best_epoch = epoch;
        snprintf(found, room, "%s", de->d_name);
    }
    if (d)
        closedir(d);
}

int layout_claim_checkpoint(const char *store, const char *scratch, const char *identity, const Acsweep__Token *t,
                            char **path, struct err *e)
{
    AUTO(free) char *parent = layout_checkpoints(store, scratch), *old = NULL;
    char found[256];
    *path = layout_checkpoint(store, scratch, identity, t);
    if (!parent || !*path)
        return FAIL_NOMEM(e);
    TRY(make_dirs(parent, e));
    newest_checkpoint(parent, identity, found, sizeof found);
    if (found[0]) {
        if (asprintf(&old, "%s/%s", parent, found) < 0)
            return FAIL_NOMEM(e);
        if (strcmp(old, *path) == 0 || rename(old, *path) == 0)
            return 0;
        if (errno != ENOENT)
            return FAIL(e, ERR_ENV, "%s: %s", old, strerror(errno));
    }
    return make_dirs(*path, e);
}
