/* Envelope <-> bytes, with size and version limits. The only place that packs and unpacks protocol buffers. */
#ifndef ACSWEEP_COMMON_WIRE_H
#define ACSWEEP_COMMON_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "proto/acsweep.pb-c.h"

#define WIRE_VERSION 1
#define WIRE_MAX_BYTES (8u << 20) /* one Envelope; results with inline artifacts are at most 1 MiB */

typedef Acsweep__Envelope envelope;

/* A received Envelope; free with envelope_free. ERR_PEER on oversized, malformed, versionless or bodyless bytes. A body
 * that this version does not know is not an error: body_case is then 0 and the caller answers Refused. */
MUST_USE envelope *wire_unpack(const void *bytes, size_t len, struct err *e);
void envelope_free(envelope *m);
DEFINE_CLEANUP(envelope_free, envelope *)

/* Packed size and bytes of an Envelope that the caller built (its version is filled in here when 0). The result is
 * malloc'ed. ERR_BUG when it is over WIRE_MAX_BYTES. */
MUST_USE int wire_pack(envelope *m, uint8_t **bytes, size_t *len, struct err *e);

/* One length-prefixed Envelope over a stream (the pipe between agent and exec). wire_write_fd blocks until written;
 * wire_read_fd returns 1 with *m, 0 at end of file before the first byte. */
MUST_USE int wire_write_fd(int fd, envelope *m, struct err *e);
MUST_USE int wire_read_fd(int fd, envelope **m, struct err *e);

#endif
