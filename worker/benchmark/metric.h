/* Answers -> numbers. Everything is computed from the texts that a model gave, so it can be computed again without a
 * GPU, and the stored answers of a run give the run's numbers to the last digit. */
#ifndef ACSWEEP_WORKER_BENCHMARK_METRIC_H
#define ACSWEEP_WORKER_BENCHMARK_METRIC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker/benchmark/family.h"
#include "worker/benchmark/interval.h"
#include "worker/benchmark/question.h"

/* What becomes of an answer to a question with options in which no option is found (MMBench, MMMU). */
enum metric_unparsed {
    METRIC_WRONG,  /* it is wrong */
    METRIC_RANDOM, /* a letter is drawn, as the original programs do: Python's generator from their seed */
};

struct metric_options {
    const char *metric; /* which number is `performance` (struct benchmark_family); NULL: the family's first */
    enum metric_unparsed unparsed;
};

struct metric_value {
    const char *name;
    double value;
};

struct metric_result {
    const char *metric; /* what performance is: "circular_accuracy" */
    const char *unit;   /* "%" or "points" */
    double performance;
    double standard_error; /* of performance, over what it is a mean of; NaN for fewer than two */
    struct interval interval; /* 95 %, over questions (interval.h); never of width 0 */
    size_t questions;      /* what performance is a mean of: questions, groups (MMBench), pictures (MME) */
    size_t unparsed;       /* answers in which nothing that counts as an answer was found */
    double chance;         /* what is to be had without looking: the larger of the next two */
    double guess;          /* performance to be expected when options, yes or no are drawn by lot; NaN: open questions */
    double constant_performance; /* when every answer is one and the same, the best there is */
    const char *constant;        /* that answer */
    /* Every number by name: the family's metrics, "category:NAME", "questions", "unparsed", ...; sorted by kind, then
     * name. */
    const struct metric_value *values;
    size_t n_values;
};

/* One answer for each question of the set, in its order; NULL counts as empty. NULL with ERR_INPUT when the questions
 * are not what the metric needs (a picture of MME with one question), or the metric is none of the family's. */
struct metric_result *metric_compute(const struct question_set *s, const char *const *answers,
                                     const struct metric_options *o, struct err *e);
/* Is even the lower end of the interval above chance? */
static inline UNUSED bool metric_beats_chance(const struct metric_result *r)
{
    return r->interval.low > r->chance;
}
void metric_result_destroy(struct metric_result *r);
DEFINE_CLEANUP(metric_result_destroy, struct metric_result *)

/* {"benchmark", "metric", "unit", "performance", "standard_error", "ci_low", "ci_high", "above_chance", "questions",
 *  "unparsed", "chance", "guess", "constant", "constant_performance", "values": {NAME: number}}; standard_error and
 *  guess may be null. */
json_t *metric_result_json(const struct metric_result *r, const struct question_set *s, struct err *e);
/* Two lines for people: performance and its interval; chance, and on which side of it the interval lies. */
void metric_result_describe(const struct metric_result *r, struct buf *to);

/* Has the set's family this metric? NULL: its usual one. ERR_INPUT lists those that it has. */
MUST_USE int metric_check(const struct question_set *s, const char *metric, struct err *e);
MUST_USE int metric_unparsed_parse(const char *name, enum metric_unparsed *out, struct err *e); /* "wrong", "random" */

/* ---- answers --------------------------------------------------------------------------------------------------------
 */

/* The answers of a run, a line of JSONL for each question: {"id": "...", "answer": "..."}; other fields are left alone.
 */
struct answer_set;
/* ERR_INPUT names file and line: an id that is no question, or twice; or how many questions have no answer. */
MUST_USE struct answer_set *answer_set_load(const char *path, const struct question_set *s, struct err *e);
MUST_USE struct answer_set *answer_set_parse(const char *text, size_t len, const char *name,
                                             const struct question_set *s, struct err *e);
void answer_set_destroy(struct answer_set *a);
DEFINE_CLEANUP(answer_set_destroy, struct answer_set *)
/* In the order of the questions; as long as the set lives. */
const char *const *answer_set_texts(const struct answer_set *a);

/* Append the line of one answer. Bytes that are no UTF-8 become '?'. */
MUST_USE int answer_append(struct buf *to, const char *id, const char *answer, struct err *e);

#endif
