/* What a training computes, and nothing about how: two runs with the same recipe, data and checkpoints come to the same
 * weights, whatever the number of devices and the samples that fit on one. The names are those of a sweep's stage1 and
 * stage2 sections (docs/config.md); the defaults are LLaVA-1.5's (scripts/v1_5/pretrain.sh and finetune.sh).
 *
 * A step's loss is the mean over `chunks` parts of the global batch of each part's mean over its target tokens. That is
 * what Hugging Face's Trainer computes when a part is what one device takes at a time; LLaVA trains on 8 devices, so
 * there are 8 parts. How many samples are computed together is nobody's business: a label has its part's weight. */
#ifndef ACSWEEP_WORKER_TRAIN_RECIPE_H
#define ACSWEEP_WORKER_TRAIN_RECIPE_H

#include <jansson.h>

#include "common/err.h"
#include "common/own.h"

enum train_stage { TRAIN_STAGE1, TRAIN_STAGE2 };
enum train_tune { TRAIN_CONNECTOR, TRAIN_FULL, TRAIN_LORA };
enum train_schedule { TRAIN_COSINE, TRAIN_LINEAR, TRAIN_CONSTANT };
enum train_optimizer { TRAIN_ADAMW, TRAIN_SGD };
enum train_precision { TRAIN_BF16, TRAIN_FP16, TRAIN_FP32 };
enum train_template { TRAIN_PLAIN, TRAIN_V1 };
enum train_sampler { TRAIN_RANDOM, TRAIN_GROUPED };

struct train_recipe {
    int stage, tune, schedule, optimizer, precision, template, sampler; /* the enums above */
    int64_t samples;    /* the first ones of the data; 0 = all */
    int64_t batch;      /* samples of a step */
    int64_t chunks;     /* parts of a batch, see above; 0 = the greatest common divisor of 8 and batch */
    int64_t max_length; /* tokens, pictures expanded */
    int64_t lora_rank;
    int64_t seed;
    double epochs, learning_rate, warmup_ratio, weight_decay, grad_clip, lora_alpha; /* grad_clip 0: none */
    double connector_learning_rate; /* stage 2: LLaVA's mm_projector_lr; 0 = learning_rate */
};

struct train_recipe train_recipe_default(enum train_stage stage);
/* Values that fit together; fills in `chunks`. ERR_INPUT names the key. */
MUST_USE int train_recipe_check(struct train_recipe *r, struct err *e);

/* All keys as JSON (new reference; NULL without memory), and back: keys that are missing keep their value, ERR_INPUT
 * for values of another type and for names that a choice does not have. Keys that are unknown are not looked at. */
json_t *train_recipe_json(const struct train_recipe *r);
MUST_USE int train_recipe_read(struct train_recipe *r, const json_t *from, struct err *e);

/* Steps of the whole training on `n` samples: epochs times ceil(n / batch), rounded up, as Trainer does. */
int64_t train_recipe_steps(const struct train_recipe *r, size_t n);
/* The learning rate of step 0 .. steps-1: up from 0 over the first ceil(warmup_ratio steps) of them, then down to 0 along
 * half a cosine (transformers, get_cosine_schedule_with_warmup). So the first step's is 0. */
double train_recipe_rate(const struct train_recipe *r, int64_t steps, int64_t step);

const char *train_stage_name(int stage); /* "stage1", "stage2" */

#endif
