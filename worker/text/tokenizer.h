/* Text to token ids and back, as the tokenizers of published language models do it.
 *
 * A directory in Hugging Face's layout is read, with the meaning that transformers 4.52 gives its files:
 *
 * - `tokenizer.model` (SentencePiece): as the slow LlamaTokenizer, which LLaVA uses. tokenizer_config.json is read for
 *   `legacy`, `add_prefix_space`, the special tokens and `added_tokens_decoder`; special_tokens_map.json and
 *   added_tokens.json where that has none. Models of BPE that do not normalise, as LLaMA's.
 * - `tokenizer.json` with a BPE model: as the library `tokenizers`, for LLaMA's (Metaspace or Prepend/Replace, byte
 *   fallback) and for byte-level ones (GPT-2, Llama 3). What is not supported is refused by name.
 *
 * Where both files are, `tokenizer.model` is used: LLaVA's recipe has use_fast=False, and the two differ about spaces
 * around special tokens. tokenizer_open_file takes exactly the file it is given.
 *
 * Text is UTF-8; NUL is a character like others. A byte that belongs to no character counts as U+FFFD, one for each
 * byte. Nothing in a tokenizer changes after it is opened: any number of threads may use it. */
#ifndef ACSWEEP_WORKER_TEXT_TOKENIZER_H
#define ACSWEEP_WORKER_TEXT_TOKENIZER_H

#include <stdbool.h>

#include "common/buf.h"
#include "worker/text/ids.h"

struct tokenizer;
void tokenizer_close(struct tokenizer *t);
DEFINE_CLEANUP(tokenizer_close, struct tokenizer *)

/* ERR_INPUT names the file and what is wrong in it. */
MUST_USE struct tokenizer *tokenizer_open(const char *dir, struct err *e);
/* `path` is a tokenizer.model or a tokenizer.json (known by the end of its name); the small files beside it are read as
 * above. */
MUST_USE struct tokenizer *tokenizer_open_file(const char *path, struct err *e);

/* Append the ids of `len` bytes of text, with the BOS token in front when `bos` (LLaMA: always; EOS is never added). An
 * empty text has no ids but that. `text` may be NULL when len is 0. */
MUST_USE int tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, bool bos, struct ids *out,
                              struct err *e);

/* Append the text of `n` ids; with `skip_special`, without special tokens. Ids outside of 0..size-1 are ERR_INPUT.
 * Bytes that make no character become U+FFFD, so what comes out is always UTF-8. */
MUST_USE int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                              struct buf *out, struct err *e);

/* Decoding while ids still come in. Each call appends the text that no later id can change any more; what is held back
 * (the bytes of an unfinished character; everything where tokenizer_config.json has clean_up_tokenization_spaces) comes
 * with stream_end. All of it together is what tokenizer_decode makes of all ids with skip_special. Each call decodes
 * all ids anew: meant for answers, not for books. Plain memory: start with {0}, end with tokenizer_stream_free. */
struct tokenizer_stream {
    struct ids ids;
    size_t said; /* bytes of their text that were given out */
};
void tokenizer_stream_free(struct tokenizer_stream *s);
MUST_USE int tokenizer_stream_push(const struct tokenizer *t, struct tokenizer_stream *s, int32_t id, struct buf *out,
                                   struct err *e);
MUST_USE int tokenizer_stream_end(const struct tokenizer *t, struct tokenizer_stream *s, struct buf *out,
                                  struct err *e);

/* Ids of special tokens, -1 where there is none. A missing pad is UNK, as LLaVA sets it. */
int32_t tokenizer_bos(const struct tokenizer *t);
int32_t tokenizer_eos(const struct tokenizer *t);
int32_t tokenizer_unk(const struct tokenizer *t);
int32_t tokenizer_pad(const struct tokenizer *t);
/* One more than the largest id: rows that an embedding must have. */
size_t tokenizer_size(const struct tokenizer *t);
/* The attribute `legacy` of transformers' tokenizer; LLaVA's label masks ask for it. */
bool tokenizer_is_legacy(const struct tokenizer *t);
/* Does its own call, as transformers' tokenizer(text), put BOS in front? LLaMA's: yes. */
bool tokenizer_adds_bos(const struct tokenizer *t);
/* Id of a token by its exact content ("</s>"), -1 when there is none. */
int32_t tokenizer_id(const struct tokenizer *t, const char *token);

#endif
