/* acsweep plan: what a sweep.cfg means before anything runs. Needs no database and no coordinator. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "coordinator/plan_cost.h"
#include "coordinator/sweep_conf.h"

static const struct opt plan_options[] = {
    { .name = "dot", .type = OPT_FLAG, .help = "print the task graph as Graphviz, by kind when it is large" },
    { .name = "effective", .type = OPT_FLAG, .help = "print the settings with all defaults, each explained" },
    { .name = "dot-all", .type = OPT_FLAG, .help = "print the task graph as Graphviz, every task" },
    { 0 },
};

static const char *bytes_text(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double v = (double)bytes;
    size_t u = 0;
    for (; v >= 1024 && u + 1 < ARRAY_LEN(units); u++)
        v /= 1024;
    snprintf(text, size, u ? "%.1f %s" : "%.0f %s", v, units[u]);
    return text;
}

static uint64_t all_bytes(const struct plan_cost *c, size_t *unknown)
{
    uint64_t total = 0;
    *unknown = 0;
    for (size_t i = 0; i < c->n_features; i++) {
        total = total > UINT64_MAX - c->features[i].bytes ? UINT64_MAX : total + c->features[i].bytes;
        *unknown += c->features[i].bytes == 0;
    }
    return total;
}

/* ---- text ------------------------------------------------------------------------------------------------------------ */

static int print_kinds(const struct plan_cost *c, struct err *e)
{
    AUTO(table_free) struct table *t = table_create(
        (const char *const[]){ "KIND", "TASKS", "AT ONCE", "ON DEMAND", "IF CHOSEN", "GPU-HOURS" }, 6, e);
    if (!t)
        return -1;
    for (size_t i = 0; i < PLAN_COST_KINDS; i++) {
        const struct plan_cost_kind *k = &c->kinds[i];
        char tasks[32], now[32], demand[32], later[32], hours[32];
        if (!k->tasks)
            continue;
        snprintf(tasks, sizeof tasks, "%zu", k->tasks);
        snprintf(now, sizeof now, "%zu", k->tasks - k->deferred - k->on_demand);
        snprintf(demand, sizeof demand, "%zu", k->on_demand);
        snprintf(later, sizeof later, "%zu", k->deferred);
        snprintf(hours, sizeof hours, "%.1f", k->gpu_hours);
        TRY(table_add(t, (const char *const[]){ k->kind, tasks, now, demand, later, hours }, e));
    }
    table_print(t, stdout);
    return 0;
}

static bool is_own_screen(const struct plan *p, const struct plan_cost_screen *s)
{
    return p->policy.small_first ? !s->all && s->members == (size_t)p->policy.screen_members : s->all;
}

/* What policy.screen would cost otherwise; the plan's own line has a star. */
static int print_screens(const struct plan *p, const struct plan_cost *c, struct err *e)
{
    if (c->n_screens < 2)
        return 0;
    AUTO(table_free) struct table *t = table_create(
        (const char *const[]){ "SCORED AT ONCE", "COUNT", "GPU-HOURS", "LATER", "GPU-HOURS", "WITH THE BUDGET" }, 6, e);
    if (!t)
        return -1;
    for (size_t i = 0; i < c->n_screens; i++) {
        const struct plan_cost_screen *s = &c->screens[i];
        char size[40], n[32], hours[32], later[32], later_hours[32], budget[32];
        const char *star = is_own_screen(p, s) ? " *" : "";
        if (s->all)
            snprintf(size, sizeof size, "all%s", star);
        else
            snprintf(size, sizeof size, "up to %zu member%s%s", s->members, s->members == 1 ? "" : "s", star);
        snprintf(n, sizeof n, "%zu", s->representations);
        snprintf(hours, sizeof hours, "%.1f", s->gpu_hours);
        snprintf(later, sizeof later, "%zu", s->later);
        snprintf(later_hours, sizeof later_hours, "%.1f", s->later_hours);
        snprintf(budget, sizeof budget, "%.1f", s->with_budget);
        TRY(table_add(t, (const char *const[]){ size, n, hours, later, later_hours, budget }, e));
    }
    printf("\nStage 1 and scores by policy.screen and screen_members (later: what the rounds of %zu fine-tunes ask for):\n",
           c->budget);
    table_print(t, stdout);
    return 0;
}

static int print_samples(const struct plan_cost *c, struct err *e)
{
    AUTO(table_free) struct table *t = table_create((const char *const[]){ "SAMPLES", "GPU-HOURS", "WITH THE BUDGET" }, 3, e);
    if (!t)
        return -1;
    for (size_t i = 0; i < c->n_samples; i++) {
        char samples[32], hours[32], budget[32];
        snprintf(samples, sizeof samples, "%lld", (long long)c->samples[i].samples);
        snprintf(hours, sizeof hours, "%.1f", c->samples[i].gpu_hours);
        snprintf(budget, sizeof budget, "%.1f", c->samples[i].with_budget);
        TRY(table_add(t, (const char *const[]){ samples, hours, budget }, e));
    }
    printf("\nStage 1 and scores by stage1.screening_samples (the first line is this plan):\n");
    table_print(t, stdout);
    return 0;
}

static int print_text(const struct plan *p, const struct plan_cost *c, struct err *e)
{
    char size[32];
    size_t unknown;
    uint64_t bytes = all_bytes(c, &unknown);
    printf("Sweep %s: %zu representation%s of %zu encoders, %zu benchmarks, %zu tasks\n\n", p->name, p->n_representations,
           p->n_representations == 1 ? "" : "s", p->n_encoders, p->n_benchmarks, p->n_tasks);
    TRY(print_kinds(c, e));
    if (p->n_representations) {
        TRY(print_screens(p, c, e));
        TRY(print_samples(c, e));
    }
    if (c->n_features)
        printf("\nFeatures to extract: %s%s\n", bytes_text(bytes, size, sizeof size),
               unknown ? " and what encoders without stated grid and channels, or sets without images, add" : "");
    if (p->n_unknown)
        printf("\nContent to identify first: %zu of the checkpoints and image sets, which native tasks read and which state no digest\n",
               p->n_unknown);
    if (!p->n_representations)
        return 0;
    printf("\nEstimated GPU-hours if trained for real: scores %.1f; one fine-tune with evaluation %.1f; this budget %.1f; "
           "exhaustive %.1f\n", c->gpu_hours_scores, c->gpu_hours_fine_tune, c->gpu_hours_budget, c->gpu_hours_exhaustive);
    return 0;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------ */

static json_t *kinds_json(const struct plan_cost *c)
{
    json_t *all = json_array();
    for (size_t i = 0; i < PLAN_COST_KINDS; i++) {
        const struct plan_cost_kind *k = &c->kinds[i];
        if (k->tasks)
            json_array_append_new(all, json_pack("{s:s,s:I,s:I,s:I,s:f}", "kind", k->kind, "tasks", (json_int_t)k->tasks,
                                                 "on_demand", (json_int_t)k->on_demand, "deferred",
                                                 (json_int_t)k->deferred, "gpu_hours", k->gpu_hours));
    }
    return all;
}

static json_t *screens_json(const struct plan *p, const struct plan_cost *c)
{
    json_t *all = json_array();
    for (size_t i = 0; i < c->n_screens; i++) {
        const struct plan_cost_screen *s = &c->screens[i];
        json_array_append_new(all, json_pack("{s:s,s:o,s:b,s:I,s:f,s:I,s:f,s:f}", "screen", s->all ? "all" : "small_first",
                                             "members", s->all ? json_null() : json_integer((json_int_t)s->members),
                                             "chosen", (int)is_own_screen(p, s), "representations",
                                             (json_int_t)s->representations, "gpu_hours", s->gpu_hours, "later",
                                             (json_int_t)s->later, "later_gpu_hours", s->later_hours, "budget_gpu_hours",
                                             s->with_budget));
    }
    return all;
}

static json_t *samples_json(const struct plan_cost *c)
{
    json_t *all = json_array();
    for (size_t i = 0; i < c->n_samples; i++)
        json_array_append_new(all, json_pack("{s:I,s:f,s:f}", "samples", (json_int_t)c->samples[i].samples, "gpu_hours",
                                             c->samples[i].gpu_hours, "budget_gpu_hours", c->samples[i].with_budget));
    return all;
}

static json_t *features_json(const struct plan *p, const struct plan_cost *c)
{
    json_t *all = json_array();
    for (size_t i = 0; i < c->n_features; i++)
        json_array_append_new(all, json_pack("{s:s,s:s,s:o}", "encoder", p->encoders[c->features[i].encoder].name, "image_set",
                                             p->image_sets[c->features[i].image_set].name, "bytes",
                                             c->features[i].bytes ? json_integer((json_int_t)c->features[i].bytes)
                                                                  : json_null()));
    return all;
}

static json_t *plan_json(const struct plan *p, const struct plan_cost *c)
{
    return json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:{s:f,s:f,s:f,s:f}}", "sweep", p->name, "config_digest",
                     p->config_digest, "representations", (json_int_t)p->n_representations, "encoders",
                     (json_int_t)p->n_encoders, "benchmarks", (json_int_t)p->n_benchmarks, "tasks", (json_int_t)p->n_tasks,
                     "to_identify", (json_int_t)p->n_unknown, "kinds", kinds_json(c), "screens", screens_json(p, c), "screening_samples", samples_json(c), "features",
                     features_json(p, c), "gpu_hours", "scores", c->gpu_hours_scores, "fine_tune", c->gpu_hours_fine_tune,
                     "budget", c->gpu_hours_budget, "exhaustive", c->gpu_hours_exhaustive);
}

static int print_dot(const struct plan *p, bool all, struct err *e)
{
    AUTO(buf_free) struct buf b = BUF_INIT((size_t)1 << 30);
    plan_dot(p, all, &b);
    TRY(buf_check(&b, "the graph", e));
    fputs(buf_text(&b), stdout);
    return 0;
}

static int print_effective(const char *path, struct err *e)
{
    AUTO(conf_destroy) struct conf *c = conf_load(&sweep_conf_table, path, e);
    if (!c)
        return -1;
    AUTO(buf_free) struct buf b = BUF_INIT((size_t)64 << 20);
    conf_print(&sweep_conf_table, conf_values(c), true, &b);
    TRY(buf_check(&b, "the settings", e));
    fputs(buf_text(&b), stdout);
    return 0;
}

static int run_plan(const struct opts *o, struct err *e)
{
    AUTO(plan_destroy) struct plan *p = plan_load_file(opts_arg(o, 0), e);
    if (!p)
        return -1;
    if (opts_flag(o, "effective"))
        return print_effective(opts_arg(o, 0), e);
    if (opts_flag(o, "dot") || opts_flag(o, "dot-all"))
        return print_dot(p, opts_flag(o, "dot-all"), e);
    AUTO(plan_cost_free) struct plan_cost c = { 0 };
    TRY(plan_cost(p, &c, e));
    return opts_flag(o, "json") ? out_json(plan_json(p, &c), e) : print_text(p, &c, e);
}

const struct cmd cmd_plan = {
    .name = "plan",
    .summary = "Check a sweep.cfg and show its tasks and their estimated cost",
    .args = "SWEEP.CFG",
    .options = { plan_options, cli_json_options },
    .details = "GPU-hours come from a simple model whose figures sweep.cfg may change (stage1.gpu_hours and others); they are "
               "estimates for real training, also when executors replay.",
    .run = run_plan,
};
