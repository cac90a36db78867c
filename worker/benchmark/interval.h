/* A 95 % confidence interval for a benchmark's performance, over its questions: between which values it would lie for other
 * questions of the same kind.
 *
 * What is drawn independently is a unit: one question, or the questions of a group together (the rotations of MMBench, both
 * questions of an MME picture). A unit has a sum and a weight; a part of the benchmark (of MME a subtask, else there is but
 * one) is worth the sum of its units over the sum of their weights, performance the sum of its parts.
 *
 *   bootstrap   each part's units are drawn again with replacement, as many as it has, INTERVAL_DRAWS times; the ends are
 *               the BCa percentiles of what comes out (Efron 1987; Efron and Tibshirani 1993, ch. 14), with the acceleration
 *               from the influence of single units, part by part (Davison and Hinkley 1997, ch. 5).
 *   Wilson      a part whose units are all worth the same (all right, all wrong) comes out the same in every draw, from which
 *               no certainty follows. It gets the score interval of a proportion (Wilson 1927) with p = worth / most and n =
 *               units, which is wide enough for scores in part, too: of all scores between 0 and `most` those that are
 *               either vary most (Bhatia and Davis 2000).
 *   both        parts that vary are one estimate, each part that does not is another: the distances from the values to the
 *               ends are added in squares (Zou and Donner 2008).
 *
 * The random numbers always start at the same seed, part after part, unit after unit: the same questions and answers give the
 * same interval. A bootstrap costs INTERVAL_DRAWS times the number of units. */
#ifndef ACSWEEP_WORKER_BENCHMARK_INTERVAL_H
#define ACSWEEP_WORKER_BENCHMARK_INTERVAL_H

#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

#define INTERVAL_DRAWS 1999 /* the 50th lowest and highest of so many are the 2.5 % ends exactly */

struct interval_unit {
    double sum, weight; /* weight > 0 */
    size_t part;        /* from 0; every number up to the highest has a unit */
};

struct interval {
    double low, high;
};

/* `most`: the highest worth of a part; the lowest is 0. At least one unit. */
MUST_USE int interval_compute(const struct interval_unit *units, size_t n, double most, struct interval *out,
                              struct err *e);
/* Wilson's interval of a proportion p of n; inside 0..1, and p inside it. */
struct interval interval_wilson(double p, size_t n);

#endif
