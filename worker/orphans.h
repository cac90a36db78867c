/* What an agent that was killed left running. Every process that works for a state directory carries that directory's
 * mark in its environment, so its successor there finds them all, however often they forked and whatever sessions they
 * made; no list of process ids exists that could be out of date. */
#ifndef ACSWEEP_WORKER_ORPHANS_H
#define ACSWEEP_WORKER_ORPHANS_H

#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

#define ORPHANS_VARIABLE "ACSWEEP_MARK"

/* Read the mark from the locked file of a state directory, or make it there, and put it into our own environment for
 * all that we start. Call it once, holding the lock, before any thread exists. */
MUST_USE int orphans_mark(int lock_fd, struct err *e);
/* SIGKILL every process that was started with our mark; returns how many were hit. */
size_t orphans_kill(void);

#endif
