/* Representations that one pass can score, as one list of encoders and a mask each.
 *
 * Members are added in the order of the list (c_subsets.h), and float sums depend on their order: so the list keeps to
 * the order of every representation's own members, and no number depends on which others share a pass. One that wants
 * two encoders the other way round does not go in, nor one for which there are too many encoders; it goes into another
 * pass. */
#ifndef ACSWEEP_WORKER_SCORE_C_UNION_H
#define ACSWEEP_WORKER_SCORE_C_UNION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/score/c_subsets.h"

struct c_union {                      /* begins as {0} */
    const char *keys[C_ENCODERS_MAX]; /* of the encoders, as they came; belong to the caller */
    uint32_t after[C_ENCODERS_MAX];   /* those that have to come later than this one */
    size_t n;
};

/* Take in a representation by its members' keys, in their order. False: it does not fit, and nothing has changed. */
bool c_union_add(struct c_union *u, const char *const *members, size_t n);
/* place[i]: where the i-th encoder is in the list. Depends on nothing but what was added, in this order. */
void c_union_places(const struct c_union *u, uint8_t place[C_ENCODERS_MAX]);
/* Index of an encoder, u->n when it is not there. */
size_t c_union_find(const struct c_union *u, const char *key);

#endif
