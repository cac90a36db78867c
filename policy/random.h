/* The policy's own random numbers: xoshiro256** filled by splitmix64, so that a seed means the same sequence on every
 * machine and with every C library. A stream number splits one seed into independent sequences (one per round or run).
 */
#ifndef ACSWEEP_POLICY_RANDOM_H
#define ACSWEEP_POLICY_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct policy_random {
    uint64_t s[4];
};

void policy_random_seed(struct policy_random *r, uint64_t seed, uint64_t stream);
uint64_t policy_random_next(struct policy_random *r);
/* Uniform in 0..n-1 without bias; n > 0. */
size_t policy_random_below(struct policy_random *r, size_t n);
/* Uniform in [0, 1). */
double policy_random_unit(struct policy_random *r);
/* Standard normal. */
double policy_random_normal(struct policy_random *r);

#endif
