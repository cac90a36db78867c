/* Open questions: OK-VQA, TextVQA, VizWiz. */
#include <string.h>

#include "world/ask.h"

/* Facts that the picture does not show; of each question every answer as often. */
static void make_fact(struct random *r, uint64_t i, struct item *it)
{
    struct fact_question f;
    fact_question_at(i, &f);
    const char *answer = f.answers[random_below(r, (uint32_t)f.n)];
    scene_add(&it->scene, fact_concept(&f, answer, r));
    scene_lay_out(&it->scene, r, ALONE, NULL);
    SAY(it->asked[0].question, "%s", f.text);
    SAY(it->asked[0].answer, "%s", answer);
    it->asked[0].category = "facts";
}

static void make_text(struct random *r, uint64_t i, struct item *it)
{
    bool number = i % 3 == 2;
    size_t n;
    const char *const *words = word_list(&n);
    char text[8];
    if (number)
        SAY(text, "%d", random_between(r, 10, 99));
    else
        SAY(text, "%s", words[random_below(r, (uint32_t)n)]);
    if (i % 3 == 1)
        ask_one(it, r);
    scene_write(&it->scene, r, text);
    SAY(it->asked[0].question, "what %s is written?", number ? "number" : "word");
    SAY(it->asked[0].answer, "%s", text);
    it->asked[0].category = number ? "number" : "word";
}

/* Hard to see, but one can. */
static void spoil(struct random *r, struct scene *s)
{
    if (random_chance(r, 50))
        s->dark = random_between(r, 35, 60);
    else
        s->blur = random_between(r, 18, 30);
}

/* Nothing can be seen: too dark, or nothing is there (but even then there is a colour). */
static void make_hopeless(struct random *r, bool colour, struct item *it)
{
    if (colour || random_chance(r, 50)) {
        ask_one(it, r);
        it->scene.dark = random_between(r, 1, 4);
    }
    SAY(it->asked[0].answer, "unanswerable");
    it->asked[0].category = "unanswerable";
}

static void make_blurred_name(struct random *r, struct item *it)
{
    SAY(it->asked[0].answer, "%s", ask_one(it, r)->noun);
    spoil(r, &it->scene);
    it->asked[0].category = "name";
}

static void make_blurred_colour(struct random *r, struct item *it)
{
    const struct shape *shape = shape_at(random_below(r, SHAPES));
    scene_add_shape(&it->scene, shape, random_below(r, SHAPE_COLOURS));
    scene_lay_out(&it->scene, r, ALONE, NULL);
    it->scene.blur = random_between(r, 18, 30);
    SAY(it->asked[0].answer, "%s", colour_name(it->scene.things[0].colour));
    it->asked[0].category = "color";
}

/* Two of five are about names, two about colours, and one has no answer, whichever is asked. */
static void make_blind(struct random *r, uint64_t i, struct item *it)
{
    bool colour = i % 5 == 4 ? random_chance(r, 50) : i % 2;
    if (i % 5 == 4)
        make_hopeless(r, colour, it);
    else if (colour)
        make_blurred_colour(r, it);
    else
        make_blurred_name(r, it);
    SAY(it->asked[0].question, "%s", colour ? "what color is this?" : "what is this?");
}

void ask_open(enum benchmark_kind kind, struct random *r, uint64_t i, struct item *out)
{
    if (kind == OKVQA)
        make_fact(r, i, out);
    else if (kind == TEXTVQA)
        make_text(r, i, out);
    else
        make_blind(r, i, out);
}
