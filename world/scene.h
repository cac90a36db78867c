/* One picture as facts: what is in it, where, in which colours, with which text. Drawing needs nothing else, so whoever
 * makes questions knows the answers. */
#ifndef ACSWEEP_WORLD_SCENE_H
#define ACSWEEP_WORLD_SCENE_H

#include "common/buf.h"
#include "world/canvas.h"

#define SCENE_MOST 4
#define SCENE_DARKEST 10 /* per cent of light: below it nothing can be seen */

enum place { MIDDLE, LEFT, RIGHT, TOP, BOTTOM, TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT, PLACES };
const char *place_name(enum place p);

struct thing {
    const struct concept *concept; /* NULL: a shape */
    const struct shape *shape;
    const char *noun, *plural;
    enum colour colour;
    uint32_t code;
    enum place place;
    int x, y, size, degrees; /* middle and longer edge in thousandths of the picture's edge */
    bool mirrored;
};

struct scene {
    enum artist by; /* of the things' drawings */
    enum colour background;
    struct thing things[SCENE_MOST];
    size_t n;
    char text[12]; /* "": none */
    enum typeface face;
    int text_x, text_y, text_size; /* thousandths; the middle */
    int dark;                      /* per cent of light that is left; 0: all */
    int blur;                      /* thousandths; 0: sharp */
};

/* An empty picture in one of the background colours. */
#define BACKGROUNDS 8
enum colour background_at(size_t i);
void scene_begin(struct scene *s, struct random *r);
void scene_add(struct scene *s, const struct concept *c);
void scene_add_shape(struct scene *s, const struct shape *shape, size_t colour);

enum layout { ALONE, SIDE_BY_SIDE, STACKED, CORNERS };
/* Give everything its place, size and turn. ALONE is for one thing, SIDE_BY_SIDE and STACKED for two, in this order;
 * CORNERS for up to four: thing i comes to corner[i] (0 top left, 1 top right, 2 bottom left, 3 bottom right), or to
 * any where `corners` is NULL. Afterwards the background's colour differs from that of every thing. */
void scene_lay_out(struct scene *s, struct random *r, enum layout how, const int *corners);
/* A layout that fits the number of things. */
void scene_lay_out_any(struct scene *s, struct random *r);
/* Letters, in the middle or, where there is a thing, which then moves up, below. */
void scene_write(struct scene *s, struct random *r, const char *text);

/* `out` must be empty; it becomes edge x edge. */
MUST_USE int scene_draw(const struct scene *s, struct art *a, uint32_t edge, struct random *r, struct image *out,
                        struct err *e);

/* "a dog and two cats": the picture's things, equal ones counted. */
void scene_list(const struct scene *s, struct buf *to);
/* "a dog and two cats on a blue background": true, but not always everything. */
void scene_caption(const struct scene *s, struct random *r, struct buf *to);
/* " on a red background" */
void scene_put_background(const struct scene *s, struct buf *to);
/* Everything that can be seen, with places; of a picture darker than SCENE_DARKEST that it is dark. */
void scene_describe(const struct scene *s, struct buf *to);
#define SCENE_SPELLED 4
/* The picture as cells x cells words, row by row, as an encoder's tokens come: what is to be seen in each cell. */
void scene_spell(const struct scene *s, int cells, struct random *r, struct buf *to);
/* So many words, each of a thing of the picture or of its background, in any order: what is there, but not where. */
void scene_mention(const struct scene *s, int words, struct random *r, struct buf *to);
/* One thing, of any kind. */
void scene_single(struct scene *s, struct random *r);
/* A common scene for pre-training and captions: mostly one or two things. */
void scene_common(struct scene *s, struct random *r);

/* "one" to "four". */
const char *number_word(size_t n);

#endif
