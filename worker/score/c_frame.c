#include "worker/score/c_frame.h"

#include <math.h>
#include <string.h>

static const char *const names[] = { "letterbox", "stretch_mismatch", "stretch_both" };

const char *c_geometry_name(enum c_geometry g)
{
    return names[g];
}

int c_geometry_parse(const char *name, enum c_geometry *out, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum c_geometry)i;
            return 0;
        }
    return FAIL(e, ERR_INPUT, "the geometry '%.40s' is none of letterbox, stretch_mismatch, stretch_both", name);
}

/* What is left on each side of the shorter edge: it is rounded to whole pixels, half to even, and the rest is halved
 * downwards. */
static float margin(int side, uint32_t shorter, uint32_t longer)
{
    double edge = nearbyint((double)side * shorter / longer);
    return (float)trunc((side - edge) / 2);
}

struct c_frame c_frame_make(enum c_geometry geometry, int side, uint32_t width, uint32_t height)
{
    struct c_frame f = { .geometry = geometry, .side = side, .width = width, .height = height };
    if (geometry == C_STRETCH_BOTH) {
        f.scale_x = (float)((double)side / width);
        f.scale_y = (float)((double)side / height);
        return f;
    }
    f.scale_x = f.scale_y = (float)((double)side / (width > height ? width : height));
    if (height < width)
        f.offset_y = margin(side, height, width);
    if (width < height)
        f.offset_x = margin(side, width, height);
    return f;
}

struct c_point c_frame_point(const struct c_frame *f, double x, double y)
{
    float fx = (float)x * f->scale_x, fy = (float)y * f->scale_y;
    return (struct c_point){ fx + f->offset_x, fy + f->offset_y };
}

void c_frame_back(const struct c_frame *f, struct c_point p, double *x, double *y)
{
    *x = ((double)p.x - f->offset_x) / f->scale_x;
    *y = ((double)p.y - f->offset_y) / f->scale_y;
}

double c_frame_size(const struct c_frame *f, const double box[4])
{
    double w = box[2] - box[0], h = box[3] - box[1];
    if (f->geometry == C_STRETCH_BOTH)
        return fmax(w * f->side / f->width, h * f->side / f->height);
    return fmax(h, w) * ((double)f->side / (f->width > f->height ? f->width : f->height));
}

static int clamp(float at, int grid)
{
    return at <= 0 ? 0 : at >= (float)grid ? grid - 1 : (int)at;
}

int c_frame_cell(const struct c_frame *f, struct c_point p, int grid)
{
    float cells = (float)((double)grid / f->side);
    int row = clamp(cells * p.y, grid), column = clamp(cells * p.x, grid);
    return row * grid + column;
}
