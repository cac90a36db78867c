/* The life of a task as a table: (state, event) -> next state, with the reason that logs, events and `explain` show.
 *
 * Five of the states are stored (enum task_state of the database); three exist only in the leader's memory: ready is
 * derived from the inputs, leasing and ending wait for a commit. */
#ifndef ACSWEEP_COMMON_TASK_STATE_H
#define ACSWEEP_COMMON_TASK_STATE_H

#include <stdbool.h>
#include <stddef.h>

enum task_state {
    TASK_PENDING, /* waits for inputs, or for the end of a backoff */
    TASK_READY,   /* every input is done; waits for a slot (memory only; pending in the database) */
    TASK_LEASING, /* a lease is being committed (memory only) */
    TASK_LEASED,  /* a worker holds it */
    TASK_ENDING,  /* an outcome is being committed (memory only) */
    TASK_DONE,
    TASK_FAILED,
    TASK_CANCELLED,
    TASK_STATES
};

enum task_event {
    EV_INPUTS_DONE,   /* the last input was committed, or a backoff ended */
    EV_ASSIGNED,      /* the scheduler gave it a slot */
    EV_LEASE_STORED,  /* the lease is durable */
    EV_OUTCOME_IN,    /* a result came, or the lease ran out */
    EV_STORED_DONE,   /* the outcome is durable: success */
    EV_STORED_RETRY,  /* ... another attempt follows */
    EV_STORED_FAILED, /* ... failed for good */
    EV_CANCELLED,     /* the user or the sweep gave it up, durable */
    EV_REVIVED,       /* retried by the user, or submitted again */
    TASK_EVENTS
};

/* False when the event has no place in that state (our own mistake, or a message out of turn); *why may be NULL. */
bool task_state_next(enum task_state from, enum task_event on, enum task_state *to, const char **why);
const char *task_state_name(enum task_state s); /* "pending", "ready", ... */
const char *
task_state_stored(enum task_state s); /* as the database says it: pending, leased, done, failed, cancelled */
bool task_state_of_stored(const char *name, enum task_state *out);
bool task_state_terminal(enum task_state s);

#endif
