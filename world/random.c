#include "world/random.h"

uint64_t random_next(struct random *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct random random_for(uint64_t seed, const char *purpose, uint64_t i)
{
    struct random r = { seed };
    for (const char *p = purpose; *p; p++)
        r.state = random_next(&r) ^ (unsigned char)*p;
    r.state = random_next(&r) ^ i;
    r.state = random_next(&r);
    return r;
}

/* The bias of the product's high half is below 2^-32 for the small n of this program. */
uint32_t random_below(struct random *r, uint32_t n)
{
    return (uint32_t)(((random_next(r) >> 32) * n) >> 32);
}

int random_between(struct random *r, int lo, int hi)
{
    return lo + (int)random_below(r, (uint32_t)(hi - lo + 1));
}

bool random_chance(struct random *r, unsigned percent)
{
    return random_below(r, 100) < percent;
}

void random_shuffle(struct random *r, int *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = random_below(r, (uint32_t)i);
        int item = items[i - 1];
        items[i - 1] = items[k];
        items[k] = item;
    }
}
