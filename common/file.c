#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_write_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

int file_sync_dir(const char *path, struct err *e)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash ? snprintf(dir, sizeof dir, "%.*s", (int)(slash - path + 1), path) : snprintf(dir, sizeof dir, ".");
    if (n < 0 || (size_t)n >= sizeof dir)
        return FAIL(e, ERR_ENV, "the path is too long: %.200s...", path);
    AUTO(close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return FAIL(e, ERR_ENV, "%s: %s", dir, strerror(errno));
    return 0;
}

int file_replace(const char *path, const void *bytes, size_t len, struct err *e)
{
    char aside[PATH_MAX];
    int n = snprintf(aside, sizeof aside, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof aside)
        return FAIL(e, ERR_ENV, "the path is too long: %.200s...", path);
    AUTO(close) int fd = mkstemp(aside);
    if (fd < 0)
        return FAIL(e, ERR_ENV, "%s: cannot write beside it: %s", path, strerror(errno));
    if (fchmod(fd, 0644) < 0 || file_write_all(fd, bytes, len) < 0 || fsync(fd) < 0 || rename(aside, path) < 0) {
        FAIL(e, ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
        unlink(aside);
        return -1;
    }
    return file_sync_dir(path, e);
}
