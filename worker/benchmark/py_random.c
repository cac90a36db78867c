#include "worker/benchmark/py_random.h"

#define N PY_RANDOM_STATE
#define M 397

static uint32_t mixed(const uint32_t *s, size_t i)
{
    return s[i - 1] ^ s[i - 1] >> 30;
}

static void fill(uint32_t *s, uint32_t seed)
{
    s[0] = seed;
    for (size_t i = 1; i < N; i++)
        s[i] = 1812433253U * mixed(s, i) + (uint32_t)i;
}

/* The walk goes round: what comes behind the last is the second, whose predecessor is a copy of the last. */
static size_t onward(uint32_t *s, size_t i)
{
    if (++i < N)
        return i;
    s[0] = s[N - 1];
    return 1;
}

void py_random_seed(struct py_random *r, uint32_t seed)
{
    uint32_t *s = r->state;
    size_t i = 1;
    fill(s, 19650218U);
    for (size_t k = 0; k < N; k++, i = onward(s, i))
        s[i] = (s[i] ^ mixed(s, i) * 1664525U) + seed;
    for (size_t k = 0; k < N - 1; k++, i = onward(s, i))
        s[i] = (s[i] ^ mixed(s, i) * 1566083941U) - (uint32_t)i;
    s[0] = 0x80000000U;
    r->at = N;
}

static void twist(uint32_t *s)
{
    for (size_t i = 0; i < N; i++) {
        uint32_t y = (s[i] & 0x80000000U) | (s[(i + 1) % N] & 0x7FFFFFFFU);
        s[i] = s[(i + M) % N] ^ y >> 1 ^ (y & 1 ? 0x9908B0DFU : 0);
    }
}

static uint32_t next(struct py_random *r)
{
    if (r->at == N) {
        twist(r->state);
        r->at = 0;
    }
    uint32_t y = r->state[r->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9D2C5680U;
    y ^= y << 15 & 0xEFC60000U;
    return y ^ y >> 18;
}

size_t py_random_choice(struct py_random *r, uint32_t n)
{
    int bits = 32 - __builtin_clz(n);
    uint32_t x;
    do
        x = next(r) >> (32 - bits);
    while (x >= n);
    return x;
}
