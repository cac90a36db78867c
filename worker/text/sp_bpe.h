/* The byte pair encoding of a SentencePiece model, done by bpe.h: the general one (sentencepiece_bpe.c) takes longer.
 * Only for models where both are certain to agree: BPE, identity normalization that keeps white space, no pieces but
 * normal, unknown, control and byte ones, every character of a piece a piece itself. LLaMA's is such a model. Private
 * to worker/text. */
#ifndef ACSWEEP_WORKER_TEXT_SP_BPE_H
#define ACSWEEP_WORKER_TEXT_SP_BPE_H

#include "worker/text/bpe.h"

/* `bytes` is a ModelProto that sp_open took. *out NULL: a model of another kind. */
MUST_USE int sp_bpe_make(const char *bytes, size_t len, const char *name, struct bpe **out, bool *dummy_prefix,
                         struct err *e);
/* Append the ids of a text: valid UTF-8. */
MUST_USE int sp_bpe_encode(const struct bpe *b, bool dummy_prefix, struct slice text, struct ids *out, struct err *e);

#endif
