/* Published files of the eight benchmarks -> questions in JSONL (question.h), pictures that are in them -> files.
 *
 * Layouts that are read: docs/benchmarks.md lists them for each family. The result appears whole or not at all;
 * pictures are written one by one, each whole, before it. */
#ifndef ACSWEEP_WORKER_BENCHMARK_CONVERT_H
#define ACSWEEP_WORKER_BENCHMARK_CONVERT_H

#include "worker/benchmark/family.h"

struct convert_options {
    const struct benchmark_family *family;
    const char *from;        /* the published file */
    const char *annotations; /* OKVQA: the file with the answers; NULL: they are in `from` */
    const char *out;         /* the questions */
    const char *images;      /* directory of the pictures, relative to that of `out`; NULL: "images" */
    const char *split;       /* only records whose field `split` says so; NULL: all, ScienceQA's problems.json: test */
};

struct convert_counts {
    size_t questions;
    size_t left_out; /* other splits, and videos of which the file names no frames */
    size_t pictures; /* files written */
};

/* ERR_INPUT names the place in `from` or `annotations`. */
MUST_USE int convert_benchmark(const struct convert_options *o, struct convert_counts *counts, struct err *e);

#endif
