/* Private to the readers of worker/data: one source of bytes, and what all formats check before they allocate. */
#ifndef ACSWEEP_WORKER_DATA_IMAGE_CODEC_H
#define ACSWEEP_WORKER_DATA_IMAGE_CODEC_H

#include "worker/data/image.h"

struct image_source {
    const uint8_t *bytes;
    size_t len;
    const char *name;
    uint64_t max_pixels;
    struct err *e;
};

/* Is a picture of this size allowed? */
MUST_USE int image_check_size(const struct image_source *s, uint64_t width, uint64_t height);
/* And can `len` bytes hold `least` of them? Then allocate it. */
MUST_USE int image_claim(const struct image_source *s, uint64_t width, uint64_t height, uint64_t least,
                         struct image *out);
/* The one text for files that end too soon. */
int image_truncated(const struct image_source *s, const char *format);

MUST_USE int image_read_jpeg(const struct image_source *s, struct image *out);
MUST_USE int image_read_png(const struct image_source *s, struct image *out);
MUST_USE int image_read_webp(const struct image_source *s, struct image *out);

#endif
