/* The verdicts for people and programs. */
#include "report/report_truth.h"

#include <string.h>

#include "report/report_cells.h"
#include "report/report_text.h"
#include "report/svg.h"

static const char useless[] = "in this sweep the law does not predict better than the mean";

static const char *name_of(const struct report *r, size_t verdict)
{
    return verdict < r->n_benchmarks ? r->benchmarks[verdict].name : "target";
}

/* Benchmarks have other numbers only while some representation is measured in part. */
static size_t fine_tunes(const struct report *r)
{
    return r->truth->verdicts[r->n_benchmarks].fine_tunes;
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

static void cell_percent(struct buf *out, double share)
{
    char text[REPORT_NUMBER_SIZE];
    buf_printf(out, "<td class=\"n\">%s%s</td>", report_fixed(100 * share, 1, text), isfinite(share) ? " %" : "");
}

static void cell_yes(struct buf *out, double chance)
{
    if (!isfinite(chance))
        cell_text(out, "", "");
    else
        cell_text(out, chance > 0 ? "good" : "bad", chance > 0 ? "yes" : "no");
}

static void introduction(const struct report *r, struct buf *out)
{
    char text[REPORT_NUMBER_SIZE];
    buf_printf(out, "<p>The performance of all %zu representations is known from <code>", r->n_representations);
    svg_escape(out, r->truth->file);
    buf_printf(
        out,
        "</code>, which the policy did not see. Recommended is the first of the policy's ranking after %zu fine-tunes; "
        "lost is what the truly best has more, also as a share of the range from the worst to the best. ",
        fine_tunes(r));
    if (r->truth->furthest < 1e-9)
        buf_puts(out, "What this sweep measured itself stands in that file, too.");
    else if (isfinite(r->truth->furthest))
        buf_printf(out, "What this sweep measured itself differs from that file by at most %s %% of this range.",
                   report_fixed(100 * r->truth->furthest, 1, text));
    buf_puts(out, "</p>\n");
}

static void verdict_row(const struct report *r, size_t b, struct buf *out)
{
    const struct report_verdict *v = &r->truth->verdicts[b];
    int decimals = b < r->n_benchmarks ? report_decimals(v->values[v->best]) : 3;
    const struct report_representation *chosen = v->n_list ? &r->representations[v->list[0]] : NULL;
    char rank[64];
    snprintf(rank, sizeof rank, "%.0f of %zu", v->ours.rank, r->n_representations);
    buf_puts(out, "<tr>");
    if (b < r->n_benchmarks)
        cell_text(out, "l", name_of(r, b));
    else
        buf_puts(out, "<td><b>target</b></td>");
    buf_puts(out, "<td class=\"l\">");
    svg_escape(out, chosen ? chosen->name : REPORT_DASH);
    if (chosen && !chosen->measured)
        buf_puts(out, " <small>predicted</small>");
    buf_puts(out, "</td>");
    cell_real(out, v->ours.value, decimals);
    cell_text(out, "l", r->representations[v->best].name);
    cell_real(out, v->values[v->best], decimals);
    cell_real(out, v->ours.lost, decimals);
    cell_percent(out, v->ours.share);
    cell_text(out, "n", chosen ? rank : "");
    cell_yes(out, v->ours.is_best);
    cell_yes(out, v->ours.in_top3);
    cell_yes(out, v->ours.in_list);
    buf_puts(out, "</tr>\n");
}

static void mean_row(const struct report *r, struct buf *out)
{
    const struct policy_regret *x = &r->truth->ours;
    buf_puts(out, "<tr><td><b>mean</b></td><td></td>");
    cell_real(out, x->value, report_decimals(x->value));
    buf_puts(out, "<td></td><td></td>");
    cell_real(out, x->lost, report_decimals(x->value));
    cell_percent(out, x->share);
    cell_real(out, x->rank, 1);
    const double shares[] = { x->is_best, x->in_top3, x->in_list };
    for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
        char text[REPORT_NUMBER_SIZE];
        buf_printf(out, "<td>%s%s</td>", report_fixed(100 * shares[i], 1, text), isfinite(shares[i]) ? " %" : "");
    }
    buf_puts(out, "</tr>\n");
}

static void verdict_table(const struct report *r, struct buf *out)
{
    static const char *const titles[] = { "benchmark",
                                          "recommended",
                                          "#its truth",
                                          "truly best",
                                          "#its truth",
                                          "#lost",
                                          "#of the range",
                                          "#true rank",
                                          "is the best<br/><small>recall@1</small>",
                                          "in the<br/>true top 3",
                                          "best in list of 3<br/><small>recall@3</small>" };
    table_begin(out, titles, ARRAY_LEN(titles));
    for (size_t b = 0; b < r->n_benchmarks; b++)
        verdict_row(r, b, out);
    mean_row(r, out);
    verdict_row(r, r->n_benchmarks, out);
    table_end(out);
}

static void regret_row(const char *who, const struct policy_regret *x, bool one_unit, struct buf *out)
{
    buf_puts(out, "<tr>");
    cell_text(out, "l", who);
    if (one_unit)
        cell_real(out, x->lost, report_decimals(x->value));
    cell_percent(out, x->share);
    cell_real(out, x->rank, 1);
    cell_percent(out, x->is_best);
    cell_percent(out, x->in_top3);
    cell_percent(out, x->in_list);
    buf_puts(out, "</tr>\n");
}

/* Means over the benchmarks, beside what choices at random would have given. */
static void chance_table(const struct report *r, struct buf *out)
{
    static const char *const titles[] = { "mean over the benchmarks",
                                          "#lost",
                                          "#of the range",
                                          "#true rank",
                                          "#is the best<br/><small>recall@1</small>",
                                          "#in the<br/>true top 3",
                                          "#best in list of 3<br/><small>recall@3</small>" };
    const char *some[ARRAY_LEN(titles)] = { titles[0] };
    const struct report_truth *t = r->truth;
    bool one_unit = isfinite(t->one.lost);
    memcpy(some + 1, titles + (one_unit ? 1 : 2), (ARRAY_LEN(titles) - 2) * sizeof *some);
    if (one_unit)
        some[ARRAY_LEN(titles) - 1] = titles[ARRAY_LEN(titles) - 1];
    char drawn[100];
    snprintf(drawn, sizeof drawn, "%zu fine-tuned at random, the best of them kept", fine_tunes(r));
    buf_puts(
        out,
        "<h3>Beside chance</h3>\n<p>What a choice at random gives is not drawn but computed: the exact mean over all "
        "draws. Its list of three is filled with the next best of what was drawn, then at random.</p>\n");
    table_begin(out, some, ARRAY_LEN(titles) - !one_unit);
    regret_row("the policy", &t->ours, one_unit, out);
    regret_row(drawn, &t->by_lot, one_unit, out);
    regret_row("one at random", &t->one, one_unit, out);
    table_end(out);
}

static void chance_details(const struct report *r, struct buf *out)
{
    static const char *const titles[] = { "benchmark",
                                          "#range lost:<br/>policy",
                                          "#as many<br/>at random",
                                          "#one<br/>at random",
                                          "#true rank:<br/>policy",
                                          "#as many<br/>at random",
                                          "#one<br/>at random",
                                          "#recall@1:<br/>as many at random",
                                          "#one<br/>at random",
                                          "#recall@3:<br/>as many at random",
                                          "#three<br/>at random" };
    buf_puts(out, "<details><summary>Each benchmark</summary>\n");
    table_begin(out, titles, ARRAY_LEN(titles));
    for (size_t b = 0; b <= r->n_benchmarks; b++) {
        const struct report_verdict *v = &r->truth->verdicts[b];
        buf_puts(out, "<tr>");
        cell_text(out, "l", name_of(r, b));
        cell_percent(out, v->ours.share);
        cell_percent(out, v->by_lot.share);
        cell_percent(out, v->one.share);
        cell_real(out, v->ours.rank, 0);
        cell_real(out, v->by_lot.rank, 1);
        cell_real(out, v->one.rank, 1);
        cell_percent(out, v->by_lot.is_best);
        cell_percent(out, v->one.is_best);
        cell_percent(out, v->by_lot.in_list);
        cell_percent(out, v->one.in_list);
        buf_puts(out, "</tr>\n");
    }
    table_end(out);
    buf_puts(out, "</details>\n");
}

/* The plain sentence about what leave-one-out says. */
static void law_sentence(const struct report *r, struct buf *out)
{
    const struct report_truth *t = r->truth;
    if (t->n_loo == 0)
        buf_puts(out, "<p>Too few representations have both scores: what the law predicts cannot be checked.</p>\n");
    else if (t->n_useless == 0)
        buf_puts(
            out,
            "<p>On every benchmark the law predicts a representation that it has not seen better than the mean of the "
            "others does.</p>\n");
    else if (t->r2_loo <= 0)
        buf_printf(
            out,
            "<p class=\"note\">Leave-one-out R\xc2\xb2 is not above 0 in the mean, and on %zu of %zu benchmarks: "
            "%s.</p>\n",
            t->n_useless, t->n_loo, useless);
    else {
        buf_puts(out, "<p class=\"note\">Leave-one-out R\xc2\xb2 is not above 0 on ");
        for (size_t b = 0, n = 0; b < r->n_benchmarks; b++) {
            if (!(t->verdicts[b].law.r2_loo <= 0))
                continue;
            buf_puts(out, n++ ? ", " : "");
            svg_escape(out, r->benchmarks[b].name);
        }
        buf_printf(out, ": there %s.</p>\n", useless);
    }
}

static void law_table(const struct report *r, struct buf *out)
{
    static const char *const titles[] = { "benchmark", "#representations", "#R\xc2\xb2",
                                          "#adjusted", "#leave-one-out",   "#Spearman" };
    buf_puts(
        out,
        "<h3>The law on all of them</h3>\n<p>The degree-2 law of A and C, fitted on the truth. R\xc2\xb2 is of the "
        "points fitted, with six coefficients; leave-one-out is of each point under the fit of all others, 0 where "
        "that is no better than the mean.</p>\n");
    table_begin(out, titles, ARRAY_LEN(titles));
    for (size_t b = 0; b < r->n_benchmarks; b++) {
        const struct policy_fit *law = &r->truth->verdicts[b].law;
        buf_puts(out, "<tr>");
        cell_text(out, "l", r->benchmarks[b].name);
        cell_int(out, (int64_t)law->n_train);
        cell_real(out, law->r2, 3);
        cell_real(out, law->r2_adjusted, 3);
        cell_real(out, law->r2_loo, 3);
        cell_real(out, law->spearman, 3);
        buf_puts(out, "</tr>\n");
    }
    buf_puts(out, "<tr><td class=\"l\"><b>mean</b></td><td></td>");
    cell_real(out, r->truth->r2, 3);
    buf_puts(out, "<td></td>");
    cell_real(out, r->truth->r2_loo, 3);
    buf_puts(out, "<td></td></tr>\n");
    table_end(out);
    law_sentence(r, out);
}

void report_truth_html(const struct report *r, struct buf *out)
{
    introduction(r, out);
    verdict_table(r, out);
    chance_table(r, out);
    chance_details(r, out);
    law_table(r, out);
}

/* ---- for programs ------------------------------------------------------------------------------------------------ */

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *regret_json(const struct policy_regret *x)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "performance", real(x->value), "lost", real(x->lost),
                     "lost_share", real(x->share), "rank", real(x->rank), "recall_1", real(x->is_best), "in_top3",
                     real(x->in_top3), "recall_3", real(x->in_list));
}

static json_t *verdict_json(const struct report *r, size_t b)
{
    const struct report_verdict *v = &r->truth->verdicts[b];
    json_t *o =
        json_pack("{s:o, s:o, s:s, s:o, s:o, s:i, s:o, s:o, s:o}", "benchmark",
                  b < r->n_benchmarks ? json_string(r->benchmarks[b].name) : json_null(), "recommended",
                  v->n_list ? json_string(r->representations[v->list[0]].name) : json_null(), "best",
                  r->representations[v->best].name, "best_performance", real(v->values[v->best]), "worst_performance",
                  real(v->values[v->worst]), "fine_tunes", (int)v->fine_tunes, "policy", regret_json(&v->ours),
                  "same_number_at_random", regret_json(&v->by_lot), "one_at_random", regret_json(&v->one));
    if (b < r->n_benchmarks)
        json_object_set_new(o, "law",
                            json_pack("{s:i, s:o, s:o, s:o, s:o}", "n_train", (int)v->law.n_train, "r2",
                                      real(v->law.r2), "r2_adjusted", real(v->law.r2_adjusted), "r2_loo",
                                      real(v->law.r2_loo), "spearman", real(v->law.spearman)));
    return o;
}

json_t *report_truth_json(const struct report *r)
{
    const struct report_truth *t = r->truth;
    json_t *benchmarks = json_array();
    for (size_t b = 0; b < r->n_benchmarks; b++)
        json_array_append_new(benchmarks, verdict_json(r, b));
    return json_pack("{s:s, s:i, s:o, s:o, s:o, s:{s:o, s:o, s:o, s:o, s:o}}", "file", t->file, "of",
                     (int)r->n_representations, "largest_difference_to_measured", real(t->furthest), "benchmarks",
                     benchmarks, "target", verdict_json(r, r->n_benchmarks), "mean", "policy", regret_json(&t->ours),
                     "same_number_at_random", regret_json(&t->by_lot), "one_at_random", regret_json(&t->one), "r2",
                     real(t->r2), "r2_loo", real(t->r2_loo));
}

/* ---- for a terminal ---------------------------------------------------------------------------------------------- */

static void percent(struct buf *out, const char *before, double share)
{
    char text[REPORT_NUMBER_SIZE];
    buf_printf(out, "%s%s %%", before, report_fixed(100 * share, 1, text));
}

void report_truth_line(const struct report *r, struct buf *out)
{
    const struct report_truth *t = r->truth;
    char text[2][REPORT_NUMBER_SIZE];
    if (!t)
        return;
    const struct report_verdict *v = &t->verdicts[r->n_benchmarks];
    if (v->n_list) {
        const char *chosen = r->representations[v->list[0]].name, *best = r->representations[v->best].name;
        buf_printf(out, "Truth: %s is number %.0f of %zu for the target, ", chosen, v->ours.rank, r->n_representations);
        buf_printf(out, v->ours.rank > 1 ? "%s is best\n" : "the best\n", best);
        percent(out, "Lost of the range from the worst to the best, in the mean: policy ", t->ours.share);
        buf_printf(out, ", %zu at random", v->fine_tunes);
        percent(out, " ", t->by_lot.share);
        percent(out, ", one at random ", t->one.share);
        buf_puts(out, "\n");
    }
    if (t->n_loo)
        buf_printf(out, "Law on all %zu: mean R\xc2\xb2 %s, leave-one-out %s%s%s\n", r->n_representations,
                   report_fixed(t->r2, 3, text[0]), report_fixed(t->r2_loo, 3, text[1]), t->r2_loo <= 0 ? ": " : "",
                   t->r2_loo <= 0 ? useless : "");
}
