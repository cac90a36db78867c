#include "cli/policy_json.h"

#include <math.h>
#include <string.h>

#include "common/parse.h"
#include "policy/trials.h"

static void json_drop_cleanup(json_t **j)
{
    json_decref(*j);
}
#define AUTO_JSON __attribute__((cleanup(json_drop_cleanup)))

/* NaN has no JSON form; NULL (no memory) goes through and is found by the container that it is put into. */
static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *no_memory(struct err *e)
{
    return FAIL_NOMEM(e), NULL;
}

/* ---- fit -------------------------------------------------------------------------------------------------------- */

static json_t *coefficients(const struct policy_fit *fit)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "a", number(fit->coef[POLICY_TERM_A]), "c",
                     number(fit->coef[POLICY_TERM_C]), "a2", number(fit->coef[POLICY_TERM_A2]), "ac",
                     number(fit->coef[POLICY_TERM_AC]), "c2", number(fit->coef[POLICY_TERM_C2]));
}

static json_t *predictions(const struct policy_table *t, const struct policy_points *p, const struct policy_fit *fit)
{
    AUTO_JSON json_t *all = json_object();
    for (size_t r = 0; r < p->n; r++)
        if (json_object_set_new(all, policy_table_representation(t, r),
                                number(policy_fit_predict(fit, p->a[r], p->c[r]))) < 0)
            return NULL;
    return TAKE(all);
}

static json_t *benchmark_json(const struct policy_table *t, size_t b, const struct policy_points *p,
                              const struct policy_fit *fit)
{
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", policy_table_benchmark(t, b), "n_train",
                     (json_int_t)fit->n_train, "r2", number(fit->r2), "r2_adjusted", number(fit->r2_adjusted), "r2_loo",
                     number(fit->r2_loo), "spearman", number(fit->spearman), "intercept", number(fit->intercept),
                     "coefficients", coefficients(fit), "predictions", predictions(t, p, fit));
}

struct group {
    char *name;
    double r2, r2_adjusted, r2_loo, spearman;
    size_t n;
    json_t *benchmarks;
};

static void group_free_cleanup(struct group *g)
{
    free(g->name);
    json_decref(g->benchmarks);
}

static int group_add(struct group *g, const struct policy_table *t, const struct policy_fit *fits, const char *name,
                     struct err *e)
{
    size_t b, i;
    json_t *before;
    TRY(policy_table_find_benchmark(t, name, &b, e));
    json_array_foreach(g->benchmarks, i, before)
        if (strcmp(json_string_value(before), name) == 0)
            return FAIL(e, ERR_USAGE, "benchmark '%s' is named twice", name);
    g->r2 += fits[b].r2;
    g->r2_adjusted += fits[b].r2_adjusted;
    g->r2_loo += fits[b].r2_loo;
    g->spearman += fits[b].spearman;
    g->n++;
    return json_array_append_new(g->benchmarks, json_string(name)) < 0 ? FAIL_NOMEM(e) : 0;
}

/* "NAME=BENCH,BENCH" -> means over its benchmarks. */
static int add_group(json_t *groups, const char *text, const struct policy_table *t, const struct policy_fit *fits,
                     struct err *e)
{
    __attribute__((cleanup(group_free_cleanup))) struct group g = { .name = strdup(text), .benchmarks = json_array() };
    if (!g.name || !g.benchmarks)
        return FAIL_NOMEM(e);
    char *list = strchr(g.name, '='), *name;
    if (!list || list == g.name || list[1] == '\0')
        return FAIL(e, ERR_USAGE, "'%s' is not a group; write --group NAME=BENCHMARK,BENCHMARK", text);
    *list++ = '\0';
    if (json_object_get(groups, g.name))
        return FAIL(e, ERR_USAGE, "the group '%s' is given twice", g.name);
    while ((name = parse_next_word(&list, ',')))
        if (group_add(&g, t, fits, name, e) < 0)
            return err_wrap(e, "group '%s'", g.name);
    if (g.n == 0)
        return FAIL(e, ERR_USAGE, "the group '%s' has no benchmark; write --group NAME=BENCHMARK,BENCHMARK", g.name);
    double n = (double)g.n;
    json_t *value =
        json_pack("{s:O, s:o, s:o, s:o, s:o}", "benchmarks", g.benchmarks, "r2", number(g.r2 / n), "r2_adjusted",
                  number(g.r2_adjusted / n), "r2_loo", number(g.r2_loo / n), "spearman", number(g.spearman / n));
    return json_object_set_new(groups, g.name, value) < 0 ? FAIL_NOMEM(e) : 0;
}

json_t *policy_fit_json(const struct policy_table *t, const struct policy_fit_options *o, struct err *e)
{
    size_t m = policy_table_benchmarks(t);
    AUTO(free) struct policy_fit *fits = calloc(m, sizeof *fits);
    AUTO_JSON json_t *benchmarks = json_array();
    AUTO_JSON json_t *groups = json_object();
    if (!fits || !benchmarks || !groups)
        return no_memory(e);
    for (size_t b = 0; b < m; b++) {
        AUTO(policy_points_free) struct policy_points p = { 0 };
        if (policy_points_init(&p, t, b, o->normalise, o->train, e) < 0 ||
            policy_fit(&p, o->train, o->shape, &fits[b], e) < 0)
            return NULL;
        if (json_array_append_new(benchmarks, benchmark_json(t, b, &p, &fits[b])) < 0)
            return no_memory(e);
    }
    for (size_t i = 0; i < o->n_groups; i++)
        if (add_group(groups, o->groups[i], t, fits, e) < 0)
            return NULL;
    json_t *all = json_pack("{s:O, s:O}", "benchmarks", benchmarks, "groups", groups);
    return all ? all : no_memory(e);
}

/* ---- simulate --------------------------------------------------------------------------------------------------- */

static json_t *curve(const double *v, size_t n)
{
    AUTO_JSON json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, number(v[i])) < 0)
            return NULL;
    return TAKE(list);
}

static json_t *curves(const struct policy_curves *c, size_t n)
{
    return json_pack("{s:o, s:o, s:o}", "cumulative", curve(c->cumulative, n), "list3", curve(c->list3, n), "measured",
                     curve(c->measured, n));
}

static int play(const struct policy_points *p, size_t b, const struct policy_simulate_options *o,
                struct policy_recall *r, size_t *tables, struct err *e)
{
    struct policy_play how = o->play;
    how.stream = b;
    *tables = o->laws;
    if (o->laws)
        return policy_trials_laws(p, &how, o->laws, o->noise, r, e);
    if (o->subspace)
        return policy_trials_subspaces(p, &how, o->subspace, r, tables, e);
    return policy_recall_simulate(p, &how, r, e);
}

static int add_benchmark(json_t *benchmarks, const struct policy_table *t, size_t b,
                         const struct policy_simulate_options *o, struct err *e)
{
    AUTO(policy_points_free) struct policy_points p = { 0 };
    AUTO(policy_recall_free) struct policy_recall r = { 0 };
    size_t tables;
    TRY(policy_points_init(&p, t, b, POLICY_NORMALISE_WHOLE, NULL, e));
    if (play(&p, b, o, &r, &tables, e) < 0)
        return err_wrap(e, "benchmark '%s'", policy_table_benchmark(t, b));
    AUTO_JSON json_t *one = json_pack("{s:s, s:s?, s:o, s:o, s:o, s:o}", "name", policy_table_benchmark(t, b), "best",
                                      r.best == SIZE_MAX ? NULL : policy_table_representation(t, r.best), "recall",
                                      curves(&r.policy, r.n), "chance", curves(&r.chance, r.n), "a_plus_c",
                                      curves(&r.a_plus_c, r.n), "regret", curve(r.regret, r.n));
    if (one && tables && json_object_set_new(one, "tables", json_integer((json_int_t)tables)) < 0)
        return FAIL_NOMEM(e);
    return json_array_append(benchmarks, one) < 0 ? FAIL_NOMEM(e) : 0;
}

static json_t *trials_json(const struct policy_simulate_options *o)
{
    return o->laws ? json_pack("{s:s, s:f}", "kind", "random laws", "noise", o->noise)
                   : json_pack("{s:s, s:I}", "kind", "sub-spaces", "smallest", (json_int_t)o->subspace);
}

json_t *policy_simulate_json(const struct policy_table *t, const struct policy_simulate_options *o, struct err *e)
{
    AUTO_JSON json_t *benchmarks = json_array();
    if (!benchmarks)
        return no_memory(e);
    for (size_t b = 0; b < policy_table_benchmarks(t); b++)
        if (add_benchmark(benchmarks, t, b, o, e) < 0)
            return NULL;
    AUTO_JSON json_t *all =
        json_pack("{s:s, s:I, s:I, s:O}", "mode", policy_mode_name(o->play.mode), "runs", (json_int_t)o->play.runs,
                  "seed", (json_int_t)o->play.seed, "benchmarks", benchmarks);
    if (!all || ((o->laws || o->subspace) && json_object_set_new(all, "trials", trials_json(o)) < 0))
        return no_memory(e);
    return TAKE(all);
}
