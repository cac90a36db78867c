/* Ridge regression from features to classes: how much a linear reader finds in frozen features. Plain C. */
#ifndef ACSWEEP_WORKER_PRETRAIN_RIDGE_H
#define ACSWEEP_WORKER_PRETRAIN_RIDGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct ridge_data {
    size_t n, width, classes;
    const float *features; /* (n,width) */
    const int32_t *labels; /* (n), from 0 to classes - 1 */
};
struct ridge_score {
    double top1, top5; /* shares of the test rows */
};
/* Features are brought to mean 0 and deviation 1 (of `train`); one-hot labels are regressed on them and a constant,
 * with a penalty of `lambda` for each row of `train`; the largest of the outputs is the answer. */
MUST_USE int ridge_classify(const struct ridge_data *train, const struct ridge_data *test, double lambda,
                            struct ridge_score *out, struct err *e);

#endif
