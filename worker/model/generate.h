/* Greedy decoding of a batch of prompts of unequal length. */
#ifndef ACSWEEP_WORKER_MODEL_GENERATE_H
#define ACSWEEP_WORKER_MODEL_GENERATE_H

#include "worker/model/llama.h"

/* Called for each token as it is chosen, in order for each row; not for the token that stops it. -1 ends the run with
 * what `e` says. */
typedef int generate_token_fn(void *arg, int64_t row, int32_t token, struct err *e);

struct generate_options {
    int64_t max_new_tokens;
    int64_t context; /* tokens that a row may come to, its prompt among them: llama_context(); 0 = any number */
    const int32_t *stop; /* ids that end an answer; with n_stop 0 those of the model's configuration */
    size_t n_stop;
    bool no_cache;            /* read everything again for every token: to compare with */
    generate_token_fn *token; /* may be NULL */
    void *arg;
};

struct generated {
    int32_t *tokens; /* malloc'ed; without the token that stopped it */
    size_t n;
    bool stopped; /* at a stop token, not at max_new_tokens or the context's end */
};

/* x (B,N,D), embeddings with the padding on the right; lengths (B), each at least 1, or NULL for N each. Fills
 * out[0 .. B-1], which generated_free frees; on error nothing is left in it. ERR_INPUT for a prompt that fills the context.
 * The most probable token is taken, and of
 * equally probable ones the smallest id. */
MUST_USE int llama_generate(const struct llama *m, struct tensor *x, const int64_t *lengths,
                            const struct generate_options *o, struct generated *out, struct err *e);
void generated_free(struct generated *list, size_t n);

#endif
