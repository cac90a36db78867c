/* The agent's line to its coordinator: finds one among several addresses, greets, keeps the line alive and comes back.
 *
 *     waiting --backoff over--> connecting --link up--> greeting --Welcome--> up
 *        ^----------- unreachable, refused, silent: next address ------------/
 *
 * What goes over it is the agent's business; while the line is not up, uplink_send() says 1. */
#ifndef ACSWEEP_WORKER_UPLINK_H
#define ACSWEEP_WORKER_UPLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/join.h"
#include "common/keys.h"
#include "common/loop.h"
#include "common/own.h"
#include "common/wire.h"

struct uplink;

struct uplink_handlers {
    /* Fill and send the Hello with uplink_send_hello(); called each time a link is up. */
    int (*on_greet)(void *arg, struct err *e);
    /* The first answer to a Hello on this link. */
    int (*on_welcome)(const Acsweep__Welcome *w, void *arg, struct err *e);
    /* Everything else; *m may be taken. */
    int (*on_message)(envelope **m, void *arg, struct err *e);
    /* A Refused with code "result" to the message of that id. */
    int (*on_refused)(const Acsweep__Refused *r, uint64_t answers, void *arg, struct err *e);
    /* The line was up and is lost. */
    int (*on_lost)(void *arg, struct err *e);
    int (*on_writable)(void *arg, struct err *e);
    void *arg;
};

struct uplink_options {
    struct loop *loop;
    void *zmq;
    const struct join *join;
    const struct key_pair *keys; /* NULL without CURVE */
    const char *worker_id;
    struct uplink_handlers on;
};

struct uplink *uplink_create(const struct uplink_options *o, struct err *e);
void uplink_destroy(struct uplink *u);
DEFINE_CLEANUP(uplink_destroy, struct uplink *)

bool uplink_is_up(const struct uplink *u);
/* 0 = on its way, and m has its message_id; 1 = not now (keep it). A message to a coordinator that is gone counts as
 * not now. */
MUST_USE int uplink_send(struct uplink *u, envelope *m, struct err *e);
/* The same for a Hello, also while greeting. */
MUST_USE int uplink_send_hello(struct uplink *u, envelope *m, struct err *e);

#endif
