/* Which key points of SPair-71k are each other's mirror image, by category (facts of the data set, as grouped by the
 * authors' geometry-aware evaluation). */
#include <string.h>

#include "worker/data/spair.h"

#define B(i) (UINT32_C(1) << (i))
#define TWO(a, b) (B(a) | B(b))
#define FOUR(a, b, c, d) (TWO(a, b) | TWO(c, d))
#define MOST_GROUPS 9

static const struct {
    const char *category;
    size_t n;
    uint32_t groups[MOST_GROUPS];
} table[] = {
    { "aeroplane",
      9,
      { TWO(4, 5), TWO(6, 7), TWO(8, 9), TWO(10, 11), TWO(12, 13), TWO(14, 15), TWO(16, 17), TWO(18, 19),
        TWO(20, 21) } },
    { "bicycle", 3, { TWO(2, 3), TWO(6, 7), TWO(9, 10) } },
    { "bird", 4, { TWO(1, 2), TWO(10, 11), TWO(12, 13), TWO(14, 15) } },
    { "boat", 6, { TWO(1, 2), TWO(3, 4), TWO(5, 6), TWO(7, 8), TWO(9, 10), TWO(11, 12) } },
    { "bottle", 5, { TWO(0, 1), TWO(2, 3), TWO(4, 5), TWO(6, 7), TWO(8, 9) } },
    { "bus",
      8,
      { TWO(0, 1), FOUR(2, 3, 5, 6), TWO(4, 7), FOUR(10, 13, 20, 23), FOUR(11, 14, 21, 24), FOUR(12, 15, 22, 25),
        FOUR(16, 17, 26, 27), FOUR(18, 19, 28, 29) } },
    { "car",
      9,
      { TWO(0, 1), FOUR(2, 3, 6, 7), TWO(4, 8), TWO(5, 9), FOUR(10, 13, 20, 23), FOUR(11, 14, 21, 24),
        FOUR(12, 15, 22, 25), FOUR(16, 17, 26, 27), FOUR(18, 19, 28, 29) } },
    { "cat", 2, { TWO(2, 3), FOUR(9, 10, 11, 12) } },
    { "chair", 6, { TWO(0, 1), TWO(2, 3), FOUR(4, 5, 6, 7), TWO(8, 9), TWO(10, 11), TWO(12, 13) } },
    { "cow", 4, { TWO(2, 3), FOUR(9, 10, 11, 12), FOUR(15, 16, 17, 18), TWO(19, 20) } },
    { "dog", 2, { TWO(2, 3), FOUR(9, 10, 11, 12) } },
    { "horse", 3, { TWO(2, 3), FOUR(10, 11, 12, 13), FOUR(16, 17, 18, 19) } },
    { "motorbike", 2, { TWO(0, 1), TWO(2, 3) } },
    { "person", 6, { TWO(8, 9), TWO(10, 11), TWO(12, 13), TWO(14, 15), TWO(16, 17), TWO(18, 19) } },
    { "pottedplant", 3, { FOUR(0, 1, 2, 3), TWO(4, 5), TWO(6, 8) } },
    { "sheep", 4, { TWO(2, 3), FOUR(9, 10, 11, 12), FOUR(15, 16, 17, 18), TWO(19, 20) } },
    { "train",
      9,
      { TWO(0, 1), TWO(2, 3), TWO(4, 5), TWO(6, 7), TWO(8, 9), TWO(10, 11), TWO(12, 13), TWO(14, 15), TWO(16, 17) } },
    { "tvmonitor", 4, { FOUR(0, 2, 4, 6), FOUR(1, 3, 5, 7), FOUR(8, 10, 12, 14), FOUR(9, 11, 13, 15) } },
};

const uint32_t *spair_symmetric(const char *category, size_t *n)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strcmp(table[i].category, category) == 0) {
            *n = table[i].n;
            return table[i].groups;
        }
    *n = 0;
    return NULL;
}
