#include "world/scene.h"

#include <string.h>

static const char *const places[PLACES] = {
    [MIDDLE] = "in the middle",
    [LEFT] = "left",
    [RIGHT] = "right",
    [TOP] = "top",
    [BOTTOM] = "bottom",
    [TOP_LEFT] = "top left",
    [TOP_RIGHT] = "top right",
    [BOTTOM_LEFT] = "bottom left",
    [BOTTOM_RIGHT] = "bottom right",
};

/* Colours that differ from one another also when they are all there is of a picture. */
static const enum colour backgrounds[BACKGROUNDS] = { RED, YELLOW, GREEN, BLUE, PURPLE, PINK, WHITE, GRAY };

const char *place_name(enum place p)
{
    return places[p];
}

enum colour background_at(size_t i)
{
    return backgrounds[i];
}

const char *number_word(size_t n)
{
    static const char *const words[] = { "zero", "one", "two", "three", "four" };
    return words[n];
}

void scene_begin(struct scene *s, struct random *r)
{
    *s = (struct scene){ .background = backgrounds[random_below(r, BACKGROUNDS)] };
}

void scene_add(struct scene *s, const struct concept *c)
{
    s->things[s->n++] =
        (struct thing){ .concept = c, .noun = c->noun, .plural = c->plural, .colour = c->colour, .code = c->code };
}

void scene_add_shape(struct scene *s, const struct shape *shape, size_t colour)
{
    s->things[s->n++] = (struct thing){ .shape = shape,
                                        .noun = shape->noun,
                                        .plural = shape->plural,
                                        .colour = shape->in[colour].colour,
                                        .code = shape->in[colour].code };
}

/* ---- where --------------------------------------------------------------------------------------------------------
 */

static void put(struct thing *t, struct random *r, enum place place, int x, int y, int lo, int hi, int room)
{
    t->place = place;
    t->size = random_between(r, lo, hi);
    int play = room > t->size ? (room - t->size) / 2 : 0;
    t->x = x + random_between(r, -play, play);
    t->y = y + random_between(r, -play, play);
    t->degrees = random_between(r, -12, 12);
    t->mirrored = random_chance(r, 50);
}

static void put_corners(struct scene *s, struct random *r, const int *corners)
{
    int order[4] = { 0, 1, 2, 3 };
    random_shuffle(r, order, 4);
    for (size_t i = 0; i < s->n; i++) {
        int k = corners ? corners[i] : order[i];
        put(&s->things[i], r, (enum place)(TOP_LEFT + k), k % 2 ? 745 : 255, k / 2 ? 745 : 255, 370, 470, 490);
    }
}

static bool is_taken(const struct scene *s, enum colour c)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->things[i].colour == c)
            return true;
    return false;
}

void scene_lay_out(struct scene *s, struct random *r, enum layout how, const int *corners)
{
    switch (how) {
    case ALONE:
        put(&s->things[0], r, MIDDLE, 500, 500, 550, 920, 980);
        break;
    case SIDE_BY_SIDE:
        put(&s->things[0], r, LEFT, 255, 500, 400, 480, 500);
        put(&s->things[1], r, RIGHT, 745, 500, 400, 480, 500);
        break;
    case STACKED:
        put(&s->things[0], r, TOP, 500, 255, 400, 480, 500);
        put(&s->things[1], r, BOTTOM, 500, 745, 400, 480, 500);
        break;
    case CORNERS:
        put_corners(s, r, corners);
        break;
    }
    while (is_taken(s, s->background))
        s->background = backgrounds[random_below(r, BACKGROUNDS)];
}

void scene_lay_out_any(struct scene *s, struct random *r)
{
    if (s->n == 1)
        scene_lay_out(s, r, ALONE, NULL);
    else if (s->n == 2 && random_chance(r, 80))
        scene_lay_out(s, r, random_chance(r, 50) ? SIDE_BY_SIDE : STACKED, NULL);
    else if (s->n)
        scene_lay_out(s, r, CORNERS, NULL);
}

void scene_write(struct scene *s, struct random *r, const char *text)
{
    snprintf(s->text, sizeof s->text, "%s", text);
    s->face = (enum typeface)random_below(r, TYPEFACES);
    s->text_size = random_between(r, 270, 380);
    s->text_x = random_between(r, 470, 530);
    s->text_y = random_between(r, 400, 600);
    if (!s->n)
        return;
    struct thing *t = &s->things[0];
    t->size = t->size * 6 / 10;
    t->x = 500 + (t->x - 500) / 2;
    t->y = 320;
    t->place = TOP;
    s->text_size = random_between(r, 240, 290);
    s->text_y = 810;
}

/* ---- drawing ------------------------------------------------------------------------------------------------------
 */

static int draw_thing(const struct thing *t, enum artist by, struct art *a, int edge, struct image *out, struct err *e)
{
    const struct sprite *s = art_drawing(a, by, t->code, e);
    if (!s)
        return -1;
    int longer = s->width > s->height ? s->width : s->height;
    struct pose p = { .x = t->x * edge * 16 / 1000,
                      .y = t->y * edge * 16 / 1000,
                      .width = t->size * edge * 16 / 1000 * s->width / longer,
                      .height = t->size * edge * 16 / 1000 * s->height / longer,
                      .degrees = t->degrees,
                      .mirrored = t->mirrored };
    struct affine m = affine_of_pose(&p, s);
    canvas_sprite(out, s, &m, NULL);
    return 0;
}

/* Black or white, whichever is further from the background. */
static struct rgb ink_on(enum colour background)
{
    struct rgb c = colour_rgb(background);
    return 299 * c.r + 587 * c.g + 114 * c.b > 128000 ? (struct rgb){ 15, 15, 20 } : (struct rgb){ 250, 250, 250 };
}

/* In the scene's size, or smaller where the line would not fit. */
static int draw_text(const struct scene *s, struct art *a, int edge, struct image *out, struct err *e)
{
    int size = s->text_size * edge / 1000;
    AUTO(mask_free) struct mask m = { 0 };
    TRY(art_text(a, s->face, s->text, size, &m, e));
    while (m.width > edge * 94 / 100 && size > 6) {
        mask_free(&m);
        TRY(art_text(a, s->face, s->text, --size, &m, e));
    }
    int left = s->text_x * edge / 1000 - m.width / 2, most = edge - m.width - 1;
    left = left > most ? most : left;
    canvas_mask(out, &m, left < 1 ? 1 : left, s->text_y * edge / 1000 - m.height / 2, ink_on(s->background));
    return 0;
}

int scene_draw(const struct scene *s, struct art *a, uint32_t edge, struct random *r, struct image *out, struct err *e)
{
    TRY(image_create(edge, edge, out, e));
    canvas_background(out, s->background, r);
    for (size_t i = 0; i < s->n; i++)
        TRY(draw_thing(&s->things[i], s->by, a, (int)edge, out, e));
    if (s->text[0])
        TRY(draw_text(s, a, (int)edge, out, e));
    if (s->blur)
        TRY(canvas_blur(out, s->blur * (int)edge / 1000 > 0 ? s->blur * (int)edge / 1000 : 1, e));
    if (s->dark)
        canvas_darken(out, s->dark);
    return 0;
}
