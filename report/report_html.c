/* The page: sections in reading order, each from the struct alone. The text is well-formed XML as well as HTML, refers to
 * nothing outside itself, and runs no script. */
#include <inttypes.h>
#include <string.h>

#include "report/report_cells.h"
#include "report/report_chance.h"
#include "report/report_data.h"
#include "report/report_floors.h"
#include "report/report_pictures.h"
#include "report/report_plot.h"
#include "report/report_style.h"
#include "report/report_text.h"
#include "report/report_truth.h"
#include "report/svg.h"

static void tile(struct buf *out, const char *what, const char *value)
{
    buf_puts(out, "<div class=\"tile\"><span>");
    svg_escape(out, what);
    buf_puts(out, "</span><b>");
    svg_escape(out, value);
    buf_puts(out, "</b></div>\n");
}

/* ---- summary ----------------------------------------------------------------------------------------------------- */

static const char *best_name(const struct report *r)
{
    if (r->n_representations && r->representations[r->ranking[0]].rank)
        return r->representations[r->ranking[0]].name;
    return REPORT_DASH;
}

static void summary_tiles(const struct report *r, struct buf *out)
{
    char text[400], took[REPORT_NUMBER_SIZE];
    struct report_bill bill = report_bill(r);
    buf_puts(out, "<div class=\"tiles\">");
    bool known = r->n_representations && r->representations[r->ranking[0]].measured;
    tile(out, known ? "best, as measured" : "best, as predicted", best_name(r));
    snprintf(text, sizeof text, "%zu of %zu", report_count_measured(r), r->n_representations);
    tile(out, "fine-tuned", text);
    tile(out, "state of the sweep", r->state);
    snprintf(text, sizeof text, "%s%s", report_duration(r->elapsed_seconds, took),
             strcmp(r->state, "running") ? "" : " so far");
    tile(out, "wall time", text);
    if (r->recorded)
        snprintf(text, sizeof text, "none");
    else
        snprintf(text, sizeof text, "%s", report_duration(bill.gpu, took));
    tile(out, "GPU time", text);
    snprintf(text, sizeof text, "%zu", r->n_benchmarks);
    tile(out, "benchmarks", text);
    if (isfinite(r->p_best_in_list)) {
        snprintf(text, sizeof text, "%.0f %%", 100 * r->p_best_in_list);
        tile(out, "best in list of three", text);
    }
    buf_puts(out, "</div>\n");
}

static void write_target(const struct report *r, struct buf *out)
{
    bool first = true;
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        char weight[REPORT_NUMBER_SIZE];
        if (!(r->benchmarks[b].weight > 0))
            continue;
        buf_puts(out, first ? " Its target: " : ", ");
        svg_escape(out, r->benchmarks[b].name);
        if (r->benchmarks[b].weight != 1)
            buf_printf(out, " (weight %s)", report_number(r->benchmarks[b].weight, weight));
        first = false;
    }
    if (!first)
        buf_puts(out, ".");
}

static void paragraph(struct buf *out, const char *element, const char *text)
{
    if (!*text)
        return;
    buf_printf(out, "<p class=\"note\"><%s>", element);
    svg_escape(out, text);
    buf_printf(out, "</%s></p>\n", element);
}

static void section_summary(const struct report *r, struct buf *out)
{
    buf_puts(out, "<h1>Sweep ");
    svg_escape(out, r->sweep);
    buf_puts(out, "</h1>\n<p class=\"dim\">Which vision representation serves a multimodal model best, found by fine-tuning "
                  "few of them. Started ");
    svg_escape(out, r->created);
    buf_puts(out, " UTC");
    if (*r->finished) {
        buf_puts(out, ", ended ");
        svg_escape(out, r->finished);
        buf_puts(out, " UTC");
    }
    buf_printf(out, ". Seed %" PRId64 ". Policy: ", r->seed);
    svg_escape(out, *r->mode ? r->mode : REPORT_DASH);
    buf_puts(out, ".");
    write_target(r, out);
    buf_puts(out, "</p>\n");
    paragraph(out, "b", r->note);
    paragraph(out, "span", r->reason);
    if (r->recorded)
        buf_puts(out, "<p class=\"note\">This is a replay: scores and performances are recorded numbers that the workers "
                      "looked up. Nothing was trained and no GPU time was used.</p>\n");
    if (r->fake)
        buf_puts(out, "<p class=\"note\">Some tasks ran with the test executors <code>fake</code> or <code>noop</code>: "
                      "their numbers mean nothing.</p>\n");
    summary_tiles(r, out);
}

/* ---- ranking ----------------------------------------------------------------------------------------------------- */

/* A measured value over its standard error. */
static void cell_measured(struct buf *out, double value, double se, int decimals)
{
    char text[2][REPORT_NUMBER_SIZE];
    buf_printf(out, "<td class=\"n\">%s", report_fixed(value, decimals, text[0]));
    if (isfinite(value) && isfinite(se))
        buf_printf(out, "<br/><small>\xc2\xb1 %s</small>", report_fixed(se, decimals, text[1]));
    buf_puts(out, "</td>");
}

static void ranking_table(const struct report *r, struct buf *out)
{
    static const char *const titles[] = { "#rank", "representation", "#measured<br/>target", "#expected<br/>target",
                                          "#\xc2\xb1 1 sd", "basis", "chosen in" };
    buf_puts(out, r->n_representations > PLOT_RANKING_MAX ? "<div class=\"scroll tall\"><table><thead><tr>"
                                                         : "<div class=\"scroll\"><table><thead><tr>");
    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        buf_printf(out, titles[i][0] == '#' ? "<th class=\"n\">%s</th>" : "<th>%s</th>", titles[i] + (titles[i][0] == '#'));
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        buf_puts(out, "<th class=\"n\">");
        svg_escape(out, r->benchmarks[b].name);
        buf_puts(out, "<br/><small>");
        report_metric(out, r->benchmarks[b].metric);
        buf_puts(out, "</small></th>");
    }
    buf_puts(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < r->n_representations; i++) {
        size_t rep = r->ranking[i];
        const struct report_representation *v = &r->representations[rep];
        buf_puts(out, "<tr>");
        if (v->rank)
            cell_int(out, v->rank);
        else
            cell_text(out, "n", "");
        cell_text(out, "l", v->name);
        cell_measured(out, v->target, v->target_se, 3);
        cell_real(out, v->mean, 3);
        cell_real(out, v->sd, 3);
        cell_text(out, "", v->measured                    ? "measured"
                           : *v->failure                  ? "failed"
                           : v->rank                      ? "predicted"
                           : report_is_scored(r, rep)     ? "not ranked"
                                                          : "not scored");
        if (v->chosen_in >= 0)
            buf_printf(out, "<td class=\"n\">round %d</td>", v->chosen_in);
        else
            cell_text(out, "", "");
        for (size_t b = 0; b < r->n_benchmarks; b++) {
            double value = report_cell(r, r->performance, rep, b);
            cell_measured(out, value, report_cell(r, r->standard_error, rep, b), report_decimals(value));
        }
        buf_puts(out, "</tr>\n");
    }
    table_end(out);
}

/* The list of three, how sure the policy is of it, and who cannot be told from the best. */
static void recommendation(const struct report *r, struct buf *out)
{
    char percent[REPORT_NUMBER_SIZE];
    size_t tied = 0;
    bool known = false;
    if (r->n_list)
        buf_puts(out, "<h3>The list of three</h3>\n<ol>");
    for (size_t i = 0; i < r->n_list; i++) {
        const struct report_representation *v = &r->representations[r->list[i]];
        buf_puts(out, "<li>");
        svg_escape(out, v->name);
        buf_printf(out, " <span class=\"dim\">%s</span></li>", v->measured ? "measured" : "not fine-tuned yet");
    }
    if (r->n_list)
        buf_puts(out, strcmp(r->mode, "default") ? "</ol>\n"
                                                 : "</ol>\n<p class=\"dim\">The best measured one, and the two most promising "
                                                   "others.</p>\n");
    if (isfinite(r->p_best_in_list))
        buf_printf(out, "<p>By the policy's own belief the best of the scored ones is among these with %s %%.</p>\n",
                   report_fixed(100 * r->p_best_in_list, 0, percent));
    for (size_t i = 0; i < r->n_representations; i++) {
        const struct report_representation *v = &r->representations[r->ranking[i]];
        known |= isfinite(v->target_se);
        if (!v->tied)
            continue;
        buf_puts(out, tied++ ? ", " : "<p>Not told apart from the best measured one by their questions (less than two standard "
                                      "errors behind it): ");
        svg_escape(out, v->name);
    }
    if (tied)
        buf_puts(out, ".</p>\n");
    else if (known)
        buf_puts(out, "<p>The best measured one is more than two standard errors ahead of all others.</p>\n");
    else if (report_count_measured(r))
        buf_puts(out, "<p class=\"dim\">The target has no standard error: <code>questions</code> and <code>maximum</code> are not "
                      "stated for all of its benchmarks, and the evaluations report none.</p>\n");
}

static void section_ranking(const struct report *r, struct buf *out)
{
    heading(out, "ranking", "Ranking");
    if (!plot_has_ranking(r))
        buf_puts(out, "<p class=\"note\">The policy has not ranked anything yet: that needs scores and at least one "
                      "finished round.</p>\n");
    else {
        buf_puts(out, "<p>The target is the weighted mean of the benchmarks the policy aims at, each from 0, the worst measured, to "
                      "1, the best measured. Filled, with one standard error from the numbers of questions: measured. Hollow, "
                      "with one standard deviation: what the policy expects (pale where the value is known by now).</p>\n"
                      "<div class=\"legend\"><span><i class=\"disc\" style=\"background:var(--accent)\"></i>measured</span>"
                      "<span><i class=\"ring\" style=\"border-color:var(--accent)\"></i>expected</span></div>\n"
                      "<div class=\"split\"><figure class=\"narrow\">");
        plot_ranking(r, out);
        buf_puts(out, "</figure><div>");
        recommendation(r, out);
        buf_puts(out, "</div></div>\n");
        if (r->n_representations > PLOT_RANKING_MAX)
            buf_printf(out, "<p class=\"dim\">The figure shows the first %d of %zu; the table has all.</p>\n",
                       PLOT_RANKING_MAX, r->n_representations);
    }
    ranking_table(r, out);
}

/* ---- the law ----------------------------------------------------------------------------------------------------- */

static void fit_stats(const struct report_fit *fit, struct buf *out)
{
    char text[4][REPORT_NUMBER_SIZE];
    if (fit->n_train < REPORT_LAW_POINTS)
        buf_printf(out,
                   "<p class=\"stats\">fitted on <b>%d</b>: too few points, six coefficients can meet all of them and "
                   "R\xc2\xb2 says nothing</p>\n",
                   fit->n_train);
    else
        buf_printf(out,
                   "<p class=\"stats\">fitted on <b>%d</b> \xc2\xb7 R\xc2\xb2 <b>%s</b> \xc2\xb7 adjusted <b>%s</b> \xc2\xb7 "
                   "leave-one-out <b>%s</b> \xc2\xb7 Spearman <b>%s</b></p>\n",
                   fit->n_train, report_fixed(fit->r2, 3, text[0]), report_fixed(fit->r2_adjusted, 3, text[1]),
                   report_fixed(fit->r2_loo, 3, text[2]), report_fixed(fit->spearman, 3, text[3]));
}

static void law_card(const struct report *r, size_t b, struct buf *out)
{
    const struct report_fit *fit = report_fit_of(r, b);
    buf_puts(out, "<div class=\"card\"><h3>");
    svg_escape(out, r->benchmarks[b].name);
    if (*r->benchmarks[b].metric) {
        buf_puts(out, " <span class=\"dim\">");
        report_metric(out, r->benchmarks[b].metric);
        buf_puts(out, "</span>");
    }
    buf_puts(out, "</h3>\n");
    if (fit)
        fit_stats(fit, out);
    else
        buf_puts(out, "<p class=\"stats\">No fit stored for this benchmark yet.</p>\n");
    buf_puts(out, "<div class=\"pair\">");
    if (plot_has_law(r, b)) {
        buf_puts(out, "<figure>");
        plot_law(r, b, out);
        buf_puts(out, "</figure>");
    }
    if (plot_has_plane(r, b)) {
        buf_puts(out, "<figure>");
        plot_plane(r, b, out);
        buf_puts(out, "</figure>");
    }
    if (!plot_has_law(r, b) && !plot_has_plane(r, b))
        buf_puts(out, "<p class=\"dim\">Nothing is known about this benchmark yet.</p>");
    buf_puts(out, "</div></div>\n");
}

static void section_law(const struct report *r, struct buf *out)
{
    heading(out, "law", "The law of A and C");
    buf_puts(out,
             "<p>Left: predicted against measured performance; on the dashed line both are equal. Filled: the degree-2 law of "
             "alignment A and correspondence C, fitted by least squares on these same points, drawn from seven points up. "
             "Hollow: what the policy expected, \xc2\xb1 1 sd, in the round that chose the representation, before it was "
             "measured; pale at the edge where that was far off. Across: one standard error of the measured value. Right: the search space in the plane of A and C. R\xc2\xb2 is of the points fitted; leave-one-out "
             "tells how well the law predicts a point it has not seen.</p>\n"
             "<div class=\"legend\"><span><i class=\"disc\" style=\"background:var(--accent)\"></i>left: by the law</span>"
             "<span><i class=\"ring\" style=\"border-color:var(--accent)\"></i>left: expected before measuring</span>"
             "<span><i class=\"ring\" style=\"background:var(--k-score_a)\"></i>right: chosen and measured</span>"
             "<span><i class=\"ring\" style=\"border-color:var(--k-score_a)\"></i>right: not measured, in the colour of the "
             "performance expected of it</span></div>\n<div class=\"grid\">\n");
    for (size_t b = 0; b < r->n_benchmarks; b++)
        law_card(r, b, out);
    buf_puts(out, "</div>\n");
}

/* ---- recall ------------------------------------------------------------------------------------------------------ */

static void recall_figures(const struct report *r, const struct report_recall *recall, struct buf *out)
{
    static const char *const captions[] = {
        [PLOT_RECALL_PAPER] = "the paper's count: in the list by then",
        [PLOT_RECALL_STRICT] = "strict: in the list just then",
        [PLOT_REGRET] = "what choosing the first of the list would miss",
    };
    for (int kind = PLOT_RECALL_PAPER; kind <= PLOT_REGRET; kind++) {
        buf_printf(out, "<figure><figcaption>%s</figcaption>", captions[kind]);
        plot_recall(r, recall, kind, out);
        buf_puts(out, "</figure>");
    }
}

/* Best measured representation of a benchmark, SIZE_MAX without any. */
static size_t best_measured(const struct report *r, const double *cells, size_t b)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < r->n_representations; i++) {
        double v = report_cell(r, cells, i, b);
        if (isfinite(v) && (best == SIZE_MAX || v > report_cell(r, cells, best, b)))
            best = i;
    }
    return best;
}

/* What this sweep missed, where the truth is known: a near tie misses nothing that counts. */
static void regret_table(const struct report *r, struct buf *out)
{
    static const char *const titles[] = { "benchmark", "truly best", "#value", "best fine-tuned", "#value", "#missed",
                                          "#standard error" };
    bool begun = false;
    for (size_t k = 0; k < r->n_recalls; k++) {
        size_t b = r->recalls[k].benchmark;
        if (b >= r->n_benchmarks)
            continue;
        size_t truth = best_measured(r, r->known, b), found = best_measured(r, r->performance, b);
        if (truth == SIZE_MAX || found == SIZE_MAX)
            continue;
        double best = report_cell(r, r->known, truth, b), value = report_cell(r, r->performance, found, b);
        int decimals = report_decimals(best);
        if (!begun) {
            buf_puts(out, "<h3>What this sweep missed</h3>\n");
            table_begin(out, titles, ARRAY_LEN(titles));
        }
        begun = true;
        buf_puts(out, "<tr>");
        cell_text(out, "l", r->benchmarks[b].name);
        cell_text(out, "l", r->representations[truth].name);
        cell_real(out, best, decimals);
        cell_text(out, "l", r->representations[found].name);
        cell_real(out, value, decimals);
        cell_real(out, best - value, decimals);
        cell_real(out, report_cell(r, r->standard_error, found, b), decimals);
        buf_puts(out, "</tr>\n");
    }
    if (begun)
        table_end(out);
}

static void recall_missing(const struct report *r, struct buf *out)
{
    buf_printf(out,
               "<p class=\"note\">Not shown: which representation is truly best is only known when all of them are measured, "
               "and %zu of %zu are. To check the policy on a table that is complete, run <code>acsweep policy simulate</code> "
               "or <code>acsweep replay</code>.</p>\n",
               report_count_measured(r), r->n_representations);
}

static void recall_text(const struct report *r, struct buf *out)
{
    buf_puts(out, "<p>How soon would each policy have had the truly best representation in its list of three, on this table? ");
    if (r->truth) {
        buf_puts(out, "The true performances are those of <code>");
        svg_escape(out, r->truth->file);
        buf_puts(out, "</code>. ");
    } else if (r->recorded)
        buf_puts(out, "The recorded performances of all representations are used here, also of those this sweep did not ask "
                      "for. ");
    if (r->recall_runs)
        buf_printf(out, "The paper's policy draws at random: %" PRIu64 " runs. ", r->recall_runs);
    else
        buf_puts(out, "The paper's policy draws at random: its curve is the exact mean over all draws. ");
    buf_puts(out,
             "The default policy has no chance in it: one run per benchmark. The random baseline of the paper has to "
             "fine-tune the best itself; blind chance of the same list of three is the fair one. Where the best are nearly equal, recall is luck; regret counts how "
             "much is missed, from 0 to 100 % of the way between the worst and the best.</p>\n"
             "<div class=\"legend\"><span><i class=\"line\" style=\"border-color:var(--k-stage2)\"></i>paper's policy</span>"
             "<span><i class=\"line\" style=\"border-color:var(--accent)\"></i>default policy</span>"
             "<span><i class=\"line dotted\" style=\"border-color:var(--k-score_a)\"></i>order by A + C</span>"
             "<span><i class=\"line dash\" style=\"border-color:var(--dim)\"></i>chance, the same list</span>"
             "<span><i class=\"line dotted\" style=\"border-color:var(--dim)\"></i>random, as the paper counts</span></div>\n");
}

static void recall_card(const struct report *r, const struct report_recall *recall, struct buf *out)
{
    buf_puts(out, "<div class=\"card\"><h3>");
    svg_escape(out, r->benchmarks[recall->benchmark].name);
    buf_puts(out, " <span class=\"dim\">best: ");
    svg_escape(out, recall->best);
    buf_puts(out, "</span></h3><div class=\"trio\">");
    recall_figures(r, recall, out);
    buf_puts(out, "</div></div>\n");
}

static void section_recall(const struct report *r, struct buf *out)
{
    heading(out, "recall", "Recall@3 and regret against the number of fine-tunes");
    if (r->n_recalls == 0) {
        recall_missing(r, out);
        return;
    }
    recall_text(r, out);
    const struct report_recall *mean = &r->recalls[r->n_recalls - 1];
    if (mean->benchmark >= r->n_benchmarks) {
        buf_printf(out, "<div class=\"card\"><h3>mean of %zu benchmark%s</h3><div class=\"trio\">", r->n_recalls - 1,
                   r->n_recalls == 2 ? "" : "s");
        recall_figures(r, mean, out);
        buf_puts(out, "</div></div>\n");
    }
    if (!r->truth) /* else there is a section about it */
        regret_table(r, out);
    buf_puts(out, "<details><summary>Each benchmark</summary><div class=\"stack\">\n");
    for (size_t i = 0; i < r->n_recalls; i++)
        if (r->recalls[i].benchmark < r->n_benchmarks)
            recall_card(r, &r->recalls[i], out);
    buf_puts(out, "</div></details>\n");
}

/* ---- rounds ------------------------------------------------------------------------------------------------------ */

static void section_rounds(const struct report *r, struct buf *out)
{
    static const char *const titles[] = { "#round", "chosen", "why", "#value", "mode", "state", "ended (UTC)" };
    heading(out, "rounds", "What the policy chose, and why");
    if (r->n_choices == 0) {
        buf_puts(out, "<p class=\"note\">The policy has chosen nothing yet.</p>\n");
        return;
    }
    table_begin(out, titles, ARRAY_LEN(titles));
    for (size_t i = 0; i < r->n_choices; i++) {
        const struct report_choice *c = &r->choices[i];
        const struct report_round *round = NULL;
        for (size_t k = 0; k < r->n_rounds; k++)
            if (r->rounds[k].round == c->round)
                round = &r->rounds[k];
        buf_puts(out, "<tr>");
        cell_int(out, c->round);
        cell_text(out, "l", r->representations[c->representation].name);
        cell_text(out, "t", c->reason);
        cell_real(out, c->value, 3);
        cell_text(out, "", round ? round->mode : "");
        cell_text(out, "", round ? round->state : "");
        cell_text(out, "n", round ? round->finished : "");
        buf_puts(out, "</tr>\n");
    }
    table_end(out);
    for (size_t k = 0; k < r->n_rounds; k++) {
        if (!*r->rounds[k].note)
            continue;
        buf_printf(out, "<p class=\"dim\">Round %d: ", r->rounds[k].round);
        svg_escape(out, r->rounds[k].note);
        buf_puts(out, "</p>\n");
    }
}

/* ---- time and cost ------------------------------------------------------------------------------------------------- */

static void kind_legend(const struct report *r, struct buf *out)
{
    buf_puts(out, "<div class=\"legend\">");
    for (size_t i = 0; i < r->n_costs; i++) {
        buf_printf(out, "<span><i style=\"background:var(--%s)\"></i>", plot_kind_class(r->costs[i].kind));
        svg_escape(out, r->costs[i].kind);
        buf_puts(out, "</span>");
    }
    buf_puts(out, "<span><i style=\"border:2px solid var(--bad)\"></i>did not succeed</span></div>\n");
}

static void section_timeline(const struct report *r, struct buf *out)
{
    heading(out, "timeline", "Who worked when");
    if (r->n_attempts == 0) {
        buf_puts(out, "<p class=\"note\">No attempt has ended in this sweep: either nothing ran yet, or every result was found "
                      "in the cache.</p>\n");
        return;
    }
    kind_legend(r, out);
    buf_puts(out, "<figure class=\"scroll wide\">");
    size_t lanes = plot_timeline(r, out);
    buf_puts(out, "</figure>\n");
    if (r->attempts_total > (int64_t)r->n_attempts)
        buf_printf(out, "<p class=\"dim\">The first %zu of %" PRId64 " attempts are drawn.</p>\n", r->n_attempts,
                   r->attempts_total);
    if (lanes == PLOT_LANES_MAX)
        buf_printf(out, "<p class=\"dim\">At most %d lanes are drawn.</p>\n", PLOT_LANES_MAX);
}

static void cost_statement(const struct report *r, const struct report_bill *bill, struct buf *out)
{
    char t1[REPORT_NUMBER_SIZE], t2[REPORT_NUMBER_SIZE], t3[REPORT_NUMBER_SIZE];
    size_t chosen = report_count_chosen(r);
    if (r->recorded) {
        buf_printf(out, "<p>Replay: recorded numbers, no GPU time. What it does show is the number of fine-tunes: the policy "
                        "asked for %zu of %zu. The seconds below are those of the look-ups.</p>\n", chosen, r->n_representations);
        return;
    }
    bool gpu = bill->gpu > 0 && isfinite(bill->all_gpu);
    double ours = gpu ? bill->gpu : bill->wall, all = gpu ? bill->all_gpu : bill->all_wall;
    if (!isfinite(ours) || !isfinite(all) || all <= 0) {
        buf_puts(out, "<p>No fine-tune has been measured yet, so the price of fine-tuning the whole space is not known.</p>\n");
        return;
    }
    buf_printf(out, "<p>%s%s spent; fine-tuning all %zu representations would take %s at the measured means (stage 1, stage 2 "
                    "and every benchmark): this sweep used %s %% of that. What the scores cost is in the first figure, not "
                    "in the second.</p>\n",
               report_duration(ours, t1), gpu ? " of GPU time" : " of work (no GPU was used)", r->n_representations,
               report_duration(all, t2), report_fixed(100 * ours / all, 1, t3));
}

static void section_cost(const struct report *r, struct buf *out)
{
    static const char *const titles[] = { "kind of task", "#tasks",        "#done",          "#from cache",
                                          "#attempts",    "#unsuccessful", "#work",          "#GPU time",
                                          "#energy",      "#mean per task", "#mean GPU per task" };
    struct report_bill bill = report_bill(r);
    char energy[REPORT_NUMBER_SIZE];
    heading(out, "cost", "Cost");
    cost_statement(r, &bill, out);
    if (plot_has_cost(r)) {
        buf_puts(out, "<figure class=\"narrow\">");
        plot_cost(r, out);
        buf_puts(out, "</figure>\n");
    }
    table_begin(out, titles, ARRAY_LEN(titles));
    for (size_t i = 0; i < r->n_costs; i++) {
        const struct report_cost *c = &r->costs[i];
        buf_puts(out, "<tr>");
        cell_text(out, "l", c->kind);
        cell_int(out, c->tasks);
        cell_int(out, c->done);
        cell_int(out, c->cached);
        cell_int(out, c->attempts);
        cell_int(out, c->unsuccessful);
        cell_duration(out, c->wall_seconds);
        cell_duration(out, c->gpu_seconds);
        buf_printf(out, "<td class=\"n\">%s</td>", report_energy(c->energy_joules, energy));
        cell_duration(out, c->mean_wall_seconds);
        cell_duration(out, c->mean_gpu_seconds);
        buf_puts(out, "</tr>\n");
    }
    table_end(out);
}

static void section_failures(const struct report *r, struct buf *out)
{
    static const char *const titles[] = { "task", "now", "failure", "#attempts", "#charged", "last message", "worker" };
    heading(out, "failures", "Failures and retries");
    if (r->n_failures == 0) {
        buf_puts(out, "<p>None: every attempt so far succeeded.</p>\n");
        return;
    }
    table_begin(out, titles, ARRAY_LEN(titles));
    for (size_t i = 0; i < r->n_failures; i++) {
        const struct report_failure *f = &r->failures[i];
        buf_puts(out, "<tr>");
        cell_text(out, "l", f->label);
        cell_text(out, !strcmp(f->state, "failed") ? "bad" : "good", f->state);
        cell_text(out, "", f->failure);
        cell_int(out, f->attempts);
        cell_int(out, f->charged);
        cell_text(out, "t", f->message);
        cell_text(out, "l", f->worker);
        buf_puts(out, "</tr>\n");
    }
    table_end(out);
}

static void section_pictures(const struct report *r, struct buf *out)
{
    if (!report_pictures_any(r))
        return;
    heading(out, "correspondence", "Correspondence");
    report_floors_position(r, out);
    report_pictures_draw(r, out);
}

static void section_truth(const struct report *r, struct buf *out)
{
    if (!report_truth_any(r))
        return;
    heading(out, "truth", "What the choice lost");
    report_truth_html(r, out);
}

static void section_chance(const struct report *r, struct buf *out)
{
    if (!report_chance_any(r))
        return;
    heading(out, "chance", "Above chance");
    report_chance_draw(r, out);
}

static void section_floors(const struct report *r, struct buf *out)
{
    if (!report_floors_any(r))
        return;
    heading(out, "scores", "Scores and their floors");
    report_floors_html(r, out);
}

static void section_config(const struct report *r, struct buf *out)
{
    heading(out, "config", "Configuration used");
    buf_puts(out, "<p class=\"dim\">SHA-256 <code>");
    svg_escape_cut(out, r->config_digest, 16);
    buf_puts(out, "</code></p>\n<pre>");
    svg_escape(out, r->config);
    buf_puts(out, "</pre>\n");
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *id, *title; /* NULL = not in the list of contents */
    void (*write)(const struct report *r, struct buf *out);
    bool (*any)(const struct report *r); /* NULL = always there */
} sections[] = {
    { NULL, NULL, section_summary, NULL },
    { "ranking", "Ranking", section_ranking, NULL },
    { "truth", "Truth", section_truth, report_truth_any },
    { "chance", "Above chance", section_chance, report_chance_any },
    { "scores", "Scores", section_floors, report_floors_any },
    { "rounds", "Choices", section_rounds, NULL },
    { "law", "Law", section_law, NULL },
    { "correspondence", "Correspondence", section_pictures, report_pictures_any },
    { "recall", "Recall", section_recall, NULL },
    { "cost", "Cost", section_cost, NULL },
    { "timeline", "Timeline", section_timeline, NULL },
    { "failures", "Failures", section_failures, NULL },
    { "config", "Configuration", section_config, NULL },
};

static void contents(const struct report *r, struct buf *out)
{
    buf_puts(out, "<nav>");
    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        if (sections[i].id && (!sections[i].any || sections[i].any(r)))
            buf_printf(out, "<a href=\"#%s\">%s</a> ", sections[i].id, sections[i].title);
    buf_puts(out, "</nav>\n");
}

void report_html(const struct report *r, struct buf *out)
{
    buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
                  "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n<title>acsweep: ");
    svg_escape(out, r->sweep);
    buf_puts(out, "</title>\n<style>\n");
    buf_puts(out, report_style);
    buf_puts(out, "</style></head>\n<body><main>\n");
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        sections[i].write(r, out);
        if (i == 0)
            contents(r, out);
    }
    buf_puts(out, "<p class=\"dim\">Written by acsweep. The same numbers: report.json and the CSV files beside this page.</p>\n"
                  "</main></body></html>\n");
}
