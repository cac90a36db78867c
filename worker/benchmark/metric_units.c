/* What is drawn independently, and what it is worth: the same sums as metric_totals.c makes, kept unit by unit. A unit's
 * worth is a product of its questions' scores or a sum of them, so probabilities in place of scores give the expected
 * worth of answers that are guessed one by one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/benchmark/metric_run.h"

void units_free(struct units *u)
{
    free(u->v);
}

/* Does the question count towards the metric? */
static bool counts(const struct question_set *s, const struct question *q, const char *metric)
{
    if (strcmp(metric, "image_accuracy") == 0)
        return question_set_family(s)->kind == SEED ? !q->video : q->n_images > 0;
    return strcmp(metric, "video_accuracy") != 0 || q->video;
}

static double weight_of(const struct question *q, const char *metric)
{
    return strcmp(metric, "pooled_accuracy") == 0 && q->n_images ? 2 : 1;
}

/* Per cent of the group's questions; weight 0 when none counts. */
static struct interval_unit plain_unit(const struct question_set *s, const struct groups *g, size_t first,
                                       const double *scores, const char *metric)
{
    struct interval_unit u = { 0 };
    for (size_t i = first; i != GROUP_END; i = g->next[i]) {
        const struct question *q = question_set_at(s, i);
        double weight = counts(s, q, metric) ? weight_of(q, metric) : 0;
        u.sum += 100 * weight * scores[i];
        u.weight += weight;
    }
    return u;
}

static struct interval_unit circular_unit(const struct groups *g, size_t first, const double *scores)
{
    struct interval_unit u = { 100, 1, 0 };
    for (size_t i = first; i != GROUP_END; i = g->next[i])
        u.sum *= scores[i];
    return u;
}

/* A picture of MME; weight 0 when its subtask is of the other kind. */
static struct interval_unit mme_unit(const struct question_set *s, const struct groups *g, size_t first,
                                     const double *scores, bool perception)
{
    bool mine;
    size_t subtask = total_mme_subtask(question_set_at(s, first)->category, &mine);
    double one = scores[first], other = scores[g->next[first]];
    return (struct interval_unit){ 50 * (one + other) + 100 * one * other, mine == perception, subtask };
}

static struct interval_unit unit_of(const struct question_set *s, const struct groups *g, size_t first,
                                    const double *scores, const char *metric)
{
    bool perception = strcmp(metric, "perception") == 0;
    if (perception || strcmp(metric, "cognition") == 0)
        return mme_unit(s, g, first, scores, perception);
    if (strcmp(metric, "circular_accuracy") == 0)
        return circular_unit(g, first, scores);
    return plain_unit(s, g, first, scores, metric);
}

/* Number the parts that have units from 0 on. */
static void number_parts(struct units *u)
{
    size_t numbers[MME_SUBTASKS] = { 0 }; /* 1 + number */
    for (size_t i = 0; i < u->n; i++) {
        size_t *number = &numbers[u->v[i].part];
        if (!*number)
            *number = ++u->parts;
        u->v[i].part = *number - 1;
    }
}

int units_make(const struct question_set *s, const double *scores, const char *metric, struct units *u, struct err *e)
{
    AUTO(groups_free) struct groups g = { 0 };
    TRY(groups_make(s, &g, e));
    if (!(u->v = calloc(g.n, sizeof *u->v)))
        return FAIL_NOMEM(e);
    for (size_t k = 0; k < g.n; k++) {
        struct interval_unit one = unit_of(s, &g, g.first[k], scores, metric);
        if (one.weight > 0)
            u->v[u->n++] = one;
    }
    number_parts(u);
    u->most = question_set_family(s)->kind == MME && strcmp(metric, "accuracy") != 0 ? 200 : 100;
    return 0;
}

double units_worth(const struct units *u)
{
    double sums[MME_SUBTASKS] = { 0 }, weights[MME_SUBTASKS] = { 0 }, all = 0;
    for (size_t i = 0; i < u->n; i++) {
        sums[u->v[i].part] += u->v[i].sum;
        weights[u->v[i].part] += u->v[i].weight;
    }
    for (size_t k = 0; k < u->parts; k++)
        all += sums[k] / weights[k];
    return all;
}
