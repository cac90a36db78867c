/* Characters of UTF-8 text with a length, and the few classes of them that tokenizers and templates ask for. */
#ifndef ACSWEEP_WORKER_TEXT_UNICODE_H
#define ACSWEEP_WORKER_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define UNICODE_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define UNICODE_UNDERLINE "\xe2\x96\x81"   /* U+2581, SentencePiece's space */
#define UNICODE_UNDERLINE_LEN 3

/* The character at text[0], and in *size how many bytes it has; -1 with *size 1 when no character begins there. len >
 * 0. */
int32_t unicode_at(const char *text, size_t len, size_t *size);
/* Bytes that are whole characters, from the beginning. */
size_t unicode_valid(const char *text, size_t len);
/* Append the text with U+FFFD in the place of each byte that belongs to no character. */
void unicode_mend(const char *text, size_t len, struct buf *out);
/* Append it with U+FFFD for each longest run of bytes that begins a character, as Rust's from_utf8_lossy. */
void unicode_mend_lossy(const char *text, size_t len, struct buf *out);
/* Append a character. */
void unicode_put(int32_t c, struct buf *out);

/* What Python's str.split and str.strip take for white space. */
bool unicode_is_space(int32_t c);
/* Without the white space at its ends. */
struct slice {
    const char *text;
    size_t len;
};
struct slice unicode_lstrip(struct slice s);
struct slice unicode_rstrip(struct slice s);
struct slice unicode_strip(struct slice s);
/* Runs of other characters than white space. */
size_t unicode_words(const char *text, size_t len);
/* Append the text with each `from` replaced by `to`. `from` has at least a byte. */
void text_replace(const char *text, size_t len, struct slice from, struct slice to, struct buf *out);

#endif
