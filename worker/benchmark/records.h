/* Inside worker/benchmark: the rows of a published file, whatever its layout, as JSON objects:
 *
 *     a table separated by tabs (OpenCompass)                     an object of texts for each row
 *     JSONL, or a JSON array of objects                           each object
 *     {"data": [...]}, {"questions": [...]}, {"annotations": ..}  each object of that list
 *     {"1": {...}, "2": {...}}                                    each object, with its key as "id" (ScienceQA)
 */
#ifndef ACSWEEP_WORKER_BENCHMARK_RECORDS_H
#define ACSWEEP_WORKER_BENCHMARK_RECORDS_H

#include <jansson.h>

#include "common/err.h"
#include "common/own.h"

struct records;

MUST_USE struct records *records_open(const char *path, struct err *e);
/* From bytes that stay the caller's. */
MUST_USE struct records *records_from(const char *text, size_t len, const char *name, struct err *e);
void records_close(struct records *r);
DEFINE_CLEANUP(records_close, struct records *)

/* 1 with a new reference, 0 at the end, -1 with ERR_INPUT and the place. */
MUST_USE int records_next(struct records *r, json_t **record, struct err *e);
/* "file:line", or "file, record 7" inside of one large object; valid until the next call. */
const char *records_place(struct records *r);

#endif
