/* Key-point pairs in SPair-71k's layout: what the C score is computed from.
 *
 *     JPEGImages/<category>/<name>.jpg               the pictures (.png and others are fine: the pair names the file)
 *     ImageAnnotation/<category>/<name>.json         "kps": {"0": [x, y] or null, ... "29"}
 *     PairAnnotation/<split>/<id>-<a>-<b>:<category>.json   category, src_imname, trg_imname, src_imsize, trg_imsize
 *                                                    ([W, H, C]), src_bndbox, trg_bndbox ([x1, y1, x2, y2])
 *
 * As in the authors' reader, the points come from ImageAnnotation and the sizes and boxes from the pair. Coordinates
 * are pixels of the picture, as written. A file that lacks something or contradicts another is an error that names it.
 */
#ifndef ACSWEEP_WORKER_DATA_SPAIR_H
#define ACSWEEP_WORKER_DATA_SPAIR_H

#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/own.h"

#define SPAIR_POINTS 30

struct spair_image {
    const char *path; /* "JPEGImages/<category>/<file>", as in image_set_spair */
    const char *category;
    uint32_t points;                         /* bit i: point i is there */
    double x[SPAIR_POINTS], y[SPAIR_POINTS]; /* 0 where it is not */
};

struct spair_side {
    const struct spair_image *image;
    uint32_t width, height; /* as the pair's file states it */
    double box[4];          /* x1, y1, x2, y2 with x1 < x2 and y1 < y2 */
};

struct spair_pair {
    const char *name; /* of its file, without ".json" */
    const char *category;
    struct spair_side source, target;
    uint32_t points; /* in both pictures; never 0 */
};

struct spair_category {
    const char *name;
    size_t first, count; /* of its pairs */
};

/* Read-only; everything lives as long as the whole. */
struct spair {
    const struct spair_pair *pairs; /* by category, then by name, both by bytes */
    size_t n_pairs;
    const struct spair_image *const *images; /* those of the pairs, by path */
    size_t n_images;
    const struct spair_category *categories; /* by name */
    size_t n_categories;
    struct arena memory;
};

/* `split` is a directory of PairAnnotation: trn, val or test. Looks that the pictures are there, but reads none. */
MUST_USE struct spair *spair_load(const char *dir, const char *split, struct err *e);
void spair_destroy(struct spair *s);
DEFINE_CLEANUP(spair_destroy, struct spair *)

/* Groups of points that are each other's mirror image (left and right eye, ...), each as a mask of points; NULL and 0
 * for a category that is not SPair-71k's. Points of no group stand alone. The table is that of the authors'
 * geometry-aware evaluation: a point common to both pictures is geometry-aware when its group has two points or more in
 * the target. */
const uint32_t *spair_symmetric(const char *category, size_t *n);

#endif
