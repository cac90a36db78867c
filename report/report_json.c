/* The report as one JSON object; what is missing is null. Keys are those of the SQL views where both have a thing. */
#include <jansson.h>
#include <string.h>

#include "report/report_chance.h"
#include "report/report_data.h"
#include "report/report_floors.h"
#include "report/report_truth.h"

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text(const char *s)
{
    json_t *j = *s ? json_string(s) : json_null();
    return j ? j : json_null(); /* not UTF-8: cannot come from the database */
}

static json_t *json_ranking(const struct report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_representations; i++) {
        const struct report_representation *v = &r->representations[r->ranking[i]];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:b, s:o, s:o}", "rank",
                                              v->rank ? json_integer(v->rank) : json_null(), "representation", text(v->name),
                                              "measured_target", real(v->target), "measured_target_standard_error",
                                              real(v->target_se), "tied_with_best", (int)v->tied, "expected_target",
                                              real(v->mean), "sd", real(v->sd), "measured", (int)v->measured,
                                              "chosen_in_round",
                                              v->chosen_in >= 0 ? json_integer(v->chosen_in) : json_null(), "failure",
                                              text(v->failure)));
    }
    return list;
}

/* The list of three and how sure the policy is that it holds the best. */
static json_t *json_recommendation(const struct report *r)
{
    json_t *names = json_array();
    for (size_t i = 0; i < r->n_list; i++)
        json_array_append_new(names, text(r->representations[r->list[i]].name));
    return json_pack("{s:o, s:o}", "list", names, "p_best_in_list", real(r->p_best_in_list));
}

static json_t *json_chance(const struct report *r, size_t i, size_t b)
{
    bool known = report_has_chance(r, i, b);
    return json_pack("{s:o, s:o, s:o, s:o}", "ci_low", real(report_cell(r, r->ci_low, i, b)), "ci_high",
                     real(report_cell(r, r->ci_high, i, b)), "chance", real(report_cell(r, r->chance, i, b)), "above_chance",
                     known ? json_boolean(report_beats_chance(r, i, b)) : json_null());
}

static json_t *json_cells(const struct report *r, size_t b)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_representations; i++) {
        json_t *one = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "representation",
                                              text(r->representations[i].name), "a", real(report_cell(r, r->a, i, b)), "c",
                                              real(report_cell(r, r->c, i, b)), "performance",
                                              real(report_cell(r, r->performance, i, b)), "standard_error",
                                              real(report_cell(r, r->standard_error, i, b)), "expected",
                                              real(report_cell(r, r->expected, i, b)), "expected_before_measured",
                                              real(report_cell(r, r->before, i, b)), "law",
                                              real(report_cell(r, r->by_law, i, b)));
        json_object_update_new(one, json_chance(r, i, b));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *json_fit(const struct report_fit *f)
{
    if (!f)
        return json_null();
    const double *w = f->coefficients;
    return json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o, s:o, s:o}}", "round", f->round, "n_train",
                     f->n_train, "r2", real(f->r2), "r2_adjusted", real(f->r2_adjusted), "r2_loo", real(f->r2_loo),
                     "spearman", real(f->spearman), "intercept", real(f->intercept), "coefficients", "a", real(w[0]), "c",
                     real(w[1]), "a2", real(w[2]), "ac", real(w[3]), "c2", real(w[4]));
}

static json_t *json_benchmarks(const struct report *r)
{
    json_t *list = json_array();
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        const struct report_benchmark *v = &r->benchmarks[b];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:o}", "benchmark", text(v->name), "metric",
                                              text(v->metric), "weight", real(v->weight), "fit", json_fit(report_fit_of(r, b)),
                                              "representations", json_cells(r, b)));
    }
    return list;
}

static json_t *json_rounds(const struct report *r)
{
    json_t *list = json_array();
    for (size_t k = 0; k < r->n_rounds; k++) {
        const struct report_round *v = &r->rounds[k];
        json_t *choices = json_array();
        for (size_t i = 0; i < r->n_choices; i++)
            if (r->choices[i].round == v->round)
                json_array_append_new(choices, json_pack("{s:o, s:o, s:o}", "representation",
                                                         text(r->representations[r->choices[i].representation].name),
                                                         "value", real(r->choices[i].value), "reason",
                                                         text(r->choices[i].reason)));
        json_array_append_new(list, json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "round", v->round, "mode",
                                              text(v->mode), "state", text(v->state), "note", text(v->note), "started",
                                              text(v->started), "finished", text(v->finished), "choices", choices));
    }
    return list;
}

static json_t *json_reals(const double *values, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, real(values[i]));
    return list;
}

static json_t *json_recall(const struct report *r)
{
    static const char *const names[REPORT_CURVES] = {
        [REPORT_PAPER_CUMULATIVE] = "paper_cumulative",   [REPORT_DEFAULT_CUMULATIVE] = "default_cumulative",
        [REPORT_CHANCE_CUMULATIVE] = "chance_cumulative", [REPORT_RANDOM_MEASURED] = "random_measured",
        [REPORT_PAPER_LIST3] = "paper_list3",             [REPORT_DEFAULT_LIST3] = "default_list3",
        [REPORT_A_PLUS_C_LIST3] = "a_plus_c_list3",       [REPORT_CHANCE_LIST3] = "chance_list3",
        [REPORT_PAPER_REGRET] = "paper_regret",           [REPORT_DEFAULT_REGRET] = "default_regret",
        [REPORT_A_PLUS_C_REGRET] = "a_plus_c_regret",
    };
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_recalls; i++) {
        const struct report_recall *v = &r->recalls[i];
        bool mean = v->benchmark >= r->n_benchmarks;
        json_t *one = json_pack("{s:o, s:o}", "benchmark", mean ? json_null() : text(r->benchmarks[v->benchmark].name),
                                "best", text(v->best));
        for (size_t c = 0; c < REPORT_CURVES; c++)
            json_object_set_new(one, names[c], json_reals(v->curves[c], v->n));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *json_cost(const struct report *r)
{
    struct report_bill bill = report_bill(r);
    json_t *kinds = json_array();
    for (size_t i = 0; i < r->n_costs; i++) {
        const struct report_cost *c = &r->costs[i];
        json_array_append_new(kinds,
                              json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "kind", text(c->kind), "tasks",
                                        (json_int_t)c->tasks, "done", (json_int_t)c->done, "cached", (json_int_t)c->cached,
                                        "attempts", (json_int_t)c->attempts, "unsuccessful", (json_int_t)c->unsuccessful,
                                        "wall_seconds", real(c->wall_seconds), "gpu_seconds", real(c->gpu_seconds),
                                        "energy_joules", real(c->energy_joules)));
    }
    return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "recorded", (int)r->recorded, "wall_seconds", real(bill.wall),
                     "gpu_seconds", real(bill.gpu), "exhaustive_wall_seconds", real(r->recorded ? NAN : bill.all_wall),
                     "exhaustive_gpu_seconds", real(r->recorded ? NAN : bill.all_gpu), "kinds", kinds);
}

static json_t *json_failures(const struct report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_failures; i++) {
        const struct report_failure *f = &r->failures[i];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "task", text(f->label), "kind",
                                              text(f->kind), "state", text(f->state), "failure", text(f->failure), "message",
                                              text(f->message), "worker", text(f->worker), "attempts",
                                              (json_int_t)f->attempts, "charged", (json_int_t)f->charged));
    }
    return list;
}

static json_t *json_floors(const struct report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->floors->n; i++) {
        const struct report_floor *f = &r->floors->list[i];
        json_t *cells = json_array();
        for (size_t b = 0; b < r->n_benchmarks; b++)
            json_array_append_new(cells, json_pack("{s:o, s:o, s:o, s:o}", "benchmark", text(r->benchmarks[b].name), "a",
                                                   real(f->a[b]), "c", real(f->c[b]), "performance", real(f->performance[b])));
        json_array_append_new(list, json_pack("{s:o, s:o}", "floor", text(f->name), "benchmarks", cells));
    }
    return list;
}

static int add_bytes(const char *bytes, size_t len, void *out)
{
    buf_add(out, bytes, len);
    return 0;
}

void report_json(const struct report *r, struct buf *out)
{
    json_t *root = json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:i, s:i, s:i}", "sweep", text(r->sweep),
                             "note", text(r->note), "state", text(r->state), "reason", text(r->reason), "mode", text(r->mode), "seed", (json_int_t)r->seed, "created", text(r->created),
                             "finished", text(r->finished), "config_digest", text(r->config_digest), "search_space",
                             (int)r->n_representations, "fine_tunes_chosen", (int)report_count_chosen(r), "measured",
                             (int)report_count_measured(r));
    json_object_set_new(root, "ranking", json_ranking(r));
    json_object_set_new(root, "recommendation", json_recommendation(r));
    json_object_set_new(root, "truth", r->truth ? report_truth_json(r) : json_null());
    json_object_set_new(root, "benchmarks", json_benchmarks(r));
    json_object_set_new(root, "floors", json_floors(r));
    json_object_set_new(root, "rounds", json_rounds(r));
    json_object_set_new(root, "recall", json_recall(r));
    json_object_set_new(root, "cost", json_cost(r));
    json_object_set_new(root, "failures", json_failures(r));
    if (json_dump_callback(root, add_bytes, out, JSON_INDENT(1) | JSON_PRESERVE_ORDER) < 0)
        out->failed = true;
    buf_puts(out, "\n");
    json_decref(root);
}
