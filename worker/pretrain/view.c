#include "worker/pretrain/view.h"

#include <math.h>

static double around_one(struct dice *d, double by)
{
    return dice_between(d, 1 - by, 1 + by);
}

/* So that an upright cut stays inside of the picture. */
static float place(struct dice *d, double side)
{
    return (float)(side < 1 ? dice_between(d, side / 2, 1 - side / 2) : 0.5);
}

struct view view_draw(struct dice *d, const struct view_rules *r, bool mirrored)
{
    struct view v;
    double side = dice_between(d, r->smallest, 1), stretch = exp(dice_between(d, -1, 1) * log1p(r->stretch) / 2);
    double angle = dice_between(d, -1, 1) * r->turn * M_PI / 180, width = side * stretch, height = side / stretch;
    v.centre[0] = place(d, width);
    v.centre[1] = place(d, height);
    v.axis[0][0] = (float)((mirrored ? -width : width) * cos(angle));
    v.axis[1][0] = (float)((mirrored ? -width : width) * sin(angle));
    v.axis[0][1] = (float)(-height * sin(angle));
    v.axis[1][1] = (float)(height * cos(angle));
    double contrast = around_one(d, r->contrast);
    v.light = (float)(dice_between(d, -r->light, r->light) + 0.5 * (1 - contrast)); /* contrast leaves grey alone */
    for (int c = 0; c < 3; c++)
        v.gain[c] = (float)(contrast * around_one(d, r->colour));
    v.grey = dice_real(d) < r->grey;
    return v;
}

void view_to_picture(const struct view *v, const float at[2], float out[2])
{
    for (int i = 0; i < 2; i++)
        out[i] = v->centre[i] + v->axis[i][0] * (at[0] - 0.5f) + v->axis[i][1] * (at[1] - 0.5f);
}

bool view_from_picture(const struct view *v, const float at[2], float out[2])
{
    float x = at[0] - v->centre[0], y = at[1] - v->centre[1];
    float det = v->axis[0][0] * v->axis[1][1] - v->axis[0][1] * v->axis[1][0];
    out[0] = 0.5f + (v->axis[1][1] * x - v->axis[0][1] * y) / det;
    out[1] = 0.5f + (v->axis[0][0] * y - v->axis[1][0] * x) / det;
    return out[0] >= 0 && out[0] < 1 && out[1] >= 0 && out[1] < 1;
}

static int within(int x, int n)
{
    return x < 0 ? 0 : x >= n ? n - 1 : x;
}

/* The colour at a point of the picture, from 0 to 1. */
static void look(const struct image *im, const float at[2], float rgb[3])
{
    int n = (int)im->width;
    float x = at[0] * (float)n - 0.5f, y = at[1] * (float)n - 0.5f;
    int x0 = (int)floorf(x), y0 = (int)floorf(y);
    float fx = x - (float)x0, fy = y - (float)y0;
    const uint8_t *top = im->pixels + 3 * (size_t)within(y0, n) * im->width;
    const uint8_t *low = im->pixels + 3 * (size_t)within(y0 + 1, n) * im->width;
    int a = 3 * within(x0, n), b = 3 * within(x0 + 1, n);
    for (int c = 0; c < 3; c++) {
        float up = (1 - fx) * top[a + c] + fx * top[b + c], down = (1 - fx) * low[a + c] + fx * low[b + c];
        rgb[c] = ((1 - fy) * up + fy * down) / 255.0f;
    }
}

float view_contrast(const struct image *square, const float at[2], float reach)
{
    float low[3] = { 1, 1, 1 }, high[3] = { 0 }, most = 0;
    for (int k = 0; k < 4; k++) {
        float beside[2] = { at[0], at[1] }, rgb[3];
        beside[k / 2] += k % 2 ? reach : -reach;
        look(square, beside, rgb);
        for (int c = 0; c < 3; c++) {
            low[c] = fminf(low[c], rgb[c]);
            high[c] = fmaxf(high[c], rgb[c]);
            most = fmaxf(most, high[c] - low[c]);
        }
    }
    return most;
}

static void recolour(const struct view *v, float rgb[3])
{
    if (v->grey)
        rgb[0] = rgb[1] = rgb[2] = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
    for (int c = 0; c < 3; c++)
        rgb[c] = fminf(1, fmaxf(0, v->gain[c] * rgb[c] + v->light));
}

void view_render(const struct view *v, const struct image *square, int edge, const struct view_scale *s, float *chw)
{
    size_t plane = (size_t)edge * (size_t)edge;
    for (int y = 0; y < edge; y++)
        for (int x = 0; x < edge; x++) {
            float at[2] = { ((float)x + 0.5f) / (float)edge, ((float)y + 0.5f) / (float)edge }, from[2], rgb[3];
            view_to_picture(v, at, from);
            look(square, from, rgb);
            recolour(v, rgb);
            for (size_t c = 0; c < 3; c++)
                chw[c * plane + (size_t)(y * edge + x)] = (rgb[c] - s->mean[c]) / s->std[c];
        }
}
