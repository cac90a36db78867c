/* Trains a small encoder from nothing and writes it as published ones are: CLIPVisionModel, SiglipVisionModel or
 * Dinov2Model in Hugging Face layout, with preprocessor_config.json, and training.json that says how it came about. The
 * projections beside the encoder are not kept. */
#ifndef ACSWEEP_WORKER_PRETRAIN_ENCODER_H
#define ACSWEEP_WORKER_PRETRAIN_ENCODER_H

#include "worker/pretrain/objective.h"
#include "worker/pretrain/pace.h"
#include "worker/torch/th.h"

struct encoder_job {
    const struct objective *objective;
    const char *data, *images;
    const char *validation; /* pairs that are not trained on, or NULL */
    const char *out;
    int64_t resolution, patch, width, layers, batch;
    double word_dropout, weight_decay;
    struct pace pace;
    uint64_t seed;
    enum th_dtype dtype; /* of the file */
};

MUST_USE int encoder_train(const struct encoder_job *job, struct err *e);

#endif
