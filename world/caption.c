/* Scenes in words. */
#include <stdlib.h>
#include <string.h>

#include "world/scene.h"

/* "a dog", "three dogs", "a red heart". */
static void put_noun(const struct thing *t, size_t n, struct buf *to)
{
    const char *colour = t->shape ? colour_name(t->colour) : "";
    const char *noun = n == 1 ? t->noun : t->plural;
    if (n == 1)
        buf_printf(to, "%s ", article(colour[0] ? colour : noun));
    else
        buf_printf(to, "%s ", number_word(n));
    buf_printf(to, "%s%s%s", colour, colour[0] ? " " : "", noun);
}

static bool same(const struct thing *a, const struct thing *b)
{
    return a->code == b->code;
}

void scene_list(const struct scene *s, struct buf *to)
{
    bool first = true;
    for (size_t i = 0; i < s->n; i++) {
        size_t n = 0, before = 0;
        for (size_t k = 0; k < s->n; k++) {
            n += same(&s->things[i], &s->things[k]);
            before += k < i && same(&s->things[i], &s->things[k]);
        }
        if (before)
            continue;
        buf_puts(to, first ? "" : " and ");
        put_noun(&s->things[i], n, to);
        first = false;
    }
}

/* What is in the middle of a cell: letters lie over things, things over the background. Of a shape the colour as often as
 * the noun. */
static const char *cell_word(const struct scene *s, int x, int y, struct random *r)
{
    int half = s->text_size * (int)strlen(s->text) * 3 / 10;
    if (s->text[0] && abs(x - s->text_x) < (half > 470 ? 470 : half) && abs(y - s->text_y) < s->text_size * 4 / 10)
        return s->text;
    for (size_t i = 0; i < s->n; i++) {
        const struct thing *t = &s->things[i];
        if (abs(x - t->x) < t->size * 45 / 100 && abs(y - t->y) < t->size * 45 / 100)
            return t->shape && random_chance(r, 50) ? colour_name(t->colour) : t->noun;
    }
    return colour_name(s->background);
}

void scene_spell(const struct scene *s, int cells, struct random *r, struct buf *to)
{
    bool dark = s->dark && s->dark < SCENE_DARKEST;
    for (int i = 0; i < cells * cells; i++) {
        int x = (2 * (i % cells) + 1) * 500 / cells, y = (2 * (i / cells) + 1) * 500 / cells;
        buf_printf(to, "%s%s", i ? " " : "", dark ? "dark" : cell_word(s, x, y, r));
    }
}

void scene_mention(const struct scene *s, int words, struct random *r, struct buf *to)
{
    for (int i = 0; i < words; i++) {
        uint32_t k = random_below(r, (uint32_t)s->n + 1);
        const struct thing *t = k < s->n ? &s->things[k] : NULL;
        bool colour = !t || (t->shape && random_chance(r, 50));
        buf_printf(to, "%s%s", i ? " " : "", colour ? colour_name(t ? t->colour : s->background) : t->noun);
    }
}

void scene_put_background(const struct scene *s, struct buf *to)
{
    buf_printf(to, " on %s %s background", article(colour_name(s->background)), colour_name(s->background));
}

static void put_relation(const struct scene *s, struct random *r, struct buf *to)
{
    bool turned = random_chance(r, 50), beside = s->things[0].place == LEFT;
    put_noun(&s->things[turned], 1, to);
    buf_puts(to, beside ? (turned ? " right of " : " left of ") : (turned ? " below " : " above "));
    put_noun(&s->things[!turned], 1, to);
}

static const char *kind_of_text(const struct scene *s)
{
    return strchr("0123456789", s->text[0]) ? "number" : "word";
}

/* "a dog at the top left and a red heart at the top right" */
static void put_places(const struct scene *s, struct buf *to)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct thing *t = &s->things[i];
        buf_puts(to, i ? " and " : "");
        put_noun(t, 1, to);
        if (s->n > 1 || s->text[0])
            buf_printf(to, " at the %s", place_name(t->place));
    }
}

void scene_describe(const struct scene *s, struct buf *to)
{
    if (s->dark && s->dark < SCENE_DARKEST) {
        buf_puts(to, "a dark picture");
        return;
    }
    if (s->n == 0 && !s->text[0])
        buf_puts(to, "nothing");
    put_places(s, to);
    if (s->text[0])
        buf_printf(to, "%sthe %s %s", s->n ? " and " : "", kind_of_text(s), s->text);
    scene_put_background(s, to);
}

void scene_caption(const struct scene *s, struct random *r, struct buf *to)
{
    bool pair = s->n == 2 && !same(&s->things[0], &s->things[1]) &&
                (s->things[0].place == LEFT || s->things[0].place == TOP) && !s->text[0];
    if (s->n == 0 && !s->text[0])
        buf_puts(to, "nothing");
    else if (pair && random_chance(r, 40))
        put_relation(s, r, to);
    else if (s->n > 1 && random_chance(r, 40))
        put_places(s, to);
    else
        scene_list(s, to);
    if (s->text[0])
        buf_printf(to, "%sthe %s %s", s->n ? " and " : "", kind_of_text(s), s->text);
    if (random_chance(r, 30))
        scene_put_background(s, to);
}

static void add_some(struct scene *s, struct random *r, bool counted)
{
    if (random_chance(r, 12))
        scene_add_shape(s, shape_at(random_below(r, SHAPES)), random_below(r, SHAPE_COLOURS));
    else
        scene_add(s, counted ? concept_where(r, concept_counts, NULL) : concept_any(r));
}

void scene_single(struct scene *s, struct random *r)
{
    scene_begin(s, r);
    add_some(s, r, false);
    scene_lay_out_any(s, r);
}

void scene_common(struct scene *s, struct random *r)
{
    static const int shares[] = { 58, 25, 9, 8 }; /* per cent of pictures with 1, 2, 3, 4 things */
    int at = random_between(r, 0, 99);
    size_t n = 1;
    while (n < SCENE_MOST && at >= shares[n - 1])
        at -= shares[n++ - 1];
    scene_begin(s, r);
    bool equal = n > 1 && random_chance(r, 45);
    for (size_t i = 0; i < n; i++)
        if (i && equal) {
            s->things[s->n] = s->things[s->n - 1];
            s->n++;
        } else {
            add_some(s, r, equal);
        }
    scene_lay_out_any(s, r);
}
