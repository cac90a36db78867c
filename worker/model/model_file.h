/* Small files of a model's directory, written whole or not at all. */
#ifndef ACSWEEP_WORKER_MODEL_MODEL_FILE_H
#define ACSWEEP_WORKER_MODEL_MODEL_FILE_H

#include <jansson.h>

#include "common/err.h"
#include "common/own.h"
#include "worker/torch/th.h"

/* dir/name, written aside, synced and renamed. ERR_ENV names the file. */
MUST_USE int model_file_write(const char *dir, const char *name, const void *bytes, size_t size, struct err *e);
/* JSON, keys sorted, for people to read too. */
MUST_USE int model_file_write_json(const char *dir, const char *name, const json_t *j, struct err *e);
/* from/name into dir; 0 also when there is no such file. */
MUST_USE int model_file_copy(const char *from, const char *dir, const char *name, struct err *e);
/* "float32", "bfloat16" ...: config.json's torch_dtype. */
const char *torch_dtype_name(enum th_dtype t);

#endif
