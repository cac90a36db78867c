/* Byte pair encoding: the symbols of a word are merged, the pair of the lowest rank first, until no pair is in the
 * table (Sennrich, Haddow, Birch 2016). n log n in the length of a word. Private to worker/text. */
#ifndef ACSWEEP_WORKER_TEXT_BPE_H
#define ACSWEEP_WORKER_TEXT_BPE_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/text/ids.h"
#include "worker/text/unicode.h"

struct bpe;
void bpe_destroy(struct bpe *b);
DEFINE_CLEANUP(bpe_destroy, struct bpe *)

struct bpe_options {
    bool byte_fallback; /* a character without a token becomes its bytes' tokens <0x00> to <0xFF> */
    bool fuse_unk;      /* unknown characters in a row become one */
    bool ignore_merges; /* a word that is a token is that token */
};

/* Room for about `tokens` tokens. */
MUST_USE struct bpe *bpe_create(size_t tokens, const struct bpe_options *o, struct err *e);
/* Texts are copied. ERR_INPUT for an id or a text that is there already. */
MUST_USE int bpe_add_token(struct bpe *b, struct slice text, int32_t id, const char *name, struct err *e);
/* Before the first merge: at most so many will come. */
MUST_USE int bpe_room_for_merges(struct bpe *b, size_t n, struct err *e);
/* The next merge, of the next rank: both parts and the whole must be tokens. */
MUST_USE int bpe_add_merge(struct bpe *b, struct slice left, struct slice right, const char *name, struct err *e);
/* The same by ids, with a rank. */
MUST_USE int bpe_add_pair(struct bpe *b, int32_t left, int32_t right, int32_t whole, uint32_t rank, struct err *e);
/* After the last token. `unk`: the text of the unknown token, with text NULL for none. */
MUST_USE int bpe_finish(struct bpe *b, struct slice unk, const char *name, struct err *e);

/* Ids of tokens are below this. */
size_t bpe_size(const struct bpe *b);
/* -1 when there is none. */
int32_t bpe_id(const struct bpe *b, struct slice text);
/* Text NULL when no token has the id. */
struct slice bpe_text(const struct bpe *b, int32_t id);
/* Is the token one byte, <0x00> to <0xFF>, of a model with byte_fallback? */
bool bpe_is_byte(const struct bpe *b, int32_t id);

/* Memory of one call, used again from word to word; start with {0}. */
struct bpe_symbol;
struct bpe_pair;
struct bpe_scratch {
    struct bpe_symbol *symbols;
    struct bpe_pair *heap;
    size_t n, cap, heap_n, heap_cap;
};
void bpe_scratch_free(struct bpe_scratch *s);
static inline UNUSED void bpe_scratch_free_cleanup(struct bpe_scratch *s)
{
    bpe_scratch_free(s);
}

/* Append the ids of a word: valid UTF-8, not empty. */
MUST_USE int bpe_encode(const struct bpe *b, struct slice word, struct bpe_scratch *scratch, struct ids *out,
                        struct err *e);

#endif
