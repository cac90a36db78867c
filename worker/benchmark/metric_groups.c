#include <stdint.h>
#include <stdlib.h>

#include "worker/benchmark/metric_run.h"

void groups_free(struct groups *g)
{
    free(g->first);
    free(g->next);
}

/* Questions without a group are one each. */
static int link_question(const struct question_set *s, struct groups *g, struct map *last, size_t i, struct err *e)
{
    const char *group = question_set_at(s, i)->group;
    size_t before = group ? (size_t)(uintptr_t)map_get(last, group, strlen(group)) : 0;
    g->next[i] = GROUP_END;
    if (before)
        g->next[before - 1] = i;
    else
        g->first[g->n++] = i;
    return group ? map_put(last, group, strlen(group), (void *)(i + 1), e) : 0;
}

int groups_make(const struct question_set *s, struct groups *g, struct err *e)
{
    size_t n = question_set_count(s);
    struct map last = { 0 }; /* group -> 1 + its last question */
    int rc = 0;
    g->first = malloc(n * sizeof *g->first);
    g->next = malloc(n * sizeof *g->next);
    if (!g->first || !g->next)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = link_question(s, g, &last, i, e);
    map_free(&last);
    return rc;
}
