/* Inside worker/benchmark: what one answer is worth. Each judge is the original program's rule, with its oddities; they
 * are described in docs/benchmarks.md and held fast by tests/golden/benchmarks. */
#ifndef ACSWEEP_WORKER_BENCHMARK_JUDGE_H
#define ACSWEEP_WORKER_BENCHMARK_JUDGE_H

#include "worker/benchmark/question.h"
#include "worker/benchmark/text.h"

#define LETTER_NONE (-1)

struct verdict {
    double score; /* 0 to 1 */
    bool parsed;  /* something that counts as an answer was found */
    int letter;   /* of the option taken, counted from 0, or LETTER_NONE */
};

typedef int (*judge_fn)(const struct question *q, struct text answer, struct verdict *v, struct err *e);

MUST_USE int judge_mmbench(const struct question *q, struct text answer, struct verdict *v, struct err *e);
MUST_USE int judge_mme(const struct question *q, struct text answer, struct verdict *v, struct err *e);
MUST_USE int judge_mmmu(const struct question *q, struct text answer, struct verdict *v, struct err *e);
MUST_USE int judge_vqa(const struct question *q, struct text answer, struct verdict *v, struct err *e);
MUST_USE int judge_scienceqa(const struct question *q, struct text answer, struct verdict *v, struct err *e);
MUST_USE int judge_seed(const struct question *q, struct text answer, struct verdict *v, struct err *e);

/* Of a question with options: the letter of its answer, counted from 0. */
int judge_right_letter(const struct question *q);

/* The VQA normalisation, appended (vqa.c). */
MUST_USE int vqa_normalise(struct text answer, struct buf *to, struct err *e);
/* Soft accuracy when `matches` of `n` people gave the answer: the mean over people of min(1, matches of the others /
 * 3). */
double vqa_accuracy(size_t matches, size_t n);

/* The word with its apostrophes, or NULL (vqa_words.c). */
const char *vqa_contraction(struct text word);

#endif
