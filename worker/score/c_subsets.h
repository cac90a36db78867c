/* Many representations in one pass.
 *
 * Tokens are brought to unit length before encoders are joined, so the similarity map of a representation is the mean
 * of its members' maps (as long as no token is all zero). Each encoder's rows are computed once for each grid, and a
 * representation costs one addition of a row and one soft argmax, whatever its size:
 *
 *     {0}  {0,1}  {0,1,2}  {0,2}  {1}  {1,2}  {2}          depth-first; each is its parent's sum and one more row
 *
 * Members are always added in ascending order, so a representation's sum is the same to the last bit whether it is
 * asked for alone or with all others. A representation's grid is that of its finest member, or the one that is set;
 * those of one grid form a group. */
#ifndef ACSWEEP_WORKER_SCORE_C_SUBSETS_H
#define ACSWEEP_WORKER_SCORE_C_SUBSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/own.h"
#include "worker/score/c_match.h"
#include "worker/score/c_tokens.h"

#define C_ENCODERS_MAX 32 /* a representation is a mask of encoders */
#define C_ALL_MAX 16      /* more encoders than this have too many subsets to list all */
#define C_NO_SUBSET (-1)

struct c_step {
    uint8_t depth;   /* members so far, with this one */
    uint8_t encoder; /* whose row is added to the sum of depth - 1 */
    bool rounded;    /* all members are bf16 and the arithmetic is the stored one */
    int32_t subset;  /* index in the caller's list, or C_NO_SUBSET for a sum on the way to others */
};

struct c_group {
    int grid;
    uint32_t encoders; /* that any of its subsets has */
    int depth;         /* members of its largest subset */
    struct c_step *steps;
    size_t n_steps, n_subsets;
};

struct c_order {
    struct c_group *groups; /* by grid */
    size_t n_groups;
    int *grids; /* of each subset */
    struct arena memory;
};

/* All subsets of n encoders but the empty one, by size, then in the order of their members; out takes 2^n - 1. */
void c_subsets_all(int n, uint32_t *out);

/* `grid` 0 stands for the finest member's. ERR_INPUT for a subset that is empty, listed twice, or names encoders that
 * are not there. */
struct c_order *c_order_create(const uint32_t *subsets, size_t n, const struct c_shape *encoders, size_t n_encoders,
                               int grid, enum c_arith arith, struct err *e);
void c_order_destroy(struct c_order *o);
DEFINE_CLEANUP(c_order_destroy, struct c_order *)

/* One source point: rows[encoder] is its row of similarities, c_row_size() floats, finished (c_match.h); NULL for
 * encoders outside the group. `sums` has room for depth rows. Writes out[subset] for the group's subsets. */
void c_subsets_match(const struct c_group *g, const struct c_match *m, const float *const *rows, float *sums,
                     struct c_point *out);

#endif
