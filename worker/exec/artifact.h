/* Artifacts become visible whole or not at all.
 *
 *     ROOT/tmp/IDENTITY.ATTEMPT-EPOCH/          the attempt writes here (the token is in the name: no two share it)
 *     ROOT/objects/XX/IDENTITY.ATTEMPT-EPOCH/   after fsync of every file and one rename
 *
 * ROOT is the shared store, or SCRATCH/store on a node without one. There, results of up to 1 MiB travel inside the
 * message instead ("inline"), so that other nodes have them. Which of several attempts counts is the coordinator's to say;
 * the losers' objects are rubbish for `gc`. */
#ifndef ACSWEEP_WORKER_EXEC_ARTIFACT_H
#define ACSWEEP_WORKER_EXEC_ARTIFACT_H

#include "worker/exec/executor.h"

struct artifact_dir;

/* Makes the empty directory of this attempt. ERR_ENV names the path and the reason (a full disk, say). */
struct artifact_dir *artifact_begin(const struct exec_task *t, struct err *e);
/* Removes what was not published. */
void artifact_end(struct artifact_dir *d);
DEFINE_CLEANUP(artifact_end, struct artifact_dir *)

const char *artifact_path(const struct artifact_dir *d);

/* Announce a file or directory, by its path in the directory; ERR_TASK when it is not there or leads out of it. */
MUST_USE int artifact_add(struct artifact_dir *d, const char *name, const char *path, struct exec_result *r,
                          struct err *e);
/* Make all that was added durable and visible. On an error nothing is visible and the result lists no artifact. */
MUST_USE int artifact_publish(struct artifact_dir *d, struct exec_result *r, struct err *e);

#endif
