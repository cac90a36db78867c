#include "world/points.h"

#define FIELDS 4
#define WINDOW 3 /* the tensor is summed over this many pixels on each side */
#define BORDER (WINDOW + 1)

/* Light of a pixel as it looks on grey. */
static int light(const struct sprite *s, int x, int y)
{
    const uint8_t *p = s->rgba + ((size_t)y * (size_t)s->width + (size_t)x) * 4;
    return (299 * p[0] + 587 * p[1] + 114 * p[2]) / 1000 + (255 - p[3]) / 2;
}

static int64_t root(int64_t v)
{
    int64_t r = 0;
    for (int64_t bit = (int64_t)1 << 31; bit; bit >>= 1)
        if ((r + bit) * (r + bit) <= v)
            r += bit;
    return r;
}

static int64_t strength(const struct sprite *s, int x, int y)
{
    int64_t xx = 0, yy = 0, xy = 0;
    for (int v = y - WINDOW; v <= y + WINDOW; v++)
        for (int u = x - WINDOW; u <= x + WINDOW; u++) {
            int64_t dx = light(s, u + 1, v) - light(s, u - 1, v), dy = light(s, u, v + 1) - light(s, u, v - 1);
            xx += dx * dx, yy += dy * dy, xy += dx * dy;
        }
    return (xx + yy - root((xx - yy) * (xx - yy) + 4 * xy * xy)) / 2;
}

struct corner {
    struct point at;
    int64_t strength;
};

static struct corner best_of_field(const struct sprite *s, int field)
{
    struct corner best = { { NO_POINT, NO_POINT }, 0 };
    int left = field % FIELDS * s->width / FIELDS, right = (field % FIELDS + 1) * s->width / FIELDS;
    int top = field / FIELDS * s->height / FIELDS, bottom = (field / FIELDS + 1) * s->height / FIELDS;
    for (int y = top < BORDER ? BORDER : top; y < bottom && y < s->height - BORDER; y++)
        for (int x = left < BORDER ? BORDER : left; x < right && x < s->width - BORDER; x++) {
            if (s->rgba[((size_t)y * (size_t)s->width + (size_t)x) * 4 + 3] < 200)
                continue;
            int64_t k = strength(s, x, y);
            if (k > best.strength)
                best = (struct corner){ { x, y }, k };
        }
    return best;
}

size_t points_corners(const struct sprite *s, struct point out[CORNERS_MOST])
{
    struct corner all[FIELDS * FIELDS];
    size_t n = 0;
    for (int i = 0; i < FIELDS * FIELDS; i++)
        all[i] = best_of_field(s, i);
    for (; n < CORNERS_MOST; n++) {
        struct corner *best = &all[0];
        for (int i = 1; i < FIELDS * FIELDS; i++)
            best = all[i].strength > best->strength ? &all[i] : best;
        if (best->strength < 2000)
            break;
        out[n] = best->at;
        best->strength = 0;
    }
    return n;
}
