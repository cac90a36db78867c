/* A multimodal model asked the questions of a benchmark: greedy answers in batches, kept question by question, so that
 * the numbers can be computed again from them (benchmark/metric.h).
 *
 * Conversations are vicuna_v1, as LLaVA-1.5 is evaluated. Every <image> of a prompt gets a picture of the question: in
 * MMMU the one that its text names there, else the first. A prompt that is longer than
 * the decoder's positions allow gets no answer (""), and is counted. */
#ifndef ACSWEEP_WORKER_EVALUATE_EVALUATE_H
#define ACSWEEP_WORKER_EVALUATE_EVALUATE_H

#include "worker/benchmark/question.h"
#include "worker/evaluate/answer_log.h"
#include "worker/extract/representation.h"
#include "worker/model/vlm.h"
#include "worker/text/tokenizer.h"

#define EVALUATE_NEW_TOKENS 1024 /* for families that have no limit of their own (lmms-eval, models/llava.py) */

struct evaluate_job {
    const struct vlm *model;
    const struct tokenizer *tokenizer;
    const struct representation *representation; /* of the model; NULL when no question has a picture */
    const char *images;                          /* directory that the questions' paths are below */
    const struct question_set *questions;
    size_t batch;           /* questions at a time; 0 = 8; fewer where their keys and values would take over a quarter of
                             * a GPU's memory, or 8 GiB */
    int64_t max_new_tokens; /* for families without a limit; 0 = EVALUATE_NEW_TOKENS */
    /* After each batch: answers there are. -1 with `e` set ends the run. May be NULL. */
    int (*progress)(void *arg, size_t done, size_t questions, struct err *e);
    void *arg;
};

struct evaluate_counts {
    size_t answered; /* in this run; the others were in the log */
    size_t too_long; /* of them: prompts that do not fit */
    size_t unended;  /* of them: stopped at max_new_tokens */
    uint64_t prompt_tokens, new_tokens;
};

/* Answers every question that has no answer in the log. Longest prompts first: what will not fit into memory shows at
 * once. An answer does not depend on the batch it was given in, but for rounding. ERR_INPUT names the question whose
 * picture cannot be read. */
MUST_USE int evaluate_run(const struct evaluate_job *j, struct answer_log *log, struct evaluate_counts *counts,
                          struct err *e);

/* ids of the question's prompt, IMAGE_TOKEN where pictures go. */
MUST_USE int evaluate_prompt(const struct tokenizer *t, const struct question *q, const struct benchmark_family *f,
                             struct ids *ids, struct err *e);

#endif
