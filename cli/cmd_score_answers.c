/* acsweep score answers: what the stored answers of an evaluation are worth. No GPU, no model. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "common/digest.h"
#include "worker/benchmark/metric.h"

static const struct opt answers_options[] = {
    { .name = "benchmark",
      .letter = 'b',
      .type = OPT_FILE,
      .value = "FILE",
      .required = true,
      .help = "questions, as 'acsweep convert' writes them" },
    { .name = "answers",
      .type = OPT_FILE,
      .value = "FILE",
      .required = true,
      .help = "a line {\"id\": ..., \"answer\": ...} for each question" },
    { .name = "metric",
      .type = OPT_TEXT,
      .value = "NAME",
      .help = "which number is the performance; without it the usual one of the benchmark" },
    { .name = "unparsed",
      .type = OPT_CHOICE,
      .choices = "wrong|random",
      .fallback = "wrong",
      .help = "an answer in which no option is found: wrong, or a letter drawn as the original programs do" },
    { 0 },
};

static int print_table(const struct metric_result *r, struct err *e)
{
    static const char *const columns[] = { "NUMBER", "VALUE" };
    AUTO(table_free) struct table *t = table_create(columns, ARRAY_LEN(columns), e);
    AUTO(buf_free) struct buf said = BUF_INIT(1 << 20);
    char cell[64];
    if (!t)
        return -1;
    for (size_t i = 0; i < r->n_values; i++) {
        double v = r->values[i].value;
        snprintf(cell, sizeof cell, v == floor(v) ? "%.0f" : "%.2f", v);
        TRY(table_add(t, (const char *const[]){ r->values[i].name, cell }, e));
    }
    metric_result_describe(r, &said);
    TRY(buf_check(&said, "the numbers", e));
    puts(buf_text(&said));
    table_print(t, stdout);
    return 0;
}

static int run_score_answers(const struct opts *o, struct err *e)
{
    struct metric_options m = { .metric = opts_text(o, "metric") };
    TRY(metric_unparsed_parse(opts_text(o, "unparsed"), &m.unparsed, e));
    AUTO(question_set_destroy) struct question_set *s = question_set_load(opts_text(o, "benchmark"), e);
    AUTO(answer_set_destroy) struct answer_set *a = s ? answer_set_load(opts_text(o, "answers"), s, e) : NULL;
    AUTO(metric_result_destroy)
    struct metric_result *r = a ? metric_compute(s, answer_set_texts(a), &m, e) : NULL;
    if (!r)
        return -1;
    if (!opts_flag(o, "json"))
        return print_table(r, e);
    json_t *j = metric_result_json(r, s, e);
    return j ? out_json(j, e) : -1;
}

const struct cmd cmd_score_answers = {
    .name = "answers",
    .summary = "What the answers to a benchmark are worth",
    .details =
        "The numbers that an evaluation reports, computed again from the answers that it stored: in per cent, MME's "
        "perception and cognition in points. The interval says between which values performance would lie for other "
        "questions of the same kind, with 95 %: a bootstrap over questions, MMBench's groups and MME's pictures. Chance "
        "is what is to be had without looking at the pictures: drawing options by lot, or the best constant answer.",
    .options = { answers_options, cli_json_options },
    .run = run_score_answers,
};
