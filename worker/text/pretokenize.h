/* Cutting normalized text into words before byte pair encoding: the `pre_tokenizer` of a tokenizer.json.
 * Private to worker/text.
 *
 * Supported: Metaspace; ByteLevel; Split by a pattern or a text; a Sequence of them. Patterns are those of the library
 * oniguruma; they are given to PCRE2 with Unicode classes, \s and \S mended to mean the same. */
#ifndef ACSWEEP_WORKER_TEXT_PRETOKENIZE_H
#define ACSWEEP_WORKER_TEXT_PRETOKENIZE_H

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/text/unicode.h"

struct pretokenizer;
void pretokenizer_destroy(struct pretokenizer *p);
DEFINE_CLEANUP(pretokenizer_destroy, struct pretokenizer *)

/* `j` may be NULL or null: text stays whole. */
MUST_USE struct pretokenizer *pretokenizer_parse(const json_t *j, const char *name, struct err *e);
/* Calls `take` for each word in turn. `at_start`: the text begins the whole input. */
MUST_USE int pretokenize(const struct pretokenizer *p, struct slice text, bool at_start,
                         int (*take)(void *ctx, struct slice word, struct err *e), void *ctx, struct err *e);
/* Are words in the alphabet of ByteLevel? */
bool pretokenizer_is_byte_level(const struct pretokenizer *p);

/* ByteLevel's alphabet: each byte has a printable character (GPT-2's bytes_to_unicode). */
int32_t byte_level_char(uint8_t byte);
/* The byte of a character, or -1. */
int byte_level_byte(int32_t c);

#endif
