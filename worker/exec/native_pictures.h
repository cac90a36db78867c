/* Inside the native executor: correspondence pictures beside C scores.
 *
 * A task asks for them by its execution parameters, {"pictures": {"pairs": N, "thumbnails": true|false}}, and gets the
 * artifacts `pictures` and `thumbnails` (worker/score/c_album.h), both inline, so that a report needs rows alone.
 *
 * A score is worth more than its pictures: what goes wrong here is said in the worker's log, and the result is without
 * them. */
#ifndef ACSWEEP_WORKER_EXEC_NATIVE_PICTURES_H
#define ACSWEEP_WORKER_EXEC_NATIVE_PICTURES_H

#include "worker/exec/executor.h"
#include "worker/score/c_run.h"

struct native_pictures;

/* For every representation of the job, in one pass, of as many pairs as this task asks for. `root` is the directory of
 * the correspondence set. NULL when none are wanted, or when none can be had; both are fine. */
struct native_pictures *native_pictures_make(const struct exec_task *t, const struct c_job *job, const char *root);
void native_pictures_destroy(struct native_pictures *p);
DEFINE_CLEANUP(native_pictures_destroy, struct native_pictures *)

/* Add those of representation `subset` of the job, whose task is `t`, to its result. `p` may be NULL. */
void native_pictures_add(const struct native_pictures *p, const struct exec_task *t, size_t subset,
                         struct exec_result *r);

#endif
