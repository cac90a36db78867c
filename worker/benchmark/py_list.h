/* A Python list of texts and numbers as repr() writes it, "['a', \"it's\", 2.5]": how MMMU keeps its options. */
#ifndef ACSWEEP_WORKER_BENCHMARK_PY_LIST_H
#define ACSWEEP_WORKER_BENCHMARK_PY_LIST_H

#include <jansson.h>

#include "common/err.h"
#include "common/own.h"

/* An array of texts (numbers as they are spelled); NULL with ERR_INPUT for anything else. */
MUST_USE json_t *py_list_parse(const char *text, struct err *e);

#endif
