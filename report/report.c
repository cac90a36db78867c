/* report_write: read once, render each file into memory, replace it in one step. */
#include "report/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/file.h"
#include "report/report_data.h"
#include "report/report_truth.h"

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
    return file_replace(path, buf_text(&text), text.len, e) < 0 ? err_wrap(e, "report") : 0;
}

int report_write(struct db *d, const char *sweep, const char *dir, struct err *e)
{
    return report_write_truth(d, sweep, dir, NULL, NULL, e);
}

int report_write_truth(struct db *d, const char *sweep, const char *dir, const char *truth, struct buf *verdict,
                       struct err *e)
{
    if (!dir || !*dir)
        return FAIL(e, ERR_USAGE, "report: no directory given");
    AUTO(report_free) struct report *r = report_read(d, sweep, truth, e);
    if (!r)
        return -1;
    TRY(make_directories(dir, e));
    TRY(write_file(r, dir, "report.json", report_json, e));
    for (const struct report_table *t = report_tables; t->file; t++)
        TRY(write_file(r, dir, t->file, t->write, e));
    if (verdict)
        report_truth_line(r, verdict);
    return write_file(r, dir, "index.html", report_html, e);
}
