/* Inside worker/torch: the thread's error, shared by the build with libtorch and the one without. */
#ifndef ACSWEEP_WORKER_TORCH_TH_VALUE_H
#define ACSWEEP_WORKER_TORCH_TH_VALUE_H

#include "common/err.h"

/* The calling thread's error; empty when nothing failed. */
struct err *th_error_of_thread(void);
/* Set it to "where: text" unless it is set already. */
void th_error_set(enum err_kind kind, const char *where, const char *text);

#endif
