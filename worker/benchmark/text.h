/* Inside worker/benchmark: pieces of UTF-8 text, treated as Python's str treats them, because the metrics are defined
 * by Python programs. Differences: digits are ASCII's, and a capital sigma at the end of a word becomes the ordinary
 * one. Bytes that are no UTF-8 count as characters that have no case and belong to no word. */
#ifndef ACSWEEP_WORKER_BENCHMARK_TEXT_H
#define ACSWEEP_WORKER_BENCHMARK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/buf.h"

#define TEXT_MOST ((size_t)64 << 20) /* of what is made from one answer */

/* Bytes of somebody else, not ended by NUL. */
struct text {
    const char *at;
    size_t len;
};

static inline struct text text_of(const char *s)
{
    return (struct text){ s, strlen(s) };
}
static inline struct text text_from(struct text t, size_t skip)
{
    return (struct text){ t.at + skip, t.len - skip };
}
static inline bool text_is_empty(struct text t)
{
    return t.len == 0;
}
bool text_equal(struct text t, const char *s);

/* The first character of a text that is not empty, and how many bytes it has. */
uint32_t text_first(struct text t, size_t *bytes);
size_t text_count(struct text t); /* characters */
struct text text_head(struct text t, size_t characters);

/* str.isspace() and the \w of re, of one character; whether the text ends in a \w. */
bool text_is_space(uint32_t c);
bool text_is_word(uint32_t c);
bool text_ends_in_word(struct text t);

/* str.strip(), and str.strip(c) for an ASCII character. */
struct text text_strip(struct text t);
struct text text_strip_byte(struct text t, char c);
/* str.split(): cuts the next word out of *rest; false at the end. */
bool text_word(struct text *rest, struct text *word);

#define TEXT_NONE SIZE_MAX
/* Where `part` begins in `t` first, and last; TEXT_NONE: nowhere. */
size_t text_find(struct text t, struct text part);
size_t text_find_last(struct text t, struct text part);
static inline bool text_has(struct text t, struct text part)
{
    return text_find(t, part) != TEXT_NONE;
}

/* Append str.lower(), str.capitalize(). */
void text_lower(struct text t, struct buf *to);
void text_capitalize(struct text t, struct buf *to);

#endif
