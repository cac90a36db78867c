/* The `normalizer` of a tokenizer.json: Prepend, Replace of a text, a Sequence of them. Private to worker/text. */
#ifndef ACSWEEP_WORKER_TEXT_NORMALIZE_H
#define ACSWEEP_WORKER_TEXT_NORMALIZE_H

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/text/unicode.h"

struct normalizer;
void normalizer_destroy(struct normalizer *n);
DEFINE_CLEANUP(normalizer_destroy, struct normalizer *)

/* `j` may be NULL or null: text stays as it is. */
MUST_USE struct normalizer *normalizer_parse(const json_t *j, const char *name, struct err *e);
/* `out` is the text, or it in `space`, which the caller frees. An empty text stays empty. */
MUST_USE int normalize(const struct normalizer *n, struct slice text, struct buf *space, struct slice *out,
                       struct err *e);

#endif
