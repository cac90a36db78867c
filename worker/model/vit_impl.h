/* For vit*.c only: the weights of a vision transformer. */
#ifndef ACSWEEP_WORKER_MODEL_VIT_IMPL_H
#define ACSWEEP_WORKER_MODEL_VIT_IMPL_H

#include "worker/model/vit.h"

struct vit_block {
    struct norm norm1, norm2;
    struct linear q, k, v, out;
    struct linear fc1, fc2;         /* with SwiGLU fc1 makes both halves: (2 mlp, D) */
    struct tensor *scale1, *scale2; /* LayerScale (D), or NULL */
};

struct vit_weights {
    struct tensor *class_token; /* D numbers, or NULL */
    struct tensor *registers;   /* (1,R,D), or NULL */
    struct linear patch;        /* w (D,C,P,P) */
    struct tensor *positions;   /* S + class token x D numbers, S the trained grid's patches */
    struct norm pre_norm, final_norm;
    struct vit_block *blocks;
};

/* What is loaded. */
struct vit_extent {
    int64_t blocks; /* the first so many */
    bool final_norm;
};

/* Declare all tensors of a published checkpoint; slots are w's, whose `blocks` has room for x.blocks. What lies beyond
 * the extent is known, not wanted. (vit_names.c; no libtorch) */
void vit_want(struct params *p, const struct vit_config *c, struct vit_extent x, struct vit_weights *w);
/* Where this family's names begin in that checkpoint; NULL: in one of our own. */
const char *vit_root(const struct vit_config *c, const struct weights *w);

/* Positions (1,N,D) for a grid of h x w patches; `square` when the picture is as high as wide. (vit_positions.c) */
struct tensor *vit_positions_for(const struct vit_config *c, enum vit_positions how, struct tensor *positions,
                                 int64_t h, int64_t w, bool square);

#endif
