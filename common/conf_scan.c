#include "common/conf_scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/parse.h"
#include "common/utf8.h"

#define MAX_DEPTH 32

struct scan {
    const char *p, *place;
    int line, depth;
};

static void skip_line(struct scan *s)
{
    while (*s->p && *s->p != '\n')
        s->p++;
}

static void skip_block_comment(struct scan *s)
{
    for (s->p += 2; *s->p && !(s->p[0] == '*' && s->p[1] == '/'); s->p++)
        s->line += *s->p == '\n';
    if (*s->p)
        s->p += 2;
}

static int skip_string(struct scan *s, struct err *e)
{
    int first = s->line;
    for (s->p++; *s->p && *s->p != '"'; s->p++) {
        if (*s->p == '\\' && s->p[1])
            s->p++;
        s->line += *s->p == '\n';
    }
    if (!*s->p)
        return FAIL(e, ERR_INPUT, "%s:%d: this text has no closing quote", s->place, first);
    s->p++;
    return 0;
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '*';
}

/* Decimal and hexadecimal integers, with or without L; reals are left to the type checks. */
static int check_number(struct scan *s, struct err *e)
{
    const char *start = s->p, *digits = start + (*start == '-' || *start == '+');
    bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    const char *end = hex ? digits + 2 : digits;
    while (hex ? isxdigit((unsigned char)*end) : isdigit((unsigned char)*end))
        end++;
    bool real = !hex && (*end == '.' || *end == 'e' || *end == 'E');
    bool wide = *end == 'L';
    char text[32];
    size_t n = (size_t)(end - start);
    if (!real) {
        long long v = 0;
        errno = 0;
        if (n < sizeof text) {
            memcpy(text, start, n);
            text[n] = '\0';
            v = strtoll(text, NULL, hex ? 16 : 10);
        }
        if (n >= sizeof text || errno == ERANGE)
            return FAIL(e, ERR_INPUT, "%s:%d: the number %.*s... is too large", s->place, s->line, n < 24 ? (int)n : 24, start);
        if (!wide && (hex ? v > UINT32_MAX : v > INT32_MAX || v < INT32_MIN))
            return FAIL(e, ERR_INPUT, "%s:%d: the number %s needs an L behind it (64 bits): %sL", s->place, s->line, text,
                        text);
    }
    while (is_name(*end) || *end == '.' || *end == '+')
        end++;
    s->p = end;
    return 0;
}

static int check_depth(struct scan *s, struct err *e)
{
    s->depth += strchr("{[(", *s->p) ? 1 : -1;
    if (s->depth > MAX_DEPTH)
        return FAIL(e, ERR_INPUT, "%s:%d: groups nested deeper than %d", s->place, s->line, MAX_DEPTH);
    s->p++;
    return 0;
}

static int scan_one(struct scan *s, struct err *e)
{
    char c = *s->p;
    if (c == '#' || (c == '/' && s->p[1] == '/')) {
        skip_line(s);
        return 0;
    }
    if (c == '/' && s->p[1] == '*') {
        skip_block_comment(s);
        return 0;
    }
    if (c == '"')
        return skip_string(s, e);
    if (strchr("{}[]()", c))
        return check_depth(s, e);
    if (c == '@')
        return FAIL(e, ERR_INPUT, "%s:%d: @include is not allowed; write the settings into this file", s->place, s->line);
    if (isdigit((unsigned char)c) || ((c == '-' || c == '+') && isdigit((unsigned char)s->p[1])))
        return check_number(s, e);
    if (isalpha((unsigned char)c) || c == '*') {
        while (is_name(*s->p))
            s->p++;
        return 0;
    }
    if ((unsigned char)c < 0x20 && !isspace((unsigned char)c))
        return FAIL(e, ERR_INPUT, "%s:%d: unexpected control byte 0x%02x", s->place, s->line, (unsigned char)c);
    s->line += c == '\n';
    s->p++;
    return 0;
}

/* libconfig looks for @include at the start of any line, even within a comment block or a text. */
static int find_include(const char *text, const char *place, struct err *e)
{
    int line = 1;
    for (const char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL, line++) {
        const char *word = p + strspn(p, " \t");
        if (strncmp(word, "@include", 8) == 0)
            return FAIL(e, ERR_INPUT, "%s:%d: @include is not allowed; write the settings into this file", place, line);
    }
    return 0;
}

static int find_foreign_text(const char *text, const char *place, struct err *e)
{
    const char *at = utf8_find_invalid(text);
    int line = 1;
    for (const char *p = text; at && p < at; p++)
        line += *p == '\n';
    return at ? FAIL(e, ERR_INPUT, "%s:%d: byte 0x%02x is not UTF-8 text; save the file as UTF-8", place, line,
                     (unsigned char)*at)
              : 0;
}

int conf_scan(const char *text, const char *place, struct err *e)
{
    TRY(find_foreign_text(text, place, e));
    TRY(find_include(text, place, e));
    struct scan s = { .p = text, .place = place, .line = 1 };
    while (*s.p)
        TRY(scan_one(&s, e));
    return 0;
}
