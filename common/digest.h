/* SHA-256 and canonical JSON: what identities are made of.
 *
 * Canonical JSON: UTF-8, keys sorted by byte, no blanks, integers as integers, reals with the shortest digits that read
 * back the same (%.17g at most), so that the same value always has the same bytes. */
#ifndef ACSWEEP_COMMON_DIGEST_H
#define ACSWEEP_COMMON_DIGEST_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

#define DIGEST_HEX_SIZE 65

void digest_bytes(const void *bytes, size_t len, char hex[DIGEST_HEX_SIZE]);
MUST_USE int digest_file(const char *path, char hex[DIGEST_HEX_SIZE], uint64_t *bytes, struct err *e);
/* The same of an open file that `path` names in messages, from where it stands to its end, by blocks of the caller's
 * `size` bytes. `step` (may be NULL) hears of each block; -1 from it ends the reading. */
typedef int digest_step(void *arg, size_t n, struct err *e);
MUST_USE int digest_fd(int fd, const char *path, void *block, size_t size, digest_step *step, void *arg,
                       char hex[DIGEST_HEX_SIZE], struct err *e);

/* Canonical text, malloc'ed; NULL with ERR_INPUT for NaN or infinity. */
MUST_USE char *json_canonical(const json_t *value, struct err *e);
MUST_USE int digest_json(const json_t *value, char hex[DIGEST_HEX_SIZE], struct err *e);

static inline UNUSED void json_decref_cleanup(json_t **j)
{
    json_decref(*j);
}

#endif
