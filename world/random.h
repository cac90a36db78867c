/* Random numbers that are the same on every machine: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom
 * number generators, 2014), begun anew for every picture from (seed, what for, number), so that each can be drawn
 * alone. */
#ifndef ACSWEEP_WORLD_RANDOM_H
#define ACSWEEP_WORLD_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

struct random random_for(uint64_t seed, const char *purpose, uint64_t i);
uint64_t random_next(struct random *r);
/* 0 <= result < n, n > 0. */
uint32_t random_below(struct random *r, uint32_t n);
/* lo <= result <= hi. */
int random_between(struct random *r, int lo, int hi);
bool random_chance(struct random *r, unsigned percent);
void random_shuffle(struct random *r, int *items, size_t n);

#endif
