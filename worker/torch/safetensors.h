/* The safetensors file: named tensors that are read where they lie, and written whole or not at all. No libtorch in
 * here.
 *
 *     8 bytes        length of the header, little endian
 *     header         JSON: {"__metadata__": {text: text}, NAME: {"dtype": "F32", "shape": [2,3], "data_offsets":
 * [0,24]}, ...} data           the elements, row by row, little endian; offsets count from here, cover all of it, and
 * do not overlap
 *
 * Reading maps the file: nothing is copied, and only the pages that are used come into memory. A file must not change
 * while it is open. Writing goes to a temporary name, is synced, and renamed. */
#ifndef ACSWEEP_WORKER_TORCH_SAFETENSORS_H
#define ACSWEEP_WORKER_TORCH_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "worker/torch/th.h"

#define ST_MAX_RANK 16
#define ST_MAX_HEADER ((size_t)100 << 20)

struct st_tensor {
    const char *name;
    const char *type_name; /* as in the file: "F32", "F8_E4M3" */
    enum th_dtype type;    /* TH_DTYPES for types that this program cannot compute with (F8, U16, ...) */
    int rank;
    int64_t dims[ST_MAX_RANK];
    void *data;   /* inside the mapping, not always aligned; changes stay private to this process */
    size_t bytes; /* of data */
};

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

struct safetensors; /* an open file; counts who holds it, any thread may let go */

/* Opens and checks everything but the elements. ERR_INPUT names the file and what is wrong with it, ERR_ENV a file that
 * cannot be opened. */
struct safetensors *safetensors_open(const char *path, struct err *e);
/* The same for bytes in memory, which must stay; `name` stands for the path in messages. */
struct safetensors *safetensors_parse(void *bytes, size_t size, const char *name, struct err *e);
/* One more holder; returns f. */
struct safetensors *safetensors_hold(struct safetensors *f);
/* One holder less; the mapping goes with the last. NULL is fine. */
void safetensors_release(struct safetensors *f);

const char *safetensors_path(const struct safetensors *f);
size_t safetensors_count(const struct safetensors *f);
const struct st_tensor *safetensors_at(const struct safetensors *f, size_t i);           /* in the order of the data */
const struct st_tensor *safetensors_find(const struct safetensors *f, const char *name); /* NULL: not in this file */
const char *safetensors_metadata(const struct safetensors *f, const char *key);          /* NULL: none */

/* "F32[2,3]" in buf, which is returned. */
const char *st_describe(const struct st_tensor *t, char *buf, size_t size);
/* The file's name of a type ("BF16"). */
const char *st_type_name(enum th_dtype t);

/* ---- writing (safetensors_write.c) ----------------------------------------------------------------------------------
 */

/* Declare every tensor, then put the elements of each in any order, then commit. The same content makes the same bytes:
 * tensors lie by size of element, then by name; the data starts at a multiple of 64. */
struct st_writer;

/* ERR_INPUT when `path` is a directory. Several may write the same file: it becomes what the last commit says. */
struct st_writer *st_writer_create(const char *path, struct err *e);
/* Both before the first put. ERR_BUG for a name that was declared before; ERR_INPUT for one that a file cannot have: not
 * UTF-8, or "__metadata__". */
MUST_USE int st_writer_metadata(struct st_writer *w, const char *key, const char *value, struct err *e);
MUST_USE int st_writer_declare(struct st_writer *w, const char *name, enum th_dtype t, const int64_t *dims, int rank,
                               struct err *e);
/* All elements of one tensor; `bytes` must be what its shape says. Each tensor once. */
MUST_USE int st_writer_put(struct st_writer *w, const char *name, const void *data, size_t bytes, struct err *e);
/* Sync and rename. ERR_BUG when a declared tensor was not put. The writer can only be destroyed afterwards. */
MUST_USE int st_writer_commit(struct st_writer *w, struct err *e);
/* Without a commit before it, nothing is left behind, and an older file at `path` is as it was. */
void st_writer_destroy(struct st_writer *w);

DEFINE_CLEANUP(safetensors_release, struct safetensors *)
DEFINE_CLEANUP(st_writer_destroy, struct st_writer *)

#endif
