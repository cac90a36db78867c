/* Correspondence pictures as a result brings them (worker/score/c_album.h has the format): bytes from outside -> plain
 * data.
 *
 * What comes out can be drawn as it is: numbers are finite and bounded, points belong to their pair, maps are complete,
 * and the texts of thumbnails are base64 of JPEGs of a modest size. Names are any text; escape them. Unknown keys are
 * passed over. */
#ifndef ACSWEEP_REPORT_PICTURES_H
#define ACSWEEP_REPORT_PICTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

enum {
    PICTURES_PAIRS_MAX = 16,
    PICTURES_POINTS_MAX = 30,
    PICTURES_SIDE_MAX = 64,
    PICTURES_THUMBNAILS_MAX = 2 * PICTURES_PAIRS_MAX,
    PICTURES_THUMBNAIL_EDGE = 1024, /* pixels; a browser must unpack it */
    PICTURES_BYTES_MAX = 1 << 20,
};

struct picture_side {
    const char *image; /* name, to find its thumbnail by */
    double width, height;
};
struct picture_point {
    int point;
    double source[2], target[2], predicted[2]; /* x, y in pixels of the picture */
    bool correct;
};
struct picture_map { /* similarities of the target's cells with one point of the source */
    size_t point;    /* index into the pair's points */
    int side;
    double low, high, box[4]; /* what 0 and 255 stand for; x, y, w, h in pixels of the target */
    uint8_t cells[PICTURES_SIDE_MAX * PICTURES_SIDE_MAX]; /* side x side of them */
};
struct picture_pair {
    const char *pair, *category;
    struct picture_side source, target;
    double limit[2]; /* radii, in pixels of the target, within which a point is correct */
    struct picture_point points[PICTURES_POINTS_MAX];
    size_t n_points; /* never 0 */
    struct picture_map map;
};
/* Of one representation. */
struct pictures {
    double alpha;
    struct picture_pair *pairs;
    size_t n_pairs;
    void *texts; /* owner of the names */
};

/* NULL with ERR_INPUT that begins with `name` and says where the bytes are wrong. */
struct pictures *pictures_parse(const char *bytes, size_t len, const char *name, struct err *e);
void pictures_free(struct pictures *p);
DEFINE_CLEANUP(pictures_free, struct pictures *)

struct thumbnail {
    const char *image, *jpeg; /* base64 */
};
struct thumbnails {
    struct thumbnail *all;
    size_t n;
    void *texts;
};

struct thumbnails *thumbnails_parse(const char *bytes, size_t len, const char *name, struct err *e);
void thumbnails_free(struct thumbnails *t);
DEFINE_CLEANUP(thumbnails_free, struct thumbnails *)

#endif
