/* The database thread: runs jobs one after the other on the leader's only connection, and hands each back to the loop.
 *
 * A job's `run` works on the database thread and must touch only the job's own memory; `done` is called on the loop
 * thread. Jobs keep their order. When the connection is lost, the job and all later ones come back with the error. */
#ifndef ACSWEEP_COORDINATOR_DBTHREAD_H
#define ACSWEEP_COORDINATOR_DBTHREAD_H

#include "common/err.h"
#include "common/loop.h"
#include "common/own.h"
#include "sql/db.h"

struct dbthread;

struct db_job {
    int (*run)(struct db_job *j, struct db *d, struct err *e);
    /* `why` is NULL on success. Frees the job. Returns -1 with `e` to end the loop. */
    int (*done)(struct db_job *j, const struct err *why, struct err *e);
    struct err err;
    int rc;
    struct db_job *next;
};

/* Takes the connection `d`. Signals stay with the loop's thread. */
struct dbthread *dbthread_create(struct loop *l, struct db *d, struct err *e);
void dbthread_post(struct dbthread *t, struct db_job *j); /* from the loop thread */
size_t dbthread_pending(const struct dbthread *t);        /* jobs posted and not yet handed back */
/* Waits for the job in hand, hands nothing back any more (jobs left are freed through `done` with ERR_INTERRUPTED),
 * closes the connection. */
void dbthread_destroy(struct dbthread *t);
DEFINE_CLEANUP(dbthread_destroy, struct dbthread *)

#endif
