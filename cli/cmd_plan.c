/* acsweep plan: what a sweep.cfg means before anything runs. Needs no database and no coordinator. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "coordinator/plan_cost.h"
#include "coordinator/plan_features.h"
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

static const char *hours_text(double seconds, char *text, size_t size)
{
    snprintf(text, size, seconds < 360 ? "%.3f" : "%.1f", seconds / 3600);
    return text;
}

#define FEATURE_LINES 40 /* more are shown by image set */

/* Of several encoders, when there are many: their sums. */
struct feature_line {
    char encoder[80];
    size_t n, kept;
    const struct plan_feature *first;
    uint64_t bytes;
    double readers, once, fly;
    bool alike, known; /* all with the same reason; all sizes stated */
};

static bool is_of(const struct plan_feature *a, const struct plan_feature *b)
{
    return a->image_set == b->image_set && a->for_training == b->for_training;
}

static void count_feature(struct feature_line *l, const struct plan_feature *f)
{
    l->n++;
    l->kept += f->cached;
    l->bytes = l->bytes > UINT64_MAX - f->bytes ? UINT64_MAX : l->bytes + f->bytes;
    l->readers += f->readers;
    l->once += f->once_seconds;
    l->fly += f->fly_seconds;
    l->alike &= f->reason == l->first->reason;
    l->known &= f->bytes > 0;
}

static int add_line(struct table *t, const struct plan *p, const struct feature_line *l, struct err *e)
{
    char pictures[32] = "?", bytes[32] = "?", readers[32], once[32], fly[32], where[64];
    bool counted = l->first->pictures > 0;
    if (counted)
        snprintf(pictures, sizeof pictures, "%lld", (long long)l->first->pictures);
    if (l->known)
        bytes_text(l->bytes, bytes, sizeof bytes);
    snprintf(readers, sizeof readers, "%.1f", l->readers);
    if (l->kept == 0 || l->kept == l->n)
        snprintf(where, sizeof where, l->kept ? "in files" : "on the fly");
    else
        snprintf(where, sizeof where, "%zu of %zu in files", l->kept, l->n);
    const char *const row[] = { l->encoder, p->image_sets[l->first->image_set].name, pictures, bytes, readers,
                                counted ? hours_text(l->once, once, sizeof once) : "?",
                                counted ? hours_text(l->fly, fly, sizeof fly) : "?", where,
                                l->alike ? plan_feature_reason(l->first) : "several reasons: see --json" };
    return table_add(t, row, e);
}

static int add_features(struct table *t, const struct plan *p, struct err *e)
{
    bool many = p->n_features > FEATURE_LINES;
    for (size_t i = 0; i < p->n_features; i++) {
        const struct plan_feature *f = &p->features[i];
        struct feature_line l = { .first = f, .alike = true, .known = true };
        bool seen = false;
        for (size_t k = 0; many && k < i; k++)
            seen |= is_of(&p->features[k], f);
        for (size_t k = i; !seen && k < (many ? p->n_features : i + 1); k++)
            if (is_of(&p->features[k], f))
                count_feature(&l, &p->features[k]);
        snprintf(l.encoder, sizeof l.encoder, "%.70s", p->encoders[f->encoder].name);
        if (many)
            snprintf(l.encoder, sizeof l.encoder, "%zu encoder%s", l.n, l.n == 1 ? "" : "s");
        if (!seen)
            TRY(add_line(t, p, &l, e));
    }
    return 0;
}

/* What is kept in files, and what a larger budget would save. */
static int print_features(const struct plan *p, struct err *e)
{
    static const char *const head[] = { "ENCODER", "IMAGE SET", "PICTURES", "BYTES",   "READERS",
                                        "ONCE",    "BY EACH",   "FEATURES", "WHY" };
    AUTO(table_free) struct table *t = table_create(head, ARRAY_LEN(head), e);
    if (!t)
        return -1;
    TRY(add_features(t, p, e));
    struct plan_features_sum s = plan_features_sum(p);
    char kept[32], budget[32], wanted[32], saved[32], could[32];
    printf("\nFeatures, in GPU-hours to make them once or by each of the tasks that are expected to read them:\n");
    table_print(t, stdout);
    printf("In files: %s; features.cache_bytes is %s; saves %s GPU-hours", bytes_text(s.kept_bytes, kept, sizeof kept),
           bytes_text(p->cache_bytes, budget, sizeof budget), hours_text(s.saved, saved, sizeof saved));
    if (s.could_save > s.saved)
        printf(", of %s with %s", hours_text(s.could_save, could, sizeof could),
               bytes_text(s.wanted_bytes, wanted, sizeof wanted));
    printf("%s\n", s.unknown ? "; sets of unknown size not counted" : "");
    return 0;
}

static void print_floors(const struct plan *p, const struct plan_cost *c)
{
    if (!p->n_floors)
        return;
    printf("Beside these, floors%s:", c->floors.deferred ? ", fine-tuned too" : "");
    for (size_t f = p->n_representations; f < plan_scored(p); f++)
        printf("%s %s", f > p->n_representations ? "," : "", p->representations[f].name);
    printf("; %zu tasks, %.1f GPU-hours\n", c->floors.tasks, c->floors.gpu_hours);
}

static int print_text(const struct plan *p, const struct plan_cost *c, struct err *e)
{
    printf("Sweep %s: %zu representation%s of %zu encoders, %zu benchmarks, %zu tasks\n\n", p->name, p->n_representations,
           p->n_representations == 1 ? "" : "s", p->n_encoders, p->n_benchmarks, p->n_tasks);
    TRY(print_kinds(c, e));
    if (p->n_representations) {
        TRY(print_screens(p, c, e));
        TRY(print_samples(c, e));
    }
    if (p->n_features)
        TRY(print_features(p, e));
    if (p->n_unknown)
        printf("\nContent to identify first: %zu of the checkpoints and image sets, which native tasks read and which state "
               "no digest\n", p->n_unknown);
    if (!p->n_representations)
        return 0;
    printf("\nEstimated GPU-hours if trained for real: scores %.1f; one fine-tune with evaluation %.1f; this budget %.1f; "
           "exhaustive %.1f\n", c->gpu_hours_scores, c->gpu_hours_fine_tune, c->gpu_hours_budget, c->gpu_hours_exhaustive);
    print_floors(p, c);
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

static json_t *known(double value, bool is_known)
{
    return is_known ? json_real(value) : json_null();
}

static json_t *feature_json(const struct plan *p, const struct plan_feature *f)
{
    return json_pack("{s:s,s:s,s:s,s:o,s:o,s:f,s:o,s:o,s:b,s:s}", "encoder", p->encoders[f->encoder].name, "image_set",
                     p->image_sets[f->image_set].name, "prepared_for", f->for_training ? "training" : "score_c",
                     "pictures", f->pictures ? json_integer((json_int_t)f->pictures) : json_null(), "bytes",
                     f->bytes ? json_integer((json_int_t)f->bytes) : json_null(), "readers", f->readers,
                     "gpu_hours_once", known(f->once_seconds / 3600, f->pictures > 0), "gpu_hours_by_each",
                     known(f->fly_seconds / 3600, f->pictures > 0), "in_files", (int)f->cached, "reason",
                     plan_feature_reason(f));
}

static json_t *features_json(const struct plan *p)
{
    json_t *all = json_array();
    for (size_t i = 0; i < p->n_features; i++)
        json_array_append_new(all, feature_json(p, &p->features[i]));
    return all;
}

static json_t *cache_json(const struct plan *p)
{
    struct plan_features_sum s = plan_features_sum(p);
    return json_pack("{s:I,s:I,s:f,s:I,s:f}", "budget_bytes", (json_int_t)p->cache_bytes, "bytes",
                     (json_int_t)s.kept_bytes, "saved_gpu_hours", s.saved / 3600, "wanted_bytes", (json_int_t)s.wanted_bytes, "could_save_gpu_hours",
                     s.could_save / 3600);
}

static json_t *floors_json(const struct plan *p, const struct plan_cost *c)
{
    json_t *names = json_array();
    for (size_t f = p->n_representations; f < plan_scored(p); f++)
        json_array_append_new(names, json_string(p->representations[f].name));
    return json_pack("{s:o,s:I,s:I,s:f}", "names", names, "tasks", (json_int_t)c->floors.tasks, "deferred",
                     (json_int_t)c->floors.deferred, "gpu_hours", c->floors.gpu_hours);
}

static json_t *plan_json(const struct plan *p, const struct plan_cost *c)
{
    return json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:{s:f,s:f,s:f,s:f}}", "sweep", p->name,
                     "config_digest", p->config_digest, "representations", (json_int_t)p->n_representations, "encoders",
                     (json_int_t)p->n_encoders, "benchmarks", (json_int_t)p->n_benchmarks, "tasks", (json_int_t)p->n_tasks,
                     "to_identify", (json_int_t)p->n_unknown, "kinds", kinds_json(c), "screens",
                     screens_json(p, c), "screening_samples", samples_json(c), "features", features_json(p),
                     "feature_cache", cache_json(p), "floors", floors_json(p, c), "gpu_hours", "scores", c->gpu_hours_scores, "fine_tune",
                     c->gpu_hours_fine_tune,
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
    struct plan_cost c = { 0 };
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
