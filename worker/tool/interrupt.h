/* Signals while a command computes: the first SIGINT or SIGTERM asks it to stop, the second ends the program at once; by then
 * nothing half-written has its final name. */
#ifndef ACSWEEP_WORKER_TOOL_INTERRUPT_H
#define ACSWEEP_WORKER_TOOL_INTERRUPT_H

#include "common/err.h"
#include "common/own.h"

void tool_catch_signals(void);
/* ERR_INTERRUPTED once a signal has come. */
MUST_USE int tool_interrupted(struct err *e);

#endif
