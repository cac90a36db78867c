/* RGB pixels -> PNG: for reports and for made-up image sets. The same pixels give the same bytes with the same zlib. */
#ifndef ACSWEEP_WORKER_DATA_PNG_WRITE_H
#define ACSWEEP_WORKER_DATA_PNG_WRITE_H

#include "common/buf.h"
#include "worker/data/image.h"

/* How hard zlib tries: small pictures get a tenth larger by PNG_FAST, in half the time. */
enum { PNG_FAST = 1, PNG_SMALL = 6 };

/* Append the file's bytes to `to`; ERR_ENV when it passes its limit. */
MUST_USE int png_encode(const struct image *im, int level, struct buf *to, struct err *e);
/* PNG_SMALL, written beside `path` and renamed: the file is there whole or not at all. Not synced. */
MUST_USE int png_write(const char *path, const struct image *im, struct err *e);

#endif
