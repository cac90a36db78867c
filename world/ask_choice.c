/* Questions with options: MMBench, MMMU, ScienceQA, SEED-Bench. */
#include <string.h>

#include "world/ask.h"

typedef void maker(struct random *r, size_t right, struct item *it);

/* ---- about what is seen ---------------------------------------------------------------------------------------------
 */

void ask_name(struct item *it, const struct concept *c, struct random *r, size_t right)
{
    scene_add(&it->scene, c);
    scene_lay_out(&it->scene, r, ALONE, NULL);
    SAY(it->asked[0].question, "What is in the picture?");
    ask_nouns(&it->asked[0], r, right, c->noun, ask_is_absent, &it->scene);
}

static void make_name(struct random *r, size_t right, struct item *it)
{
    ask_name(it, concept_any(r), r, right);
}

static void make_count(struct random *r, size_t right, struct item *it)
{
    const struct concept *c = concept_where(r, concept_counts, NULL);
    size_t n = 1 + random_below(r, SCENE_MOST);
    for (size_t i = 0; i < n; i++)
        scene_add(&it->scene, c);
    scene_lay_out(&it->scene, r, CORNERS, NULL);
    SAY(it->asked[0].question, "How many %s are there?", c->plural);
    ask_options_of(&it->asked[0], r, right, number_word(n), POOL_NUMBERS);
}

static void make_corner(struct random *r, size_t right, struct item *it)
{
    const struct concept *c = concept_any(r);
    int corner = (int)random_below(r, 4);
    scene_add(&it->scene, c);
    scene_lay_out(&it->scene, r, CORNERS, &corner);
    SAY(it->asked[0].question, "Where is the %s?", c->noun);
    ask_options_of(&it->asked[0], r, right, place_name((enum place)(TOP_LEFT + corner)), POOL_CORNERS);
}

static void make_colour(struct random *r, size_t right, struct item *it)
{
    const struct shape *shape = shape_at(random_below(r, SHAPES));
    scene_add_shape(&it->scene, shape, random_below(r, SHAPE_COLOURS));
    scene_lay_out(&it->scene, r, ALONE, NULL);
    SAY(it->asked[0].question, "What color is the %s?", shape->noun);
    ask_options_of(&it->asked[0], r, right, colour_name(it->scene.things[0].colour), POOL_SHAPE_COLOURS);
}

static void make_background(struct random *r, size_t right, struct item *it)
{
    ask_one(it, r);
    SAY(it->asked[0].question, "What color is the background?");
    ask_options_of(&it->asked[0], r, right, colour_name(it->scene.background), POOL_BACKGROUNDS);
}

static bool is_other(const struct concept *c, const void *arg)
{
    return c != arg;
}

/* Two different things, beside or above one another. */
static void add_two(struct random *r, bool beside, struct item *it)
{
    const struct concept *one = concept_any(r), *two = concept_where(r, is_other, one);
    scene_add(&it->scene, one);
    scene_add(&it->scene, two);
    scene_lay_out(&it->scene, r, beside ? SIDE_BY_SIDE : STACKED, NULL);
}

static void make_present(struct random *r, size_t right, struct item *it)
{
    add_two(r, random_chance(r, 50), it);
    SAY(it->asked[0].question, "Which of these is in the picture?");
    ask_nouns(&it->asked[0], r, right, it->scene.things[random_below(r, 2)].noun, ask_is_absent, &it->scene);
}

static void make_side(struct random *r, size_t right, struct item *it)
{
    size_t asked = random_below(r, 2);
    add_two(r, random_chance(r, 50), it);
    SAY(it->asked[0].question, "Where is the %s?", it->scene.things[asked].noun);
    ask_options_of(&it->asked[0], r, right, place_name(it->scene.things[asked].place), POOL_SIDES);
}

static void make_relation(struct random *r, size_t right, struct item *it)
{
    bool beside = random_chance(r, 50);
    size_t answer = random_below(r, 2);
    add_two(r, beside, it);
    SAY(it->asked[0].question, "What is %s the %s?",
        beside ? (answer ? "right of" : "left of") : (answer ? "below" : "above"), it->scene.things[!answer].noun);
    ask_nouns(&it->asked[0], r, right, it->scene.things[answer].noun, ask_is_absent, &it->scene);
}

/* ---- about groups and facts -----------------------------------------------------------------------------------------
 */

static bool in_group(const struct concept *c, const void *arg)
{
    return c->group == *(const enum group *)arg;
}

static bool not_in_group(const struct concept *c, const void *arg)
{
    return c->group != *(const enum group *)arg;
}

static void make_group(struct random *r, size_t right, struct item *it)
{
    enum group g = (enum group)random_below(r, GROUPS);
    scene_add(&it->scene, concept_where(r, in_group, &g));
    scene_lay_out(&it->scene, r, ALONE, NULL);
    SAY(it->asked[0].question, "Which kind of thing is it?");
    ask_options_of(&it->asked[0], r, right, group_facts(g)->name, POOL_GROUPS);
}

static void fact_options(struct asked *q, struct random *r, size_t right, const struct fact_question *f,
                         const char *answer)
{
    ask_options(q, r, right, answer, f->answers, f->n);
}

static void make_fact(struct random *r, size_t right, struct item *it)
{
    struct fact_question f;
    fact_question_at(random_below(r, (uint32_t)fact_question_count()), &f);
    const char *answer = f.answers[random_below(r, (uint32_t)f.n)];
    scene_add(&it->scene, fact_concept(&f, answer, r));
    scene_lay_out(&it->scene, r, ALONE, NULL);
    SAY(it->asked[0].question, "%s", f.text);
    fact_options(&it->asked[0], r, right, &f, answer);
}

/* ---- MMMU: the picture's place is in the text -----------------------------------------------------------------------
 */

static void put_place(struct asked *q)
{
    char text[sizeof q->question];
    memcpy(text, q->question, sizeof text);
    snprintf(q->question, sizeof q->question, "<image 1>\n%.180s", text);
}

static void make_common_group(struct random *r, size_t right, struct item *it)
{
    enum group g = (enum group)random_below(r, GROUPS);
    for (size_t i = 0; i < 3; i++)
        scene_add(&it->scene, concept_where(r, in_group, &g));
    scene_lay_out(&it->scene, r, CORNERS, NULL);
    SAY(it->asked[0].question, "What kind are all of these?");
    ask_options_of(&it->asked[0], r, right, group_facts(g)->name, POOL_GROUPS);
    put_place(&it->asked[0]);
}

static void make_odd(struct random *r, size_t right, struct item *it)
{
    int places[4] = { 0, 1, 2, 3 };
    enum group g = (enum group)random_below(r, GROUPS);
    scene_add(&it->scene, concept_where(r, not_in_group, &g));
    for (size_t i = 0; i < 3; i++)
        scene_add(&it->scene, concept_where(r, in_group, &g));
    random_shuffle(r, places, 4);
    scene_lay_out(&it->scene, r, CORNERS, places);
    SAY(it->asked[0].question, "Which place has the odd one?");
    ask_options_of(&it->asked[0], r, right, place_name((enum place)(TOP_LEFT + places[0])), POOL_CORNERS);
    put_place(&it->asked[0]);
}

static void make_sum(struct random *r, size_t right, struct item *it)
{
    size_t n = 1 + random_below(r, SCENE_MOST);
    for (size_t i = 0; i < n; i++)
        scene_add(&it->scene, concept_any(r));
    scene_lay_out(&it->scene, r, CORNERS, NULL);
    SAY(it->asked[0].question, "How many things are there?");
    ask_options_of(&it->asked[0], r, right, number_word(n), POOL_NUMBERS);
    put_place(&it->asked[0]);
}

static void make_expert_fact(struct random *r, size_t right, struct item *it)
{
    make_fact(r, right, it);
    put_place(&it->asked[0]);
}

/* ---- ScienceQA: some without a picture, the name in the text instead ------------------------------------------------
 */

static const char class_hint[] = "Mammals have fur. Birds have feathers. Reptiles have scales. Bugs are small.";
static const enum group classes[] = { MAMMAL, BIRD, REPTILE, SEA_ANIMAL, BUG };

static void make_class(struct random *r, size_t right, struct item *it)
{
    const char *pool[ARRAY_LEN(classes)];
    enum group g = classes[random_below(r, ARRAY_LEN(classes))];
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        pool[i] = group_facts(classes[i])->name;
    scene_add(&it->scene, concept_where(r, in_group, &g));
    scene_lay_out(&it->scene, r, ALONE, NULL);
    it->asked[0].hint = class_hint;
    SAY(it->asked[0].question, "Which class of animal is it?");
    ask_options(&it->asked[0], r, right, group_facts(g)->name, pool, ARRAY_LEN(classes));
}

static void make_which_class(struct random *r, size_t right, struct item *it)
{
    enum group g = classes[random_below(r, ARRAY_LEN(classes))];
    it->pictured = false;
    SAY(it->asked[0].question, "Which of these is a %s?", group_facts(g)->name);
    ask_nouns(&it->asked[0], r, right, concept_where(r, in_group, &g)->noun, not_in_group, &g);
}

/* "What does it eat?" -> "This is a cow. What does it eat?" */
static void make_told_fact(struct random *r, size_t right, struct item *it)
{
    char text[sizeof it->asked[0].question];
    make_fact(r, right, it);
    const char *noun = it->scene.things[0].noun;
    memcpy(text, it->asked[0].question, sizeof text);
    it->pictured = false;
    SAY(it->asked[0].question, "This is %s %s. %.120s", article(noun), noun, text);
}

/* ---- the families ---------------------------------------------------------------------------------------------------
 */

struct subject {
    const char *category;
    maker *make;
};

static const struct subject mmbench[] = { { "object_naming", make_name },
                                          { "object_counting", make_count },
                                          { "object_localization", make_corner },
                                          { "attribute_recognition", make_colour },
                                          { "object_kind", make_group } };
static const struct subject mmmu[] = { { "Groups", make_common_group },
                                       { "Odd_One_Out", make_odd },
                                       { "Counting", make_sum },
                                       { "Facts", make_expert_fact } };
static const struct subject scienceqa[] = { { "animal classes", make_class },
                                            { "facts", make_fact },
                                            { "animal classes in words", make_which_class },
                                            { "facts in words", make_told_fact } };
static const struct subject seed[] = {
    { "Instance Identity", make_present },  { "Instance Location", make_side },
    { "Instances Counting", make_count },   { "Spatial Relation", make_relation },
    { "Instance Attributes", make_colour }, { "Scene Understanding", make_background }
};

static const struct {
    const struct subject *subjects;
    size_t n;
} families[BENCHMARK_FAMILIES] = {
    [MMBENCH] = { mmbench, ARRAY_LEN(mmbench) },
    [MMMU] = { mmmu, ARRAY_LEN(mmmu) },
    [SCIENCEQA] = { scienceqa, ARRAY_LEN(scienceqa) },
    [SEED] = { seed, ARRAY_LEN(seed) },
};

/* Subjects take turns, and within a subject the letters. */
void ask_choice(enum benchmark_kind kind, struct random *r, uint64_t i, struct item *out)
{
    size_t n = families[kind].n;
    const struct subject *s = &families[kind].subjects[i % n];
    s->make(r, i / n % ASKED_OPTIONS, out);
    out->asked[0].category = s->category;
}
