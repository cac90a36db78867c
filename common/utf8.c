#include "common/utf8.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at p: 0 when it is none, with *cut when it only ends too soon. */
static size_t character(const unsigned char *p, bool *cut)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    size_t n = *p < 0x80 ? 0 : (*p & 0xe0) == 0xc0 ? 1 : (*p & 0xf0) == 0xe0 ? 2 : (*p & 0xf8) == 0xf0 ? 3 : 9;
    *cut = false;
    if (n == 9)
        return 0;
    uint32_t v = n == 0 ? *p : *p & (0x3fu >> n);
    for (size_t i = 1; i <= n; i++) {
        *cut = p[i] == '\0';
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3f);
    }
    return v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff) ? 0 : n + 1;
}

const char *utf8_find_invalid(const char *s)
{
    bool cut;
    for (const unsigned char *p = (const unsigned char *)s; *p;) {
        size_t n = character(p, &cut);
        if (!n)
            return (const char *)p;
        p += n;
    }
    return NULL;
}

bool utf8_is_valid(const char *s)
{
    return !utf8_find_invalid(s);
}

void utf8_mend(char *s)
{
    bool cut;
    for (unsigned char *p = (unsigned char *)s; *p;) {
        size_t n = character(p, &cut);
        if (!n && cut)
            *p = '\0';
        else if (!n)
            *p++ = '?';
        p += n;
    }
}
