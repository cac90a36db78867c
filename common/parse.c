#include "common/parse.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* strtoull and friends skip blanks and take signs; only a digit (or one '-') may come first here. */
static bool starts_number(const char *s, bool sign)
{
    return isdigit((unsigned char)s[0]) || (sign && s[0] == '-' && isdigit((unsigned char)s[1]));
}

int parse_i64(const char *s, int64_t lo, int64_t hi, int64_t *out, struct err *e)
{
    char *end = NULL;
    errno = 0;
    long long v = starts_number(s, true) ? strtoll(s, &end, 10) : 0;
    if (!end || *end || errno || v < lo || v > hi)
        return FAIL(e, ERR_INPUT, "'%.60s' is not a whole number in %lld..%lld", s, (long long)lo, (long long)hi);
    *out = v;
    return 0;
}

int parse_u64(const char *s, uint64_t lo, uint64_t hi, uint64_t *out, struct err *e)
{
    char *end = NULL;
    errno = 0;
    unsigned long long v = starts_number(s, false) ? strtoull(s, &end, 10) : 0;
    if (!end || *end || errno || v < lo || v > hi)
        return FAIL(e, ERR_INPUT, "'%.60s' is not a whole number in %llu..%llu", s, (unsigned long long)lo,
                    (unsigned long long)hi);
    *out = v;
    return 0;
}

/* strtod in the C locale whatever the process's locale is; rejects hex, inf, nan and leading blanks. */
static double number_prefix(const char *s, char **end)
{
    const char *p = s + (*s == '-' || *s == '+');
    if (!(isdigit((unsigned char)p[0]) || (p[0] == '.' && isdigit((unsigned char)p[1]))) ||
        (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))) {
        *end = (char *)s;
        return 0;
    }
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double v = c ? strtod_l(s, end, c) : strtod(s, end);
    if (c)
        freelocale(c);
    return v;
}

int parse_double(const char *s, double *out, struct err *e)
{
    char *end;
    double v = number_prefix(s, &end);
    if (end == s || *end || !isfinite(v))
        return FAIL(e, ERR_INPUT, "'%.60s' is not a finite number", s);
    *out = v;
    return 0;
}

struct unit {
    const char *name;
    double factor;
};

static int parse_with_unit(const char *s, const struct unit *units, size_t n, const char *what, double max, double *out,
                           struct err *e)
{
    char *end;
    double v = number_prefix(s, &end);
    if (end == s || v < 0 || !isfinite(v))
        return FAIL(e, ERR_INPUT, "'%.60s' is not a %s", s, what);
    for (size_t i = 0; i < n; i++)
        if (strcmp(end, units[i].name) == 0) {
            if (*end == '\0' && units[i].factor == 0 && v != 0) /* durations: only 0 goes without a unit */
                break;
            *out = v * (units[i].factor == 0 ? 1 : units[i].factor);
            if (*out > max)
                return FAIL(e, ERR_INPUT, "'%.60s' is too large for a %s", s, what);
            return 0;
        }
    return FAIL(e, ERR_INPUT, "'%.60s' is not a %s", s, what);
}

int parse_duration(const char *s, int64_t *ns, struct err *e)
{
    static const struct unit units[] = { { "us", 1e3 },   { "ms", 1e6 },    { "s", 1e9 }, { "m", 60e9 },
                                         { "h", 3600e9 }, { "d", 86400e9 }, { "", 0 } };
    double v;
    TRY(parse_with_unit(s, units, ARRAY_LEN(units), "duration such as 90s, 15m or 1.5h", 9e18, &v, e));
    *ns = (int64_t)llround(v);
    return 0;
}

int parse_size(const char *s, uint64_t *bytes, struct err *e)
{
    static const struct unit units[] = {
        { "", 1 },         { "B", 1 },       { "K", 0x1p10 },   { "KB", 0x1p10 },  { "KiB", 0x1p10 },
        { "M", 0x1p20 },   { "MB", 0x1p20 }, { "MiB", 0x1p20 }, { "G", 0x1p30 },   { "GB", 0x1p30 },
        { "GiB", 0x1p30 }, { "T", 0x1p40 },  { "TB", 0x1p40 },  { "TiB", 0x1p40 },
    };
    double v;
    TRY(parse_with_unit(s, units, ARRAY_LEN(units), "size such as 512MiB or 40GiB", 9e18, &v, e));
    *bytes = (uint64_t)llround(v);
    return 0;
}

void hex_encode(const void *bytes, size_t len, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++) {
        hex[2 * i] = digits[p[i] >> 4];
        hex[2 * i + 1] = digits[p[i] & 15];
    }
    hex[2 * len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

int hex_decode(const char *hex, void *bytes, size_t len, struct err *e)
{
    unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++) {
        int hi = hex_digit(hex[2 * i]);
        int lo = hi < 0 ? -1 : hex_digit(hex[2 * i + 1]);
        if (lo < 0)
            return FAIL(e, ERR_INPUT, "'%.80s' is not %zu lower-case hexadecimal digits", hex, 2 * len);
        p[i] = (unsigned char)(hi << 4 | lo);
    }
    if (hex[2 * len])
        return FAIL(e, ERR_INPUT, "'%.80s' is longer than %zu hexadecimal digits", hex, 2 * len);
    return 0;
}

#define NEAREST_MAX 64

static size_t edit_distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b), row[NEAREST_MAX + 1];
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[nb];
}

const char *parse_nearest(const char *word, const char *const *candidates, size_t n)
{
    const char *nearest = NULL;
    size_t len = strlen(word), best = len / 3 + 2;
    if (len > NEAREST_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t d = strlen(candidates[i]) > NEAREST_MAX ? SIZE_MAX : edit_distance(word, candidates[i]);
        if (d < best) {
            best = d;
            nearest = candidates[i];
        }
    }
    return nearest;
}

const char *parse_not_utf8(const char *s)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    for (const unsigned char *p = (const unsigned char *)s; *p;) {
        unsigned n = *p < 0x80 ? 0 : (*p & 0xe0) == 0xc0 ? 1 : (*p & 0xf0) == 0xe0 ? 2 : (*p & 0xf8) == 0xf0 ? 3 : 9;
        if (n == 9)
            return (const char *)p;
        uint32_t v = n == 0 ? *p : *p & (0x3fu >> n);
        for (unsigned i = 1; i <= n; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return (const char *)p;
            v = v << 6 | (p[i] & 0x3f);
        }
        if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
            return (const char *)p;
        p += n + 1;
    }
    return NULL;
}
