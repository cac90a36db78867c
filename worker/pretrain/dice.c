#include "worker/pretrain/dice.h"

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct dice dice_at(uint64_t seed, enum dice_purpose purpose, uint64_t number)
{
    return (struct dice){ mix(mix(mix(seed) ^ (uint64_t)purpose) ^ number) };
}

uint64_t dice_next(struct dice *d)
{
    d->state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(d->state);
}

double dice_real(struct dice *d)
{
    return (double)(dice_next(d) >> 11) * 0x1p-53;
}

double dice_between(struct dice *d, double low, double high)
{
    return low + (high - low) * dice_real(d);
}

/* A permutation of 0 .. 4^half - 1: four rounds of a Feistel network. */
static uint64_t feistel(uint64_t key, uint64_t x, unsigned half)
{
    uint64_t mask = (UINT64_C(1) << half) - 1, left = x >> half, right = x & mask;
    for (uint64_t round = 0; round < 4; round++) {
        uint64_t next = left ^ (mix(key ^ round << 40 ^ right) & mask);
        left = right;
        right = next;
    }
    return left << half | right;
}

/* Numbers beyond n are sent round again until they fall below it, which keeps it a permutation. */
uint64_t dice_shuffled(uint64_t seed, uint64_t i, uint64_t n)
{
    struct dice pass = dice_at(seed, DICE_ORDER, i / n);
    unsigned half = 1;
    while (UINT64_C(1) << (2 * half) < n)
        half++;
    uint64_t key = dice_next(&pass), x = i % n;
    do
        x = feistel(key, x, half);
    while (x >= n);
    return x;
}
