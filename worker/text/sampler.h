/* In which order samples are trained on. The order is a function of (seed, epoch) and the recipe's batch, never of how
 * many processes share the work: sample order[k] belongs to global batch k / batch, chunk (k % batch) / (batch /
 * chunks); with R ranks, rank r takes chunks r, r + R, ...
 *
 * Random numbers: SplitMix64 (Steele, Lea, Flood 2014) started at seed + 2^32 * epoch, bounded without bias by Lemire's
 * method, permutations by Fisher-Yates from the end. Not torch's generator: the orders of LLaVA's runs are not
 * reproduced, their distribution is. */
#ifndef ACSWEEP_WORKER_TEXT_SAMPLER_H
#define ACSWEEP_WORKER_TEXT_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct sampler_rules {
    uint64_t seed, epoch;
    size_t batch;  /* samples of a global batch: ranks x batch of a device x accumulation (LLaVA: 256, 128) */
    size_t chunks; /* parts of it that are computed together: ranks x accumulation (LLaVA: 8) */
};

/* Stage 1: a permutation of 0..n-1 into order[n]. */
void sampler_random(size_t n, uint64_t seed, uint64_t epoch, uint32_t *order);

/* Stage 2: grouped by modality and length (llava_trainer.py, get_modality_length_grouped_indices). lengths[i] > 0:
 * words of a sample with an image, < 0: without. Every global batch is of one modality, but for what remains of the
 * last ones of each. A set of one modality has no remainder of the other, and its batches stay as they come. ERR_INPUT
 * for a length of 0, or a batch that chunks do not divide. */
MUST_USE int sampler_grouped(const int32_t *lengths, size_t n, const struct sampler_rules *rules, uint32_t *order,
                             struct err *e);

#endif
