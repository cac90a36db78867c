/* Features that extract tasks left, as the C score reads them: the shards of one encoder, picture by picture. */
#ifndef ACSWEEP_WORKER_EXEC_NATIVE_FEATURES_H
#define ACSWEEP_WORKER_EXEC_NATIVE_FEATURES_H

#include "worker/data/spair.h"
#include "worker/exec/native.h"
#include "worker/score/c_features.h"

struct native_features;

/* Opens every input "features:MEMBER:..." of the task, finds the set's pictures in them, and fills *out, which lives as
 * long as the features and `name`. ERR_INPUT names the picture or file that is missing or of another shape. */
struct native_features *native_features_open(const struct exec_task *t, size_t member, const char *name,
                                             const struct spair *set, struct c_source *out, struct err *e);
void native_features_close(struct native_features *f);
DEFINE_CLEANUP(native_features_close, struct native_features *)

#endif
