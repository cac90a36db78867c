/* What stays loaded between tasks, so that the next one about the same model begins at once: one thing at a time, because
 * whatever comes next may need all memory. */
#ifndef ACSWEEP_WORKER_EXEC_NATIVE_KEPT_H
#define ACSWEEP_WORKER_EXEC_NATIVE_KEPT_H

#include "common/err.h"
#include "common/own.h"

/* What was kept under this key; NULL, after dropping whatever else is kept, when there is none. */
void *native_kept(const char *key);
/* Keep `thing` (taken, also on error) until another key is asked for. `key` says all that it was made from. */
MUST_USE int native_keep(const char *key, void *thing, void (*destroy)(void *thing), struct err *e);
/* Drop what is kept: before work that keeps nothing and needs memory. */
void native_kept_drop(void);

#endif
