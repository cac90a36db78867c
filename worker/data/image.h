/* Pictures as bytes: RGB, 8 bits, rows from the top, no gaps. Reads JPEG, PNG and WebP from memory or a file.
 *
 * The pixels are those of Pillow's `Image.open(f).convert("RGB")`, which is what LLaVA and the Hugging Face processors
 * are given: alpha is dropped and not blended, a palette gives its colours (black beyond its end), 16-bit grey is
 * clipped at 255 and not scaled, 16-bit colour keeps its high byte, CMYK JPEGs are read as inverted, an animated WebP
 * gives its first frame, embedded colour profiles and gamma are ignored.
 *
 * What is refused although Pillow takes it: a PNG with fewer rows than its header states, and a header that states more
 * pixels than its bytes can hold. A JPEG that ends without its end marker is refused by both; one whose data is damaged
 * in the middle is taken by both, with grey where nothing could be read. */
#ifndef ACSWEEP_WORKER_DATA_IMAGE_H
#define ACSWEEP_WORKER_DATA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

#define IMAGE_MAX_EDGE 1000000u              /* pixels of one edge, whatever the options say */
#define IMAGE_MAX_PIXELS UINT64_C(178956970) /* default limit: where Pillow speaks of a decompression bomb */
#define IMAGE_MAX_BYTES (UINT64_C(256) << 20)

/* Plain memory, {0} = none. */
struct image {
    uint32_t width, height;
    uint8_t *pixels; /* (height, width, 3), malloc'ed */
};

/* {0} is the default. */
struct image_options {
    uint64_t max_pixels; /* 0 = IMAGE_MAX_PIXELS; checked before any pixel is allocated */
    uint64_t max_bytes;  /* of the file; 0 = IMAGE_MAX_BYTES */
    /* Turn the picture as its EXIF orientation asks. Off, as in LLaVA's training and evaluation code and in the
     * processors themselves; transformers' load_image() and newer versions of Hugging Face datasets do turn. */
    bool exif_rotate;
};

/* Fill `out` (which must be empty). ERR_INPUT names the file and the remedy; ERR_ENV without memory. */
MUST_USE int image_load(const char *path, const struct image_options *o, struct image *out, struct err *e);
/* The same from bytes; `name` stands for the file in messages. */
MUST_USE int image_decode(const void *bytes, size_t len, const char *name, const struct image_options *o,
                          struct image *out, struct err *e);

/* An image of this size, its pixels zero. ERR_INPUT beyond IMAGE_MAX_EDGE or for an empty one. */
MUST_USE int image_create(uint32_t width, uint32_t height, struct image *out, struct err *e);
void image_free(struct image *im);
static inline UNUSED void image_free_cleanup(struct image *im)
{
    image_free(im);
}

/* Turn in place as EXIF orientation 1..8 asks (2 = mirrored, 3 = upside down, 6 = lies on its left side, ...). */
MUST_USE int image_orient(struct image *im, int orientation, struct err *e);

#endif
