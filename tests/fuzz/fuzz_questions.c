/* Any bytes as a file of questions: refused with its name, or a set in which every question can be asked, its own right
 * answer and the bytes themselves can be judged, and numbers come out that are numbers. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/benchmark/metric.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_all(const struct question_set *s)
{
    for (size_t i = 0; i < question_set_count(s); i++) {
        AUTO(buf_free) struct buf prompt = BUF_INIT(1 << 20);
        const struct question *q = question_set_at(s, i);
        size_t pictures[4];
        benchmark_prompt(question_set_family(s), q, &prompt);
        benchmark_prompt_pictures(question_set_family(s), q, pictures, ARRAY_LEN(pictures));
        if (question_set_find(s, q->id) != i || (!prompt.failed && !prompt.len))
            abort();
    }
}

static void judge_all(const struct question_set *s, const char *answer)
{
    struct err e = { 0 };
    struct metric_options o = { .unparsed = METRIC_RANDOM };
    const char **answers = malloc(question_set_count(s) * sizeof *answers);
    for (size_t i = 0; answers && i < question_set_count(s); i++)
        answers[i] = answer ? answer : question_set_at(s, i)->answers[0];
    AUTO(metric_result_destroy) struct metric_result *r = answers ? metric_compute(s, answers, &o, &e) : NULL;
    if (answers && !r && e.kind != ERR_INPUT)
        abort();
    if (r && (!isfinite(r->performance) || !isfinite(r->chance) || r->performance < 0 || r->chance < 0))
        abort();
    free(answers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    AUTO(question_set_destroy) struct question_set *s = question_set_parse((const char *)data, size, "fuzz.jsonl", &e);
    if (!s) {
        if (e.kind != ERR_INPUT || strncmp(e.text, "fuzz.jsonl:", 11) != 0)
            abort();
        return 0;
    }
    AUTO(free) char *text = strndup((const char *)data, size);
    ask_all(s);
    judge_all(s, NULL);
    judge_all(s, text);
    return 0;
}
