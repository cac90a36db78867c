/* Which questions' pictures the A score looks at. The list of ids belongs to the score and is stored with it: all
 * representations must be seen on the same ones. */
#ifndef ACSWEEP_WORKER_BENCHMARK_SAMPLE_H
#define ACSWEEP_WORKER_BENCHMARK_SAMPLE_H

#include <stdint.h>

#include "worker/benchmark/question.h"

/* `n` different pictures drawn without replacement (the paper's "100 randomly sampled images"); out gets the first
 * question that shows each, in the order drawn. Returns how many: all pictures when there are fewer. ERR_INPUT when
 * there is none.
 *
 * Random numbers: SplitMix64 (Steele, Lea, Flood 2014) started at `seed`, bounded without bias by rejecting values
 * above the greatest multiple; Fisher-Yates from the front over the pictures in the order in which they first come. */
MUST_USE int sample_random(const struct question_set *s, size_t n, uint64_t seed, size_t *out, size_t *count,
                           struct err *e);

/* The released code's choice: the first `n` of all questions with a picture by descending length of the prompt in
 * tokens, ties by the prompt's bytes. An image may come more than once. lengths[i] and prompts[i] are of question i. */
MUST_USE int sample_longest(const struct question_set *s, const size_t *lengths, const char *const *prompts, size_t n,
                            size_t *out, size_t *count, struct err *e);

#endif
