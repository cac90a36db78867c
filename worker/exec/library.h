/* Libraries of the GPU's driver, which a node has or has not: opened at run time, with our own declarations of their
 * calls. */
#ifndef ACSWEEP_WORKER_EXEC_LIBRARY_H
#define ACSWEEP_WORKER_EXEC_LIBRARY_H

#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

/* The library that the environment variable names, or the first there is of `names` (NULL at the end). NULL with
 * ERR_ENV that says what was tried. */
void *library_open(const char *variable, const char *const *names, const char *what, struct err *e);
void library_close(void *library);

struct library_call {
    void *slot;               /* address of the function pointer */
    const char *name, *other; /* another name of it, or NULL */
};
/* ERR_ENV names the call that is missing. */
MUST_USE int library_bind(void *library, const char *what, const struct library_call *calls, size_t n, struct err *e);

#endif
