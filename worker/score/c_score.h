/* The C score from start to end: directories of features and a correspondence set in, JSON out. Called by the executor
 * of score_c tasks and by `acsweep score c`. */
#ifndef ACSWEEP_WORKER_SCORE_C_SCORE_H
#define ACSWEEP_WORKER_SCORE_C_SCORE_H

#include <jansson.h>

#include "worker/score/c_run.h"

#define C_MEMORY_DEFAULT ((size_t)1 << 30)

struct c_member {
    const char *name; /* in results; each once */
    const char *dir;  /* of its features (c_features.h) */
};

struct c_options {
    const char *pairs;              /* a directory in SPair-71k's layout (worker/data/spair.h) */
    const char *split;              /* NULL: test */
    const struct c_member *members; /* encoders */
    size_t n_members;
    bool all;                /* every subset of the members */
    const uint32_t *subsets; /* or these (masks, bit 0 for the first member); NULL: one, of all members */
    size_t n_subsets;
    struct c_setting setting;
    int threads;   /* 0: one */
    size_t memory; /* bytes: half for the computation, half for files that are kept mapped; 0: C_MEMORY_DEFAULT */
    c_dot_fn dot;  /* as in struct c_job */
    void *dot_arg;
    int (*progress)(void *arg, size_t done, size_t pairs, struct err *e);
    void *progress_arg;
};

/* A list, one entry for each representation, in the order of `subsets`, or by size and then by members:
 *
 *     [{"members": ["clip", "dino"], "grid": 24, "pairs": 12234, "pck": {"0.10": 0.26, "0.05": 0.14, "0.01": 0.02},
 *       "geo": 0.19,                    PCK of the geometry-aware points at the first alpha; null when there are none
 *       "position": {"0.10": 0.09, ...}, PCK of the position alone (c_scores_position), the same in every entry
 *       "categories": {"aeroplane": {"pairs": 690, "pck": {...}}, ...}}]
 *
 * Categories are those that have pairs. The caller frees it. */
json_t *c_score(const struct c_options *o, struct err *e);
/* The same of a run that has been made, for callers with sources of their own. */
json_t *c_score_describe(const struct c_scores *s, const struct c_job *job, struct err *e);
/* c_score() as text; free() it. */
char *c_score_json(const struct c_options *o, struct err *e);

/* What correspondence pictures are drawn from: for each of the named pairs (of the split; without ".json") and each
 * representation
 *
 *     {"pair": "000001-2008_1-2009_3:cat", "category": "cat", "members": [...], "grid": 16,
 *      "source": {"image": "JPEGImages/cat/2008_1.jpg", "width": 500, "height": 375,
 *                 "frame": {"side": 840, "scale": [1.68, 1.68], "offset": [0, 105]}},
 *      "target": {..., "box": [x1, y1, x2, y2]},
 *      "limits": {"0.10": 61.2, ...},                   errors below are correct; pixels of the frame
 *      "points": [{"point": 3, "geo": false, "source": [x, y], "target": [x, y], "predicted": [x, y],
 *                  "error": 12.5, "correct": {"0.10": true, ...}, "map": [256 similarities, row by row]}, ...]}
 *
 * Points are in pixels of their picture, errors in pixels of the frame; frame = picture * scale + offset, and cell
 * (row, column) of the map covers side / grid pixels of the target's frame. */
json_t *c_score_pictures(const struct c_options *o, const char *const *pairs, size_t n, struct err *e);

/* "0.10", "0.125". */
const char *c_alpha_name(double alpha, char buf[16]);

#endif
