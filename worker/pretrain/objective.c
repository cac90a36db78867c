#include "worker/pretrain/objective.h"

#include <string.h>

static const struct objective objectives[] = {
    { .name = "clip",
      .family = VIT_CLIP,
      .views = 1,
      .captions = true,
      .rules = { .smallest = 0.8, .stretch = 0.1, .turn = 8, .light = 0.1, .contrast = 0.15, .colour = 0.05 },
      .batch = 128,
      .want = contrast_want,
      .first_scale = 14.3, /* 1 / 0.07 */
      .loss = clip_loss },
    { .name = "siglip",
      .family = VIT_SIGLIP,
      .views = 1,
      .captions = true,
      .rules = { .smallest = 0.8, .stretch = 0.1, .turn = 8, .light = 0.1, .contrast = 0.15, .colour = 0.05 },
      .batch = 128,
      .want = contrast_want,
      .first_scale = 10,
      .first_bias = -4, /* -10 is right for batches of thousands */
      .loss = siglip_loss },
    { .name = "dense",
      .family = VIT_DINOV2,
      .views = 2,
      .rules = { .smallest = 0.5,
                 .stretch = 0.3,
                 .turn = 20,
                 .light = 0.15,
                 .contrast = 0.3,
                 .colour = 0.25,
                 .grey = 0.1 },
      .batch = 64,
      .want = dense_want,
      .first_scale = 10,
      .loss = dense_loss },
};

const struct objective *objective_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(objectives); i++)
        if (strcmp(objectives[i].name, name) == 0)
            return &objectives[i];
    return NULL;
}

#define NEVER (-1e4) /* a logit that counts for nothing */

struct tensor *info_nce(struct tensor *a, struct tensor *b, struct tensor *scale, struct tensor *skip)
{
    TH_SCOPE(s);
    struct tensor *logits = th_mul(th_matmul(a, th_transpose(b, 0, 1)), scale); /* (M,M) */
    struct tensor *own = th_arange(0, (double)th_size(a, 0), 1, TH_I64, TH_CPU);
    if (skip)
        logits = th_masked_fill(logits, skip, NEVER);
    struct tensor *there = th_cross_entropy(logits, own, -1);
    struct tensor *back = th_cross_entropy(th_transpose(logits, 0, 1), own, -1);
    return th_return(&s, th_mul_s(th_add(there, back), 0.5));
}
