/* Tokens back to text: the `decoder` of a tokenizer.json. Supported: ByteLevel, Metaspace, Replace of a text,
 * ByteFallback, Fuse, Strip, a Sequence of them. Private to worker/text. */
#ifndef ACSWEEP_WORKER_TEXT_TOKEN_DECODER_H
#define ACSWEEP_WORKER_TEXT_TOKEN_DECODER_H

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/text/unicode.h"

struct token_decoder;
void token_decoder_destroy(struct token_decoder *d);
DEFINE_CLEANUP(token_decoder_destroy, struct token_decoder *)

/* `j` may be NULL or null: tokens are joined with spaces. */
MUST_USE struct token_decoder *token_decoder_parse(const json_t *j, const char *name, struct err *e);
MUST_USE int token_decoder_run(const struct token_decoder *d, const struct slice *tokens, size_t n, struct buf *out,
                               struct err *e);

#endif
