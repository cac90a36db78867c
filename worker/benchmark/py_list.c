#include "worker/benchmark/py_list.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "common/buf.h"
#include "common/digest.h" /* json_decref_cleanup */
#include "common/parse.h"

#define LIST_MOST ((size_t)1 << 20)

static void put_character(uint32_t c, struct buf *to)
{
    char s[5] = { 0 };
    if (c < 0x80) {
        s[0] = (char)c;
    } else if (c < 0x800) {
        s[0] = (char)(0xC0 | c >> 6);
        s[1] = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        s[0] = (char)(0xE0 | c >> 12);
        s[1] = (char)(0x80 | (c >> 6 & 0x3F));
        s[2] = (char)(0x80 | (c & 0x3F));
    } else {
        s[0] = (char)(0xF0 | c >> 18);
        s[1] = (char)(0x80 | (c >> 12 & 0x3F));
        s[2] = (char)(0x80 | (c >> 6 & 0x3F));
        s[3] = (char)(0x80 | (c & 0x3F));
    }
    buf_add(to, s, strlen(s));
}

/* `n` hexadecimal digits at *p. */
static int hexadecimal(const char **p, int n, struct buf *to, struct err *e)
{
    char digits[9] = "00000000";
    uint8_t bytes[4];
    if (strlen(*p) < (size_t)n)
        return FAIL(e, ERR_INPUT, "an escape is cut off");
    for (int i = 0; i < n; i++)
        digits[8 - n + i] = (char)tolower((unsigned char)(*p)[i]);
    TRY(hex_decode(digits, bytes, sizeof bytes, e));
    uint32_t c = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    if (c == 0 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return FAIL(e, ERR_INPUT, "an escape names no character");
    put_character(c, to);
    *p += n;
    return 0;
}

/* What follows a backslash. */
static int escape(const char **p, struct buf *to, struct err *e)
{
    static const char from[] = "\\'\"nrt", into[] = "\\'\"\n\r\t";
    char c = **p;
    const char *known = c ? strchr(from, c) : NULL;
    if (!c)
        return FAIL(e, ERR_INPUT, "a text is not closed");
    *p += 1;
    if (known) {
        buf_add(to, &into[known - from], 1);
        return 0;
    }
    if (c == 'x' || c == 'u' || c == 'U')
        return hexadecimal(p, c == 'x' ? 2 : c == 'u' ? 4 : 8, to, e);
    buf_add(to, "\\", 1); /* Python keeps a backslash that means nothing */
    buf_add(to, &c, 1);
    return 0;
}

static int quoted(const char **p, struct buf *to, struct err *e)
{
    char quote = *(*p)++;
    while (**p != quote) {
        if (**p == '\0' || **p == '\n')
            return FAIL(e, ERR_INPUT, "a text is not closed");
        if (**p == '\\') {
            ++*p;
            TRY(escape(p, to, e));
        } else {
            buf_add(to, (*p)++, 1);
        }
    }
    ++*p;
    return 0;
}

static int item(const char **p, struct buf *to, struct err *e)
{
    size_t number = strspn(*p, "+-.0123456789eE");
    buf_clear(to);
    if (**p == '\'' || **p == '"')
        return quoted(p, to, e);
    if (!number)
        return FAIL(e, ERR_INPUT, "a text in quotes, or a number, is wanted at '%.20s'", *p);
    buf_add(to, *p, number);
    *p += number;
    return 0;
}

static void skip_blanks(const char **p)
{
    *p += strspn(*p, " \n\t");
}

static int items(const char *p, json_t *list, struct buf *text, struct err *e)
{
    skip_blanks(&p);
    if (*p++ != '[')
        return FAIL(e, ERR_INPUT, "a list [...] is wanted");
    for (skip_blanks(&p); *p != ']'; skip_blanks(&p)) {
        TRY(item(&p, text, e));
        TRY(buf_check(text, "an item", e));
        if (json_array_append_new(list, json_string(buf_text(text))) < 0)
            return FAIL(e, ERR_INPUT, "an item is no UTF-8");
        skip_blanks(&p);
        if (*p == ',')
            p++;
        else if (*p != ']')
            return FAIL(e, ERR_INPUT, "a comma or ] is wanted at '%.20s'", p);
    }
    p++;
    skip_blanks(&p);
    return *p ? FAIL(e, ERR_INPUT, "something follows the list: '%.20s'", p) : 0;
}

json_t *py_list_parse(const char *text, struct err *e)
{
    AUTO(buf_free) struct buf one = BUF_INIT(LIST_MOST);
    AUTO(json_decref) json_t *list = json_array();
    if (!list)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return items(text, list, &one, e) < 0 ? NULL : TAKE(list);
}
