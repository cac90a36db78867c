/* What an interrupted training goes on from: directories of files, each whole or not there.
 *
 *     ROOT/step-0000000120/state.json     {"step": 120, ..., "files": {"trained.safetensors": {"bytes", "sha256"}, ...}}
 *     ROOT/step-0000000120/...            what the state lists
 *     ROOT/new/                           one in the making; of no worth
 *
 * A checkpoint is written into `new`, its files are synced, state.json with their digests comes last, then the directory
 * is renamed and its parent synced. Before one is used every digest is compared; one that does not fit is set aside with
 * a warning, and the one before it is taken. The last two are kept. */
#ifndef ACSWEEP_WORKER_TRAIN_CHECKPOINT_H
#define ACSWEEP_WORKER_TRAIN_CHECKPOINT_H

#include <jansson.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"

#define CHECKPOINT_PATH 4096

/* Make an empty ROOT/new, and ROOT too; `dir` becomes its path, for the caller to write files into. */
MUST_USE int checkpoint_begin(const char *root, char dir[CHECKPOINT_PATH], struct err *e);
/* Make ROOT/new the checkpoint of `step`, with `state` (an object; "step" and "files" are added to it), and remove all but
 * the last two. */
MUST_USE int checkpoint_commit(const char *root, int64_t step, json_t *state, struct err *e);
/* The newest whole checkpoint: 1 with its directory and state (new reference), 0 when there is none. ERR_ENV only when
 * ROOT cannot be read. */
MUST_USE int checkpoint_find(const char *root, char dir[CHECKPOINT_PATH], json_t **state, struct err *e);
/* The directory of a step's checkpoint, which may be there or not. */
MUST_USE int checkpoint_at(const char *root, int64_t step, char dir[CHECKPOINT_PATH], struct err *e);

#endif
