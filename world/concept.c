#include "world/concept.h"

#include <string.h>

#include "common/own.h"

/* Plurals that only take an s are made by the preprocessor: 0 in the table. */
#define C(code, noun, plural, group, colour, home, fact) \
    { 0x##code, noun, plural ? plural : noun "s", group, colour, home, fact },
static const struct concept concepts[] = {
#include "world/concept_table.h"
};
#undef C

static const char *const colours[COLOURS] = {
    [NO_COLOUR] = "none", [RED] = "red",   [ORANGE] = "orange", [YELLOW] = "yellow", [GREEN] = "green", [BLUE] = "blue",
    [PURPLE] = "purple",  [PINK] = "pink", [BROWN] = "brown",   [BLACK] = "black",   [WHITE] = "white", [GRAY] = "gray",
};

#define LIVES "Where does it live?"
#define EATS "What does it eat?"
#define GROWS "Where does it grow?"
#define TASTES "How does it taste?"
#define MADE "Where does it come from?"
#define FOR "What do people do with it?"
#define KEPT "Where do people keep it?"
static const struct group_facts groups[GROUPS] = {
    [MAMMAL] = { "mammal", ANIMAL, LIVES, EATS },
    [BIRD] = { "bird", ANIMAL, LIVES, EATS },
    [REPTILE] = { "reptile", ANIMAL, LIVES, EATS },
    [SEA_ANIMAL] = { "sea animal", ANIMAL, LIVES, EATS },
    [BUG] = { "bug", ANIMAL, LIVES, EATS },
    [FRUIT] = { "fruit", FOOD, GROWS, TASTES },
    [VEGETABLE] = { "vegetable", FOOD, GROWS, TASTES },
    [MEAL] = { "meal", FOOD, MADE, TASTES },
    [SWEET] = { "sweet", FOOD, MADE, TASTES },
    [DRINK] = { "drink", FOOD, MADE, TASTES },
    [PLANT] = { "plant", GROWTH, GROWS, NULL },
    [VEHICLE] = { "vehicle", OBJECT, "Where does it go?", NULL },
    [BUILDING] = { "building", OBJECT, NULL, "What do people do there?" },
    [SKY] = { "sky thing", OBJECT, NULL, NULL },
    [SPORT] = { "sport thing", OBJECT, NULL, FOR },
    [MUSIC] = { "music thing", OBJECT, NULL, FOR },
    [CLOTHES] = { "thing to wear", OBJECT, NULL, FOR },
    [TOOL] = { "tool", OBJECT, KEPT, FOR },
    [HOUSEHOLD] = { "house thing", OBJECT, KEPT, FOR },
};

static const struct shape shapes[SHAPES] = {
    { "heart",
      "hearts",
      { { RED, 0x2764 },
        { ORANGE, 0x1F9E1 },
        { YELLOW, 0x1F49B },
        { GREEN, 0x1F49A },
        { BLUE, 0x1F499 },
        { PURPLE, 0x1F49C },
        { BROWN, 0x1F90E },
        { BLACK, 0x1F5A4 },
        { WHITE, 0x1F90D } } },
    { "circle",
      "circles",
      { { RED, 0x1F534 },
        { ORANGE, 0x1F7E0 },
        { YELLOW, 0x1F7E1 },
        { GREEN, 0x1F7E2 },
        { BLUE, 0x1F535 },
        { PURPLE, 0x1F7E3 },
        { BROWN, 0x1F7E4 },
        { BLACK, 0x26AB },
        { WHITE, 0x26AA } } },
    { "square",
      "squares",
      { { RED, 0x1F7E5 },
        { ORANGE, 0x1F7E7 },
        { YELLOW, 0x1F7E8 },
        { GREEN, 0x1F7E9 },
        { BLUE, 0x1F7E6 },
        { PURPLE, 0x1F7EA },
        { BROWN, 0x1F7EB },
        { BLACK, 0x2B1B },
        { WHITE, 0x2B1C } } },
};

const char *colour_name(enum colour c)
{
    return colours[c];
}

const struct group_facts *group_facts(enum group g)
{
    return &groups[g];
}

const char *kind_name(enum kind k)
{
    static const char *const names[KINDS] = { "animal", "food", "plant", "thing" };
    return names[k];
}

size_t concept_count(void)
{
    return ARRAY_LEN(concepts);
}

const struct concept *concept_at(size_t i)
{
    return &concepts[i];
}

const struct concept *concept_of_code(uint32_t code)
{
    for (size_t i = 0; i < concept_count(); i++)
        if (concept_at(i)->code == code)
            return concept_at(i);
    return NULL;
}

const struct shape *shape_at(size_t i)
{
    return &shapes[i];
}

const struct concept *concept_any(struct random *r)
{
    return &concepts[random_below(r, ARRAY_LEN(concepts))];
}

const struct concept *concept_where(struct random *r, concept_test *wanted, const void *arg)
{
    const struct concept *c;
    do
        c = concept_any(r);
    while (!wanted(c, arg));
    return c;
}

bool concept_counts(const struct concept *c, const void *unused)
{
    (void)unused;
    return group_facts(c->group)->kind == ANIMAL || strcmp(c->noun, c->plural) != 0;
}

const char *article(const char *noun)
{
    for (size_t i = 0; i < ARRAY_LEN(concepts); i++)
        if (strcmp(concepts[i].noun, noun) == 0 && !concept_counts(&concepts[i], NULL))
            return "some";
    return strchr("aeiou", noun[0]) && strcmp(noun, "ufo") != 0 ? "an" : "a";
}
