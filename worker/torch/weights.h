/* The tensors of a checkpoint: one safetensors file, or the shards that an index names; found by name, read where they
 * lie.
 *
 *     AUTO(weights_destroy) struct weights *w = weights_open("/models/clip-vit-large-patch14-336", e);
 *     ...
 *     TH_SCOPE(s);
 *     m->fc1_w = th_keep(weights_load(w, "vision_model.encoder.layers.0.mlp.fc1.weight", TH_DIMS(4096, 1024), TH_BF16,
 * device)); TRY(th_check(e));
 *
 * The files must not change while tensors made from them live. */
#ifndef ACSWEEP_WORKER_TORCH_WEIGHTS_H
#define ACSWEEP_WORKER_TORCH_WEIGHTS_H

#include <jansson.h>

#include "worker/torch/safetensors.h"

struct weights;

/* `path` is a file, or a directory in Hugging Face layout: there model.safetensors, model.safetensors.index.json, the
 * same with diffusion_pytorch_model and adapter_model are looked for, in this order. Tensors in the shards that the index
 * leaves out are there too. ERR_INPUT when there is no such file, when a shard is missing or damaged, or when one does not
 * hold what the index promises. */
struct weights *weights_open(const char *path, struct err *e);
void weights_destroy(struct weights *w);

const char *weights_path(const struct weights *w);
size_t weights_count(const struct weights *w);
const struct st_tensor *weights_at(const struct weights *w, size_t i);           /* by name; NULL past the end */
const struct st_tensor *weights_find(const struct weights *w, const char *name); /* NULL: there is none */
/* Of the first file that has it; NULL: none. */
const char *weights_metadata(const struct weights *w, const char *key);
/* The file that a tensor of weights_at or weights_find lies in. */
struct safetensors *weights_file(const struct weights *w, const struct st_tensor *t);

/* The weight_map of an index, checked: tensor name -> file name without any directory. For weights.c, and the fuzzer.
 */
json_t *weights_parse_index(const char *text, size_t len, const char *path, struct err *e);

/* ---- as tensors (weights_load.c); errors are the thread's, as in th.h; ERR_INPUT names file and tensor --------------
 */

/* On the CPU, of the file's dtype; its memory is the mapping, which stays as long as the tensor (copied only where the
 * file has it misaligned). Changes in place stay private to the process. */
struct tensor *weights_view(const struct weights *w, const char *name);
/* As the model wants it: the shape is checked (-1 matches any size), then dtype and device; shares memory with the
 * mapping only when neither asks for a change. */
struct tensor *weights_load(const struct weights *w, const char *name, const int64_t *dims, int n, enum th_dtype t,
                            struct th_device d);

DEFINE_CLEANUP(weights_destroy, struct weights *)

#endif
