/* Private to worker/data: how a set is put together. */
#ifndef ACSWEEP_WORKER_DATA_IMAGE_SET_BUILD_H
#define ACSWEEP_WORKER_DATA_IMAGE_SET_BUILD_H

#include "worker/data/image_set.h"

/* Empty, of this directory, which must exist. */
MUST_USE struct image_set *image_set_create(const char *dir, struct err *e);
/* Append a clean relative path (copied), or count it as a duplicate. */
MUST_USE int image_set_add(struct image_set *s, const char *path, struct err *e);
struct image_set_counts *image_set_tally(struct image_set *s);
/* By the bytes of the paths. */
MUST_USE int image_set_sort(struct image_set *s, struct err *e);
/* Check that it is not empty and compute the digest; `what` stands for the source in messages. */
MUST_USE int image_set_finish(struct image_set *s, const char *what, struct err *e);

#endif
