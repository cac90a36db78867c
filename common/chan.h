/* A ZeroMQ socket that speaks Envelope: ROUTER on the coordinator's side (chan_bind), DEALER on the worker's and the
 * command line's (chan_connect). One thread, the loop's. Nothing is dropped in silence: a message that cannot be taken
 * now is reported as such, one for a peer that is gone is an error, malformed bytes go to on_bad, and every change of
 * the link is one log line and one call of on_link.
 *
 * The DEALER queues only on a finished connection: what is sent is sent to the peer that on_link announced, and what
 * was on the way when the link broke is lost. Above it, results are sent again until acknowledged. */
#ifndef ACSWEEP_COMMON_CHAN_H
#define ACSWEEP_COMMON_CHAN_H

#include <stdint.h>

#include "common/err.h"
#include "common/keys.h"
#include "common/loop.h"
#include "common/own.h"
#include "common/wire.h"

struct zap;
struct chan;

#define PEER_ID_MAX 255
struct peer_id { /* a peer's ROUTER identity: raw bytes, compare with peer_id_equal */
    uint8_t len;
    uint8_t bytes[PEER_ID_MAX];
};
#define PEER_ID_TEXT_SIZE (2 * PEER_ID_MAX + 1)
struct peer_id peer_id_of(const char *text); /* cut at PEER_ID_MAX */
bool peer_id_equal(const struct peer_id *a, const struct peer_id *b);
/* For logs: the identity itself when it is printable, else in hex. Returns `text`. */
const char *peer_id_text(const struct peer_id *p, char text[PEER_ID_TEXT_SIZE]);

enum chan_link {
    CHAN_UP,          /* connected and the handshake is done (a ROUTER: with some peer) */
    CHAN_DOWN,        /* a finished connection was lost; ZeroMQ tries again by itself */
    CHAN_UNREACHABLE, /* nobody answers at the address, or it refuses; tries again */
    CHAN_REFUSED,     /* the handshake failed: wrong server key, key not allowed, one side without keys */
};

/* Callbacks return 0, or -1 with `e` to end the loop; all but on_message may be NULL. */
struct chan_handlers {
    /* `from` is empty on a DEALER. `user` is the peer's public key in Z85 as the handshake proved it, "" without CURVE.
     * *m is freed after the call unless the handler takes it: `envelope *mine = TAKE(*m)`. A known version with a body
     * that this program does not know arrives with body_case 0. */
    int (*on_message)(struct chan *c, const struct peer_id *from, const char *user, envelope **m, void *arg,
                      struct err *e);
    /* Bytes that are no Envelope, or any message of a peer whose key has been taken off the allow-list. */
    int (*on_bad)(struct chan *c, const struct peer_id *from, const char *user, const struct err *why, void *arg,
                  struct err *e);
    int (*on_link)(struct chan *c, enum chan_link link, const char *why, void *arg, struct err *e);
    /* DEALER only: after chan_send said 1, called once when it is worth another try. A ROUTER has no such news per
     * peer: try again when the peer's next message comes, or on a timer. */
    int (*on_writable)(struct chan *c, void *arg, struct err *e);
    void *arg;
};

struct chan_options {
    void *zmq;            /* ZeroMQ context, shared with the zap */
    const char *name;     /* for logs: "workers", "control" */
    const char *endpoint; /* tcp://HOST:PORT, tcp://[IPV6]:PORT, ipc://PATH; to bind, port * picks a free one */
    /* CURVE, needed beyond loopback and ipc */
    const struct key_pair *keys; /* our own; copied */
    const char *server_key;      /* chan_connect: the coordinator's public key, Z85 */
    struct zap *zap;             /* chan_bind with keys: who may connect... */
    const char *zap_domain;      /* ...by the allow-list of this name */
    const char *identity;        /* chan_connect: our ROUTER identity, 1..255 bytes, not starting with a zero byte */
    /* limits; 0 takes the default */
    int hwm;              /* messages queued per peer and direction (256) */
    int64_t heartbeat_ns; /* ZMTP ping interval (10 s); a silent peer is dropped after three */
    int64_t linger_ns;    /* how long chan_destroy's leftovers may still be sent (500 ms) */
    uint64_t max_bytes;   /* of one message (WIRE_MAX_BYTES); a peer that sends more is disconnected */
    struct chan_handlers on;
};

/* ERR_INPUT: endpoint malformed, or beyond loopback without keys. ERR_ENV: address in use, no such interface ... */
struct chan *chan_bind(struct loop *l, const struct chan_options *o, struct err *e);
/* Returns at once; on_link tells when the link is up, and why it is not. */
struct chan *chan_connect(struct loop *l, const struct chan_options *o, struct err *e);
/* Also from a callback of its own, and then the last one. Before loop_destroy and zap_stop. */
void chan_destroy(struct chan *c);
DEFINE_CLEANUP(chan_destroy, struct chan *)

/* 0 = queued, 1 = would block (high-water mark or no link; the caller keeps it and tries later), -1 = ERR_PEER "peer
 * gone", or ERR_BUG for an oversized message. `to` is NULL on a DEALER. The caller keeps `m`; its version is set, and a
 * message_id when it is 0. */
MUST_USE int chan_send(struct chan *c, const struct peer_id *to, envelope *m, struct err *e);

const char *chan_endpoint(const struct chan *c); /* as really bound, with the port; or as connected to */
const char *chan_name(const struct chan *c);

/* Raise the soft limit of open files to `want`, or as far as the hard limit allows: one descriptor per peer.
 * Returns the limit now in force. */
uint64_t chan_raise_file_limit(uint64_t want);

#endif
