/* What the sprite world is made of: some 200 things that Noto Color Emoji has a drawing of, with the facts that are
 * asked about them. Names and code points are Unicode's, shortened to words that a tiny model can say; the facts are
 * ours. */
#ifndef ACSWEEP_WORLD_CONCEPT_H
#define ACSWEEP_WORLD_CONCEPT_H

#include <stddef.h>
#include <stdint.h>

#include "world/random.h"

enum colour {
    NO_COLOUR, /* none that all people would say */
    RED,
    ORANGE,
    YELLOW,
    GREEN,
    BLUE,
    PURPLE,
    PINK,
    BROWN,
    BLACK,
    WHITE,
    GRAY,
    COLOURS
};
const char *colour_name(enum colour c);

enum group {
    MAMMAL,
    BIRD,
    REPTILE,
    SEA_ANIMAL,
    BUG,
    FRUIT,
    VEGETABLE,
    MEAL,
    SWEET,
    DRINK,
    PLANT,
    VEHICLE,
    BUILDING,
    SKY,
    SPORT,
    MUSIC,
    CLOTHES,
    TOOL,
    HOUSEHOLD,
    GROUPS
};

enum kind { ANIMAL, FOOD, GROWTH, OBJECT, KINDS };

struct group_facts {
    const char *name; /* "mammal": as in "Is this a mammal?" */
    enum kind kind;
    const char *home_question; /* what `home` of its concepts answers; NULL: nothing is asked */
    const char *fact_question; /* the same of `fact` */
};
const struct group_facts *group_facts(enum group g);
const char *kind_name(enum kind k);

struct concept {
    uint32_t code; /* Unicode code point */
    const char *noun, *plural;
    enum group group;
    enum colour colour;
    const char *home; /* one word: where it lives, grows, goes or belongs; NULL: not asked */
    const char *fact; /* one word: what it eats, how it tastes, what it is for; NULL: not asked */
};

size_t concept_count(void);
const struct concept *concept_at(size_t i);
const struct concept *concept_of_code(uint32_t code); /* NULL: none has it */
/* Any of them; any with `wanted(c, arg)`, which must hold for at least one. */
const struct concept *concept_any(struct random *r);
typedef bool concept_test(const struct concept *c, const void *arg);
const struct concept *concept_where(struct random *r, concept_test *wanted, const void *arg);

/* Drawings that exist in several colours: what can be asked "what color is the ...?" of. */
struct shape {
    const char *noun, *plural;
    struct {
        enum colour colour;
        uint32_t code;
    } in[9];
};
#define SHAPES 3
#define SHAPE_COLOURS 9
const struct shape *shape_at(size_t i);

/* Can one say "two of them"? Not of rice, jeans, milk. */
bool concept_counts(const struct concept *c, const void *unused);
/* "a", "an", or "some" of what cannot be counted. */
const char *article(const char *noun);

#endif
