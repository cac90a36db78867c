#include "common/buf.h"

#include <stdarg.h>
#include <string.h>

void buf_free(struct buf *b)
{
    free(b->data);
    *b = BUF_INIT(b->limit);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

/* Room for `more` bytes and the NUL, doubling up to the limit. */
static bool reserve(struct buf *b, size_t more)
{
    if (b->failed || more > b->limit - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need)
        cap *= 2;
    char *data = realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    if (!reserve(b, len))
        return;
    if (len)
        memcpy(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    /* Mostly the text fits into what is there; else this has only measured it. */
    size_t room = b->data && !b->failed ? b->cap - b->len : 0;
    int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < room && (size_t)n <= b->limit - b->len) {
        b->len += (size_t)n;
    } else if (n >= 0 && reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    } else if (room) {
        b->data[b->len] = '\0';
    }
    va_end(again);
}

int buf_check(const struct buf *b, const char *what, struct err *e)
{
    if (b->failed)
        return FAIL(e, ERR_ENV, "%s: larger than %zu bytes, or out of memory", what, b->limit);
    return 0;
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}
