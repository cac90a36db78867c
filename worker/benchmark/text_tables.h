/* Inside worker/benchmark: characters beyond ASCII, as Python's str knows them (text_tables.py). Sorted. */
#ifndef ACSWEEP_WORKER_BENCHMARK_TEXT_TABLES_H
#define ACSWEEP_WORKER_BENCHMARK_TEXT_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "common/own.h"

struct text_range {
    uint32_t first, last;
};
/* Every step-th of first..last has its lower case at `delta` from it. */
struct text_case {
    uint32_t first, last;
    int32_t step, delta;
};

extern const struct text_range text_words[]; /* letters and numbers: \w without the underscore */
extern const size_t text_words_n;
extern const struct text_case text_lowers[];
extern const size_t text_lowers_n;

#endif
