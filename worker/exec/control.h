/* The exec's end of the pipe to its agent.
 *
 * A reader thread takes Envelopes from fd 3, so that a Cancel is seen while the main thread computes. The main thread
 * takes assignments one after the other; an executor watches control_cancel_fd() or asks control_cancelled(). When the
 * agent is gone (end of file) the running task is cancelled, and if it does not obey, the whole tree is killed: an exec
 * never outlives its agent. */
#ifndef ACSWEEP_WORKER_EXEC_CONTROL_H
#define ACSWEEP_WORKER_EXEC_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire.h"

struct control;

struct control_cancel {
    char reason[64];   /* cancelled, fenced, drain, timeout, agent_gone */
    int64_t grace_ns;  /* between asking and killing */
};

/* `fd` is a stream socket; the control owns it from here on. */
struct control *control_start(int fd, struct err *e);
void control_destroy(struct control *c);
DEFINE_CLEANUP(control_destroy, struct control *)

/* Wait for the next assignment. 1: *out is the Envelope whose body is an Assign of one task, or of several that run
 * together (caller frees); a Cancel of any of them, which the agent sends when none is wanted any more, is one of all.
 * 0: the agent is gone; -1: the pipe broke the protocol. */
MUST_USE int control_next(struct control *c, envelope **out, struct err *e);

/* The current task has ended; call it before its result is sent, because the next assignment may follow at once. */
void control_end_task(struct control *c);

/* Readable as long as the current task is cancelled. */
int control_cancel_fd(const struct control *c);
bool control_cancelled(struct control *c, struct control_cancel *out);

/* Send one Envelope to the agent; blocks until written. */
MUST_USE int control_send(struct control *c, envelope *m, struct err *e);

#endif
