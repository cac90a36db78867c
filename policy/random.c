#include "policy/random.h"

#include <math.h>

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void policy_random_seed(struct policy_random *r, uint64_t seed, uint64_t stream)
{
    /* The stream goes through one mixing step first, so that (seed, stream + 1) is not (seed + 1, stream). */
    uint64_t state = stream;
    state = seed ^ splitmix(&state);
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&state);
}

uint64_t policy_random_next(struct policy_random *r)
{
    uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

size_t policy_random_below(struct policy_random *r, size_t n)
{
    /* Values below 2^64 mod n would make the first residues likelier: draw again. */
    uint64_t bound = (uint64_t)n, reject = (0 - bound) % bound, x;
    do
        x = policy_random_next(r);
    while (x < reject);
    return (size_t)(x % bound);
}

double policy_random_unit(struct policy_random *r)
{
    return (double)(policy_random_next(r) >> 11) * 0x1p-53;
}

double policy_random_normal(struct policy_random *r)
{
    double u = 1.0 - policy_random_unit(r), v = policy_random_unit(r); /* u in (0, 1] */
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586477 * v);
}
