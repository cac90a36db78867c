/* RGB pixels -> JPEG: for thumbnails. */
#ifndef ACSWEEP_WORKER_DATA_JPEG_WRITE_H
#define ACSWEEP_WORKER_DATA_JPEG_WRITE_H

#include "common/buf.h"
#include "worker/data/image.h"

/* Append the file's bytes to `to`; quality 1..100. ERR_ENV when it passes its limit or memory is short. */
MUST_USE int jpeg_encode(const struct image *im, int quality, struct buf *to, struct err *e);

#endif
