/* What stage1 and stage2 share: a task's parameters as a training, run to its end or to a checkpoint.
 *
 *     identity   {"training": {...}, "representation": {"members": [{"resolution", "options"}], "target_grid", "fusion"},
 *                 "dtype"}
 *     execution  {"names": {"members": [{"encoder", "checkpoint"}], "llm", "image_set"},
 *                 "training": {"device_batch", "gradient_checkpointing",
 *                 "checkpoint_seconds"}}
 *     inputs     connector (stage2); cache:MEMBER:SHARD, features of members whose are kept in files
 *     metrics    loss (of the last step), steps
 *
 * The image set is LLaVA's JSON file; its pictures are below the directory that it lies in. A task with several GPUs is
 * trained by a process for each. Checkpoints are in the attempt's directory (layout.h), which the next attempt takes over. */
#ifndef ACSWEEP_WORKER_EXEC_NATIVE_TRAIN_H
#define ACSWEEP_WORKER_EXEC_NATIVE_TRAIN_H

#include "worker/exec/artifact.h"
#include "worker/exec/native.h"
#include "worker/train/trainer.h"

MUST_USE int native_train_check(const struct exec_task *t, enum train_stage stage, struct err *e);
/* `publish` writes what was trained into the artifact's directory and announces it. */
typedef int native_train_publish_fn(struct trainer *trained, struct artifact_dir *dir, struct exec_result *r,
                                    struct err *e);
MUST_USE int native_train_run(const struct exec_task *t, enum train_stage stage, native_train_publish_fn *publish,
                              struct exec_result *r, struct err *e);

#endif
