/* Any bytes as a picture: refused with its name and a reason, or read, turned as its EXIF asks, and shrunk. */
#include <stdlib.h>
#include <string.h>

#include "worker/data/resize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    struct image_options o = { .max_pixels = 1 << 18, .exif_rotate = true }; /* a round must be short */
    AUTO(image_free) struct image im = { 0 }, small = { 0 };
    if (image_decode(data, size, "fuzz.jpg", &o, &im, &e) < 0) {
        if (e.kind != ERR_INPUT || strncmp(e.text, "fuzz.jpg: ", 10) != 0 || im.pixels)
            abort();
        return 0;
    }
    if (!im.pixels || !im.width || !im.height || (uint64_t)im.width * im.height > o.max_pixels)
        abort();
    if (resize_image(&im, 7, 5, RESAMPLE_BICUBIC, &small, &e) < 0)
        abort();
    return 0;
}
