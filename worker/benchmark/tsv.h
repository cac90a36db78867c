/* Tab-separated tables as pandas writes them: a header, fields that may stand in double quotes, with tabs, newlines and
 * doubled quotes in there. One row is in memory at a time. */
#ifndef ACSWEEP_WORKER_BENCHMARK_TSV_H
#define ACSWEEP_WORKER_BENCHMARK_TSV_H

#include <jansson.h>

#include "common/err.h"
#include "common/own.h"

struct tsv;

/* From bytes that stay the caller's; `name` stands for the file in messages. ERR_INPUT for a header that is none. */
MUST_USE struct tsv *tsv_from(const char *text, size_t len, const char *name, struct err *e);
void tsv_close(struct tsv *t);
DEFINE_CLEANUP(tsv_close, struct tsv *)

/* 1 with a row as an object {column: text} without its empty fields, 0 at the end, -1 with ERR_INPUT and file:line. */
MUST_USE int tsv_next(struct tsv *t, json_t **row, struct err *e);
/* Line on which the last row began. */
size_t tsv_line(const struct tsv *t);

#endif
