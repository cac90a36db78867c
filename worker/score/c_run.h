/* The C score of many representations on one correspondence set, in one pass over its pairs.
 *
 * Pairs are taken target by target: the target's tokens are made once for all pairs that share it, and from source
 * pictures only the tokens under key points are read. What is in memory is one target's tokens of one encoder, and the
 * similarity rows of one block of points for all encoders; blocks shrink, then threads, to fit the budget, and no
 * number depends on either. */
#ifndef ACSWEEP_WORKER_SCORE_C_RUN_H
#define ACSWEEP_WORKER_SCORE_C_RUN_H

#include "common/err.h"
#include "common/own.h"
#include "worker/data/spair.h"
#include "worker/score/c_dot.h"
#include "worker/score/c_features.h"
#include "worker/score/c_frame.h"
#include "worker/score/c_subsets.h"
#include "worker/score/c_tally.h"

/* What decides the numbers. */
struct c_setting {
    enum c_geometry geometry;
    enum c_arith arith;
    int grid;                    /* 0: of a representation's finest member */
    int side;                    /* of the frame, pixels */
    int window;                  /* c_match.h */
    double temperature;          /* c_match.h */
    double alphas[C_ALPHAS_MAX]; /* a point is correct within alpha times the box's longer edge; taken as float32 */
    size_t n_alphas;
};

/* letterbox, fp32, finest grid, 840, 5, 0.02, alphas 0.1, 0.05, 0.01. */
struct c_setting c_setting_default(void);
MUST_USE int c_setting_check(const struct c_setting *s, struct err *e);

/* One point as one representation sees it; for pictures. Pointers are good during the call. */
struct c_seen {
    size_t pair, subset;
    int point; /* of SPair's 30 */
    bool geo;  /* geometry-aware: its group has two points or more in the target */
    int grid;
    const float *map;                         /* [grid * grid]: mean similarity with each cell of the target */
    struct c_point source, target, predicted; /* in the frame */
    float error;                              /* pixels of the frame */
    const double *limits;                     /* of each alpha: correct is error < limit */
};

struct c_job {
    const struct spair *set;
    const size_t *pairs; /* only these of the set's pairs, in any order, each once; NULL: all */
    size_t n_pairs;
    const struct c_source *sources; /* the encoders */
    size_t n_sources;
    const uint32_t *subsets; /* representations: masks of encoders, bit 0 for the first */
    size_t n_subsets;
    struct c_setting setting;
    int threads;   /* at most; 0: one */
    size_t memory; /* bytes for this computation, without what sources hold; 0: as much as it likes */
    c_dot_fn dot;  /* NULL: c_dot(). Several threads call it at once */
    void *dot_arg;
    /* After each block, one call at a time; -1 with `e` set ends the run. May be NULL. */
    int (*progress)(void *arg, size_t done, size_t pairs, struct err *e);
    void *progress_arg;
    void (*seen)(void *arg, const struct c_seen *s); /* one call at a time; may be NULL */
    void *seen_arg;
};

struct c_scores; /* stands by itself: needs neither set nor sources any more, but for names of categories */

/* NULL on error: ERR_INPUT for features, setting or budget, with place and remedy. */
struct c_scores *c_run(const struct c_job *job, struct err *e);
void c_scores_destroy(struct c_scores *s);
DEFINE_CLEANUP(c_scores_destroy, struct c_scores *)

size_t c_scores_pairs(const struct c_scores *s, size_t category); /* C_ALL: of the set */
double c_scores_pck(const struct c_scores *s, size_t subset, size_t category, size_t alpha);
/* PCK of the geometry-aware points at the first alpha; NaN when no pair has any. */
double c_scores_geo(const struct c_scores *s, size_t subset);
/* PCK of the position alone: each point is looked for at the same place of the target, as a part of its width and height. No
 * representation has part in it. */
double c_scores_position(const struct c_scores *s, size_t category, size_t alpha);
int c_scores_grid(const struct c_scores *s, size_t subset);
/* What the run planned to hold at its peak, sources aside: bytes, threads, points in a block. */
struct c_plan_size {
    size_t bytes, rows;
    int threads;
};
struct c_plan_size c_scores_plan(const struct c_scores *s);

#endif
