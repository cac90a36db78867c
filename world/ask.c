#include "world/ask.h"

#include <string.h>

void ask(enum benchmark_kind kind, struct random *r, uint64_t i, struct item *out)
{
    *out = (struct item){ .pictured = true, .n = 1 };
    scene_begin(&out->scene, r);
    if (kind == MME)
        ask_yes_no(r, i, out);
    else if (kind == OKVQA || kind == TEXTVQA || kind == VIZWIZ)
        ask_open(kind, r, i, out);
    else
        ask_choice(kind, r, i, out);
}

void ask_view(const struct asked *a, const char *image, struct ask_view *out)
{
    for (size_t k = 0; k < a->n_options; k++)
        out->options[k] = a->options[k];
    out->letter[0] = (char)('A' + a->right);
    out->letter[1] = '\0';
    out->images[0] = image;
    out->answers[0] = a->n_options ? out->letter : a->answer;
    out->question = (struct question){ .images = out->images,
                                       .n_images = image != NULL,
                                       .question = a->question,
                                       .options = out->options,
                                       .n_options = a->n_options,
                                       .answers = out->answers,
                                       .n_answers = 1,
                                       .category = a->category,
                                       .hint = a->hint };
}

/* ---- options --------------------------------------------------------------------------------------------------------
 */

static bool has_option(const struct asked *q, size_t upto, const char *text)
{
    for (size_t k = 0; k < upto; k++)
        if (strcmp(q->options[k], text) == 0)
            return true;
    return false;
}

/* The answer goes first while the others are chosen, then to its place. */
static void place_answer(struct asked *q, size_t right)
{
    char answer[sizeof q->options[0]];
    memcpy(answer, q->options[0], sizeof answer);
    memcpy(q->options[0], q->options[right], sizeof answer);
    memcpy(q->options[right], answer, sizeof answer);
    q->right = right;
}

void ask_options(struct asked *q, struct random *r, size_t right, const char *answer, const char *const *pool,
                 size_t n_pool)
{
    snprintf(q->options[0], sizeof q->options[0], "%s", answer);
    q->n_options = ASKED_OPTIONS;
    for (size_t k = 1; k < ASKED_OPTIONS;) {
        const char *text = pool[random_below(r, (uint32_t)n_pool)];
        if (!has_option(q, k, text))
            snprintf(q->options[k++], sizeof q->options[0], "%s", text);
    }
    place_answer(q, right);
}

static const char *pool_answer(enum ask_pool_kind kind, size_t i)
{
    switch (kind) {
    case POOL_BACKGROUNDS:
        return colour_name(background_at(i));
    case POOL_SHAPE_COLOURS:
        return colour_name(shape_at(0)->in[i].colour);
    case POOL_GROUPS:
        return group_facts((enum group)i)->name;
    case POOL_NUMBERS:
        return number_word(i + 1);
    case POOL_SIDES:
        return place_name((enum place)(LEFT + i));
    case POOL_CORNERS:
        return place_name((enum place)(TOP_LEFT + i));
    }
    return NULL;
}

struct ask_pool ask_pool(enum ask_pool_kind kind)
{
    static const size_t sizes[] = {
        [POOL_BACKGROUNDS] = BACKGROUNDS, [POOL_SHAPE_COLOURS] = SHAPE_COLOURS, [POOL_GROUPS] = GROUPS,
        [POOL_NUMBERS] = SCENE_MOST,      [POOL_SIDES] = TOP_LEFT - LEFT,       [POOL_CORNERS] = PLACES - TOP_LEFT
    };
    struct ask_pool pool = { .n = sizes[kind] };
    for (size_t i = 0; i < pool.n; i++)
        pool.of[i] = pool_answer(kind, i);
    return pool;
}

void ask_options_of(struct asked *q, struct random *r, size_t right, const char *answer, enum ask_pool_kind kind)
{
    struct ask_pool pool = ask_pool(kind);
    ask_options(q, r, right, answer, pool.of, pool.n);
}

bool ask_is_absent(const struct concept *c, const void *arg)
{
    const struct scene *s = arg;
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->things[i].noun, c->noun) == 0)
            return false;
    return true;
}

void ask_nouns(struct asked *q, struct random *r, size_t right, const char *answer, concept_test *wanted,
               const void *arg)
{
    snprintf(q->options[0], sizeof q->options[0], "%s", answer);
    q->n_options = ASKED_OPTIONS;
    for (size_t k = 1; k < ASKED_OPTIONS;) {
        const char *text = concept_where(r, wanted, arg)->noun;
        if (!has_option(q, k, text))
            snprintf(q->options[k++], sizeof q->options[0], "%s", text);
    }
    place_answer(q, right);
}

const struct concept *ask_one(struct item *it, struct random *r)
{
    const struct concept *c = concept_any(r);
    scene_add(&it->scene, c);
    scene_lay_out(&it->scene, r, ALONE, NULL);
    return c;
}

bool ask_groups_far(enum group one, enum group two)
{
    enum kind a = group_facts(one)->kind, b = group_facts(two)->kind;
    return a != b && !((a == FOOD || a == GROWTH) && (b == FOOD || b == GROWTH));
}

/* ---- facts ----------------------------------------------------------------------------------------------------------
 */

const char *fact_answer(const struct fact_question *f, const struct concept *c)
{
    const struct group_facts *g = group_facts(c->group);
    const char *asked = f->home ? g->home_question : g->fact_question;
    return asked && strcmp(asked, f->text) == 0 ? (f->home ? c->home : c->fact) : NULL;
}

static void fill_answers(struct fact_question *f)
{
    f->n = 0;
    for (size_t i = 0; i < concept_count() && f->n < FACT_ANSWERS; i++) {
        const char *answer = fact_answer(f, concept_at(i));
        size_t k = 0;
        while (answer && k < f->n && strcmp(f->answers[k], answer) != 0)
            k++;
        if (answer && k == f->n)
            f->answers[f->n++] = answer;
    }
}

/* Groups share questions: count each text once, at the first group that has it. */
static bool is_first(size_t g, bool home, const char *text)
{
    for (size_t k = 0; k < g; k++) {
        const char *other =
            home ? group_facts((enum group)k)->home_question : group_facts((enum group)k)->fact_question;
        if (other && strcmp(other, text) == 0)
            return false;
    }
    return true;
}

/* Number `wanted` of the questions, or how many there are. */
static size_t find_question(size_t wanted, struct fact_question *out)
{
    size_t n = 0;
    for (size_t g = 0; g < 2 * GROUPS; g++) {
        const struct group_facts *facts = group_facts((enum group)(g % GROUPS));
        bool home = g < GROUPS;
        const char *text = home ? facts->home_question : facts->fact_question;
        if (!text || !is_first(g % GROUPS, home, text))
            continue;
        if (n++ == wanted)
            *out = (struct fact_question){ .text = text, .home = home };
    }
    return n;
}

size_t fact_question_count(void)
{
    struct fact_question unused;
    return find_question(SIZE_MAX, &unused);
}

void fact_question_at(size_t i, struct fact_question *out)
{
    find_question(i % fact_question_count(), out);
    fill_answers(out);
}

void fact_question_find(const char *text, bool home, struct fact_question *out)
{
    *out = (struct fact_question){ .text = text, .home = home };
    fill_answers(out);
}

struct fact_wanted {
    const struct fact_question *f;
    const char *answer;
};

static bool gives_answer(const struct concept *c, const void *arg)
{
    const struct fact_wanted *w = arg;
    const char *answer = fact_answer(w->f, c);
    return answer && strcmp(answer, w->answer) == 0;
}

const struct concept *fact_concept(const struct fact_question *f, const char *answer, struct random *r)
{
    return concept_where(r, gives_answer, &(struct fact_wanted){ f, answer });
}

const char *const *word_list(size_t *n)
{
    static const char *const words[] = { "sun",  "cat",  "go",  "stop", "yes",  "no",  "hot", "cold", "open", "shop",
                                         "bus",  "tea",  "map", "one",  "two",  "red", "sea", "box",  "cup",  "dog",
                                         "exit", "food", "gas", "help", "ice",  "joy", "key", "left", "milk", "new",
                                         "old",  "park", "run", "sale", "taxi", "up",  "van", "way",  "zoo",  "bar" };
    *n = ARRAY_LEN(words);
    return words;
}
