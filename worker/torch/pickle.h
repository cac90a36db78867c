/* The table of tensors inside of what torch.save wrote: `data.pkl`, a pickle, whose strings of opcodes could call any
 * function of Python. Here nothing is called: the few constructions that tables of tensors are made of are understood,
 * and everything else is refused. */
#ifndef ACSWEEP_WORKER_TORCH_PICKLE_H
#define ACSWEEP_WORKER_TORCH_PICKLE_H

#include "common/arena.h"
#include "worker/torch/safetensors.h"

#define PICKLE_MAX_BYTES ((size_t)64 << 20) /* of names and shapes; elements are elsewhere */

/* A tensor of the table: where its elements begin, in its own storage. */
struct pickle_tensor {
    const char *name, *key; /* in the table; of the storage, whose bytes are the archive's member data/KEY */
    enum th_dtype type;
    const char *type_name; /* as safetensors call it */
    int64_t storage;       /* elements of the storage */
    int64_t offset;        /* elements before its first */
    int rank;
    int64_t dims[ST_MAX_RANK], strides[ST_MAX_RANK];
};

/* All tensors of the outermost dict, in its order; what is in it besides tensors is left out. Memory is the arena's.
 * ERR_INPUT says which object is none that a table of tensors has. */
MUST_USE int pickle_read_tensors(const uint8_t *bytes, size_t size, struct arena *arena, struct pickle_tensor **out,
                                 size_t *n, struct err *e);

#endif
