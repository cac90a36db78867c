/* Cutting text at what a pattern or a text matches (`Split` in a tokenizer.json). Private to worker/text. */
#ifndef ACSWEEP_WORKER_TEXT_SPLIT_H
#define ACSWEEP_WORKER_TEXT_SPLIT_H

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/text/unicode.h"

/* What becomes of a match; `invert` makes matches of what is between them. */
enum split_behavior {
    SPLIT_REMOVED,              /* it is gone */
    SPLIT_ISOLATED,             /* it is a word */
    SPLIT_MERGED_WITH_PREVIOUS, /* it ends the word before it */
    SPLIT_MERGED_WITH_NEXT,     /* it begins the word behind it */
    SPLIT_CONTIGUOUS,           /* matches in a row are one word */
};

struct splitter;
void splitter_destroy(struct splitter *s);
DEFINE_CLEANUP(splitter_destroy, struct splitter *)

MUST_USE struct splitter *splitter_pattern(const char *pattern, enum split_behavior behavior, bool invert,
                                           const char *name, struct err *e);
/* {"pattern": {"Regex" or "String": ...}, "behavior": ..., "invert": ...} */
MUST_USE struct splitter *splitter_parse(const json_t *j, const char *name, struct err *e);
/* The words of valid UTF-8; `first` is set for the one at the beginning of the text. */
MUST_USE int splitter_run(const struct splitter *s, struct slice text,
                          int (*take)(void *ctx, struct slice word, bool first, struct err *e), void *ctx,
                          struct err *e);

#endif
