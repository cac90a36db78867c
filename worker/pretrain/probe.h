/* What a linear reader finds in an encoder's features: the name of the one concept of each picture, by ridge regression
 * from the mean of the patches' tokens; beside it what the same encoder with weights at random gives, which is the
 * floor. */
#ifndef ACSWEEP_WORKER_PRETRAIN_PROBE_H
#define ACSWEEP_WORKER_PRETRAIN_PROBE_H

#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "worker/pretrain/ridge.h"

struct probe_job {
    const char *encoder; /* in Hugging Face layout, with preprocessor_config.json */
    const char *data, *validation, *images;
    int layer;
    double lambda;
    uint64_t seed; /* of the weights at random */
};
struct probe_result {
    struct ridge_score trained, random;
    double constant; /* always the name that most of the training pictures have */
    size_t train, test, classes;
};
MUST_USE int probe_encoder(const struct probe_job *j, struct probe_result *out, struct err *e);

#endif
