/* What a checkpoint directory holds, and whether this program can compute with it, without loading any of it: from
 * config.json and the headers of its files. No libtorch in here. */
#ifndef ACSWEEP_WORKER_MODEL_INSPECT_H
#define ACSWEEP_WORKER_MODEL_INSPECT_H

#include <jansson.h>

#include "common/buf.h"
#include "common/digest.h" /* json_decref_cleanup */
#include "common/err.h"

/* An object, or NULL with ERR_INPUT when `dir` is no directory. What cannot be found out is left out.
 *
 *     directory   text
 *     kind        "clip", "siglip", "dinov2", "dinov2_with_registers", "llama", "llava" ...; of others what config.json
 * calls them readable    bool; when false, `problems` says why problems    [text]: every one, e.g. each tensor that is
 * missing layers, width, heads, mlp, activation ("swiglu" too), patch, image (pixels that it was trained at) grid
 * patches along an edge tokens      {patches, class, registers}, at the trained size kv_heads, vocabulary, positions,
 * rope, tied    of decoders connector   {in, out}, where the checkpoint has one beside its decoder parameters  numbers
 * that the encoder or decoder has stored      {parameters, tensors, bytes} of the whole checkpoint, other halves
 * included dtypes      {"F32": number of tensors} files       [{name, bytes, tensors}] preprocessor  bool: is there a
 * preprocessor_config.json? */
MUST_USE json_t *inspect_checkpoint(const char *dir, struct err *e);
/* The same for people, a line for each thing. */
void inspect_text(const json_t *info, struct buf *out);

#endif
