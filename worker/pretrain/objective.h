/* What an encoder learns by. An objective is a row of a table: which family of encoders it makes, how many views of a
 * picture it compares, how far these may differ, what is trained beside the encoder, and the loss. */
#ifndef ACSWEEP_WORKER_PRETRAIN_OBJECTIVE_H
#define ACSWEEP_WORKER_PRETRAIN_OBJECTIVE_H

#include "worker/model/vit_config.h"
#include "worker/pretrain/pairs.h"
#include "worker/pretrain/view.h"

/* Two layers between a token and a comparison, so that the token itself need not forget what the comparison does not
 * ask for. */
struct projector {
    struct linear in, out;
};

/* What is trained beside the encoder and dropped afterwards. An objective has some of these. */
struct heads {
    struct params *params;
    struct tensor *words;            /* (V,D), a row for each word */
    struct linear picture, text;     /* (D,D), into the space that both share */
    struct tensor *log_scale, *bias; /* (1) */
    struct projector of_whole;       /* on the class token */
};

/* A step's batch: B pictures in K views. */
struct lesson {
    const struct heads *heads;
    struct tensor *tokens; /* (K B, prefix + grid^2, D) under the final norm; row k B + b is view k of picture b */
    size_t n;              /* B */
    const struct pair *const *pairs; /* [B] */
    const struct view *views;        /* [K B] */
    int64_t grid, prefix;
    double word_dropout; /* how often a word that names no concept is left out */
    struct dice dice;    /* this step's */
};

struct objective {
    const char *name;
    enum vit_family family;
    int views;
    bool captions; /* it reads them */
    struct view_rules rules;
    int64_t batch; /* unless the user says otherwise */
    void (*want)(struct heads *h, int64_t width, int64_t words);
    double first_scale, first_bias;                 /* of log_scale (as a factor) and bias */
    struct tensor *(*loss)(const struct lesson *l); /* one number; the thread's error */
};
/* "clip", "siglip", "dense"; NULL for other names. */
const struct objective *objective_find(const char *name);

/* ---- contrast.c: pictures and captions ------------------------------------------------------------------------------
 * InfoNCE (Radford et al. 2021, section 2.3) and the sigmoid loss (Zhai et al. 2023, algorithm 1). The text tower is
 * the mean of its words' embeddings and a linear layer; the picture's embedding is the mean of all tokens and a linear
 * layer. A caption that happens to be true of another picture of the batch is no counterexample for it: such pairs do
 * not count. */

void contrast_want(struct heads *h, int64_t width, int64_t words);
struct tensor *clip_loss(const struct lesson *l);
struct tensor *siglip_loss(const struct lesson *l);
/* tokens (B,N,D) -> (B,D), of length 1 */
struct tensor *contrast_pictures(const struct heads *h, struct tensor *tokens);
/* n texts -> (n,D), of length 1; a text without words is the zero vector's image */
struct tensor *contrast_texts(const struct heads *h, const struct ids *texts, size_t n);

/* ---- dense.c: two views of one picture ------------------------------------------------------------------------------
 * InfoNCE between the tokens that both views have at the same place of the picture, read between the patches' middles,
 * against other places of the batch and of the same picture; and between their class tokens, through a projector (Chen
 * et al. 2020). It stands for DINOv2's objectives, which need far more steps than a minute has. */

void dense_want(struct heads *h, int64_t width, int64_t words);
struct tensor *dense_loss(const struct lesson *l);

/* ---- both
 * ------------------------------------------------------------------------------------------------------------ Cross
 * entropy both ways between rows a_i and b_i, (M,D) each of length 1, scale times their products. skip: bool (M,M),
 * true where i and j are no counterexamples (never on the diagonal); or NULL. */
struct tensor *info_nce(struct tensor *a, struct tensor *b, struct tensor *scale, struct tensor *skip);

#endif
