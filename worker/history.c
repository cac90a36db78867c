#include "worker/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mono.h"

#define BUFFER_LIMIT ((size_t)64 << 20)

struct history {
    int fd;
    char *worker_id;
    struct buf lines;
};

struct history *history_open(const char *dir, const char *worker_id, struct err *e)
{
    AUTO(free) char *path = NULL;
    AUTO(history_close) struct history *h = calloc(1, sizeof *h);
    if (!h || asprintf(&path, "%s/history.jsonl", dir) < 0)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    h->lines = BUF_INIT(BUFFER_LIMIT);
    h->worker_id = strdup(worker_id);
    h->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (h->fd < 0)
        return FAIL_NULL(e, ERR_ENV, "%s: %s", path, strerror(errno));
    return TAKE(h);
}

void history_close(struct history *h)
{
    if (!h)
        return;
    struct err e = { 0 };
    if (h->fd >= 0 && history_flush(h, &e) < 0)
        h->lines.len = 0; /* the disk is full or gone; there is nobody left to tell */
    if (h->fd >= 0)
        close(h->fd);
    buf_free(&h->lines);
    free(h->worker_id);
    free(h);
}

/* Event names and reasons are ours, or a word from the coordinator: keep only what needs no escape. */
static void add_plain(struct buf *b, const char *s)
{
    for (size_t i = 0; s[i] && i < 120; i++)
        buf_printf(b, "%c", s[i] < ' ' || s[i] == '"' || s[i] == '\\' || (s[i] & 0x80) ? '_' : s[i]);
}

void history_add(struct history *h, const char *event, const Acsweep__Token *t, const char *what)
{
    if (!h)
        return;
    buf_printf(&h->lines, "{\"t\":%lld,\"worker\":\"%s\",\"event\":\"%s\"", (long long)wall_now_us(), h->worker_id, event);
    if (t)
        buf_printf(&h->lines, ",\"task\":%llu,\"attempt\":%u,\"epoch\":%llu", (unsigned long long)t->task_id, t->attempt,
                   (unsigned long long)t->epoch);
    if (what && what[0]) {
        buf_puts(&h->lines, ",\"what\":\"");
        add_plain(&h->lines, what);
        buf_puts(&h->lines, "\"");
    }
    buf_puts(&h->lines, "}\n");
}

int history_flush(struct history *h, struct err *e)
{
    if (!h || h->lines.len == 0)
        return 0;
    TRY(buf_check(&h->lines, "worker history", e));
    size_t done = 0;
    while (done < h->lines.len) {
        ssize_t n = write(h->fd, h->lines.data + done, h->lines.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FAIL(e, ERR_ENV, "cannot write history.jsonl: %s", strerror(errno));
        done += (size_t)n;
    }
    buf_clear(&h->lines);
    return 0;
}
