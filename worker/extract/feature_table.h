/* Features that were kept in files (feature_file.h), found by the picture's name over any number of shards. Files are
 * mapped, so what is never asked for is never read. */
#ifndef ACSWEEP_WORKER_EXTRACT_FEATURE_TABLE_H
#define ACSWEEP_WORKER_EXTRACT_FEATURE_TABLE_H

#include "common/own.h"
#include "worker/torch/safetensors.h"

struct feature_table;

/* `paths`: files, or directories whose *.safetensors are taken. All tensors must be [tokens, channels] of the same
 * sizes and type: ERR_INPUT names the file and the tensor that is not, or that is in two files. */
struct feature_table *feature_table_open(const char *const *paths, size_t n, struct err *e);
void feature_table_close(struct feature_table *t);

struct feature_shape {
    int64_t tokens, channels, grid; /* grid as the files' metadata say, else the root of tokens, rounded down */
    enum th_dtype dtype;
    size_t pictures;
};
struct feature_shape feature_table_shape(const struct feature_table *t);

/* (n, tokens, channels) on the CPU, in the innermost scope; NULL with ERR_INPUT for a name that is in no file. */
struct tensor *feature_table_read(const struct feature_table *t, const char *const *names, size_t n, struct err *e);

DEFINE_CLEANUP(feature_table_close, struct feature_table *)

#endif
