/* File work that may take long, or hang with a shared file system, on a thread of its own: one thread, one errand after
 * the other, and the loop goes on meanwhile. */
#ifndef ACSWEEP_WORKER_ERRANDS_H
#define ACSWEEP_WORKER_ERRANDS_H

#include <stdbool.h>

#include "common/err.h"
#include "common/loop.h"
#include "common/own.h"

struct errands;

/* To be the first member of what the errand is about. Owned by the errands from errands_put until done. */
struct errand {
    struct errand *next;
    void (*run)(struct errand *x);                /* on the thread */
    int (*done)(struct errand *x, struct err *e); /* on the loop, in the order of errands_put; frees it */
    void (*drop)(struct errand *x);               /* frees it, instead of done, when there is no time left for it */
};

/* NULL with ERR_ENV. */
struct errands *errands_create(struct loop *l, struct err *e);
/* Gives the errand in hand some seconds; the others are dropped. false when it hangs: it keeps its thread, and whatever
 * it may touch must stay. */
bool errands_destroy(struct errands *s);
static inline UNUSED void errands_destroy_cleanup(struct errands **s)
{
    errands_destroy(*s);
}

void errands_put(struct errands *s, struct errand *x);

#endif
