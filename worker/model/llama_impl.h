/* For llama*.c only: the weights of a decoder, and how a pass reads. */
#ifndef ACSWEEP_WORKER_MODEL_LLAMA_IMPL_H
#define ACSWEEP_WORKER_MODEL_LLAMA_IMPL_H

#include "worker/model/llama.h"

struct llama_block {
    const struct llama *model; /* for th_recompute, which hands on one pointer */
    struct tensor *norm1, *norm2;
    struct linear linear[LLAMA_LAYERS];
};

struct llama_weights {
    struct tensor *embed; /* (V,D) */
    struct tensor *norm;
    struct linear head; /* w is embed where they are tied */
    struct llama_block *blocks;
};

struct llama {
    struct llama_config config;
    struct llama_options options;
    struct params *params;
    struct llama_weights w;
};

/* Declare all tensors of a published checkpoint. (llama_names.c; no libtorch) */
void llama_want(struct params *p, const struct llama_config *c, struct llama_weights *w);

/* ---- positions (llama_rope.c) ---------------------------------------------------------------------------------------
 */

struct rope {
    struct tensor *cos, *sin; /* (B or 1,1,N,head_dim) in the model's dtype */
};
/* For tokens at positions[rows][n], of a text that has `length` tokens by now. */
struct rope llama_rope_at(const struct llama *m, const int64_t *positions, int64_t rows, int64_t n, int64_t length);
/* For the tokens 0 .. n-1 of a text of n. */
struct rope llama_rope_plain(const struct llama *m, int64_t n);

/* ---- a pass (llama_cache.c) -----------------------------------------------------------------------------------------
 */

/* What all blocks of a pass share. */
struct reading {
    struct rope queries, keys;
    struct tensor *mask; /* (B,1,N,M) of bool, or NULL: causal */
    struct llama_cache *cache;
    int64_t at, n; /* columns of the cache that this pass fills */
};

/* Prepare pass `p` of x (B,N,D); its columns count as read. False on error. */
bool llama_reading_begin(const struct llama *m, struct tensor *x, struct llama_pass p, struct reading *out);
/* Keys and values (B,Hk,N,hd) of block `i` as its queries see them: rotated, with those of the cache before them. */
void llama_reading_keys(const struct reading *r, int64_t i, struct tensor **k, struct tensor **v);

#endif
