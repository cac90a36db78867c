/* A batch of effects that becomes durable in one transaction: outcomes, leases, marks, events.
 *
 * The loop gathers the next batch while the database commits the last one. Nothing is sent to a worker
 * (acknowledgement, assignment) before its batch is committed. */
#ifndef ACSWEEP_COORDINATOR_COMMIT_H
#define ACSWEEP_COORDINATOR_COMMIT_H

#include "common/wire.h"
#include "coordinator/dbthread.h"
#include "coordinator/graph.h"

struct coord;

struct commit_end { /* the end of an attempt */
    struct task *task;
    const Acsweep__Result *result; /* lives in one of the batch's envelopes; NULL = ended without a result */
    const char *outcome;           /* attempt_outcome, static */
    int failure;                   /* proto FailureClass */
    bool charged;
    enum task_event next; /* EV_STORED_DONE, _RETRY, _FAILED or EV_CANCELLED */
    char *message;        /* malloc'ed */
    char *worker_id;      /* malloc'ed */
    struct worker *ack;   /* the worker to acknowledge to; NULL = none */
};
struct commit_mark {
    struct task *task;
    enum task_state from, to;
    char *reason;
};
struct commit_event {
    const char *kind; /* static */
    uint64_t task_id, epoch;
    uint32_t attempt;
    char *worker, *text;
};
struct commit_lease {
    struct task *task;
    char *worker_id;
};

struct commit {
    struct db_job job;
    struct coord *coord;
    uint64_t epoch, serial;
    struct commit_end *ends;
    struct commit_lease *leases;
    struct commit_mark *marks;
    struct commit_event *events;
    struct task **cancels; /* running tasks that were asked to stop */
    envelope **envelopes;
    size_t n_ends, n_leases, n_marks, n_events, n_cancels, n_envelopes;
    size_t cap_ends, cap_leases, cap_marks, cap_events, cap_cancels, cap_envelopes;
};

struct commit *commit_create(struct coord *c, struct err *e);
void commit_destroy(struct commit *b);
bool commit_empty(const struct commit *b);
/* Each copies what it needs to outlive the call. */
MUST_USE int commit_add_end(struct commit *b, const struct commit_end *end, struct err *e);
MUST_USE int commit_add_lease(struct commit *b, struct task *t, const char *worker_id, struct err *e);
MUST_USE int commit_add_mark(struct commit *b, struct task *t, enum task_state from, enum task_state to,
                             const char *reason, struct err *e);
MUST_USE int commit_add_event(struct commit *b, const char *kind, uint64_t task_id, uint32_t attempt, uint64_t epoch,
                              const char *worker, const char *text, struct err *e);
/* A LEASED task was asked to stop: a later leader asks again. */
MUST_USE int commit_add_cancel(struct commit *b, struct task *t, struct err *e);
/* Keep a received message alive until the batch is through; takes *m. */
MUST_USE int commit_keep(struct commit *b, envelope **m, struct err *e);

/* db_job.run: the transaction. */
int commit_run(struct db_job *j, struct db *d, struct err *e);

/* "infrastructure", ... as the database says it. */
const char *failure_class_name(int failure);

#endif
