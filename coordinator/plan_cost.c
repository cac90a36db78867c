#include "coordinator/plan_cost.h"

#include <string.h>

static const char *const kinds[PLAN_COST_KINDS] = { "extract", "stage1", "score_c", "score_a", "stage2", "evaluate", "fake" };

static size_t kind_index(const char *kind)
{
    size_t i = 0;
    while (i < PLAN_COST_KINDS - 1 && strcmp(kinds[i], kind) != 0)
        i++;
    return i;
}

/* ---- screens ---------------------------------------------------------------------------------------------------------- */

/* What the alternatives are made of. */
struct parts {
    const struct plan *p;
    struct plan_cost *c;
    double *scores;      /* [representations] hours of A and C, without the connector */
    bool *reference;     /* [representations] its connector is an input of others */
    double shared;       /* extracts that scores need */
    double later;        /* those that only chosen representations need */
    double connector;    /* hours of one connector for stage 2 */
    double after;        /* hours of stage2 and evaluations of one representation, mean */
};

static double screening_hours(const struct parts *x, int64_t samples)
{
    return x->connector * (double)samples / (double)x->p->stage1_samples;
}

/* Fine-tunes of the budget; those with a connector of their own pay for it. */
static double fine_tune_hours(const struct parts *x, int64_t samples)
{
    return x->after + (samples != x->p->stage1_samples ? x->connector : 0);
}

/* Every round but the last asks for scores. */
static size_t asked_later(const struct parts *x, size_t rest)
{
    size_t batch = (size_t)x->p->policy.batch, rounds = (x->c->budget + batch - 1) / batch;
    size_t asked = rounds > 0 ? (rounds - 1) * (size_t)x->p->policy.screen_batch : 0;
    return asked < rest ? asked : rest;
}

static struct plan_cost_screen cost_screen(const struct parts *x, size_t members, bool all, int64_t samples)
{
    const struct plan *p = x->p;
    struct plan_cost_screen s = { .members = members, .all = all, .gpu_hours = x->shared };
    double rest_hours = 0;
    for (size_t r = 0; r < p->n_representations; r++) {
        double hours = x->scores[r] + screening_hours(x, samples);
        if (all || p->representations[r].n_members <= members || x->reference[r]) {
            s.representations++;
            s.gpu_hours += hours;
        } else {
            rest_hours += hours;
        }
    }
    size_t rest = p->n_representations - s.representations;
    s.later = asked_later(x, rest);
    s.later_hours = rest ? rest_hours / (double)rest * (double)s.later : 0;
    s.with_budget = s.gpu_hours + s.later_hours + x->later + fine_tune_hours(x, samples) * (double)x->c->budget;
    return s;
}

static struct plan_cost_screen own_screen(const struct parts *x, int64_t samples)
{
    const struct plan_policy *policy = &x->p->policy;
    return cost_screen(x, (size_t)policy->screen_members, !policy->small_first, samples);
}

static void add_screens(const struct parts *x)
{
    struct plan_cost *c = x->c;
    size_t before = 0;
    for (size_t members = 1; members <= PLAN_COST_SIZES; members++) {
        struct plan_cost_screen s = cost_screen(x, members, false, x->p->screening_samples);
        if (s.representations == x->p->n_representations)
            break;
        if (s.representations > before)
            c->screens[c->n_screens++] = s;
        before = s.representations;
    }
    c->screens[c->n_screens++] = cost_screen(x, 0, true, x->p->screening_samples);
}

static void add_samples(const struct parts *x)
{
    static const int64_t parts[PLAN_COST_SAMPLES] = { 0, 1, 4, 10, 20 }; /* 0 = as it is */
    const struct plan *p = x->p;
    struct plan_cost *c = x->c;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        int64_t samples = parts[i] ? p->stage1_samples / parts[i] : p->screening_samples;
        if (samples < 1 || (parts[i] && samples == p->screening_samples))
            continue;
        struct plan_cost_screen s = own_screen(x, samples);
        c->samples[c->n_samples++] = (struct plan_cost_samples){ samples, s.gpu_hours + s.later_hours, s.with_budget };
    }
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

static void add_floor(struct plan_cost_floors *f, const struct plan_task *t)
{
    f->tasks++;
    f->deferred += t->deferred;
    f->gpu_hours += t->gpu_seconds / 3600;
}

static void add_task(struct parts *x, const struct plan_task *t)
{
    struct plan_cost_kind *k = &x->c->kinds[kind_index(t->kind)];
    double h = t->gpu_seconds / 3600;
    k->tasks++;
    k->deferred += t->deferred;
    k->on_demand += t->on_demand;
    k->gpu_hours += h;
    if (strcmp(t->kind, "stage2") == 0)
        x->connector = x->p->tasks[t->inputs[0].task].gpu_seconds / 3600; /* the same for all */
    if (strcmp(t->kind, "stage2") == 0 || strcmp(t->kind, "evaluate") == 0)
        x->after += h / (double)x->p->n_representations;
    else if (strcmp(t->kind, "stage1") != 0 && t->representation != PLAN_NONE)
        x->scores[t->representation] += h;
    else if (strcmp(t->kind, "extract") == 0)
        *(t->deferred ? &x->later : &x->shared) += h;
    for (size_t i = 0; strcmp(t->kind, "score_a") == 0 && i < t->n_inputs; i++) {
        const struct plan_task *input = &x->p->tasks[t->inputs[i].task];
        if (input->representation != t->representation)
            x->reference[input->representation] = true;
    }
}

int plan_cost(const struct plan *p, struct plan_cost *c, struct err *e)
{
    *c = (struct plan_cost){ 0 };
    AUTO(free) double *scores = calloc(p->n_representations + 1, sizeof *scores);
    AUTO(free) bool *reference = calloc(p->n_representations + 1, sizeof *reference);
    struct parts x = { .p = p, .c = c, .scores = scores, .reference = reference };
    if (!scores || !reference)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < PLAN_COST_KINDS; i++)
        c->kinds[i].kind = kinds[i];
    for (size_t i = 0; i < p->n_tasks; i++)
        if (p->tasks[i].floor)
            add_floor(&c->floors, &p->tasks[i]);
        else
            add_task(&x, &p->tasks[i]);
    size_t n = p->n_representations;
    c->budget = (size_t)p->policy.budget_fine_tunes < n ? (size_t)p->policy.budget_fine_tunes : n;
    struct plan_cost_screen own = own_screen(&x, p->screening_samples);
    c->gpu_hours_scores = own.gpu_hours + own.later_hours;
    c->gpu_hours_fine_tune = fine_tune_hours(&x, p->screening_samples);
    c->gpu_hours_budget = own.with_budget;
    c->gpu_hours_exhaustive = (x.connector + x.after) * (double)n;
    if (n > 0) {
        add_screens(&x);
        add_samples(&x);
    }
    return 0;
}

/* ---- Graphviz ------------------------------------------------------------------------------------------------------- */

#define DOT_MANY 60

static void dot_text(struct buf *out, const char *s)
{
    for (; *s; s++)
        buf_printf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
}

static void dot_summary(const struct plan *p, struct buf *out)
{
    size_t count[PLAN_COST_KINDS] = { 0 };
    bool edge[PLAN_COST_KINDS][PLAN_COST_KINDS] = { { false } };
    for (size_t i = 0; i < p->n_tasks; i++) {
        size_t k = kind_index(p->tasks[i].kind);
        count[k]++;
        for (size_t j = 0; j < p->tasks[i].n_inputs; j++)
            edge[kind_index(p->tasks[p->tasks[i].inputs[j].task].kind)][k] = true;
    }
    for (size_t k = 0; k < PLAN_COST_KINDS; k++)
        if (count[k])
            buf_printf(out, "  %s [label=\"%s\\n%zu task%s\"%s];\n", kinds[k], kinds[k], count[k], count[k] == 1 ? "" : "s",
                       strcmp(kinds[k], "stage2") == 0 || strcmp(kinds[k], "evaluate") == 0 ? ", style=dashed" : "");
    for (size_t a = 0; a < PLAN_COST_KINDS; a++)
        for (size_t b = 0; b < PLAN_COST_KINDS; b++)
            if (edge[a][b])
                buf_printf(out, "  %s -> %s;\n", kinds[a], kinds[b]);
}

static void dot_all(const struct plan *p, struct buf *out)
{
    for (size_t i = 0; i < p->n_tasks; i++) {
        buf_printf(out, "  t%zu [label=\"", i);
        dot_text(out, p->tasks[i].label);
        buf_printf(out, "\"%s];\n", p->tasks[i].deferred ? ", style=dashed" : p->tasks[i].on_demand ? ", style=dotted" : "");
        for (size_t j = 0; j < p->tasks[i].n_inputs; j++)
            buf_printf(out, "  t%zu -> t%zu;\n", p->tasks[i].inputs[j].task, i);
    }
}

void plan_dot(const struct plan *p, bool all, struct buf *out)
{
    buf_puts(out, "// dashed: runs only when the policy chooses the representation; dotted: when it asks for its scores\ndigraph \"");
    dot_text(out, p->name);
    buf_puts(out, "\" {\n  rankdir=LR;\n  node [shape=box];\n");
    if (all || p->n_tasks <= DOT_MANY)
        dot_all(p, out);
    else
        dot_summary(p, out);
    buf_puts(out, "}\n");
}
