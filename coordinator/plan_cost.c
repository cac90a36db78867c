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

/* Features have two bytes a channel in the cache (bf16, fp16); fp32 doubles them, which the params say. */
static uint64_t feature_bytes(const struct plan *p, size_t encoder, size_t image_set, const char *params)
{
    const struct plan_encoder *en = &p->encoders[encoder];
    uint64_t tokens = (uint64_t)en->grid * (uint64_t)en->grid, width = strstr(params, "\"dtype\":\"fp32\"") ? 4 : 2;
    uint64_t per_image = tokens * (uint64_t)en->channels * width, images = (uint64_t)p->image_sets[image_set].images;
    return images && per_image > UINT64_MAX / images ? UINT64_MAX : per_image * images;
}

static int add_features(const struct plan *p, struct plan_cost *c, const struct plan_task *t, struct err *e)
{
    if (strcmp(t->kind, "extract") != 0 || t->shard != 0)
        return 0;
    struct plan_cost_features *more = realloc(c->features, (c->n_features + 1) * sizeof *more);
    if (!more)
        return FAIL_NOMEM(e);
    c->features = more;
    c->features[c->n_features++] = (struct plan_cost_features){
        t->encoder, t->image_set, feature_bytes(p, t->encoder, t->image_set, t->params)
    };
    return 0;
}

static void add_screens(const struct plan *p, struct plan_cost *c, const double *hours)
{
    for (size_t size = 1; size <= PLAN_COST_SIZES; size++) {
        struct plan_cost_screen s = { .members = size };
        size_t beyond = 0;
        for (size_t r = 0; r < p->n_representations; r++) {
            bool in = p->representations[r].n_members <= size;
            s.representations += in;
            s.gpu_hours += in ? hours[r] : 0;
            beyond += !in;
        }
        if (s.representations && (!c->n_screens || s.representations != c->screens[c->n_screens - 1].representations))
            c->screens[c->n_screens++] = s;
        if (!beyond)
            return;
    }
}

int plan_cost(const struct plan *p, struct plan_cost *c, struct err *e)
{
    *c = (struct plan_cost){ 0 };
    AUTO(free) double *hours = calloc(p->n_representations + 1, sizeof *hours);
    if (!hours)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < PLAN_COST_KINDS; i++)
        c->kinds[i].kind = kinds[i];
    for (size_t i = 0; i < p->n_tasks; i++) {
        const struct plan_task *t = &p->tasks[i];
        struct plan_cost_kind *k = &c->kinds[kind_index(t->kind)];
        double h = t->gpu_seconds / 3600;
        k->tasks++;
        k->deferred += t->deferred;
        k->gpu_hours += h;
        if (t->deferred)
            c->gpu_hours_fine_tune += h;
        else
            c->gpu_hours_scores += h;
        if (!t->deferred && t->representation != PLAN_NONE)
            hours[t->representation] += h;
        TRY(add_features(p, c, t, e));
    }
    size_t n = p->n_representations;
    c->gpu_hours_exhaustive = c->kinds[kind_index("stage1")].gpu_hours + c->gpu_hours_fine_tune;
    c->gpu_hours_fine_tune = n ? c->gpu_hours_fine_tune / (double)n : 0;
    size_t budget = p->policy.mode == PLAN_POLICY_EXHAUSTIVE || (size_t)p->policy.budget_fine_tunes > n
                        ? n
                        : (size_t)p->policy.budget_fine_tunes;
    c->gpu_hours_budget = c->gpu_hours_scores + c->gpu_hours_fine_tune * (double)budget;
    add_screens(p, c, hours);
    return 0;
}

void plan_cost_free(struct plan_cost *c)
{
    free(c->features);
    *c = (struct plan_cost){ 0 };
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
        buf_printf(out, "\"%s];\n", p->tasks[i].deferred ? ", style=dashed" : "");
        for (size_t j = 0; j < p->tasks[i].n_inputs; j++)
            buf_printf(out, "  t%zu -> t%zu;\n", p->tasks[i].inputs[j].task, i);
    }
}

void plan_dot(const struct plan *p, bool all, struct buf *out)
{
    buf_puts(out, "// dashed: runs only when the policy chooses the representation\ndigraph \"");
    dot_text(out, p->name);
    buf_puts(out, "\" {\n  rankdir=LR;\n  node [shape=box];\n");
    if (all || p->n_tasks <= DOT_MANY)
        dot_all(p, out);
    else
        dot_summary(p, out);
    buf_puts(out, "}\n");
}
