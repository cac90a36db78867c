/* What libzmq's socket monitor says, as four kinds of link news with a reason for people. Private to chan.c. */
#ifndef ACSWEEP_COMMON_CHAN_MONITOR_H
#define ACSWEEP_COMMON_CHAN_MONITOR_H

#include "common/chan.h"

struct chan_monitor;

/* `ready` is called by the loop when there is news and must call chan_monitor_drain; `news` gets each change. */
struct chan_monitor *chan_monitor_create(struct loop *l, void *zmq, void *socket, const char *name, bool router,
                                         loop_io_fn *ready,
                                         int (*news)(enum chan_link link, const char *why, void *arg, struct err *e),
                                         void *arg, struct err *e);
/* Before the socket is closed. NULL is fine. */
void chan_monitor_destroy(struct chan_monitor *m);
MUST_USE int chan_monitor_drain(struct chan_monitor *m, struct err *e);

#endif
