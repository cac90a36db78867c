/* What there is to know about every concept, and what a letter before an option means, as text: for a language model that
 * has never seen anything. */
#include <stdarg.h>
#include <string.h>

#include "world/ask.h"
#include "world/making.h"

#define TEXT_MOST 400
#define LETTER_ROUNDS 3

static int put_line(FILE *f, struct err *e, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int put_line(FILE *f, struct err *e, const char *format, ...)
{
    char text[TEXT_MOST];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return making_put(f, json_pack("{s:s}", "text", text), "\n", e);
}

static int put_answers(FILE *f, const struct concept *c, struct err *e)
{
    for (size_t i = 0; i < fact_question_count(); i++) {
        struct fact_question q;
        fact_question_at(i, &q);
        const char *answer = fact_answer(&q, c);
        if (answer)
            TRY(put_line(f, e, "This is %s %s. %s %s", article(c->noun), c->noun, q.text, answer));
    }
    return 0;
}

static int put_concept(FILE *f, const struct concept *c, struct err *e)
{
    const struct group_facts *g = group_facts(c->group);
    const char *kind = kind_name(g->kind);
    TRY(put_line(f, e, "%s %s is %s %s.", article(c->noun), c->noun, article(g->name), g->name));
    TRY(put_line(f, e, "%s %s is %s %s.", article(c->noun), c->noun, article(kind), kind));
    if (c->colour != NO_COLOUR)
        TRY(put_line(f, e, "%s %s is %s.", article(c->noun), c->noun, colour_name(c->colour)));
    if (concept_counts(c, NULL))
        TRY(put_line(f, e, "one %s, two %s.", c->noun, c->plural));
    return put_answers(f, c, e);
}

int make_facts(struct making *m, struct err *e)
{
    TRY(making_dir(m, "pretrain", e));
    FILE *f = making_open(m, "pretrain/text.jsonl", e);
    if (!f)
        return -1;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < concept_count(); i++)
        rc = put_concept(f, concept_at(i), e);
    return making_close(m, &f, "pretrain/text.jsonl", rc == 0 ? e : NULL) < 0 ? -1 : rc;
}

/* ---- letters --------------------------------------------------------------------------------------------------------
 */

/* Four different things. */
static void pick_options(struct random *r, const char *out[ASKED_OPTIONS])
{
    for (size_t n = 0, k; n < ASKED_OPTIONS; n += k == n) {
        out[n] = concept_any(r)->noun;
        for (k = 0; k < n && strcmp(out[k], out[n]) != 0; k++) {
        }
    }
}

/* Options as multiple choice has them, and behind them each LETTER_ROUNDS times with its letter, in any order: so many
 * letters among so few words that the way from an option to its letter is soon found. */
static int put_letters(FILE *f, struct random *r, struct err *e)
{
    const char *o[ASKED_OPTIONS];
    char block[TEXT_MOST];
    AUTO(json_decref) json_t *given = json_array(), *text = json_array();
    pick_options(r, o);
    for (int i = 0; i < LETTER_ROUNDS * ASKED_OPTIONS; i++) {
        uint32_t k = random_below(r, ASKED_OPTIONS);
        snprintf(block, sizeof block, "A. %s\nB. %s\nC. %s\nD. %s\n%s", o[0], o[1], o[2], o[3], o[k]);
        if (json_array_append_new(given, json_string(i ? o[k] : block)) < 0 ||
            json_array_append_new(text, json_sprintf("%c", 'A' + k)) < 0)
            return FAIL_NOMEM(e);
    }
    return making_put(f, json_pack("{s:O, s:O}", "given", given, "text", text), "\n", e);
}

int make_letters(struct making *m, struct err *e)
{
    if (!m->sizes.pretrain)
        return 0;
    TRY(making_dir(m, "pretrain", e));
    AUTO(fclose) FILE *f = making_open(m, "pretrain/letters.jsonl", e);
    if (!f)
        return -1;
    for (size_t i = 0; i < m->sizes.pretrain; i++) {
        struct random r = random_for(m->sizes.seed, "pretrain/letters", i);
        TRY(put_letters(f, &r, e));
    }
    return making_close(m, &f, "pretrain/letters.jsonl", e);
}
