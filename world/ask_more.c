/* Short questions about any scene, for further turns and quizzes: every subject that the benchmarks ask of, in each
 * form. */
#include <string.h>

#include "world/ask.h"

/* What is asked of, in which form, and, of a yes or no, which of them is right. */
struct more {
    const struct scene *s;
    struct random *r;
    enum ask_form form;
    bool yes;
    struct asked *q;
};

/* The answer, and its options where there are any: others of the pool. */
static void answer_among(struct more *m, const char *right, const char *const *pool, size_t n)
{
    SAY(m->q->answer, "%s", right);
    if (m->form == ASK_CHOICE)
        ask_options(m->q, m->r, random_below(m->r, ASKED_OPTIONS), right, pool, n);
}

static void answer_noun(struct more *m, const char *right)
{
    SAY(m->q->answer, "%s", right);
    if (m->form == ASK_CHOICE)
        ask_nouns(m->q, m->r, random_below(m->r, ASKED_OPTIONS), right, ask_is_absent, m->s);
}

/* What a yes or no names: the right one of the pool, or another. */
static const char *named_of(struct more *m, const char *right, const struct ask_pool *pool)
{
    const char *named = right;
    while (!m->yes && strcmp(named, right) == 0)
        named = pool->of[random_below(m->r, (uint32_t)pool->n)];
    return named;
}

static const struct thing *any_thing(struct more *m)
{
    return &m->s->things[random_below(m->r, (uint32_t)m->s->n)];
}

static size_t count_of(const struct scene *s, const char *noun)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += strcmp(s->things[i].noun, noun) == 0;
    return n;
}

/* ---- scenes that a subject fits -------------------------------------------------------------------------------------
 */

static bool fits_any(const struct scene *s, enum ask_form form)
{
    (void)s;
    (void)form;
    return true;
}

static bool fits_kind(const struct scene *s, enum ask_form form)
{
    (void)form;
    return s->n == 1 && s->things[0].concept;
}

static const char *question_of(const struct concept *c, bool home)
{
    const struct group_facts *g = group_facts(c->group);
    return home ? (c->home ? g->home_question : NULL) : (c->fact ? g->fact_question : NULL);
}

static bool fits_fact(const struct scene *s, enum ask_form form)
{
    return form != ASK_YES_NO && fits_kind(s, form) &&
           (question_of(s->things[0].concept, true) || question_of(s->things[0].concept, false));
}

static bool fits_colour(const struct scene *s, enum ask_form form)
{
    (void)form;
    return s->n == 1 && !s->things[0].concept;
}

/* Things that their nouns tell apart. */
static bool fits_place(const struct scene *s, enum ask_form form)
{
    (void)form;
    for (size_t i = 0; i < s->n; i++)
        if (count_of(s, s->things[i].noun) > 1)
            return false;
    return s->n > 1;
}

/* And that are beside or above one another. */
static bool fits_relation(const struct scene *s, enum ask_form form)
{
    return s->n == 2 && s->things[0].place < TOP_LEFT && fits_place(s, form);
}

static bool fits_plural(const struct scene *s, enum ask_form form)
{
    (void)form;
    return s->things[0].plural && (!s->things[0].concept || concept_counts(s->things[0].concept, NULL));
}

/* ---- subjects -------------------------------------------------------------------------------------------------------
 */

static void more_background(struct more *m)
{
    const char *right = colour_name(m->s->background);
    struct ask_pool pool = ask_pool(POOL_BACKGROUNDS);
    if (m->form == ASK_YES_NO)
        SAY(m->q->question, "Is the background %s?", named_of(m, right, &pool));
    else
        SAY(m->q->question, "What color is the background?");
    answer_among(m, right, pool.of, pool.n);
}

static void ask_number(struct more *m, const char *things, size_t n)
{
    struct ask_pool pool = ask_pool(POOL_NUMBERS);
    if (m->form == ASK_YES_NO)
        SAY(m->q->question, "Is the number of %s %s?", things, named_of(m, number_word(n), &pool));
    else
        SAY(m->q->question, "How many %s are there?", things);
    answer_among(m, number_word(n), pool.of, pool.n);
}

static void more_sum(struct more *m)
{
    ask_number(m, "things", m->s->n);
}

static void more_count(struct more *m)
{
    ask_number(m, m->s->things[0].plural, count_of(m->s, m->s->things[0].noun));
}

static void more_noun(struct more *m)
{
    const struct thing *t = any_thing(m);
    const char *named = m->yes ? t->noun : concept_where(m->r, ask_is_absent, m->s)->noun;
    if (m->form == ASK_YES_NO)
        SAY(m->q->question, "Is there %s %s?", article(named), named);
    else if (m->s->n > 1)
        SAY(m->q->question, "What is at the %s?", place_name(t->place));
    else
        SAY(m->q->question, "What is in the picture?");
    answer_noun(m, t->noun);
}

static enum group named_group(struct more *m, enum group right)
{
    enum group named = right;
    while (!m->yes && !ask_groups_far(right, named))
        named = (enum group)random_below(m->r, GROUPS);
    return named;
}

static void more_kind(struct more *m)
{
    enum group group = m->s->things[0].concept->group;
    const char *right = group_facts(group)->name, *named = group_facts(named_group(m, group))->name;
    struct ask_pool pool = ask_pool(POOL_GROUPS);
    if (m->form == ASK_YES_NO)
        SAY(m->q->question, "Is it %s %s?", article(named), named);
    else
        SAY(m->q->question, "Which kind of thing is it?");
    answer_among(m, right, pool.of, pool.n);
}

static void more_fact(struct more *m)
{
    const struct concept *c = m->s->things[0].concept;
    bool home = question_of(c, true) && (!question_of(c, false) || random_chance(m->r, 50));
    struct fact_question f;
    fact_question_find(question_of(c, home), home, &f);
    SAY(m->q->question, "%s", f.text);
    answer_among(m, home ? c->home : c->fact, f.answers, f.n);
}

static void more_colour(struct more *m)
{
    const char *right = colour_name(m->s->things[0].colour);
    struct ask_pool pool = ask_pool(POOL_SHAPE_COLOURS);
    if (m->form == ASK_YES_NO)
        SAY(m->q->question, "Is the %s %s?", m->s->things[0].noun, named_of(m, right, &pool));
    else
        SAY(m->q->question, "What color is the %s?", m->s->things[0].noun);
    answer_among(m, right, pool.of, pool.n);
}

static void more_place(struct more *m)
{
    const struct thing *t = any_thing(m);
    struct ask_pool pool = ask_pool(t->place < TOP_LEFT ? POOL_SIDES : POOL_CORNERS);
    if (m->form == ASK_YES_NO)
        SAY(m->q->question, "Is the %s at the %s?", t->noun, named_of(m, place_name(t->place), &pool));
    else
        SAY(m->q->question, "Where is the %s?", t->noun);
    answer_among(m, place_name(t->place), pool.of, pool.n);
}

static const char *relation_of(const struct thing *t, bool opposite)
{
    static const char *const words[][2] = { [LEFT] = { "left of", "right of" },
                                            [RIGHT] = { "right of", "left of" },
                                            [TOP] = { "above", "below" },
                                            [BOTTOM] = { "below", "above" } };
    return words[t->place][opposite];
}

static void more_relation(struct more *m)
{
    const struct thing *t = any_thing(m), *other = &m->s->things[t == m->s->things];
    if (m->form == ASK_YES_NO)
        SAY(m->q->question, "Is the %s %s the %s?", t->noun, relation_of(t, !m->yes), other->noun);
    else
        SAY(m->q->question, "What is %s the %s?", relation_of(t, false), other->noun);
    answer_noun(m, t->noun);
}

/* The first are what can be asked of any scene. */
static const struct {
    bool (*fits)(const struct scene *s, enum ask_form form);
    void (*make)(struct more *m);
    uint32_t share;
} subjects[] = {
    { fits_any, more_noun, 3 },      { fits_any, more_background, 1 }, { fits_any, more_sum, 1 },
    { fits_plural, more_count, 1 },  { fits_kind, more_kind, 2 },      { fits_fact, more_fact, 2 },
    { fits_colour, more_colour, 3 }, { fits_place, more_place, 2 },    { fits_relation, more_relation, 2 },
};
static const size_t n_subjects[] = { [ASK_PLAIN] = 3, [ASK_ALL] = ARRAY_LEN(subjects) };

static void make_more(struct more *m, enum ask_subjects of)
{
    uint32_t all = 0, at;
    for (size_t i = 0; i < n_subjects[of]; i++)
        all += subjects[i].fits(m->s, m->form) ? subjects[i].share : 0;
    at = random_below(m->r, all);
    for (size_t i = 0; i < n_subjects[of]; i++) {
        if (!subjects[i].fits(m->s, m->form))
            continue;
        if (at < subjects[i].share) {
            subjects[i].make(m);
            return;
        }
        at -= subjects[i].share;
    }
}

static enum benchmark_kind begin_more(struct more *m, const struct scene *s, struct random *r, enum ask_form form,
                                      struct asked *out)
{
    static const enum benchmark_kind families[] = { [ASK_OPEN] = TEXTVQA, [ASK_CHOICE] = SEED, [ASK_YES_NO] = MME };
    *out = (struct asked){ .category = "more" };
    *m = (struct more){ .s = s, .r = r, .form = form, .yes = random_chance(r, 50), .q = out };
    return families[form];
}

static void end_more(const struct more *m)
{
    if (m->form == ASK_YES_NO)
        SAY(m->q->answer, "%s", m->yes ? "Yes" : "No");
}

enum benchmark_kind ask_more(const struct scene *s, struct random *r, enum ask_subjects of, enum ask_form form,
                             struct asked *out)
{
    struct more m;
    enum benchmark_kind kind = begin_more(&m, s, r, form, out);
    make_more(&m, of);
    end_more(&m);
    return kind;
}

enum benchmark_kind ask_drill(struct random *r, uint64_t i, struct item *it)
{
    size_t k = i % ARRAY_LEN(subjects);
    enum ask_form form = (enum ask_form)(i / ARRAY_LEN(subjects) % ASK_FORMS);
    if (form == ASK_YES_NO && subjects[k].make == more_fact) /* it has none */
        form = ASK_CHOICE;
    *it = (struct item){ .pictured = true, .n = 1 };
    do
        scene_common(&it->scene, r);
    while (!subjects[k].fits(&it->scene, form));
    struct more m;
    enum benchmark_kind kind = begin_more(&m, &it->scene, r, form, &it->asked[0]);
    subjects[k].make(&m);
    end_more(&m);
    return kind;
}
