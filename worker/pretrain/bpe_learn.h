/* Learns a vocabulary of byte pair encoding (Sennrich et al. 2016), as SentencePiece does for LLaMA: blanks become
 * U+2581 in front of a word, what is not in the alphabet falls back to bytes. Merges stay inside of words, and letters
 * are never merged with digits or punctuation, nor these with one another, so that an answer is the same tokens
 * wherever it stands. */
#ifndef ACSWEEP_WORKER_PRETRAIN_BPE_LEARN_H
#define ACSWEEP_WORKER_PRETRAIN_BPE_LEARN_H

#include "worker/pretrain/names.h"

#define BPE_BYTES 3 /* ids: unknown, begin, end; then a token for each byte; then the alphabet; then merges */
#define BPE_ALPHABET (BPE_BYTES + 256)

struct bpe_vocabulary {
    struct names tokens;
    struct bpe_merge {
        int32_t left, right;
    } * merges; /* by rank; each makes the token of both texts together */
    size_t n_merges;
};
void bpe_vocabulary_free(struct bpe_vocabulary *v);
static inline UNUSED void bpe_vocabulary_free_cleanup(struct bpe_vocabulary *v)
{
    bpe_vocabulary_free(v);
}

/* Words and how often they were seen. */
struct bpe_learner;
struct bpe_learner *bpe_learner_create(struct err *e);
void bpe_learner_destroy(struct bpe_learner *l);
DEFINE_CLEANUP(bpe_learner_destroy, struct bpe_learner *)
MUST_USE int bpe_learner_add(struct bpe_learner *l, const char *text, size_t len, int64_t times, struct err *e);
/* At most `size` tokens, fewer where no pair occurs twice any more. ERR_INPUT when the alphabet alone is larger. */
MUST_USE int bpe_learn(struct bpe_learner *l, size_t size, struct bpe_vocabulary *out, struct err *e);

/* dir/tokenizer.json and tokenizer_config.json, for worker/text and transformers' LlamaTokenizerFast. */
MUST_USE int bpe_vocabulary_write(const struct bpe_vocabulary *v, const char *dir, struct err *e);

#endif
