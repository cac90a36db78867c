/* Trains a small LLaMA from nothing on texts, its tokenizer too, and writes both as published ones are
 * (LlamaForCausalLM), with training.json: so that stage 2 has a language model to begin from. */
#ifndef ACSWEEP_WORKER_PRETRAIN_DECODER_H
#define ACSWEEP_WORKER_PRETRAIN_DECODER_H

#include "worker/pretrain/pace.h"
#include "worker/torch/th.h"

/* What is learned: the mean over all tokens; over answers, and what texts do not have as given; or the sum of both means,
 * for from all tokens one learns to repeat, which is what most answers are, and answers are few of all tokens. */
enum decoder_loss { DECODER_ALL, DECODER_ANSWERS, DECODER_BOTH };

struct decoder_job {
    const char *const *data; /* files as texts.h says */
    size_t n_data;
    const char *const *plain; /* of which only the answers are read, as captions */
    size_t n_plain;
    const char *const *soft; /* lines with what is given, which is softened (soft.h) and not learned */
    size_t n_soft;
    const char *const *words; /* files that the tokenizer learns too, and the model does not */
    size_t n_words;
    const char *validation; /* texts that are not trained on, or NULL */
    const char *from; /* a model to go on from, with its tokenizer; NULL: weights at random */
    const char *out;
    enum decoder_loss loss;
    int64_t vocab, width, layers; /* without `from` */
    double rope_theta;            /* the same */
    int64_t batch, max_length;
    double weight_decay;
    struct pace pace;
    uint64_t seed;
    enum th_dtype dtype; /* of the file */
};

MUST_USE int decoder_train(const struct decoder_job *job, struct err *e);

#endif
