/* Which tasks may run as one: those of a kind whose executor gets them cheaper together, about the same data. For
 * native C scores it is one pass for all representations on a correspondence set. */
#include <string.h>

#include "coordinator/plan_build.h"

/* The executors that can: worker/exec/executor.h. */
static bool can_bundle(enum plan_kind kind, int use)
{
    return use == USE_FAKE || (use == USE_NATIVE && kind == KIND_SCORE_C);
}

int plan_check_bundle(const struct plan_build *b, enum plan_kind kind, struct err *e)
{
    const struct executor_conf *x = plan_executor(b->s, kind);
    if (x->bundle == CONF_UNSET_INT || x->bundle == 1 || can_bundle(kind, x->use))
        return 0;
    return conf_fail(
        b->conf, x->line, e,
        "executors.%s.bundle: only the native score_c, and fakes, can run several tasks as one; leave it out",
        plan_kinds[kind].name);
}

static uint32_t bundle_max(const struct plan_build *b, enum plan_kind kind)
{
    if (kind == KIND_FAKE)
        return b->s->load.executor == 1 ? (uint32_t)b->s->load.bundle : 1;
    const struct executor_conf *x = plan_executor(b->s, kind);
    if (x->bundle != CONF_UNSET_INT)
        return (uint32_t)x->bundle;
    return x->use == USE_NATIVE && can_bundle(kind, x->use) ? PLAN_BUNDLE_MOST : 1;
}

/* A number for what the tasks of a bundle have in common. That two such things have the same number by chance does no
 * harm: an executor sorts its bundle by itself. */
static uint32_t number_of(const struct plan_build *b, enum plan_kind kind, const struct plan_task *t)
{
    const struct plan *p = b->p;
    const struct plan_correspondence_set *set =
        t->correspondence_set != PLAN_NONE ? &p->correspondence_sets[t->correspondence_set] : NULL;
    char text[400], hex[DIGEST_HEX_SIZE], first[9] = "";
    int n = snprintf(text, sizeof text, "%s %.64s %.160s %.80s", plan_kinds[kind].name,
                     t->score_setting != PLAN_NONE ? p->score_settings[t->score_setting].identity : "",
                     set ? p->image_sets[set->image_set].name : "", set ? set->split : "");
    digest_bytes(text, (size_t)n, hex);
    memcpy(first, hex, 8);
    return (uint32_t)strtoul(first, NULL, 16) | 1u;
}

static enum plan_kind kind_of(const struct plan_task *t)
{
    int k = 0;
    while (k < PLAN_KINDS - 1 && strcmp(plan_kinds[k].name, t->kind) != 0)
        k++;
    return (enum plan_kind)k;
}

void plan_bundles(struct plan_build *b)
{
    uint32_t most[PLAN_KINDS];
    bool any = false;
    for (int k = 0; k < PLAN_KINDS; k++)
        any |= (most[k] = bundle_max(b, (enum plan_kind)k)) > 1;
    for (size_t i = 0; any && i < b->p->n_tasks; i++) {
        struct plan_task *t = &b->p->tasks[i];
        enum plan_kind kind = kind_of(t);
        t->bundle_max = most[kind];
        if (t->bundle_max > 1)
            t->bundle = number_of(b, kind, t);
    }
}
