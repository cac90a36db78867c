/* Inside worker/score: which pairs go together, and what one thread needs. */
#ifndef ACSWEEP_WORKER_SCORE_C_PLAN_H
#define ACSWEEP_WORKER_SCORE_C_PLAN_H

#include "worker/score/c_run.h"

#define C_THREADS_MAX 64

/* A pair as it is scored. */
struct c_planned {
    size_t pair, category; /* of the set */
    size_t source_image, target_image;
    size_t points;
    uint32_t geo; /* points that are geometry-aware */
    struct c_frame source, target;
    double limits[C_ALPHAS_MAX];
};

/* One point of it. */
struct c_row {
    int point;
    bool geo;
    struct c_point source, target;
};

/* Pairs that share their target, as many as fit. */
struct c_block {
    size_t first, count; /* of the plan's pairs */
    size_t rows;         /* their points */
    size_t target_image;
};

struct c_size {
    int threads;
    size_t max_rows;            /* of a block */
    size_t width;               /* floats of the widest token */
    size_t tokens;              /* floats of the largest target */
    size_t sums;                /* floats */
    size_t row[C_ENCODERS_MAX]; /* floats of an encoder's longest row of similarities; 0: it is not used */
    size_t bytes;               /* of all threads */
};

struct c_plan {
    const struct c_job *job;
    struct c_order *order;
    struct c_match *matches; /* of each group */
    struct c_planned *pairs; /* by target */
    size_t n_pairs;
    struct c_block *blocks;
    size_t n_blocks;
    struct c_size size;
    struct arena memory;
};

struct c_plan *c_plan_create(const struct c_job *job, struct err *e);
void c_plan_destroy(struct c_plan *p);
DEFINE_CLEANUP(c_plan_destroy, struct c_plan *)

#endif
