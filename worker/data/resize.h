/* Pillow's resize of 8-bit pictures, to the bit: Image.resize(size, resample) of mode RGB.
 *
 * The formula (Pillow, src/libImaging/Resample.c): a filter of support s is stretched by the scale when shrinking
 * (antialiasing); its weights at the pixel centres that it reaches are normalised to sum 1, rounded to 22 binary
 * digits, applied along rows, rounded and clipped to 8 bits, then along columns in the same way.
 *
 * Rows first is what every Pillow up to 12.1 does, and what published checkpoints and features were made with.
 * From 12.2 on Pillow takes the columns first where that is faster (much shorter, not much narrower), with other
 * rounding. */
#ifndef ACSWEEP_WORKER_DATA_RESIZE_H
#define ACSWEEP_WORKER_DATA_RESIZE_H

#include "worker/data/image.h"

enum resample { /* Pillow's numbers, as in preprocessor_config.json */
                RESAMPLE_NEAREST = 0,
                RESAMPLE_LANCZOS = 1,  /* support 3 */
                RESAMPLE_BILINEAR = 2, /* support 1 */
                RESAMPLE_BICUBIC = 3,  /* a = -0.5, support 2 */
                RESAMPLE_BOX = 4,      /* support 1/2 */
                RESAMPLE_HAMMING = 5,  /* support 1 */
                RESAMPLE_COUNT
};

/* A picture of width x height, of which only the part from left, top is wanted. The whole is never built, so it may be
 * far larger than what memory holds. */
struct resize_to {
    uint64_t width, height; /* of the whole */
    uint64_t left, top;     /* of the part */
    uint32_t part_width, part_height;
};

/* Fill `out` (which must be empty); `in` stays as it is. */
MUST_USE int resize_image(const struct image *in, uint32_t width, uint32_t height, enum resample how, struct image *out,
                          struct err *e);
/* The part's pixels are those that resize_image and a crop would give. ERR_BUG when the part is not inside the whole.
 */
MUST_USE int resize_part(const struct image *in, const struct resize_to *to, enum resample how, struct image *out,
                         struct err *e);

#endif
