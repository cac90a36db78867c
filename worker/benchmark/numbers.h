/* Inside worker/benchmark: numbers in the answers of MMMU's open questions, as Python reads them. */
#ifndef ACSWEEP_WORKER_BENCHMARK_NUMBERS_H
#define ACSWEEP_WORKER_BENCHMARK_NUMBERS_H

#include "worker/benchmark/text.h"

/* float(text with its commas removed), rounded to two decimals half to even; false when that is no number. */
bool number_parse(struct text t, double *out);

/* The next number at or after *at: with commas ("1,000"), in scientific notation ("1.5e3"), or plain; *at moves behind
 * it. These are the three patterns of the original, each searched for by itself. */
enum number_form { NUMBER_COMMAS, NUMBER_SCIENTIFIC, NUMBER_PLAIN, NUMBER_FORMS };
bool number_next(struct text t, enum number_form form, size_t *at, struct text *number);

#endif
