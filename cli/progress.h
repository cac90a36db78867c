/* Live progress of a sweep on stderr: one bar per stage on a terminal, plain lines otherwise. */
#ifndef ACSWEEP_CLI_PROGRESS_H
#define ACSWEEP_CLI_PROGRESS_H

#include "common/own.h"
#include "common/wire.h"

struct progress;

struct progress *progress_create(FILE *f, struct err *e);
/* Show a snapshot. Plain lines come at most every two seconds, and at once when a stage ends. */
void progress_update(struct progress *p, const Acsweep__Snapshot *s);
/* A line of our own, above the bars. */
void progress_note(struct progress *p, const char *text);
/* The bars stay as they are; further output starts below them. */
void progress_end(struct progress *p);
void progress_free(struct progress *p);
DEFINE_CLEANUP(progress_free, struct progress *)

#endif
