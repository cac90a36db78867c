/* For safetensors.c and torch_file.c only: an open file of tensors, whatever its format. */
#ifndef ACSWEEP_WORKER_TORCH_SAFETENSORS_IMPL_H
#define ACSWEEP_WORKER_TORCH_SAFETENSORS_IMPL_H

#include <jansson.h>
#include <stdatomic.h>

#include "common/arena.h"
#include "common/map.h"
#include "worker/torch/safetensors.h"

struct safetensors {
    atomic_int holders;
    char *path;
    uint8_t *bytes;
    size_t size;
    bool mapped; /* bytes are ours to unmap */
    size_t data; /* where the elements start */
    json_t *metadata;
    struct st_tensor *tensors; /* in the arena, as are the names; sorted by place */
    size_t n;
    struct map by_name;
    struct arena arena;
};

/* With nothing in it yet; its only holder is the caller. */
struct safetensors *st_file_create(const char *path, struct err *e);
MUST_USE int st_file_map(struct safetensors *f, struct err *e);
/* Once all tensors are there: sort them, and make them findable. ERR_INPUT for a name that is there twice. */
MUST_USE int st_file_index(struct safetensors *f, struct err *e);

#endif
