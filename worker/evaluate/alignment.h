/* The A score of a representation on a benchmark, from models: each picture of the sample goes through the encoders and
 * the connector of the target and of every reference, and what comes out is compared (score/a_score.h). */
#ifndef ACSWEEP_WORKER_EVALUATE_ALIGNMENT_H
#define ACSWEEP_WORKER_EVALUATE_ALIGNMENT_H

#include <jansson.h>

#include "worker/benchmark/question.h"
#include "worker/extract/representation.h"
#include "worker/model/connector.h"
#include "worker/score/a_score.h"
#include "worker/text/tokenizer.h"

#define ALIGNMENT_REFERENCES_MAX 16

struct alignment_side {
    const char *name; /* in results */
    const struct representation *representation;
    const struct connector *connector; /* bf16 for A_BF16, else f32 */
};

struct alignment_job {
    struct alignment_side target;
    const struct alignment_side *references;
    size_t n_references;
    const struct question_set *questions;
    const char *images;   /* directory that the questions' paths are below */
    const size_t *sample; /* questions; the first picture of each counts */
    size_t n;
    enum a_arith arith;
    int threads; /* 0: one */
    int (*progress)(void *arg, size_t done, size_t n, struct err *e);
    void *arg;
};

/* {"a", "n", "arith", "references": {NAME: a}, "samples": [{"id", "image", "m": {NAME: M}}]}: everything that is needed
 * to compute the score again with fewer references or samples. NULL on error. The caller frees it. */
json_t *alignment_run(const struct alignment_job *j, struct err *e);

/* Which questions: "random" (seed) or "longest_prompt" (tokenizer), at most `n`; *out is malloc'ed. ERR_INPUT when no
 * question has a picture. */
MUST_USE int alignment_sample(const struct question_set *s, const char *how, size_t n, uint64_t seed,
                              const struct tokenizer *t, size_t **out, size_t *count, struct err *e);

#endif
