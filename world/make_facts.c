/* What there is to know about every concept, as text: for a language model that has never seen anything. */
#include <stdarg.h>
#include <string.h>

#include "world/ask.h"
#include "world/making.h"

#define TEXT_MOST 400

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
