#include "worker/benchmark/text.h"

#include "worker/benchmark/text_tables.h"

#define BROKEN 0xFFFFFFFF /* stands for a byte that is no character */

bool text_equal(struct text t, const char *s)
{
    return strlen(s) == t.len && memcmp(t.at, s, t.len) == 0;
}

/* ---- characters -----------------------------------------------------------------------------------------------------
 */

uint32_t text_first(struct text t, size_t *bytes)
{
    const uint8_t *s = (const uint8_t *)t.at;
    size_t more = s[0] < 0xC2 || s[0] > 0xF4 ? 0 : s[0] >= 0xF0 ? 3 : s[0] >= 0xE0 ? 2 : 1;
    uint32_t c = more ? s[0] & (0x3FU >> more) : s[0];
    *bytes = 1;
    if (s[0] < 0x80)
        return c;
    if (more == 0 || t.len <= more)
        return BROKEN;
    for (size_t i = 1; i <= more; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return BROKEN;
        c = c << 6 | (s[i] & 0x3F);
    }
    *bytes = more + 1;
    return c;
}

/* The last character, and how many bytes it has. */
static uint32_t last(struct text t, size_t *bytes)
{
    for (size_t n = t.len < 4 ? t.len : 4; n > 1; n--) {
        struct text tail = text_from(t, t.len - n);
        uint32_t c = text_first(tail, bytes);
        if (*bytes == n)
            return c;
    }
    return text_first(text_from(t, t.len - 1), bytes);
}

size_t text_count(struct text t)
{
    size_t n = 0, bytes;
    for (; t.len; t = text_from(t, bytes), n++)
        text_first(t, &bytes);
    return n;
}

struct text text_head(struct text t, size_t characters)
{
    struct text rest = t;
    for (size_t bytes; rest.len && characters; characters--, rest = text_from(rest, bytes))
        text_first(rest, &bytes);
    return (struct text){ t.at, t.len - rest.len };
}

bool text_is_space(uint32_t c)
{
    static const uint32_t wide[] = { 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000 };
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
    for (size_t i = 0; i < ARRAY_LEN(wide); i++)
        if (wide[i] == c)
            return true;
    return c >= 0x2000 && c <= 0x200A;
}

static int compare_range(const void *key, const void *row)
{
    uint32_t c = *(const uint32_t *)key;
    const struct text_range *r = row;
    return c < r->first ? -1 : c > r->last;
}

bool text_is_word(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    return bsearch(&c, text_words, text_words_n, sizeof *text_words, compare_range) != NULL;
}

bool text_ends_in_word(struct text t)
{
    size_t bytes;
    return t.len && text_is_word(last(t, &bytes));
}

/* ---- pieces ---------------------------------------------------------------------------------------------------------
 */

struct text text_strip(struct text t)
{
    size_t bytes;
    while (t.len && text_is_space(text_first(t, &bytes)))
        t = text_from(t, bytes);
    while (t.len && text_is_space(last(t, &bytes)))
        t.len -= bytes;
    return t;
}

struct text text_strip_byte(struct text t, char c)
{
    while (t.len && t.at[0] == c)
        t = text_from(t, 1);
    while (t.len && t.at[t.len - 1] == c)
        t.len--;
    return t;
}

bool text_word(struct text *rest, struct text *word)
{
    size_t bytes;
    while (rest->len && text_is_space(text_first(*rest, &bytes)))
        *rest = text_from(*rest, bytes);
    *word = *rest;
    while (rest->len && !text_is_space(text_first(*rest, &bytes)))
        *rest = text_from(*rest, bytes);
    word->len -= rest->len;
    return word->len > 0;
}

size_t text_find(struct text t, struct text part)
{
    const char *found = part.len ? memmem(t.at, t.len, part.at, part.len) : t.at;
    return found ? (size_t)(found - t.at) : TEXT_NONE;
}

size_t text_find_last(struct text t, struct text part)
{
    for (size_t at = t.len >= part.len ? t.len - part.len + 1 : 0; at-- > 0;)
        if (memcmp(t.at + at, part.at, part.len) == 0)
            return at;
    return TEXT_NONE;
}

/* ---- case -----------------------------------------------------------------------------------------------------------
 */

static void put(uint32_t c, struct buf *to)
{
    char s[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    for (size_t i = n; i-- > 1; c >>= 6)
        s[i] = (char)(0x80 | (c & 0x3F));
    s[0] = (char)(lead[n] | c);
    buf_add(to, s, n);
}

static bool in_row(const struct text_case *r, uint32_t c)
{
    return c >= r->first && c <= r->last && (c - r->first) % (uint32_t)r->step == 0;
}

static uint32_t lower_of(uint32_t c)
{
    for (size_t i = 0; i < text_lowers_n && text_lowers[i].first <= c; i++)
        if (in_row(&text_lowers[i], c))
            return c + (uint32_t)text_lowers[i].delta;
    return c;
}

/* The first character with this lower case, as long as it is not among the few whose capital is another. */
static uint32_t upper_of(uint32_t c)
{
    if (c < 0x80)
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    for (size_t i = 0; i < text_lowers_n; i++)
        if (in_row(&text_lowers[i], c - (uint32_t)text_lowers[i].delta))
            return c - (uint32_t)text_lowers[i].delta;
    return c;
}

void text_lower(struct text t, struct buf *to)
{
    for (size_t bytes; t.len; t = text_from(t, bytes)) {
        uint32_t c = text_first(t, &bytes);
        char small = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        if (c < 0x80)
            buf_add(to, &small, 1);
        else if (c == 0x130) /* the dotted I is the one with two characters below */
            buf_puts(to, "i\xCC\x87");
        else if (c == BROKEN || lower_of(c) == c)
            buf_add(to, t.at, bytes);
        else
            put(lower_of(c), to);
    }
}

void text_capitalize(struct text t, struct buf *to)
{
    size_t bytes = 0;
    if (t.len) {
        uint32_t c = text_first(t, &bytes);
        if (c == BROKEN)
            buf_add(to, t.at, bytes);
        else
            put(upper_of(c), to);
    }
    text_lower(text_from(t, bytes), to);
}
