/* Correspondence pictures in a form so small that it travels inside a result: what the report draws them from.
 *
 * A representation's album, JSON:
 *
 *     {"format": "acsweep pictures 1", "members": ["clip", "dino"], "alpha": 0.1, "grid": 24,
 *      "pairs": [{"pair": "000001-2008_1-2009_3:cat", "category": "cat",
 *                 "source": {"image": "JPEGImages/cat/2008_1.jpg", "width": 500, "height": 375}, "target": {...},
 *                 "limit": [rx, ry],             correct is within this ellipse (a circle but for stretch_both)
 *                 "points": [{"point": 3, "source": [x, y], "target": [x, y], "predicted": [x, y], "correct": true}],
 *                 "map": {"point": 3, "side": 24, "low": 0.11, "high": 0.83, "box": [x, y, w, h],
 *                         "cells": base64 of side x side bytes, row by row: 0 is low, 255 is high}}]}
 *
 * and the pictures themselves, which all representations share:
 *
 *     {"format": "acsweep thumbnails 1", "images": [{"image": "JPEGImages/cat/2008_1.jpg", "jpeg": base64}]}
 *
 * All places are in pixels of the whole picture, which the thumbnail is drawn to fill; the map's box may reach beyond
 * it. Sizes for the default of 4 pairs, at most: 24 KiB an album, 220 KiB of thumbnails. */
#ifndef ACSWEEP_WORKER_SCORE_C_ALBUM_H
#define ACSWEEP_WORKER_SCORE_C_ALBUM_H

#include <jansson.h>

#include "worker/score/c_score.h"

enum {
    C_ALBUM_PAIRS = 4,      /* as many as a sweep's report shows when nothing is said */
    C_ALBUM_PAIRS_MAX = 12, /* with these thumbnails stay below what a result may carry */
    C_ALBUM_SIDE_MAX = 40,  /* cells of a map; finer ones are averaged by a whole factor */
};

/* Up to `n` pairs for pictures: spread over the categories, and in each the first by the SHA-256 of their names among
 * those with half as many points as the richest. So they depend on the set alone, are the same for every
 * representation, and are not picked for looking well. Fills out[] with places in set->pairs and returns how many there
 * are; 0 without memory. */
size_t c_album_choose(const struct spair *set, size_t n, size_t out[C_ALBUM_PAIRS_MAX]);

/* A list of albums, one for each representation of the job, of these pairs (each once). The map is that of the first
 * geometry-aware point, where encoders differ most (left eye or right eye?), else of the first point. Progress and
 * choice of pairs of the job are not used. */
json_t *c_album(const struct c_job *job, const size_t *pairs, size_t n, struct err *e);

/* The pictures of these pairs; `root` is the set's directory. ERR_INPUT names a picture that cannot be read. */
json_t *c_album_thumbnails(const struct spair *set, const char *root, const size_t *pairs, size_t n, struct err *e);

/* Both, from options: {"albums": [...], "thumbnails": {...}}, of the pairs with these names (at most
 * C_ALBUM_PAIRS_MAX), or with `pairs` NULL of `n` that are chosen as above. */
json_t *c_album_of(const struct c_options *o, const char *const *pairs, size_t n, struct err *e);

#endif
