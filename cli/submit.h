/* A sweep.cfg as a Submit request: its text and the small files that it names, so that the coordinator needs no access to
 * the client's disk. */
#ifndef ACSWEEP_CLI_SUBMIT_H
#define ACSWEEP_CLI_SUBMIT_H

#include "cli/link.h"
#include "coordinator/plan.h"

/* Check the file here (all its errors are ours to show, with file and line), then send it. *name: the sweep's name as the
 * config says, malloc'ed. *text: the coordinator's line, malloc'ed; may be NULL. */
MUST_USE int submit_file(struct link *k, const char *path, int64_t timeout_ns, char **name, char **json, char **text, struct err *e);

/* A small text file, malloc'ed and NUL-terminated. ERR_INPUT naming the path when it cannot be read, is large or binary. */
char *read_text_file(const char *path, struct err *e);

#endif
