/* Words that are heard as an encoder's tokens are: not as clear as a word, and each a little of all. A decoder that was told
 * pictures in clear words alone makes little of what a connector at its beginning says, and the connector then learns names in
 * many more steps. */
#ifndef ACSWEEP_WORKER_PRETRAIN_SOFT_H
#define ACSWEEP_WORKER_PRETRAIN_SOFT_H

#include "worker/torch/th.h"

#define SOFT_NOISE_MOST 3.0

struct soft_row {
    int64_t begin, end; /* tokens [begin, end) are softened; equal: none */
    double own;         /* 0..1: of what a token is itself; the rest is the mean of all of these */
    double noise;       /* normal, as long as so many times the token */
};

/* What row `number` of a training's stream gets: own from 0..1, noise from 0..SOFT_NOISE_MOST, evenly. */
struct soft_row soft_row_at(uint64_t seed, uint64_t number, int64_t begin, int64_t end);

/* Embeddings x (B,N,D), with as many rows -> the same, softened. Errors are the thread's. */
struct tensor *soft_words(struct tensor *x, const struct soft_row *rows, struct th_rng *rng);

#endif
