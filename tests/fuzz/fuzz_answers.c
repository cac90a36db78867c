/* Any bytes as a file of answers, and as an answer to questions of every kind: refused with its name, or judged. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/benchmark/judge.h"
#include "worker/benchmark/metric.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char questions[] =
    "{\"benchmark\":\"mmmu\",\"id\":\"1\",\"question\":\"q\",\"options\":[\"red\",null,\"\\u00c4pfel\"],\"answer\":"
    "\"C\"}\n"
    "{\"benchmark\":\"mmmu\",\"id\":\"2\",\"question\":\"q\",\"answers\":[\"1,000\",\"x\",\"two words\"]}\n";

static void judge_all(const struct question_set *s, struct text answer)
{
    static const judge_fn judges[] = { judge_mmbench, judge_mmmu, judge_scienceqa, judge_seed };
    const struct question *choice = question_set_at(s, 0), *open = question_set_at(s, 1);
    struct verdict v;
    struct err e = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(judges); i++)
        if (judges[i](choice, answer, &v, &e) == 0 && (v.letter < LETTER_NONE || v.letter > 25))
            abort();
    if (judge_vqa(open, answer, &v, &e) == 0 && !(v.score >= 0 && v.score <= 1))
        abort();
    if (judge_mmmu(open, answer, &v, &e) < 0 || judge_mme(choice, answer, &v, &e) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    AUTO(question_set_destroy) struct question_set *s = question_set_parse(questions, sizeof questions - 1, "q", &e);
    AUTO(answer_set_destroy)
    struct answer_set *a = s ? answer_set_parse((const char *)data, size, "fuzz.jsonl", s, &e) : NULL;
    if (!s || (!a && (e.kind != ERR_INPUT || strncmp(e.text, "fuzz.jsonl:", 11) != 0)))
        abort();
    AUTO(metric_result_destroy) struct metric_result *r = a ? metric_compute(s, answer_set_texts(a), NULL, &e) : NULL;
    if (a && (!r || !isfinite(r->performance)))
        abort();
    AUTO(free) char *text = strndup((const char *)data, size);
    judge_all(s, text_of(text));
    return 0;
}
