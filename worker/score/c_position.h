/* Inside worker/score: what correspondence scores without looking at the pictures. Each key point of the source is looked for in
 * the target at the same place, as a part of the picture's width and height. That needs no features and is the same for every
 * representation of a set: what a C score is worth shows above it.
 *
 * (The same place in the target's box would be found more often, but is no floor: it is told where the object is.) */
#ifndef ACSWEEP_WORKER_SCORE_C_POSITION_H
#define ACSWEEP_WORKER_SCORE_C_POSITION_H

#include "worker/score/c_plan.h"

/* Of all planned pairs, as the one subset 0. NULL without memory. */
struct c_tally *c_position_tally(const struct c_plan *p);

#endif
