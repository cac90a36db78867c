/* Outside files and directories that a sweep names: what this node has under a name, as a content digest.
 *
 * Digests are remembered in SCRATCH/content/, a file for each path, so that a checkpoint is read once on a node and not
 * by every sweep or exec; one exec reads, the others of the node wait for it. */
#ifndef ACSWEEP_WORKER_EXEC_NATIVE_CONTENT_H
#define ACSWEEP_WORKER_EXEC_NATIVE_CONTENT_H

#include "worker/data/content.h"
#include "worker/exec/executor.h"

/* What lies here under `name`. `images`: an image set, of which a path that is a file (a list, LLaVA's .json or a
 * benchmark's .jsonl) stands for itself and the pictures that it names. ERR_INTERRUPTED when the task is asked to stop.
 */
MUST_USE int native_content_find(const struct exec_task *t, const char *name, bool images, struct content *out,
                                 struct err *e);

/* Does this node have what the task is about? execution.content has {NAME: {"digest", "images"}}. ERR_INPUT names node,
 * name and both digests. What was found equal is looked at again after ten minutes at the earliest. */
MUST_USE int native_content_check(const struct exec_task *t, struct err *e);

#endif
