/* The frame of the C score: a square of `side` pixels (840) into which pictures, key points and boxes are brought
 * before anything is measured. Cell (row, column) of a grid of P x P tokens covers side/P pixels of it.
 *
 * Points are float32 and every step on them is rounded by itself, because points on cell borders are common and the
 * last bit decides their cell: no fused multiply-add, no double (worker/score is compiled so). */
#ifndef ACSWEEP_WORKER_SCORE_C_FRAME_H
#define ACSWEEP_WORKER_SCORE_C_FRAME_H

#include <math.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

/* The first two compute the same: they differ in how the picture was prepared before features were extracted from it
 * (padded to a square, or stretched, as in the released code). With the third, points and boxes are stretched too. */
enum c_geometry { C_LETTERBOX, C_STRETCH_MISMATCH, C_STRETCH_BOTH };

struct c_point {
    float x, y; /* pixels of the frame */
};

struct c_frame {
    enum c_geometry geometry;
    int side;
    uint32_t width, height;   /* of the picture */
    float scale_x, scale_y;   /* picture -> frame: first the scale, */
    float offset_x, offset_y; /* then the offset */
};

struct c_frame c_frame_make(enum c_geometry geometry, int side, uint32_t width, uint32_t height);
struct c_point c_frame_point(const struct c_frame *f, double x, double y);
static inline float c_frame_distance(struct c_point a, struct c_point b)
{
    float dx = a.x - b.x, dy = a.y - b.y;
    return sqrtf(dx * dx + dy * dy);
}
/* Back to pixels of the picture; for drawing. */
void c_frame_back(const struct c_frame *f, struct c_point p, double *x, double *y);
/* The size of a box [x1, y1, x2, y2]: its longer edge, in pixels of the frame. */
double c_frame_size(const struct c_frame *f, const double box[4]);
/* The cell that holds `p`, row * grid + column. Points on the far border belong to the last cell. */
int c_frame_cell(const struct c_frame *f, struct c_point p, int grid);

/* "letterbox", "stretch_mismatch", "stretch_both". */
const char *c_geometry_name(enum c_geometry g);
MUST_USE int c_geometry_parse(const char *name, enum c_geometry *out, struct err *e);

#endif
