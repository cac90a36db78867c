/* Pictures with captions: what encoders learn from. A file of lines, each a JSON object
 *
 *     {"image": "pictures/1.png", "caption": "a red fox beside two boats", "concepts": ["fox", "boat"]}
 *
 * image      below the directory of pictures; JPEG, PNG or WebP
 * caption    any text; words are runs of letters, digits, "-" and "'", in lower case
 * concepts   what is to be seen, may be empty or left out; a concept is a name of one or more words
 * flip       (may be left out) false: a mirrored picture would be another one, because there is writing in it or
 * because the caption says left or right; captions with these two words are never mirrored anyway
 *
 * Other keys are left alone. Pictures are decoded once and stay in memory, stretched to squares. */
#ifndef ACSWEEP_WORKER_PRETRAIN_PAIRS_H
#define ACSWEEP_WORKER_PRETRAIN_PAIRS_H

#include <stdbool.h>

#include "worker/data/image.h"
#include "worker/pretrain/names.h"
#include "worker/text/ids.h"

struct vocabulary {
    struct names words, concepts;
    struct ids *spelled; /* [concepts.n]: the words of each concept, ascending */
};
void vocabulary_free(struct vocabulary *v);
static inline UNUSED void vocabulary_free_cleanup(struct vocabulary *v)
{
    vocabulary_free(v);
}

struct pair {
    struct image picture; /* a square */
    struct ids words;     /* of caption and concepts: numbers in the vocabulary, ascending, each once */
    struct ids kept;      /* those of the concepts */
    struct ids concepts;
    bool may_flip;
};
struct pairs {
    struct pair *v;
    size_t n, cap;
};
void pairs_free(struct pairs *p);
static inline UNUSED void pairs_free_cleanup(struct pairs *p)
{
    pairs_free(p);
}

/* Read the file `path` with pictures below `dir` (NULL: none are read), no edge longer than `edge` pixels (longer ones
 * are shrunk). Words and concepts that are new are added to `v`, which was empty; with `known_only` they are dropped
 * instead. Empty *out before. ERR_INPUT with file:line. */
struct pairs_source {
    const char *path, *dir;
    uint32_t edge;
    bool known_only;
};
MUST_USE int pairs_read(const struct pairs_source *s, struct vocabulary *v, struct pairs *out, struct err *e);
/* The same from a list that is open already. */
struct json_items;
MUST_USE int pairs_read_items(const struct pairs_source *s, struct json_items *items, struct vocabulary *v,
                              struct pairs *out, struct err *e);

/* Is every word of `part` in `whole`? Both ascending. */
bool words_within(const struct ids *part, const struct ids *whole);

#endif
