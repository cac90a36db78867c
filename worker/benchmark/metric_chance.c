/* What one and the same answer to every question is worth: the floor below which no answer was understood. */
#include <stdint.h>
#include <stdlib.h>

#include "worker/benchmark/metric_run.h"

struct candidate {
    const char *raw; /* an answer that is normalised to it */
    double worth;    /* sum of its accuracies */
};

struct candidates {
    struct map by_text;
    struct arena arena;
    struct candidate best;
};

/* Everything of a question's answers that is new, with how many gave it. */
static int add_question(struct candidates *c, const struct question *q, struct err *e)
{
    const char *texts[QUESTION_ANSWERS_MAX];
    for (size_t i = 0; i < q->n_answers; i++) {
        AUTO(buf_free) struct buf text = BUF_INIT(2 * TEXT_MOST);
        TRY(vqa_normalise(text_of(q->answers[i]), &text, e));
        if (!(texts[i] = arena_text(&c->arena, buf_text(&text))))
            return FAIL_NOMEM(e);
    }
    for (size_t i = 0; i < q->n_answers; i++) {
        size_t matches = 0, before = 0, len = strlen(texts[i]);
        for (size_t k = 0; k < q->n_answers; k++) {
            matches += strcmp(texts[i], texts[k]) == 0;
            before += k < i && strcmp(texts[i], texts[k]) == 0;
        }
        struct candidate *one = map_get(&c->by_text, texts[i], len);
        if (before || !len)
            continue;
        if (!one && (!(one = arena_alloc(&c->arena, sizeof *one)) || map_put(&c->by_text, texts[i], len, one, e) < 0))
            return FAIL_NOMEM(e);
        one->raw = one->raw ? one->raw : q->answers[i];
        one->worth += vqa_accuracy(matches, q->n_answers);
        if (one->worth > c->best.worth)
            c->best = *one;
    }
    return 0;
}

const char *chance_vqa_answer(const struct question_set *s, struct err *e)
{
    struct candidates c = { .best.raw = "unanswerable" };
    int rc = 0;
    for (size_t i = 0; i < question_set_count(s) && rc == 0; i++)
        rc = add_question(&c, question_set_at(s, i), e);
    map_free(&c.by_text);
    arena_free(&c.arena);
    return rc == 0 ? c.best.raw : NULL;
}
