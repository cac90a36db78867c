/* The join string, all that a new worker needs: acsweep://HOST:PORT[,HOST:PORT...][?key=SERVERKEY]
 *
 * The key is the coordinator's public key: 64 hex digits (as join_format writes it, safe in a shell and in a batch
 * script) or 40 characters of Z85 (as keygen's .pub file holds it). It is needed unless every address is on loopback. A
 * single ipc://PATH is taken too, for workers on the coordinator's own machine. */
#ifndef ACSWEEP_COMMON_JOIN_H
#define ACSWEEP_COMMON_JOIN_H

#include <stddef.h>

#include "common/buf.h"
#include "common/endpoint.h"
#include "common/err.h"
#include "common/keys.h"

#define JOIN_MAX_ENDPOINTS 8
#define JOIN_MAX_TEXT 4096

struct join {
    struct endpoint endpoints[JOIN_MAX_ENDPOINTS];
    size_t n;
    char server_key[KEY_TEXT_SIZE]; /* Z85, "" without */
};

/* ERR_INPUT with the position in the text and the remedy. */
MUST_USE int join_parse(const char *text, struct join *j, struct err *e);
/* The text that join_parse reads back to the same join; check the buffer with buf_check. */
void join_format(const struct join *j, struct buf *out);

#endif
