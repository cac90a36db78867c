/* The first lessons of a language model: that an option has a letter, and that one answers with it. Each text asks many
 * times, for a small model finds the way from an answer to its option's letter only where nearly every word is about that. */
#include <string.h>

#include "world/ask.h"
#include "world/making.h"

#define OPTIONS ASKED_OPTIONS
#define TEXT_MOST 400
#define NAMED_TURNS 12 /* about the same options */
#define SHOWN_TURNS 6  /* each with options of its own */
#define SHOWN_MOST 4

/* What is given and what follows, in turns. */
struct turns {
    json_t *given, *text;
};

static void turns_free(struct turns *t)
{
    json_decref(t->given);
    json_decref(t->text);
}

static void turns_free_cleanup(struct turns *t)
{
    turns_free(t);
}

static int add_turn(struct turns *t, const char *given, uint32_t option, struct err *e)
{
    return json_array_append_new(t->given, json_string(given)) < 0 ||
                   json_array_append_new(t->text, json_sprintf("%c", 'A' + (int)option)) < 0
               ? FAIL_NOMEM(e)
               : 0;
}

static bool is_among(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] && strcmp(list[i], word) == 0)
            return true;
    return false;
}

/* Different things for all options that are not set yet, none of them among those shown. */
static void fill_options(struct random *r, const char *const *shown, size_t n, const char *o[OPTIONS])
{
    for (size_t i = 0; i < OPTIONS; i++)
        while (!o[i]) {
            const char *noun = concept_any(r)->noun;
            if (!is_among(noun, o, OPTIONS) && !is_among(noun, shown, n))
                o[i] = noun;
        }
}

static void put_options(const char *const o[OPTIONS], char text[TEXT_MOST])
{
    snprintf(text, TEXT_MOST, "A. %s\nB. %s\nC. %s\nD. %s\n", o[0], o[1], o[2], o[3]);
}

/* Options, and then many times one of them with `behind`, and its letter. */
static int ask_named(const char *behind, struct random *r, struct turns *t, struct err *e)
{
    const char *o[OPTIONS] = { NULL };
    char options[TEXT_MOST], given[2 * TEXT_MOST];
    fill_options(r, NULL, 0, o);
    put_options(o, options);
    for (size_t i = 0; i < NAMED_TURNS; i++) {
        uint32_t k = random_below(r, OPTIONS);
        snprintf(given, sizeof given, "%s%s%s", i ? "" : options, o[k], behind);
        TRY(add_turn(t, given, k, e));
    }
    return 0;
}

/* One to four things, and then many times options of which one is among them. */
static int ask_shown(struct random *r, struct turns *t, struct err *e)
{
    const char *shown[SHOWN_MOST] = { NULL };
    size_t n = (size_t)1 << random_below(r, 3);
    fill_options(r, NULL, 0, shown);
    for (size_t i = 0; i < SHOWN_TURNS; i++) {
        const char *o[OPTIONS] = { NULL };
        char options[TEXT_MOST], given[2 * TEXT_MOST] = "";
        uint32_t k = random_below(r, OPTIONS);
        o[k] = shown[random_below(r, (uint32_t)n)];
        fill_options(r, shown, n, o);
        put_options(o, options);
        for (size_t w = 0; i == 0 && w < n; w++)
            snprintf(given + strlen(given), sizeof given - strlen(given), "%s%s", w ? " " : "", shown[w]);
        snprintf(given + strlen(given), sizeof given - strlen(given), "\n%sanswer", options);
        TRY(add_turn(t, given, k, e));
    }
    return 0;
}

/* Of the second lesson half are still about options that are named, now with a word between. */
static json_t *make_lesson(int lesson, size_t i, struct random *r, struct err *e)
{
    AUTO(turns_free) struct turns t = { json_array(), json_array() };
    int rc = lesson == 1 ? ask_named("", r, &t, e) : i % 2 ? ask_shown(r, &t, e) : ask_named(" is", r, &t, e);
    return rc < 0 ? NULL : json_pack("{s:O, s:O}", "given", t.given, "text", t.text);
}

static int write_lesson(struct making *m, int lesson, const char *name, struct err *e)
{
    char path[64];
    snprintf(path, sizeof path, "pretrain/%s.jsonl", name);
    AUTO(fclose) FILE *f = making_open(m, path, e);
    if (!f)
        return -1;
    for (size_t i = 0; i < m->sizes.pretrain; i++) {
        struct random r = random_for(m->sizes.seed, path, i);
        TRY(making_put(f, make_lesson(lesson, i, &r, e), "\n", e));
    }
    return making_close(m, &f, path, e);
}

int make_lessons(struct making *m, struct err *e)
{
    if (!m->sizes.pretrain)
        return 0;
    TRY(making_dir(m, "pretrain", e));
    TRY(write_lesson(m, 1, "letters", e));
    return write_lesson(m, 2, "choices", e);
}
