/* For encoder*.c only. */
#ifndef ACSWEEP_WORKER_PRETRAIN_ENCODER_IMPL_H
#define ACSWEEP_WORKER_PRETRAIN_ENCODER_IMPL_H

#include "worker/data/preprocess.h"
#include "worker/model/vit.h"
#include "worker/pretrain/encoder.h"

/* {"n": pictures, "top1": share, "top5": share}: how often the name of the only concept of a validation picture is the
 * nearest of all names, or among the nearest five. NULL on error. New reference. */
struct zero_shot {
    const struct vit *vit;
    const struct heads *heads;
    const struct vocabulary *vocabulary;
    const struct pairs *pairs;
    const struct preprocess *preprocess;
};
MUST_USE json_t *zero_shot_measure(const struct zero_shot *z, struct err *e);

/* The file that transformers' image processor of this family reads. New reference; NULL without memory. */
json_t *encoder_preprocessor(enum vit_family f, int64_t resolution);

#endif
