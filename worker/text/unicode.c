#include "worker/text/unicode.h"

#include <string.h>

/* Lead bytes, and the bounds of the byte behind them that shut out overlong forms, surrogates and what is above
 * U+10FFFF (Unicode 15, table 3-7). */
static const struct lead {
    uint8_t first, last, size, low, high;
} leads[] = {
    { 0x00, 0x7f, 1, 0, 0 },       { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf },
    { 0xe1, 0xec, 3, 0x80, 0xbf }, { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf },
    { 0xf0, 0xf0, 4, 0x90, 0xbf }, { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
};

/* How many bytes at text[0] can belong to one character; *whole when they are one. */
static size_t measure(const uint8_t *s, size_t len, bool *whole)
{
    *whole = false;
    for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
        const struct lead *l = &leads[i];
        if (s[0] < l->first || s[0] > l->last)
            continue;
        size_t n = 1;
        while (n < l->size && n < len && s[n] >= (n == 1 ? l->low : 0x80) && s[n] <= (n == 1 ? l->high : 0xbf))
            n++;
        *whole = n == l->size;
        return n;
    }
    return 1;
}

int32_t unicode_at(const char *text, size_t len, size_t *size)
{
    const uint8_t *s = (const uint8_t *)text;
    bool whole;
    *size = 1;
    if (s[0] < 0x80)
        return s[0];
    size_t n = measure(s, len, &whole);
    if (!whole)
        return -1;
    *size = n;
    int32_t c = s[0] & (0xff >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3f);
    return c;
}

size_t unicode_valid(const char *text, size_t len)
{
    size_t at = 0, size;
    while (at < len && unicode_at(text + at, len - at, &size) >= 0)
        at += size;
    return at;
}

void unicode_mend(const char *text, size_t len, struct buf *out)
{
    while (len) {
        size_t good = unicode_valid(text, len);
        buf_add(out, text, good);
        if (good == len)
            return;
        buf_puts(out, UNICODE_REPLACEMENT);
        text += good + 1;
        len -= good + 1;
    }
}

void unicode_mend_lossy(const char *text, size_t len, struct buf *out)
{
    while (len) {
        size_t good = unicode_valid(text, len);
        bool whole;
        buf_add(out, text, good);
        if (good == len)
            return;
        buf_puts(out, UNICODE_REPLACEMENT);
        good += measure((const uint8_t *)text + good, len - good, &whole);
        text += good;
        len -= good;
    }
}

void unicode_put(int32_t c, struct buf *out)
{
    uint8_t b[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n; i-- > 1; c >>= 6)
        b[i] = (uint8_t)(0x80 | (c & 0x3f));
    b[0] = (uint8_t)(lead[n] | c);
    buf_add(out, b, n);
}

bool unicode_is_space(int32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

struct slice unicode_lstrip(struct slice s)
{
    size_t size;
    while (s.len && unicode_is_space(unicode_at(s.text, s.len, &size))) {
        s.text += size;
        s.len -= size;
    }
    return s;
}

struct slice unicode_rstrip(struct slice s)
{
    while (s.len) {
        size_t at = s.len - 1, size;
        while (at > 0 && s.len - at < 4 && ((uint8_t)s.text[at] & 0xc0) == 0x80)
            at--;
        int32_t c = unicode_at(s.text + at, s.len - at, &size);
        if (at + size != s.len || !unicode_is_space(c))
            return s;
        s.len = at;
    }
    return s;
}

struct slice unicode_strip(struct slice s)
{
    return unicode_rstrip(unicode_lstrip(s));
}

size_t unicode_words(const char *text, size_t len)
{
    size_t words = 0, size;
    bool inside = false;
    for (size_t at = 0; at < len; at += size) {
        bool space = unicode_is_space(unicode_at(text + at, len - at, &size));
        words += !space && !inside;
        inside = !space;
    }
    return words;
}

void text_replace(const char *text, size_t len, struct slice from, struct slice to, struct buf *out)
{
    for (const char *hit; (hit = memmem(text, len, from.text, from.len));) {
        buf_add(out, text, (size_t)(hit - text));
        buf_add(out, to.text, to.len);
        len -= (size_t)(hit - text) + from.len;
        text = hit + from.len;
    }
    buf_add(out, text, len);
}
