#include "world/canvas.h"

#include <string.h>

#define SAMPLES 4 /* a pixel is SAMPLES x SAMPLES looks at the sprite */

struct rgb colour_rgb(enum colour c)
{
    static const struct rgb table[COLOURS] = {
        [NO_COLOUR] = { 128, 128, 128 }, [RED] = { 214, 54, 50 },     [ORANGE] = { 240, 140, 40 },
        [YELLOW] = { 245, 215, 70 },     [GREEN] = { 70, 160, 80 },   [BLUE] = { 70, 120, 215 },
        [PURPLE] = { 140, 80, 180 },     [PINK] = { 245, 165, 195 },  [BROWN] = { 125, 85, 55 },
        [BLACK] = { 28, 28, 32 },        [WHITE] = { 240, 240, 238 }, [GRAY] = { 135, 138, 142 },
    };
    return table[c];
}

/* ---- where things go ------------------------------------------------------------------------------------------------
 */

/* Of whole degrees, in 16.16; a table, because the C library's sine may differ in its last digit. */
static int64_t sine(int degrees)
{
    static const int32_t table[91] = {
        0,     1144,  2287,  3430,  4572,  5712,  6850,  7987,  9121,  10252, 11380, 12505, 13626, 14742, 15855, 16962,
        18064, 19161, 20252, 21336, 22415, 23486, 24550, 25607, 26656, 27697, 28729, 29753, 30767, 31772, 32768, 33754,
        34729, 35693, 36647, 37590, 38521, 39441, 40348, 41243, 42126, 42995, 43852, 44695, 45525, 46341, 47143, 47930,
        48703, 49461, 50203, 50931, 51643, 52339, 53020, 53684, 54332, 54963, 55578, 56175, 56756, 57319, 57865, 58393,
        58903, 59396, 59870, 60326, 60764, 61183, 61584, 61966, 62328, 62672, 62997, 63303, 63589, 63856, 64104, 64332,
        64540, 64729, 64898, 65048, 65177, 65287, 65376, 65446, 65496, 65526, 65536,
    };
    degrees = ((degrees % 360) + 360) % 360;
    int half = degrees % 180, quarter = half <= 90 ? half : 180 - half;
    return degrees < 180 ? table[quarter] : -table[quarter];
}

struct affine affine_of_pose(const struct pose *p, const struct sprite *s)
{
    int64_t sx = (int64_t)p->width * FIX / 16 / s->width, sy = (int64_t)p->height * FIX / 16 / s->height;
    int64_t sin = sine(p->degrees), cos = sine(p->degrees + 90), shear = (int64_t)p->shear * FIX / 100;
    if (p->mirrored)
        sx = -sx;
    /* turn * shear * scale, of which shear * scale is (sx, shear sy; 0, sy) */
    int64_t top = shear * sy / FIX;
    struct affine m = {
        .a = cos * sx / FIX, .b = (cos * top - sin * sy) / FIX, .c = sin * sx / FIX, .d = (sin * top + cos * sy) / FIX
    };
    int64_t mid_x = (int64_t)s->width * FIX / 2, mid_y = (int64_t)s->height * FIX / 2, x, y;
    affine_apply(&m, mid_x, mid_y, &x, &y);
    m.tx = (int64_t)p->x * FIX / 16 - x;
    m.ty = (int64_t)p->y * FIX / 16 - y;
    return m;
}

void affine_apply(const struct affine *m, int64_t x, int64_t y, int64_t *out_x, int64_t *out_y)
{
    *out_x = (m->a * x + m->b * y) / FIX + m->tx;
    *out_y = (m->c * x + m->d * y) / FIX + m->ty;
}

/* The way back. Sprites are never so flat that the determinant vanishes. */
static struct affine inverse(const struct affine *m)
{
    int64_t det = (m->a * m->d - m->b * m->c) / FIX;
    det = det ? det : 1;
    struct affine r = { .a = m->d * FIX / det, .b = -m->b * FIX / det, .c = -m->c * FIX / det, .d = m->a * FIX / det };
    r.tx = -(r.a * m->tx + r.b * m->ty) / FIX;
    r.ty = -(r.c * m->tx + r.d * m->ty) / FIX;
    return r;
}

/* ---- painting -------------------------------------------------------------------------------------------------------
 */

static uint8_t clip(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

void canvas_background(struct image *im, enum colour c, struct random *r)
{
    const struct rgb base = colour_rgb(c);
    int width = (int)im->width, height = (int)im->height;
    int slope_x = random_between(r, -24, 24), slope_y = random_between(r, -24, 24), noise = random_between(r, 0, 5);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int light = slope_x * (2 * x - width) / (2 * width) + slope_y * (2 * y - height) / (2 * height) +
                        random_between(r, -noise, noise);
            uint8_t *to = im->pixels + ((size_t)y * im->width + (size_t)x) * 3;
            to[0] = clip(base.r + light), to[1] = clip(base.g + light), to[2] = clip(base.b + light);
        }
}

/* The rectangle of the picture that the sprite can reach. */
static struct box reach(const struct image *im, const struct sprite *s, const struct affine *m)
{
    struct box b = { (int)im->width, (int)im->height, 0, 0 };
    for (int corner = 0; corner < 4; corner++) {
        int64_t x, y;
        affine_apply(m, corner & 1 ? (int64_t)s->width * FIX : 0, corner & 2 ? (int64_t)s->height * FIX : 0, &x, &y);
        int lo_x = (int)(x / FIX) - 1, lo_y = (int)(y / FIX) - 1;
        b.left = lo_x < b.left ? lo_x : b.left;
        b.top = lo_y < b.top ? lo_y : b.top;
        b.right = lo_x + 3 > b.right ? lo_x + 3 : b.right;
        b.bottom = lo_y + 3 > b.bottom ? lo_y + 3 : b.bottom;
    }
    b.left = b.left < 0 ? 0 : b.left;
    b.top = b.top < 0 ? 0 : b.top;
    b.right = b.right > (int)im->width ? (int)im->width : b.right;
    b.bottom = b.bottom > (int)im->height ? (int)im->height : b.bottom;
    return b;
}

/* Sum of the sprite's colours and alpha over the looks of one pixel. */
static void look(const struct sprite *s, const struct affine *back, int x, int y, uint32_t sum[4])
{
    const int64_t first = FIX / (2 * SAMPLES), width = (int64_t)s->width * FIX, height = (int64_t)s->height * FIX;
    int64_t left_u, left_v;
    affine_apply(back, (int64_t)x * FIX + first, (int64_t)y * FIX + first, &left_u, &left_v);
    sum[0] = sum[1] = sum[2] = sum[3] = 0;
    for (int j = 0; j < SAMPLES; j++, left_u += back->b / SAMPLES, left_v += back->d / SAMPLES) {
        int64_t u = left_u, v = left_v;
        for (int i = 0; i < SAMPLES; i++, u += back->a / SAMPLES, v += back->c / SAMPLES) {
            if (u < 0 || v < 0 || u >= width || v >= height)
                continue;
            const uint8_t *from = s->rgba + ((size_t)(v / FIX) * (size_t)s->width + (size_t)(u / FIX)) * 4;
            for (int k = 0; k < 4; k++)
                sum[k] += from[k];
        }
    }
}

bool canvas_sprite(struct image *im, const struct sprite *s, const struct affine *m, struct box *covered)
{
    const uint32_t n = SAMPLES * SAMPLES, full = 255 * n;
    struct affine back = inverse(m);
    struct box r = reach(im, s, m), k = { (int)im->width, (int)im->height, 0, 0 };
    for (int y = r.top; y < r.bottom; y++)
        for (int x = r.left; x < r.right; x++) {
            uint32_t sum[4];
            look(s, &back, x, y, sum);
            if (!sum[3])
                continue;
            uint8_t *to = im->pixels + ((size_t)y * im->width + (size_t)x) * 3;
            for (int i = 0; i < 3; i++)
                to[i] = clip((int)((sum[i] + (uint32_t)to[i] * (full - sum[3]) / 255 + n / 2) / n));
            if (sum[3] <= full / 4)
                continue;
            k.left = x < k.left ? x : k.left;
            k.top = y < k.top ? y : k.top;
            k.right = x >= k.right ? x + 1 : k.right;
            k.bottom = y + 1;
        }
    if (covered)
        *covered = k;
    return k.left < k.right;
}

void canvas_mask(struct image *im, const struct mask *m, int left, int top, struct rgb colour)
{
    const uint8_t ink[3] = { colour.r, colour.g, colour.b };
    for (int y = 0; y < m->height; y++)
        for (int x = 0; x < m->width; x++) {
            int at_x = left + x, at_y = top + y, alpha = m->alpha[y * m->width + x];
            if (at_x < 0 || at_y < 0 || at_x >= (int)im->width || at_y >= (int)im->height)
                continue;
            uint8_t *to = im->pixels + ((size_t)at_y * im->width + (size_t)at_x) * 3;
            for (int i = 0; i < 3; i++)
                to[i] = clip((ink[i] * alpha + to[i] * (255 - alpha) + 127) / 255);
        }
}

void canvas_darken(struct image *im, int percent)
{
    for (size_t i = 0; i < (size_t)im->width * im->height * 3; i++)
        im->pixels[i] = clip(im->pixels[i] * percent / 100);
}

int canvas_blur(struct image *im, int radius, struct err *e)
{
    int w = (int)im->width, h = (int)im->height;
    AUTO(image_free) struct image out = { 0 };
    TRY(image_create(im->width, im->height, &out, e));
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int i = 0; i < 3; i++) {
                int sum = 0, n = 0;
                for (int v = y - radius < 0 ? 0 : y - radius; v <= y + radius && v < h; v++)
                    for (int u = x - radius < 0 ? 0 : x - radius; u <= x + radius && u < w; u++, n++)
                        sum += im->pixels[(v * w + u) * 3 + i];
                out.pixels[(y * w + x) * 3 + i] = clip((sum + n / 2) / n);
            }
    memcpy(im->pixels, out.pixels, (size_t)w * (size_t)h * 3);
    return 0;
}

void canvas_dot(struct image *im, int x, int y, int r, struct rgb colour)
{
    for (int v = y - r; v <= y + r; v++)
        for (int u = x - r; u <= x + r; u++)
            if (u >= 0 && v >= 0 && u < (int)im->width && v < (int)im->height)
                memcpy(im->pixels + ((size_t)v * im->width + (size_t)u) * 3, &colour, 3);
}
