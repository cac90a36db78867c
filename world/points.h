/* Key points of drawings. */
#ifndef ACSWEEP_WORLD_POINTS_H
#define ACSWEEP_WORLD_POINTS_H

#include "world/art.h"

#define POINTS_MOST 12
#define NO_POINT (-1)

/* A point of a sprite, in its pixels; x < 0: it is not there. */
struct point {
    int x, y;
};

/* Corners of the drawing, by themselves without meaning: at most one in each of 4 x 4 fields, the strongest first
 * (smaller eigenvalue of the structure tensor: Shi, Tomasi, Good features to track, 1994). How many there are. */
#define CORNERS_MOST 8
size_t points_corners(const struct sprite *s, struct point out[CORNERS_MOST]);

/* Drawings whose parts people named: what belongs together across drawings. */
struct annotated {
    uint32_t code;
    const char *hash; /* of the sprite that was looked at; where the font has another, its points are not known */
    struct point at[POINTS_MOST]; /* in the font's bitmap; x = NO_POINT where the part cannot be seen */
};
struct part_category {
    const char *name;
    const char *parts[POINTS_MOST];
    size_t n_parts;
    bool mirror; /* may it be mirrored? Not where left and right are parts */
    const struct annotated *drawings;
    size_t n;
};
size_t part_category_count(void);
const struct part_category *part_category_at(size_t i);

#endif
