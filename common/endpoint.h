/* A ZeroMQ address that people may write, checked and in normal form: tcp://HOST:PORT, tcp://[IPV6]:PORT, ipc://PATH.
 */
#ifndef ACSWEEP_COMMON_ENDPOINT_H
#define ACSWEEP_COMMON_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

#define ENDPOINT_SIZE 288
#define ENDPOINT_HOST_SIZE 256
#define ENDPOINT_PATH_MAX 107 /* sockaddr_un */

struct endpoint {
    bool ipc;
    bool loopback;                 /* ipc, 127.0.0.0/8, ::1 or localhost: no keys needed */
    bool ipv6;                     /* literal */
    char host[ENDPOINT_HOST_SIZE]; /* without brackets; "*" = every interface (to bind) */
    uint16_t port;                 /* 0 = any free one (to bind, written "*") */
    char text[ENDPOINT_SIZE];      /* as ZeroMQ takes it */
};

enum endpoint_use { ENDPOINT_CONNECT, ENDPOINT_BIND }; /* only BIND knows "*" */

/* ERR_INPUT quoting the text, with what is wrong and how it should look. */
MUST_USE int endpoint_parse(const char *text, enum endpoint_use use, struct endpoint *out, struct err *e);
/* The HOST:PORT part alone, of `len` bytes. */
MUST_USE int endpoint_parse_host_port(const char *text, size_t len, enum endpoint_use use, struct endpoint *out,
                                      struct err *e);

#endif
