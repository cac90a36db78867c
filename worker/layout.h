/* What attempts leave on disk, and where: the agent clears up what its execs wrote, so both take the names from here.
 *
 *     SCRATCH/attempts/TASK.ATTEMPT-EPOCH/           work place of a program: task.json, result.json, log.txt, inputs/
 *     ROOT/checkpoints/IDENTITY.ATTEMPT-EPOCH/       what it saved to go on from; ROOT is the store, or SCRATCH without
 * one ROOT/tmp/IDENTITY.ATTEMPT-EPOCH/               artifacts in the making; ROOT is the store, or SCRATCH/store
 *     ROOT/objects/XX/IDENTITY.ATTEMPT-EPOCH/        artifacts
 *
 * The fencing token is in every name, so that no two attempts share one. Texts are malloc'ed; NULL without memory. */
#ifndef ACSWEEP_WORKER_LAYOUT_H
#define ACSWEEP_WORKER_LAYOUT_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "proto/acsweep.pb-c.h"

char *layout_attempts(const char *scratch);
char *layout_attempt(const char *scratch, const Acsweep__Token *t);
char *layout_checkpoints(const char *store, const char *scratch);
char *layout_checkpoint(const char *store, const char *scratch, const char *identity, const Acsweep__Token *t);
/* Where artifacts are: the store, or, when that is "", a directory in the scratch. */
char *layout_artifacts(const char *store, const char *scratch);
char *layout_temp(const char *store, const char *scratch, const char *identity, const Acsweep__Token *t);

/* Is this the name of a checkpoint (or temp, or object) of that identity? Then of which attempt and epoch. */
bool layout_is_of(const char *name, const char *identity, unsigned *attempt, unsigned long long *epoch);
/* 64 lower-case hex digits: nothing else may become part of a path. */
bool layout_is_identity(const char *identity);

/* The directory for what this attempt saves to go on from, made and with what the newest earlier attempt left in it: one
 * rename takes that away from whoever may still be writing there under an older token. *path is malloc'ed. */
MUST_USE int layout_claim_checkpoint(const char *store, const char *scratch, const char *identity,
                                     const Acsweep__Token *t, char **path, struct err *e);

/* mkdir -p */
MUST_USE int make_dirs(const char *path, struct err *e);
/* rm -rf; what cannot be removed stays. */
void remove_tree(const char *path);

#endif
