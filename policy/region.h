/* The paper's region sampling: where in the plane of the normalised scores to fine-tune next.
 *
 * Level L cuts [0,1]^2 into 4^L equal cells. Cells that are empty or hold a sampled representation are dropped; each
 * remaining cell is visited once, in random order, and one random member of it is drawn. When no cell remains, L rises.
 * A visited cell holds a sampled representation, so the next draw depends on the set of sampled ones alone: a uniform
 * cell of the lowest level that has a free one, and a uniform member of it. */
#ifndef ACSWEEP_POLICY_REGION_H
#define ACSWEEP_POLICY_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "policy/random.h"

enum { POLICY_REGION_LEVELS = 30 }; /* below this, equal scores; drawn uniformly from what is left */

struct policy_region;

/* Plane of n points with values in [0,1]; a NaN coordinate keeps a point out for good. */
struct policy_region *policy_region_create(const double *a, const double *c, size_t n, struct err *e);
void policy_region_destroy(struct policy_region *g);
DEFINE_CLEANUP(policy_region_destroy, struct policy_region *)

/* The free cells before the next draw: cell[i] = number of the cell of point i among the free ones (0..*cells-1), or -1
 * for a point that cannot be drawn now. *cells = 0: nothing is left. `away` (may be NULL) marks points that left the
 * space. */
void policy_region_cells(const struct policy_region *g, const bool *sampled, const bool *away, int *cell, size_t *cells,
                         int *level);

/* Draw the next point; false when nothing is left. `level` and `cells` (may be NULL) describe the draw. */
bool policy_region_draw(struct policy_region *g, const bool *sampled, const bool *away, struct policy_random *random,
                        size_t *point, int *level, size_t *cells);

#endif
