/* Views: what an encoder is shown of a picture while it learns; a cut, turned, mirrored, in other colours. Coordinates
 * go from 0 to 1 along each edge, of the view and of the picture. */
#ifndef ACSWEEP_WORKER_PRETRAIN_VIEW_H
#define ACSWEEP_WORKER_PRETRAIN_VIEW_H

#include <stdbool.h>

#include "worker/data/image.h"
#include "worker/pretrain/dice.h"

/* How much views may differ from their pictures. */
struct view_rules {
    double smallest;        /* edge of the cut, as a part of the picture's: from here to 1 */
    double stretch;         /* width over height of the cut: from 1/(1+s) to 1+s */
    double turn;            /* degrees to either side */
    double light, contrast; /* added, and multiplied by 1 +- this, of all channels */
    double colour;          /* multiplied by 1 +- this, of each channel */
    double grey;            /* how often it loses its colours */
};

struct view {
    float centre[2];      /* of the picture, where the view's middle is */
    float axis[2][2];     /* picture point = centre + axis (view point - 1/2) */
    float gain[3], light; /* value' = gain value + light, of values from 0 to 1 */
    bool grey;
};

struct view view_draw(struct dice *d, const struct view_rules *r, bool mirrored);
void view_to_picture(const struct view *v, const float at[2], float out[2]);
/* False when the picture's point is outside of the view. */
bool view_from_picture(const struct view *v, const float at[2], float out[2]);

/* How much there is to see around a point of a picture: the largest difference of a channel, from 0 to 1, between two
 * of the four points that lie `reach` beside, above and below it. */
float view_contrast(const struct image *square, const float at[2], float reach);

/* Fill chw (3, edge, edge): bilinear, the picture's border repeated outside, values from 0 to 1, then minus mean, by
 * std. */
struct view_scale {
    float mean[3], std[3];
};
void view_render(const struct view *v, const struct image *square, int edge, const struct view_scale *s, float *chw);

#endif
