#include "worker/benchmark/numbers.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits(struct text t, size_t at)
{
    size_t n = 0;
    while (at + n < t.len && is_digit(t.at[at + n]))
        n++;
    return n;
}

static bool at_sign(struct text t, size_t at)
{
    return at < t.len && (t.at[at] == '+' || t.at[at] == '-');
}

/* Digits with single underscores between them, which float() allows; commas are not there (any more). Copies the
 * digits. */
static size_t grouped(struct text t, size_t at, char *out, size_t *n)
{
    size_t from = at;
    while (at < t.len && (is_digit(t.at[at]) || (t.at[at] == '_' && at > from && is_digit(t.at[at - 1]) &&
                                                 at + 1 < t.len && is_digit(t.at[at + 1])))) {
        if (t.at[at] != '_')
            out[(*n)++] = t.at[at];
        at++;
    }
    return at;
}

/* The grammar of float(), but for white space: [sign] (digits [. digits] | . digits) [e [sign] digits], or inf, nan.
 * Copies to `out`, without underscores, what strtod reads the same; false for all else, hexadecimal numbers among it.
 */
static bool copy_float(struct text t, char *out)
{
    static const char *const words[] = { "inf", "infinity", "nan" };
    size_t n = 0, at = 0;
    if (at_sign(t, at))
        out[n++] = t.at[at++];
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (t.len - at == strlen(words[i]) && strncasecmp(t.at + at, words[i], t.len - at) == 0)
            return strcpy(out + n, words[i]), true;
    size_t before = n;
    at = grouped(t, at, out, &n);
    size_t mantissa = n - before;
    if (at < t.len && t.at[at] == '.') {
        out[n++] = t.at[at++];
        before = n;
        at = grouped(t, at, out, &n);
        mantissa += n - before;
    }
    if (mantissa && at < t.len && (t.at[at] == 'e' || t.at[at] == 'E')) {
        out[n++] = t.at[at++];
        if (at_sign(t, at))
            out[n++] = t.at[at++];
        before = n;
        at = grouped(t, at, out, &n);
        mantissa = n - before;
    }
    out[n] = '\0';
    return mantissa > 0 && at == t.len;
}

static double round_to_cents(double x)
{
    char text[400]; /* the greatest double has 309 digits before the point */
    if (!isfinite(x))
        return x;
    snprintf(text, sizeof text, "%.2f", x);
    return strtod(text, NULL);
}

#define NUMBER_MOST 4096 /* characters; a longer one is text */

bool number_parse(struct text t, double *out)
{
    char plain[NUMBER_MOST], copy[NUMBER_MOST + 2];
    size_t n = 0;
    t = text_strip(t);
    for (size_t i = 0; i < t.len; i++) {
        if (n == sizeof plain)
            return false;
        if (t.at[i] != ',')
            plain[n++] = t.at[i];
    }
    if (!copy_float(text_strip((struct text){ plain, n }), copy))
        return false;
    *out = round_to_cents(strtod(copy, NULL));
    return true;
}

/* ---- finding --------------------------------------------------------------------------------------------------------
 */

static bool word_at(struct text t, size_t at)
{
    size_t bytes;
    return at < t.len && text_is_word(text_first(text_from(t, at), &bytes));
}

static bool word_before(struct text t, size_t at)
{
    return text_ends_in_word((struct text){ t.at, at });
}

/* -?\b\d{1,3}(?:,\d{3})+\b from `at`: the end, or 0. */
static size_t with_commas(struct text t, size_t at)
{
    size_t n = digits(t, at), end = 0;
    if (n < 1 || n > 3 || word_before(t, at))
        return 0;
    for (at += n; at < t.len && t.at[at] == ',' && digits(t, at + 1) >= 3; at += 4)
        if (!word_at(t, at + 4))
            end = at + 4;
    return end;
}

/* [eE][+-]?\d+ from `at`: the end, or 0. */
static size_t exponent(struct text t, size_t at)
{
    if (at >= t.len || (t.at[at] != 'e' && t.at[at] != 'E'))
        return 0;
    at += 1 + at_sign(t, at + 1);
    return digits(t, at) ? at + digits(t, at) : 0;
}

/* -?\d+(?:\.\d+)?[eE][+-]?\d+ */
static size_t scientific(struct text t, size_t at)
{
    size_t n = digits(t, at);
    if (n == 0)
        return 0;
    at += n;
    size_t fraction = at < t.len && t.at[at] == '.' ? digits(t, at + 1) : 0;
    return exponent(t, fraction ? at + 1 + fraction : at);
}

/* What may not follow: (?![eE][+-]?\d+)(?![,\d]). */
static bool goes_on(struct text t, size_t at)
{
    return exponent(t, at) || (at < t.len && (t.at[at] == ',' || is_digit(t.at[at])));
}

/* -?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d]) */
static size_t plain(struct text t, size_t at)
{
    size_t n = digits(t, at), point = at + n;
    size_t fraction = point < t.len && t.at[point] == '.' ? digits(t, point + 1) : 0;
    if (fraction && !goes_on(t, point + 1 + fraction))
        return point + 1 + fraction;
    return n && !word_at(t, point) && !goes_on(t, point) ? point : 0;
}

bool number_next(struct text t, enum number_form form, size_t *at, struct text *number)
{
    static size_t (*const match[])(struct text t, size_t at) = { with_commas, scientific, plain };
    for (size_t from = *at; from < t.len; from++) {
        size_t end = t.at[from] == '-' ? match[form](t, from + 1) : 0;
        end = end ? end : match[form](t, from);
        if (end == 0)
            continue;
        *number = (struct text){ t.at + from, end - from };
        *at = end;
        return true;
    }
    return false;
}
