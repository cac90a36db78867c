/* Growable bytes with a limit given at birth. A write past the limit or without memory sets `failed` and keeps the old
 * content; check once at the end with buf_check(). Text is always kept NUL-terminated. */
#ifndef ACSWEEP_COMMON_BUF_H
#define ACSWEEP_COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

struct buf {
    char *data; /* NUL-terminated when not NULL */
    size_t len, cap, limit;
    bool failed;
};

#define BUF_INIT(max_bytes) ((struct buf){ .limit = (max_bytes) })

void buf_free(struct buf *b);
void buf_clear(struct buf *b);
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 0, or ERR_ENV "…: over N bytes" when any write failed. */
MUST_USE int buf_check(const struct buf *b, const char *what, struct err *e);
/* The text, never NULL. */
const char *buf_text(const struct buf *b);

static inline UNUSED void buf_free_cleanup(struct buf *b)
{
    buf_free(b);
}

#endif
