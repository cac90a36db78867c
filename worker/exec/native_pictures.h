/* Inside the native executor: correspondence pictures beside a C score. */
#ifndef ACSWEEP_WORKER_EXEC_NATIVE_PICTURES_H
#define ACSWEEP_WORKER_EXEC_NATIVE_PICTURES_H

#include "worker/exec/executor.h"
#include "worker/score/c_run.h"

/* When the task's execution parameters say {"pictures": {"pairs": N, "thumbnails": true|false}}, add the artifacts `pictures`
 * and `thumbnails` (worker/score/c_album.h) of representation `subset` of the job, both inline, so that a report needs rows
 * alone. `root` is the directory of the correspondence set.
 *
 * A score is worth more than its pictures: what goes wrong here is said in the task's log, and the result is without them. */
void native_pictures_add(const struct exec_task *t, const struct c_job *job, size_t subset, const char *root,
                         struct exec_result *r);

#endif
