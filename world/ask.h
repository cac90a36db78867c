/* Scenes with questions whose answers are known, in the manner of the eight families of benchmarks. The same questions,
 * of other scenes, are what stage 2 trains on.
 *
 * The answer is chosen first and the scene made for it, each answer as often as any other, so that no constant answer
 * is worth more than chance. `i` counts the items of a set: it decides what is balanced exactly, the random numbers the
 * rest. */
#ifndef ACSWEEP_WORLD_ASK_H
#define ACSWEEP_WORLD_ASK_H

#include "worker/benchmark/family.h"
#include "world/scene.h"

#define ASKED_OPTIONS 4

struct asked {
    char question[200];
    char options[ASKED_OPTIONS][32];
    size_t n_options; /* 0: an open question */
    size_t right;     /* of the options */
    char answer[32];  /* of an open question, and Yes or No */
    const char *category;
    const char *hint; /* NULL: none */
};

struct item {
    struct scene scene;
    bool pictured;
    struct asked asked[2];
    size_t n; /* 2 for MME, else 1 */
};

void ask(enum benchmark_kind kind, struct random *r, uint64_t i, struct item *out);
/* A short question about any scene that is sharp and has things in it, for further turns. ASK_PLAIN: what is there, how
 * many, on which background; ASK_ALL: also where, of which kind or colour, how many of a kind, and facts, where the
 * scene has it. Returns the family in whose words it is asked. */
enum ask_form { ASK_OPEN, ASK_CHOICE, ASK_YES_NO, ASK_FORMS };
enum ask_subjects { ASK_PLAIN, ASK_ALL };
enum benchmark_kind ask_more(const struct scene *s, struct random *r, enum ask_subjects of, enum ask_form form,
                             struct asked *out);
/* One such question of a scene that is chosen for it: every subject in every form as often, but facts with options instead
 * of for a yes or no. */
enum benchmark_kind ask_drill(struct random *r, uint64_t i, struct item *it);

/* What a picture of this one thing shows, with four options; `right` of them is. The scene has been begun. */
void ask_name(struct item *it, const struct concept *c, struct random *r, size_t right);

/* What an asked question is for worker/benchmark. Texts stay those of `a` and `image` (NULL: without a picture). */
struct ask_view {
    const char *options[ASKED_OPTIONS], *images[1];
    char letter[2];
    const char *answers[1];
    struct question question;
};
void ask_view(const struct asked *a, const char *image, struct ask_view *out);

/* Private to the makers of questions. */
void ask_choice(enum benchmark_kind kind, struct random *r, uint64_t i, struct item *out);
void ask_yes_no(struct random *r, uint64_t i, struct item *out);
void ask_open(enum benchmark_kind kind, struct random *r, uint64_t i, struct item *out);

#define SAY(text, ...) snprintf(text, sizeof text, __VA_ARGS__) /* `text`: an array */

/* All answers that there are to a question about a background, and so on. */
enum ask_pool_kind { POOL_BACKGROUNDS, POOL_SHAPE_COLOURS, POOL_GROUPS, POOL_NUMBERS, POOL_SIDES, POOL_CORNERS };
struct ask_pool {
    const char *of[GROUPS];
    size_t n;
};
struct ask_pool ask_pool(enum ask_pool_kind kind);

/* Fill the options: `right` has the answer, the others are taken from the pool without what equals it. */
void ask_options(struct asked *q, struct random *r, size_t right, const char *answer, const char *const *pool,
                 size_t n_pool);
void ask_options_of(struct asked *q, struct random *r, size_t right, const char *answer, enum ask_pool_kind kind);
/* The same with nouns: the others are of concepts that are `wanted`. */
void ask_nouns(struct asked *q, struct random *r, size_t right, const char *answer, concept_test *wanted,
               const void *arg);
/* A test of concepts: nothing in the scene `arg` has this noun. */
bool ask_is_absent(const struct concept *c, const void *arg);
/* "Is it a TWO?" of a thing of group ONE is plainly answered no: not so of a fruit whether it is a plant, nor of a plant
 * whether it is a fruit. */
bool ask_groups_far(enum group one, enum group two);
/* One thing. */
const struct concept *ask_one(struct item *it, struct random *r);

/* A question about facts: its text, whether `home` or `fact` answers it, and all answers that there are. */
#define FACT_ANSWERS 24
struct fact_question {
    const char *text;
    bool home;
    const char *answers[FACT_ANSWERS];
    size_t n;
};
size_t fact_question_count(void);
/* Number i of all that there are, counted round and round. */
void fact_question_at(size_t i, struct fact_question *out);
/* The question with this text. */
void fact_question_find(const char *text, bool home, struct fact_question *out);
/* What a concept answers; NULL: not asked of it. */
const char *fact_answer(const struct fact_question *f, const struct concept *c);
/* Something that gives this answer. */
const struct concept *fact_concept(const struct fact_question *f, const char *answer, struct random *r);

const char *const *word_list(size_t *n);
/* A common scene, at times with a word in it. */
void scene_captioned(struct scene *s, struct random *r);
/* A scene of stage 1: mostly one thing, of which then (true) the caption is to be the name. */
bool scene_for_stage1(struct scene *s, struct random *r);
void scene_caption_or_name(const struct scene *s, bool named, struct random *r, struct buf *to);
/* The same, and at times the background after the name. */
void scene_caption_for_stage1(const struct scene *s, bool named, struct random *r, struct buf *to);

#endif
