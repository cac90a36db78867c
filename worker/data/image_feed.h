/* Image set -> what an encoder is given: the `make` of decode_ahead for pictures.
 *
 *     struct image_feed feed = { .set = set, .first = range.first, .preprocess = &p };
 *     struct decode_ahead_job job = { .n = range.count, .floats = preprocess_floats(&p), .make = image_feed_make,
 *                                     .arg = &feed }; */
#ifndef ACSWEEP_WORKER_DATA_IMAGE_FEED_H
#define ACSWEEP_WORKER_DATA_IMAGE_FEED_H

#include "worker/data/image_set.h"
#include "worker/data/preprocess.h"

struct image_feed {
    const struct image_set *set;
    size_t first; /* the set's number of item 0 */
    const struct preprocess *preprocess;
    struct image_options options;
};

/* `arg` is a struct image_feed, which is only read. */
int image_feed_make(void *arg, size_t i, float *out, struct err *e);

#endif
