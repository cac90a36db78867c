/* report_write: read once, render each file into memory, replace it in one step. */
#include "report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "report/report_data.h"

static int make_directories(const char *dir, struct err *e)
{
    AUTO(free) char *path = strdup(dir);
    if (!path)
        return FAIL_NOMEM(e);
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            return FAIL(e, ERR_ENV, "report: cannot make %.400s: %s", path, strerror(errno));
        *p = '/';
    }
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return FAIL(e, ERR_ENV, "report: cannot make %.400s: %s", path, strerror(errno));
    return 0;
}

static int write_bytes(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* `path` gets the content of `b` or stays as it was. */
static int replace_file(const char *path, const struct buf *b, struct err *e)
{
    char temporary[4096];
    int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temporary)
        return FAIL(e, ERR_INPUT, "report: the path is too long: %.200s...", path);
    AUTO(close) int fd = mkstemp(temporary);
    if (fd < 0)
        return FAIL(e, ERR_ENV, "report: cannot write beside %.400s: %s", path, strerror(errno));
    /* mkstemp made it 0600; a report is to be read by others as far as the umask allows. umask() cannot be asked safely
     * in a program with threads, so follow the directory's habit: readable. */
    if (fchmod(fd, 0644) < 0 || write_bytes(fd, b->data ? b->data : "", b->len) < 0 || fsync(fd) < 0 ||
        rename(temporary, path) < 0) {
        FAIL(e, ERR_ENV, "report: cannot write %.400s: %s", path, strerror(errno));
        unlink(temporary);
        return -1;
    }
    return 0;
}

static int write_file(const struct report *r, const char *dir, const char *file,
                      void (*render)(const struct report *r, struct buf *out), struct err *e)
{
    AUTO(buf_free) struct buf text = BUF_INIT(REPORT_BYTES_MAX);
    char path[4000];
    int n = snprintf(path, sizeof path, "%s/%s", dir, file);
    if (n < 0 || (size_t)n >= sizeof path)
        return FAIL(e, ERR_INPUT, "report: the path is too long: %.200s...", dir);
    render(r, &text);
    TRY(buf_check(&text, path, e));
    return replace_file(path, &text, e);
}

int report_write(struct db *d, const char *sweep, const char *dir, struct err *e)
{
    if (!dir || !*dir)
        return FAIL(e, ERR_USAGE, "report: no directory given");
    AUTO(report_free) struct report *r = report_read(d, sweep, e);
    if (!r)
        return -1;
    TRY(make_directories(dir, e));
    TRY(write_file(r, dir, "report.json", report_json, e));
    for (const struct report_table *t = report_tables; t->file; t++)
        TRY(write_file(r, dir, t->file, t->write, e));
    return write_file(r, dir, "index.html", report_html, e);
}
