/* Files that torch.save writes: a table of named tensors, in the ZIP layout that it has had since PyTorch 1.6
 * (pytorch_model.bin, mm_projector.bin). Read where they lie, like safetensors, and through the same functions; nothing
 * in them is ever executed. No libtorch in here.
 *
 *     NAME/data.pkl      which tensors there are (pickle.h)
 *     NAME/data/KEY      the elements of one storage, little endian
 *     NAME/byteorder     "little", since PyTorch 2.1
 *     NAME/version       "3" */
#ifndef ACSWEEP_WORKER_TORCH_TORCH_FILE_H
#define ACSWEEP_WORKER_TORCH_TORCH_FILE_H

#include "worker/torch/safetensors.h"

/* ERR_INPUT names the file and what is wrong with it: an older layout, damage, objects that are no tensors, tensors
 * that do not lie row by row. */
struct safetensors *torch_file_open(const char *path, struct err *e);
/* The same for bytes in memory, which must stay; `name` stands for the path in messages. */
struct safetensors *torch_file_parse(void *bytes, size_t size, const char *name, struct err *e);
/* Is it such a file, by how it begins or by its name (.bin, .pt, .pth)? */
bool torch_file_is(const char *path);

/* ---- writing (torch_file_write.c): small tables; the elements stay the caller's -------------------------------------
 */

struct torch_file_tensor {
    const char *name;
    enum th_dtype type;
    const int64_t *dims;
    int rank;
    const void *data;
    size_t bytes;
};
/* What torch.save({NAME: tensor, ...}, path) writes, for torch.load to read, also with weights_only. Written aside,
 * synced and renamed; less than 4 GiB. */
MUST_USE int torch_file_write(const char *path, const struct torch_file_tensor *tensors, size_t n, struct err *e);

#endif
