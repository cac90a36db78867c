/* Tokens that are looked for in the text before anything else is done with it, and what cuts it at them.
 * Private to worker/text. */
#ifndef ACSWEEP_WORKER_TEXT_ADDED_TOKENS_H
#define ACSWEEP_WORKER_TEXT_ADDED_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/text/unicode.h"

#define TOKEN_ID_MOST (1 << 24) /* larger ids are no vocabulary's */

struct added_token {
    char *text;
    size_t len;
    int32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
};

struct added_tokens {
    struct added_token *v;
    size_t n, cap;
};

void added_tokens_free(struct added_tokens *a);
/* A copy of `token`; one with the same id is replaced. ERR_INPUT when another id has its text. */
MUST_USE int added_tokens_put(struct added_tokens *a, const struct added_token *token, const char *name, struct err *e);
const struct added_token *added_tokens_by_text(const struct added_tokens *a, const char *text, size_t len);
const struct added_token *added_tokens_by_id(const struct added_tokens *a, int32_t id);

/* {"content", "lstrip", "rstrip", "single_word", "normalized", "special"} -> token with borrowed text and the id given.
 * What is missing is false, but `normalized` is not `special`. */
MUST_USE int added_token_parse(const json_t *j, int32_t id, const char *name, struct added_token *out, struct err *e);

/* Finds tokens: the leftmost, and of those that begin there the longest. */
struct added_match {
    struct slice text;
    const struct added_token *token;
};
struct added_matcher {
    struct added_match *v; /* by first byte, longer ones first */
    size_t n;
    uint32_t first[257]; /* v[first[b]] .. v[first[b + 1] - 1] begin with byte b */
};
/* Takes the array `v`, whose texts and tokens must outlive it; empty texts are left out. */
void added_matcher_make(struct added_matcher *m, struct added_match *v, size_t n);
/* At `from` or behind it; NULL when there is none, else *start is where. */
const struct added_match *added_matcher_find(const struct added_matcher *m, struct slice text, size_t from,
                                             size_t *start);

#endif
