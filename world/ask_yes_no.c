/* MME: two questions about each picture, one to be answered yes and one no. */
#include <string.h>

#include "world/ask.h"

#define PLEASE " Please answer yes or no."

/* The subject's two questions; the first is true. */
struct both {
    char yes[160], no[160];
};
typedef void maker(struct random *r, struct scene *s, struct both *b);

static void add_different(struct random *r, struct scene *s, size_t n)
{
    while (s->n < n)
        scene_add(s, concept_where(r, ask_is_absent, s));
}

static void make_existence(struct random *r, struct scene *s, struct both *b)
{
    add_different(r, s, 1 + random_below(r, 2));
    scene_lay_out_any(s, r);
    const char *here = s->things[random_below(r, (uint32_t)s->n)].noun,
               *absent = concept_where(r, ask_is_absent, s)->noun;
    SAY(b->yes, "Is there %s %s?", article(here), here);
    SAY(b->no, "Is there %s %s?", article(absent), absent);
}

static void make_count(struct random *r, struct scene *s, struct both *b)
{
    const struct concept *c = concept_where(r, concept_counts, NULL);
    size_t n = 1 + random_below(r, SCENE_MOST), other = 1 + (n + random_below(r, SCENE_MOST - 1)) % SCENE_MOST;
    for (size_t i = 0; i < n; i++)
        scene_add(s, c);
    scene_lay_out(s, r, CORNERS, NULL);
    SAY(b->yes, "Is the number of %s %s?", c->plural, number_word(n));
    SAY(b->no, "Is the number of %s %s?", c->plural, number_word(other));
}

static void make_position(struct random *r, struct scene *s, struct both *b)
{
    bool beside = random_chance(r, 50), turned = random_chance(r, 50);
    static const char *const words[2][2] = { { "above", "below" }, { "left of", "right of" } };
    add_different(r, s, 2);
    scene_lay_out(s, r, beside ? SIDE_BY_SIDE : STACKED, NULL);
    const char *one = s->things[turned].noun, *two = s->things[!turned].noun;
    SAY(b->yes, "Is the %s %s the %s?", one, words[beside][turned], two);
    SAY(b->no, "Is the %s %s the %s?", one, words[beside][!turned], two);
}

static void make_colour(struct random *r, struct scene *s, struct both *b)
{
    const struct shape *shape = shape_at(random_below(r, SHAPES));
    size_t c = random_below(r, SHAPE_COLOURS), other = (c + 1 + random_below(r, SHAPE_COLOURS - 1)) % SHAPE_COLOURS;
    scene_add_shape(s, shape, c);
    scene_lay_out(s, r, ALONE, NULL);
    SAY(b->yes, "Is the %s %s?", shape->noun, colour_name(shape->in[c].colour));
    SAY(b->no, "Is the %s %s?", shape->noun, colour_name(shape->in[other].colour));
}

static void make_scene(struct random *r, struct scene *s, struct both *b)
{
    enum colour other;
    add_different(r, s, 1);
    scene_lay_out(s, r, ALONE, NULL);
    while ((other = background_at(random_below(r, BACKGROUNDS))) == s->background) {
    }
    SAY(b->yes, "Is the background %s?", colour_name(s->background));
    SAY(b->no, "Is the background %s?", colour_name(other));
}

static void make_text(struct random *r, struct scene *s, struct both *b)
{
    size_t n;
    const char *const *words = word_list(&n);
    size_t one = random_below(r, (uint32_t)n), other = (one + 1 + random_below(r, (uint32_t)n - 1)) % n;
    scene_write(s, r, words[one]);
    SAY(b->yes, "Is the word %s?", words[one]);
    SAY(b->no, "Is the word %s?", words[other]);
}

static void make_sense(struct random *r, struct scene *s, struct both *b)
{
    add_different(r, s, 1);
    scene_lay_out(s, r, ALONE, NULL);
    enum group group = s->things[0].concept->group, other;
    while (!ask_groups_far(group, other = (enum group)random_below(r, GROUPS))) {
    }
    const char *yes = group_facts(group)->name, *no = group_facts(other)->name;
    SAY(b->yes, "Is it %s %s?", article(yes), yes);
    SAY(b->no, "Is it %s %s?", article(no), no);
}

static void make_sum(struct random *r, struct scene *s, struct both *b)
{
    char sum[12];
    int one = random_between(r, 1, 4), two = random_between(r, 1, 5), wrong;
    while ((wrong = random_between(r, 2, 9)) == one + two) {
    }
    SAY(sum, "%d+%d", one, two);
    scene_write(s, r, sum);
    SAY(b->yes, "Is the sum %d?", one + two);
    SAY(b->no, "Is the sum %d?", wrong);
}

static const struct {
    const char *name; /* a subtask of MME; posters, celebrities, landmarks and the like have no mirror here */
    maker *make;
} subtasks[] = {
    { "existence", make_existence },
    { "count", make_count },
    { "position", make_position },
    { "color", make_colour },
    { "scene", make_scene },
    { "OCR", make_text },
    { "commonsense_reasoning", make_sense },
    { "numerical_calculation", make_sum },
};

void ask_yes_no(struct random *r, uint64_t i, struct item *out)
{
    struct both b;
    size_t k = i % ARRAY_LEN(subtasks), yes = i / ARRAY_LEN(subtasks) % 2;
    subtasks[k].make(r, &out->scene, &b);
    for (size_t n = 0; n < 2; n++) {
        struct asked *q = &out->asked[n];
        q->category = subtasks[k].name;
        snprintf(q->question, sizeof q->question, "%s" PLEASE, n == yes ? b.yes : b.no);
        snprintf(q->answer, sizeof q->answer, "%s", n == yes ? "Yes" : "No");
    }
    out->n = 2;
}
