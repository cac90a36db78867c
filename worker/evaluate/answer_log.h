/* Answers while they are being given: a line for each, appended as it comes, so that an interrupted evaluation goes on
 * where it was. At the end all of them, in the order of the questions, become a file of answers (benchmark/metric.h). */
#ifndef ACSWEEP_WORKER_EVALUATE_ANSWER_LOG_H
#define ACSWEEP_WORKER_EVALUATE_ANSWER_LOG_H

#include "worker/benchmark/metric.h"

struct answer_log;

/* `path` is made, or read when it is there: answers after its last whole line, and those of another `run` (what decides
 * the answers, as text: model, prompts, settings), are given anew. The log goes on in a file of its own, so that who
 * still writes the old one does no harm. ERR_ENV when it cannot be written. */
MUST_USE struct answer_log *answer_log_open(const char *path, const char *run, const struct question_set *s,
                                            struct err *e);
void answer_log_close(struct answer_log *l);
DEFINE_CLEANUP(answer_log_close, struct answer_log *)

/* NULL: question i has no answer yet. */
const char *answer_log_get(const struct answer_log *l, size_t i);
/* Append the answer to question i; durable after answer_log_sync. */
MUST_USE int answer_log_put(struct answer_log *l, size_t i, const char *answer, struct err *e);
MUST_USE int answer_log_sync(struct answer_log *l, struct err *e);
/* Write all answers to `path`, whole or not at all. ERR_BUG when one is missing. */
MUST_USE int answer_log_finish(const struct answer_log *l, const char *path, struct err *e);
/* In the order of the questions, for metric_compute. */
const char *const *answer_log_texts(const struct answer_log *l);

#endif
