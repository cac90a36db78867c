#include "worker/evaluate/answer_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/file.h"

#define LINE_MOST ((size_t)1 << 20)
#define FILE_MOST ((size_t)1 << 31)

struct answer_log {
    const struct question_set *set;
    char *path;
    char **texts;
    int fd;
};

void answer_log_close(struct answer_log *l)
{
    if (!l)
        return;
    for (size_t i = 0; l->texts && i < question_set_count(l->set); i++)
        free(l->texts[i]);
    if (l->fd >= 0)
        close(l->fd);
    free(l->texts);
    free(l->path);
    free(l);
}

/* ---- what an earlier try left ---------------------------------------------------------------------------------------
 */

static int read_all(int fd, struct buf *to, const char *path, struct err *e)
{
    char piece[65536];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_add(to, piece, (size_t)n);
    return n < 0 ? FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno)) : buf_check(to, path, e);
}

/* One whole line. False: it is none of this log's, and nothing behind it is either. */
static bool take_line(struct answer_log *l, const char *line, size_t len)
{
    AUTO(json_decref) json_t *item = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const char *id = json_string_value(json_object_get(item, "id"));
    const char *answer = json_string_value(json_object_get(item, "answer"));
    size_t i = id ? question_set_find(l->set, id) : SIZE_MAX;
    if (!answer || i == SIZE_MAX || l->texts[i])
        return false;
    return (l->texts[i] = strdup(answer)) != NULL;
}

static bool is_of_run(const char *line, size_t len, const char *run)
{
    AUTO(json_decref) json_t *head = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const char *has = json_string_value(json_object_get(head, "run"));
    return has && strcmp(has, run) == 0;
}

/* How many bytes of the file count; 0: it begins anew. */
static size_t take_lines(struct answer_log *l, const struct buf *b, const char *run)
{
    const char *end = memchr(buf_text(b), '\n', b->len);
    if (!end || !is_of_run(b->data, (size_t)(end - b->data), run))
        return 0;
    size_t good = (size_t)(end - b->data) + 1;
    while ((end = memchr(b->data + good, '\n', b->len - good))) {
        if (!take_line(l, b->data + good, (size_t)(end - b->data) - good))
            break;
        good = (size_t)(end - b->data) + 1;
    }
    return good;
}

static int begin_anew(struct buf *b, const char *run, struct err *e)
{
    AUTO(json_decref) json_t *head = json_pack("{s:s}", "run", run);
    AUTO(free) char *text = head ? json_dumps(head, JSON_COMPACT) : NULL;
    if (!text)
        return FAIL_NOMEM(e);
    buf_clear(b);
    buf_printf(b, "%s\n", text);
    return buf_check(b, "the log's first line", e);
}

static int read_old(const struct answer_log *l, struct buf *b, struct err *e)
{
    AUTO(close) int fd = open(l->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : FAIL(e, ERR_ENV, "%s: %s", l->path, strerror(errno));
    return read_all(fd, b, l->path, e);
}

/* What counts of the old file goes into a file of its own: an attempt that was given up, but still runs somewhere, may
 * go on writing the old one. */
static int open_file(struct answer_log *l, const char *run, struct err *e)
{
    AUTO(buf_free) struct buf b = BUF_INIT(FILE_MOST);
    TRY(read_old(l, &b, e));
    size_t good = take_lines(l, &b, run);
    if (good)
        b.len = good;
    else
        TRY(begin_anew(&b, run, e));
    TRY(file_replace(l->path, b.data, b.len, e));
    l->fd = open(l->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    return l->fd < 0 ? FAIL(e, ERR_ENV, "%s: %s", l->path, strerror(errno)) : 0;
}

struct answer_log *answer_log_open(const char *path, const char *run, const struct question_set *s, struct err *e)
{
    AUTO(answer_log_close) struct answer_log *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    *l = (struct answer_log){ .set = s, .fd = -1, .path = strdup(path) };
    l->texts = calloc(question_set_count(s), sizeof *l->texts);
    if (!l->path || !l->texts)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return open_file(l, run, e) < 0 ? NULL : TAKE(l);
}

/* ---- giving answers -------------------------------------------------------------------------------------------------
 */

const char *answer_log_get(const struct answer_log *l, size_t i)
{
    return l->texts[i];
}

const char *const *answer_log_texts(const struct answer_log *l)
{
    return (const char *const *)l->texts;
}

int answer_log_put(struct answer_log *l, size_t i, const char *answer, struct err *e)
{
    AUTO(buf_free) struct buf line = BUF_INIT(LINE_MOST);
    TRY(answer_append(&line, question_set_at(l->set, i)->id, answer, e));
    AUTO(free) char *copy = strdup(answer);
    if (!copy)
        return FAIL_NOMEM(e);
    if (file_write_all(l->fd, line.data, line.len) < 0)
        return FAIL(e, ERR_ENV, "%s: %s", l->path, strerror(errno));
    free(l->texts[i]);
    l->texts[i] = TAKE(copy);
    return 0;
}

int answer_log_sync(struct answer_log *l, struct err *e)
{
    return fdatasync(l->fd) < 0 ? FAIL(e, ERR_ENV, "%s: %s", l->path, strerror(errno)) : 0;
}

int answer_log_finish(const struct answer_log *l, const char *path, struct err *e)
{
    AUTO(buf_free) struct buf all = BUF_INIT(FILE_MOST);
    for (size_t i = 0; i < question_set_count(l->set); i++) {
        const char *id = question_set_at(l->set, i)->id;
        if (!l->texts[i])
            return FAIL(e, ERR_BUG, "question '%.80s' has no answer", id);
        TRY(answer_append(&all, id, l->texts[i], e));
    }
    TRY(buf_check(&all, path, e));
    return file_replace(path, all.data, all.len, e);
}
