#include "worker/data/preprocess.h"

#include <math.h>
#include <string.h>

void preprocess_output(const struct preprocess *p, uint32_t *width, uint32_t *height)
{
    *width = p->crop ? p->crop_width : p->width;
    *height = p->crop ? p->crop_height : p->height;
}

size_t preprocess_floats(const struct preprocess *p)
{
    uint32_t width, height;
    preprocess_output(p, &width, &height);
    return (size_t)3 * width * height;
}

struct letterbox preprocess_letterbox(uint32_t width, uint32_t height, uint32_t edge)
{
    struct letterbox b = { 0, 0, edge, edge };
    uint32_t *other = width > height ? &b.height : &b.width;
    uint32_t longer = width > height ? width : height, shorter = width > height ? height : width;
    *other = (uint32_t)nearbyint((double)edge * shorter / longer);
    *other = *other ? *other : 1;
    b.left = (edge - b.width) / 2;
    b.top = (edge - b.height) / 2;
    return b;
}

/* ---- where the pixels come from and go to -------------------------------------------------------------------------
 */

/* One direction: of a whole of `whole` lines, `n` from `from` on are put at `at`. */
struct cut {
    uint64_t whole, from;
    uint32_t n, at;
};

static struct cut crop_centre(uint64_t whole, uint32_t crop)
{
    if (whole >= crop)
        return (struct cut){ whole, (whole - crop) / 2, crop, 0 };
    return (struct cut){ whole, 0, (uint32_t)whole, (uint32_t)(crop - whole + 1) / 2 };
}

static uint64_t stretched(uint32_t edge, uint32_t shorter, uint32_t shortest)
{
    return (uint64_t)((double)((uint64_t)shortest * edge) / shorter);
}

static void make_cuts(const struct preprocess *p, const struct image *im, struct cut *across, struct cut *down)
{
    uint64_t width = im->width, height = im->height;
    if (p->fit == PREPROCESS_TO_BOX) {
        struct letterbox b = preprocess_letterbox(im->width, im->height, p->width);
        *across = (struct cut){ b.width, 0, b.width, b.left };
        *down = (struct cut){ b.height, 0, b.height, b.top };
        return;
    }
    if (p->fit == PREPROCESS_TO_SIZE) {
        width = p->width;
        height = p->height;
    } else if (p->fit == PREPROCESS_TO_SHORTEST) {
        uint32_t shorter = im->width < im->height ? im->width : im->height;
        width = im->width == shorter ? p->shortest : stretched(im->width, shorter, p->shortest);
        height = im->height == shorter ? p->shortest : stretched(im->height, shorter, p->shortest);
    }
    uint32_t out_width, out_height;
    preprocess_output(p, &out_width, &out_height);
    *across = crop_centre(width, out_width);
    *down = crop_centre(height, out_height);
}

/* ---- steps --------------------------------------------------------------------------------------------------------
 */

static int pad_to_square(const struct preprocess *p, const struct image *im, struct image *out, struct err *e)
{
    uint64_t edge = im->width > im->height ? im->width : im->height;
    if (edge > IMAGE_MAX_PIXELS / edge)
        return FAIL(e, ERR_INPUT, "padded to a square, this picture of %u x %u would have more than %llu pixels",
                    im->width, im->height, (unsigned long long)IMAGE_MAX_PIXELS);
    TRY(image_create((uint32_t)edge, (uint32_t)edge, out, e));
    uint8_t *to = out->pixels;
    for (uint64_t i = 0; i < edge * edge; i++, to += 3)
        memcpy(to, p->pad_colour, 3);
    size_t left = (edge - im->width) / 2, top = (edge - im->height) / 2;
    for (size_t y = 0; y < im->height; y++)
        memcpy(out->pixels + ((top + y) * edge + left) * 3, im->pixels + y * im->width * 3, (size_t)im->width * 3);
    return 0;
}

/* The part's pixels through the table; black around it. */
static void place(const struct preprocess *p, const struct image *part, uint32_t left, uint32_t top, float *chw)
{
    uint32_t width, height;
    preprocess_output(p, &width, &height);
    size_t plane = (size_t)width * height;
    bool whole = part->width == width && part->height == height;
    for (int c = 0; c < 3; c++) {
        const float *value = p->value[c];
        float *to = chw + c * plane;
        for (size_t i = 0; !whole && i < plane; i++)
            to[i] = value[0];
        const uint8_t *from = part->pixels + c;
        for (size_t y = 0; y < part->height; y++) {
            float *line = to + (top + y) * width + left;
            for (size_t x = 0; x < part->width; x++, from += 3)
                line[x] = value[*from];
        }
    }
}

int preprocess_apply(const struct preprocess *p, const struct image *im, float *chw, struct err *e)
{
    AUTO(image_free) struct image square = { 0 };
    if (p->pad && im->width != im->height) {
        TRY(pad_to_square(p, im, &square, e));
        im = &square;
    }
    struct cut across, down;
    make_cuts(p, im, &across, &down);
    struct resize_to to = { across.whole, down.whole, across.from, down.from, across.n, down.n };
    AUTO(image_free) struct image part = { 0 };
    TRY(resize_part(im, &to, p->resample, &part, e));
    place(p, &part, across.at, down.at, chw);
    return 0;
}
