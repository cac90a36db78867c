/* Checked conversions of text that people or other programs wrote. Never atoi. All errors are ERR_INPUT and quote the
 * text; the caller adds the place with err_wrap(). */
#ifndef ACSWEEP_COMMON_PARSE_H
#define ACSWEEP_COMMON_PARSE_H

#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

/* Decimal integer within lo..hi; no sign tricks, no blanks, no trailing bytes. */
MUST_USE int parse_i64(const char *s, int64_t lo, int64_t hi, int64_t *out, struct err *e);
MUST_USE int parse_u64(const char *s, uint64_t lo, uint64_t hi, uint64_t *out, struct err *e);

/* Finite decimal number in C locale. */
MUST_USE int parse_double(const char *s, double *out, struct err *e);

/* Duration -> nanoseconds: a number with unit us, ms, s, m, h or d, e.g. "90s", "1.5h"; "0" needs no unit. */
MUST_USE int parse_duration(const char *s, int64_t *ns, struct err *e);

/* Size -> bytes: a number with unit B, K/KB/KiB, M.., G.., T.. (all powers of 1024), e.g. "40GiB"; no unit = bytes. */
MUST_USE int parse_size(const char *s, uint64_t *bytes, struct err *e);

/* Lower-case hex <-> bytes. `hex` must hold 2*len + 1. */
void hex_encode(const void *bytes, size_t len, char *hex);
MUST_USE int hex_decode(const char *hex, void *bytes, size_t len, struct err *e);

/* The first byte of a text that is not UTF-8 (surrogates, overlong forms and what is above U+10FFFF are not), or NULL. */
const char *parse_not_utf8(const char *s);

/* The candidate nearest to `word` by edit distance (at most a third of its length + 1), or NULL. For "did you mean". */
const char *parse_nearest(const char *word, const char *const *candidates, size_t n);

#endif
