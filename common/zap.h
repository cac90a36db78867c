/* Who may connect: a ZAP 1.0 handler (rfc.zeromq.org/spec/27) in a thread of its own, asked by libzmq in the handshake
 * of every CURVE socket of the same context. It holds named allow-lists in memory; a socket's ZAP domain is the name of
 * its list. A key that is taken off a list cannot connect again, at once; libzmq keeps a connection that stands, so a
 * chan asks zap_is_allowed() for every message it receives. */
#ifndef ACSWEEP_COMMON_ZAP_H
#define ACSWEEP_COMMON_ZAP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

#define ZAP_DOMAINS_MAX 8
#define ZAP_DOMAIN_SIZE 32

struct zap;

/* Counts as started only when the handler is bound. At most one per ZeroMQ context. */
struct zap *zap_start(void *zmq, struct err *e);
void zap_stop(struct zap *z); /* NULL is fine; before zmq_ctx_term */
DEFINE_CLEANUP(zap_stop, struct zap *)

/* Replace the list of `domain` as a whole. Public keys in Z85; ERR_INPUT names the first one that is not. Thread-safe.
 */
MUST_USE int zap_allow_set(struct zap *z, const char *domain, const char *const *keys, size_t n, struct err *e);
/* Is this public key on the list now? Thread-safe. */
bool zap_is_allowed(struct zap *z, const char *domain, const char *key);

#endif
