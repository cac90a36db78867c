/* Random numbers that depend only on where they are used: (seed, purpose, number). So a thread that draws pictures
 * ahead and the loop that needs to know how they were drawn come to the same ones without talking. splitmix64 (Steele,
 * Lea, Flood 2014). */
#ifndef ACSWEEP_WORKER_PRETRAIN_DICE_H
#define ACSWEEP_WORKER_PRETRAIN_DICE_H

#include <stdint.h>

enum dice_purpose { DICE_ORDER = 1, DICE_VIEW, DICE_WORDS, DICE_POINTS, DICE_SPLIT, DICE_SOFT };

struct dice {
    uint64_t state;
};
struct dice dice_at(uint64_t seed, enum dice_purpose purpose, uint64_t number);
uint64_t dice_next(struct dice *d);
double dice_real(struct dice *d); /* [0,1) */
double dice_between(struct dice *d, double low, double high);

/* What stands at place i of an endless stream of 0..n-1, n at most 2^32: each pass of n places holds each number once,
 * in an order of its own. */
uint64_t dice_shuffled(uint64_t seed, uint64_t i, uint64_t n);

#endif
