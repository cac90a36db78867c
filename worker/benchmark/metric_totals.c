/* Verdicts -> the numbers of each family. */
#include <math.h>
#include <stdint.h>

#include "worker/benchmark/metric_run.h"

static int add_category(struct metric_run *r, const struct question *q, double value, struct err *e)
{
    return q->category ? means_add(&r->means, "category", q->category, value, e) : 0;
}

/* ---- one question, one value ----------------------------------------------------------------------------------------
 */

/* All questions under `all`; by category; and each under what `kind` says of it (NULL: nothing more). */
static int total_questions(struct metric_run *r, const char *all, const char *(*kind)(const struct question *q),
                           struct err *e)
{
    for (size_t i = 0; i < question_set_count(r->set); i++) {
        const struct question *q = question_set_at(r->set, i);
        double value = 100 * r->verdicts[i].score;
        const char *more = kind ? kind(q) : NULL;
        TRY(means_add(&r->means, all, NULL, value, e));
        TRY(add_category(r, q, value, e));
        if (more)
            TRY(means_add(&r->means, more, NULL, value, e));
    }
    return 0;
}

int total_vqa(struct metric_run *r, struct err *e)
{
    return total_questions(r, "vqa", NULL, e);
}

static const char *media_of(const struct question *q)
{
    return q->video ? "video_accuracy" : "image_accuracy";
}

int total_seed(struct metric_run *r, struct err *e)
{
    return total_questions(r, "accuracy", media_of, e);
}

static const char *form_of(const struct question *q)
{
    return q->n_options ? "choice_accuracy" : "open_accuracy";
}

int total_mmmu(struct metric_run *r, struct err *e)
{
    for (size_t i = 0; i < question_set_count(r->set) && r->unparsed == METRIC_RANDOM; i++) {
        const struct question *q = question_set_at(r->set, i);
        if (!r->verdicts[i].parsed && q->n_options)
            r->verdicts[i].score = metric_draw(r, q, false) == judge_right_letter(q);
    }
    return total_questions(r, "accuracy", form_of, e);
}

static const char *image_of(const struct question *q)
{
    return q->n_images ? "image_accuracy" : "text_accuracy";
}

/* Pooled: all questions and those with a picture, the latter counted twice; the paper's "(Full)". */
int total_scienceqa(struct metric_run *r, struct err *e)
{
    for (size_t i = 0; i < question_set_count(r->set); i++) {
        double value = 100 * r->verdicts[i].score;
        TRY(means_add(&r->means, "pooled_accuracy", NULL, value, e));
        if (question_set_at(r->set, i)->n_images)
            TRY(means_add(&r->means, "pooled_accuracy", NULL, value, e));
    }
    return total_questions(r, "accuracy", image_of, e);
}

/* ---- MMBench --------------------------------------------------------------------------------------------------------
 */

/* A group counts when all of its rows are right. As in the original, letters are drawn only in groups without an answer
 * that is wrong already, and no further once one drawn is wrong. */
static bool is_group_right(struct metric_run *r, const struct groups *g, size_t first)
{
    for (size_t i = first; i != GROUP_END; i = g->next[i])
        if (r->verdicts[i].parsed && r->verdicts[i].score < 1)
            return false;
    for (size_t i = first; i != GROUP_END; i = g->next[i]) {
        const struct question *q = question_set_at(r->set, i);
        if (r->verdicts[i].parsed)
            continue;
        if (r->unparsed == METRIC_RANDOM)
            r->verdicts[i].score = metric_draw(r, q, true) == judge_right_letter(q);
        if (r->verdicts[i].score < 1)
            return false;
    }
    return true;
}

int total_mmbench(struct metric_run *r, struct err *e)
{
    AUTO(groups_free) struct groups g = { 0 };
    TRY(groups_make(r->set, &g, e));
    for (size_t k = 0; k < g.n; k++) {
        double value = is_group_right(r, &g, g.first[k]) ? 100 : 0;
        TRY(means_add(&r->means, "circular_accuracy", NULL, value, e));
        TRY(add_category(r, question_set_at(r->set, g.first[k]), value, e));
    }
    for (size_t i = 0; i < question_set_count(r->set); i++)
        TRY(means_add(&r->means, "accuracy", NULL, 100 * r->verdicts[i].score, e));
    return 0;
}

/* ---- MME ------------------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    bool perception;
} subtasks[MME_SUBTASKS] = {
    { "existence", true },
    { "count", true },
    { "position", true },
    { "color", true },
    { "posters", true },
    { "celebrity", true },
    { "scene", true },
    { "landmark", true },
    { "artwork", true },
    { "OCR", true },
    { "commonsense_reasoning", false },
    { "numerical_calculation", false },
    { "text_translation", false },
    { "code_reasoning", false },
};

size_t total_mme_subtask(const char *category, bool *perception)
{
    size_t i = 0;
    while (i + 1 < MME_SUBTASKS && strcmp(category, subtasks[i].name) != 0)
        i++;
    *perception = subtasks[i].perception;
    return i;
}

static int check_picture(const struct question_set *s, const struct groups *g, size_t first, struct err *e)
{
    const struct question *q = question_set_at(s, first), *other = NULL;
    size_t n = 0;
    bool known = false;
    for (size_t i = first; i != GROUP_END; i = g->next[i], n++)
        other = question_set_at(s, i);
    if (n != 2)
        return FAIL(e, ERR_INPUT, "%s: the picture (group) '%.80s' has %zu questions; MME has two for each",
                    question_set_name(s), q->group, n);
    if (strcmp(q->category, other->category) != 0)
        return FAIL(e, ERR_INPUT, "%s: the two questions of group '%.80s' are of different categories",
                    question_set_name(s), q->group);
    for (size_t i = 0; i < ARRAY_LEN(subtasks); i++)
        known |= strcmp(q->category, subtasks[i].name) == 0;
    return known ? 0
                 : FAIL(e, ERR_INPUT, "%s: question '%.80s': the category '%.60s' is no subtask of MME",
                        question_set_name(s), q->id, q->category);
}

/* A picture's accuracy and, for both of its questions right, as much again: 0 to 200 points. */
int total_mme(struct metric_run *r, struct err *e)
{
    AUTO(groups_free) struct groups g = { 0 };
    TRY(groups_make(r->set, &g, e));
    for (size_t k = 0; k < g.n; k++) {
        size_t one = g.first[k];
        TRY(check_picture(r->set, &g, one, e));
        double right = r->verdicts[one].score + r->verdicts[g.next[one]].score;
        TRY(add_category(r, question_set_at(r->set, one), 50 * right + (right > 1.5 ? 100 : 0), e));
    }
    for (size_t i = 0; i < question_set_count(r->set); i++)
        TRY(means_add(&r->means, "accuracy", NULL, 100 * r->verdicts[i].score, e));
    return 0;
}

struct mme_sum total_mme_sum(const struct means *m, bool perception)
{
    struct mme_sum sum = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(subtasks); i++) {
        const struct mean *mean = means_find(m, "category", subtasks[i].name);
        if (!mean || subtasks[i].perception != perception)
            continue;
        sum.value += mean_value(mean);
        sum.variance += mean_variance(mean);
        sum.pictures += mean->n;
    }
    return sum;
}
