/* Whole files: written aside, made durable, renamed. Whoever reads the path sees the old content or the new, never a part. */
#ifndef ACSWEEP_COMMON_FILE_H
#define ACSWEEP_COMMON_FILE_H

#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

/* All `len` bytes, over short writes and signals; -1 with errno. */
MUST_USE int file_write_all(int fd, const void *bytes, size_t len);
/* `path` gets the content, readable by all, or stays as it was. ERR_ENV names the path and the reason. */
MUST_USE int file_replace(const char *path, const void *bytes, size_t len, struct err *e);
/* Make names in the directory of `path` durable, after a rename or a removal there. */
MUST_USE int file_sync_dir(const char *path, struct err *e);

#endif
