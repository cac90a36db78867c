/* Drawing on RGB pictures in whole numbers only, so that every machine gets the same pixels. */
#ifndef ACSWEEP_WORLD_CANVAS_H
#define ACSWEEP_WORLD_CANVAS_H

#include "worker/data/image.h"
#include "world/art.h"
#include "world/concept.h"

#define FIX 65536 /* 1 in 16.16 fixed point */

/* x' = a x + b y + tx, y' = c x + d y + ty; all in 16.16. */
struct affine {
    int64_t a, b, c, d, tx, ty;
};
/* Where a sprite is put: it is mirrored, sheared, scaled, turned and moved, in this order, about its middle. */
struct pose {
    int x, y;          /* its middle, in 1/16 pixel */
    int width, height; /* of its box before it is turned, in 1/16 pixel */
    int degrees;       /* clockwise, -180..180 */
    int shear;         /* per cent of a pixel to the right for each pixel down */
    bool mirrored;
};
/* From pixels of the sprite to those of the picture. */
struct affine affine_of_pose(const struct pose *p, const struct sprite *s);
/* The point of the sprite's pixel coordinates (16.16) in the picture's (16.16). */
void affine_apply(const struct affine *m, int64_t x, int64_t y, int64_t *out_x, int64_t *out_y);

struct box {
    int left, top, right, bottom; /* right and bottom are outside */
};

struct rgb {
    uint8_t r, g, b;
};
struct rgb colour_rgb(enum colour c);

/* A colour with a slope of light and a little noise. */
void canvas_background(struct image *im, enum colour c, struct random *r);
/* Draw the sprite; *covered (may be NULL) is where it is more opaque than a quarter. False when that is nowhere. */
bool canvas_sprite(struct image *im, const struct sprite *s, const struct affine *m, struct box *covered);
void canvas_mask(struct image *im, const struct mask *m, int left, int top, struct rgb colour);
/* Every pixel times percent / 100. */
void canvas_darken(struct image *im, int percent);
/* Each pixel the mean of those up to `radius` away. */
MUST_USE int canvas_blur(struct image *im, int radius, struct err *e);
/* A filled dot of 2 r + 1 pixels, for pictures that people look at. */
void canvas_dot(struct image *im, int x, int y, int r, struct rgb colour);

#endif
