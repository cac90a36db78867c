/* Inside worker/benchmark: Python's random.seed(n) and random.choice(), because the original programs guess with them.
 * Mersenne Twister MT19937 (Matsumoto, Nishimura 1998), seeded by an array of one number, bounded by rejection. */
#ifndef ACSWEEP_WORKER_BENCHMARK_PY_RANDOM_H
#define ACSWEEP_WORKER_BENCHMARK_PY_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define PY_RANDOM_STATE 624

struct py_random {
    uint32_t state[PY_RANDOM_STATE];
    size_t at;
};

void py_random_seed(struct py_random *r, uint32_t seed);
/* Which of n things random.choice() takes; n from 1 on. */
size_t py_random_choice(struct py_random *r, uint32_t n);

#endif
