/* Inside worker/benchmark: a record of a published file -> a question. */
#ifndef ACSWEEP_WORKER_BENCHMARK_CONVERT_MAP_H
#define ACSWEEP_WORKER_BENCHMARK_CONVERT_MAP_H

#include "worker/benchmark/convert.h"
#include "worker/benchmark/convert_images.h"

struct conversion {
    const struct convert_options *o;
    struct pictures pictures;
    json_t *answers;    /* OKVQA: question_id -> annotation; NULL: none */
    struct map seen;    /* MME: group -> how many of its questions came */
    struct arena arena; /* keys of `seen` */
    size_t n;           /* records so far */
};

/* Fills *question for a record; *question stays empty for one that is left out. */
MUST_USE int convert_record(struct conversion *c, const json_t *record, json_t *question, struct err *e);

/* A field as text: as it is, or a whole number spelled out in buf; NULL when it is absent, empty, "nan" or something
 * else. The first of the names (NULL ends) that is there. */
const char *record_text(const json_t *record, const char *const *names, char buf[32]);

#endif
