/* Questions for further turns: each answer is found again from the scene's own things and coordinates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "world/ask.h"

#define SCENES 3000

/* Text after `start`, up to `end`, of a question of this shape. */
static bool between(const char *question, const char *start, const char *end, char out[64])
{
    const char *from = strstr(question, start), *to = from ? strstr(from + strlen(start), end) : NULL;
    if (from != question || !to)
        return false;
    snprintf(out, 64, "%.*s", (int)(to - from - (ptrdiff_t)strlen(start)), from + strlen(start));
    return true;
}

static const struct thing *with_noun(const struct scene *s, const char *noun)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->things[i].noun, noun) == 0)
            return &s->things[i];
    return NULL;
}

static size_t how_many(const struct scene *s, const char *plural)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += strcmp(plural, "things") == 0 || strcmp(plural, s->things[i].plural) == 0;
    return n;
}

/* Where a thing is, by its middle: in a corner of a picture with corners, else at the side that it is nearest to. */
static const char *where(const struct thing *t)
{
    static const char *const corners[2][2] = { { "top left", "top right" }, { "bottom left", "bottom right" } };
    bool right = t->x > 500, low = t->y > 500;
    if (t->place >= TOP_LEFT)
        return corners[low][right];
    return abs(t->x - 500) > abs(t->y - 500) ? (right ? "right" : "left") : low ? "bottom" : "top";
}

static bool is_related(const struct thing *a, const char *relation, const struct thing *b)
{
    return strcmp(relation, "left of") == 0    ? a->x < b->x
           : strcmp(relation, "right of") == 0 ? a->x > b->x
           : strcmp(relation, "above") == 0    ? a->y < b->y
                                               : a->y > b->y;
}

static const char *const relations[] = { "left of", "right of", "above", "below" };

/* ---- yes or no ------------------------------------------------------------------------------------------------------
 */

static bool is_true(const struct scene *s, const char *q)
{
    char one[64], two[64], start[32];
    if (between(q, "Is the background ", "?", one))
        return strcmp(one, colour_name(s->background)) == 0;
    if (between(q, "Is there ", "?", one))
        return with_noun(s, strchr(one, ' ') + 1);
    if (between(q, "Is it ", "?", one))
        return strcmp(strchr(one, ' ') + 1, group_facts(s->things[0].concept->group)->name) == 0;
    if (between(q, "Is the number of ", "?", one)) {
        char *number = strrchr(one, ' ');
        *number++ = '\0';
        return strcmp(number, number_word(how_many(s, one))) == 0;
    }
    assert_true(between(q, "Is the ", " ", one));
    const struct thing *t = with_noun(s, one);
    snprintf(start, sizeof start, "Is the %s at the ", one);
    if (between(q, start, "?", two))
        return strcmp(two, where(t)) == 0;
    for (size_t i = 0; i < ARRAY_LEN(relations); i++) {
        snprintf(start, sizeof start, "Is the %s %s the ", one, relations[i]);
        if (between(q, start, "?", two))
            return is_related(t, relations[i], with_noun(s, two));
    }
    snprintf(start, sizeof start, "Is the %s ", one);
    assert_true(between(q, start, "?", two));
    return strcmp(two, colour_name(t->colour)) == 0;
}

/* ---- open, and with options -----------------------------------------------------------------------------------------
 */

static bool is_answer(const struct scene *s, const char *q, const char *answer)
{
    char one[64], start[32];
    const struct thing *t = s->things;
    if (strcmp(q, "What color is the background?") == 0)
        return strcmp(answer, colour_name(s->background)) == 0;
    if (between(q, "What color is the ", "?", one))
        return strcmp(answer, colour_name(with_noun(s, one)->colour)) == 0;
    if (between(q, "How many ", " are there?", one))
        return strcmp(answer, number_word(how_many(s, one))) == 0;
    if (between(q, "What is at the ", "?", one)) {
        for (t = s->things; t < s->things + s->n && strcmp(where(t), one) != 0; t++) {
        }
        return strcmp(t->noun, answer) == 0;
    }
    if (strcmp(q, "What is in the picture?") == 0)
        return strcmp(answer, t->noun) == 0;
    if (strcmp(q, "Which kind of thing is it?") == 0)
        return strcmp(answer, group_facts(t->concept->group)->name) == 0;
    if (between(q, "Where is the ", "?", one))
        return strcmp(answer, where(with_noun(s, one))) == 0;
    for (size_t i = 0; i < ARRAY_LEN(relations); i++) {
        snprintf(start, sizeof start, "What is %s the ", relations[i]);
        if (between(q, start, "?", one))
            return (t = with_noun(s, answer)) && is_related(t, relations[i], with_noun(s, one));
    }
    const struct group_facts *g = group_facts(t->concept->group);
    return (g->home_question && t->concept->home && strcmp(q, g->home_question) == 0 &&
            strcmp(answer, t->concept->home) == 0) ||
           (g->fact_question && t->concept->fact && strcmp(q, g->fact_question) == 0 &&
            strcmp(answer, t->concept->fact) == 0);
}

/* Question number i, of a scene of its own. */
static enum benchmark_kind ask_number(uint64_t i, enum ask_subjects of, enum ask_form form, struct scene *s,
                                      struct asked *a)
{
    struct random r = random_for(5, "more", i);
    scene_common(s, &r);
    return ask_more(s, &r, of, form, a);
}

static void only_the_answer_is_right(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < SCENES; i++) {
        struct scene s;
        struct asked a;
        assert_int_equal(ask_number(i, ASK_ALL, ASK_OPEN, &s, &a), TEXTVQA);
        assert_int_equal(a.n_options, 0);
        if (!is_answer(&s, a.question, a.answer))
            fail_msg("scene %d: '%s' is answered '%s'", (int)i, a.question, a.answer);
        assert_int_equal(ask_number(i, ASK_ALL, ASK_CHOICE, &s, &a), SEED);
        assert_int_equal(a.n_options, ASKED_OPTIONS);
        for (size_t k = 0; k < a.n_options; k++)
            if (is_answer(&s, a.question, a.options[k]) != (k == a.right))
                fail_msg("scene %d: option '%s' of '%s'", (int)i, a.options[k], a.question);
    }
}

static void yes_is_said_of_half_and_what_is_true(void **state)
{
    (void)state;
    size_t yes = 0;
    for (uint64_t i = 0; i < SCENES; i++) {
        struct scene s;
        struct asked a;
        assert_int_equal(ask_number(i, ASK_ALL, ASK_YES_NO, &s, &a), MME);
        if (strcmp(a.answer, is_true(&s, a.question) ? "Yes" : "No") != 0)
            fail_msg("scene %d: '%s' is answered '%s'", (int)i, a.question, a.answer);
        yes += strcmp(a.answer, "Yes") == 0;
    }
    assert_in_range(yes, SCENES * 45 / 100, SCENES * 55 / 100);
}

/* What the first words of questions are, each of which must come up. */
static void every_subject_comes_up(void **state)
{
    (void)state;
    static const char *const wanted[ASK_FORMS][12] = {
        [ASK_OPEN] = { "What color is the background", "What color is the heart", "How many things",
                       "What is at the top left", "What is in the picture", "Which kind", "Where is the",
                       "What is left of", "What is below", "Where does it live", "How does it taste",
                       "What do people do" },
        [ASK_CHOICE] = { "What color is the background", "What color is the circle", "How many things",
                         "What is at the right", "What is in the picture", "Which kind", "Where is the",
                         "What is right of", "What is above", "What does it eat", "Where does it grow",
                         "Where do people keep" },
        [ASK_YES_NO] = { "Is the background", "Is the heart", "Is the number of things", "Is the number of dogs",
                         "Is there a ", "Is there some", "Is it a bird", "Is it a tool", "Is the square",
                         "Is the circle", "Is the dog", "Is the cat" },
    };
    bool seen[ASK_FORMS][12] = { { false } };
    for (uint64_t i = 0; i < 10 * SCENES; i++) {
        struct scene s;
        struct asked a;
        enum ask_form form = (enum ask_form)(i % ASK_FORMS);
        ask_number(i, ASK_ALL, form, &s, &a);
        for (size_t k = 0; k < ARRAY_LEN(wanted[form]); k++)
            seen[form][k] |= strncmp(a.question, wanted[form][k], strlen(wanted[form][k])) == 0;
    }
    for (size_t form = 0; form < ASK_FORMS; form++)
        for (size_t k = 0; k < ARRAY_LEN(wanted[form]); k++)
            if (!seen[form][k])
                fail_msg("never asked: '%s...'", wanted[form][k]);
}

static void plain_ones_are_asked_of_any_scene(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "What color is the background", "Is the background", "How many things are there",
        "Is the number of things",      "Is there ",         "What is at the ",
        "What is in the picture"
    };
    for (uint64_t i = 0; i < SCENES; i++) {
        struct scene s;
        struct asked a;
        size_t k = 0;
        ask_number(i, ASK_PLAIN, (enum ask_form)(i % ASK_FORMS), &s, &a);
        while (k < ARRAY_LEN(plain) && strncmp(a.question, plain[k], strlen(plain[k])) != 0)
            k++;
        if (k == ARRAY_LEN(plain))
            fail_msg("not plain: '%s'", a.question);
    }
}

/* Each form as often, but that facts are not asked for a yes or no; what is no plant to everybody is not asked to be none. */
static void drills_ask_all_in_every_form(void **state)
{
    (void)state;
    size_t forms[BENCHMARK_FAMILIES] = { 0 }, colours = 0, rounds = 40, n = 9 * ASK_FORMS * rounds;
    for (uint64_t i = 0; i < n; i++) {
        struct item it;
        struct random r = random_for(6, "drill", i);
        enum benchmark_kind kind = ask_drill(&r, i, &it);
        const struct asked *a = it.asked;
        forms[kind]++;
        colours += strstr(a->question, "background") != NULL;
        assert_true(it.pictured && it.n == 1);
        if (kind == MME)
            assert_string_equal(a->answer, is_true(&it.scene, a->question) ? "Yes" : "No");
        else if (!is_answer(&it.scene, a->question, a->answer))
            fail_msg("'%s' is answered '%s'", a->question, a->answer);
        const struct concept *c = it.scene.things[0].concept;
        if (strcmp(a->question, "Is it a plant?") == 0)
            assert_true(c->group == PLANT || group_facts(c->group)->kind != FOOD);
    }
    assert_int_equal(forms[TEXTVQA], n / 3);
    assert_int_equal(forms[MME], n / 3 - rounds);
    assert_int_equal(forms[SEED], n / 3 + rounds);
    assert_int_equal(colours, n / 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_answer_is_right),
        cmocka_unit_test(yes_is_said_of_half_and_what_is_true),
        cmocka_unit_test(every_subject_comes_up),
        cmocka_unit_test(plain_ones_are_asked_of_any_scene),
        cmocka_unit_test(drills_ask_all_in_every_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
