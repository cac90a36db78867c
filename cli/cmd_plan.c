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
        (const char *const[]){ "KIND", "TASKS", "AT ONCE", "IF CHOSEN", "GPU-HOURS" }, 5, e);
    if (!t)
        return -1;
    for (size_t i = 0; i < PLAN_COST_KINDS; i++) {
        const struct plan_cost_kind *k = &c->kinds[i];
        char tasks[32], now[32], later[32], hours[32];
        if (!k->tasks)
            continue;
        snprintf(tasks, sizeof tasks, "%zu", k->tasks);
        snprintf(now, sizeof now, "%zu", k->tasks - k->deferred);
        snprintf(later, sizeof later, "%zu", k->deferred);
        snprintf(hours, sizeof hours, "%.1f", k->gpu_hours);
        TRY(table_add(t, (const char *const[]){ k->kind, tasks, now, later, hours }, e));
    }
    table_print(t, stdout);
    return 0;
}

static int print_screens(const struct plan_cost *c, struct err *e)
{
    if (c->n_screens < 2)
        return 0;
    AUTO(table_free) struct table *t =
        table_create((const char *const[]){ "SCORE UP TO", "REPRESENTATIONS", "GPU-HOURS" }, 3, e);
    if (!t)
        return -1;
    for (size_t i = 0; i < c->n_screens; i++) {
        char size[40], n[32], hours[32];
        snprintf(size, sizeof size, "%zu member%s", c->screens[i].members, c->screens[i].members == 1 ? "" : "s");
        snprintf(n, sizeof n, "%zu", c->screens[i].representations);
        snprintf(hours, sizeof hours, "%.1f", c->screens[i].gpu_hours);
        TRY(table_add(t, (const char *const[]){ size, n, hours }, e));
    }
    printf("\nStage 1 and scores (representations.generate.max_size, stage1.samples change this):\n");
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
    TRY(print_screens(c, e));
    if (c->n_features)
        printf("\nFeatures to extract: %s%s\n", bytes_text(bytes, size, sizeof size),
               unknown ? " and what encoders without stated grid and channels, or sets without images, add" : "");
    if (!p->n_representations)
        return 0;
    printf("\nEstimated GPU-hours if trained for real: scores %.1f; one fine-tune with evaluation %.1f; this budget %.1f; "
           "exhaustive %.1f\n", c->gpu_hours_scores, c->gpu_hours_fine_tune, c->gpu_hours_budget, c->gpu_hours_exhaustive);
    return 0;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------ */

static json_t *plan_json(const struct plan *p, const struct plan_cost *c)
{
    json_t *kinds = json_array(), *screens = json_array(), *features = json_array();
    for (size_t i = 0; i < PLAN_COST_KINDS; i++)
        if (c->kinds[i].tasks)
            json_array_append_new(kinds, json_pack("{s:s,s:I,s:I,s:f}", "kind", c->kinds[i].kind, "tasks",
                                                   (json_int_t)c->kinds[i].tasks, "deferred",
                                                   (json_int_t)c->kinds[i].deferred, "gpu_hours", c->kinds[i].gpu_hours));
    for (size_t i = 0; i < c->n_screens; i++)
        json_array_append_new(screens, json_pack("{s:I,s:I,s:f}", "members", (json_int_t)c->screens[i].members,
                                                 "representations", (json_int_t)c->screens[i].representations, "gpu_hours",
                                                 c->screens[i].gpu_hours));
    for (size_t i = 0; i < c->n_features; i++)
        json_array_append_new(features, json_pack("{s:s,s:s,s:o}", "encoder", p->encoders[c->features[i].encoder].name,
                                                  "image_set", p->image_sets[c->features[i].image_set].name, "bytes",
                                                  c->features[i].bytes ? json_integer((json_int_t)c->features[i].bytes)
                                                                       : json_null()));
    return json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:{s:f,s:f,s:f,s:f}}", "sweep", p->name, "config_digest",
                     p->config_digest, "representations", (json_int_t)p->n_representations, "encoders",
                     (json_int_t)p->n_encoders, "benchmarks", (json_int_t)p->n_benchmarks, "tasks", (json_int_t)p->n_tasks,
                     "kinds", kinds, "screens", screens, "features", features, "gpu_hours", "scores", c->gpu_hours_scores,
                     "fine_tune", c->gpu_hours_fine_tune, "budget", c->gpu_hours_budget, "exhaustive",
                     c->gpu_hours_exhaustive);
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
