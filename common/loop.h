/* The event loop of the coordinator and the worker agent: ZeroMQ sockets, file descriptors, timers, signals and
 * wake-ups from other threads, over zmq_poll, in one thread.
 *
 * A source or timer may be removed at any time, also from inside its own or another callback; after the removal its
 * callback is not called any more. Every callback returns 0 to go on, or -1 with `e` filled, which ends loop_run with
 * that error. Sources are level-triggered, ZeroMQ sockets included (zmq_poll asks the socket, not only its descriptor),
 * so a callback may leave work behind and is called again. */
#ifndef ACSWEEP_COMMON_LOOP_H
#define ACSWEEP_COMMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/mono.h"
#include "common/own.h"

struct loop;
struct loop_source; /* a socket, descriptor, signal or wake-up; belongs to the loop */
struct loop_timer;  /* belongs to the loop */

typedef int loop_io_fn(struct loop *l, short events, void *arg, struct err *e); /* events: ZMQ_POLLIN, ... */
typedef int loop_timer_fn(struct loop *l, void *arg, struct err *e);
typedef int loop_signal_fn(struct loop *l, int signo, void *arg, struct err *e);

struct loop *loop_create(struct err *e);
/* Frees every source and timer left; closes no socket or descriptor but its own; gives back the signal mask. */
void loop_destroy(struct loop *l);
DEFINE_CLEANUP(loop_destroy, struct loop *)

/* `events` is any of ZMQ_POLLIN | ZMQ_POLLOUT | ZMQ_POLLERR. NULL with ERR_ENV when memory is out. */
struct loop_source *loop_add_zmq(struct loop *l, void *socket, short events, loop_io_fn *fn, void *arg, struct err *e);
struct loop_source *loop_add_fd(struct loop *l, int fd, short events, loop_io_fn *fn, void *arg, struct err *e);
void loop_set_events(struct loop_source *s, short events);
/* NULL is fine. Remove a source before closing its socket or descriptor. */
void loop_remove(struct loop_source *s);

/* Signals come through a signalfd and are blocked in the calling thread, so call this before starting threads. SIGCHLD
 * coalesces: reap until waitpid() has nothing more. A child inherits the blocked mask: clear it before exec
 * (POSIX_SPAWN_SETSIGMASK). */
MUST_USE int loop_add_signal(struct loop *l, int signo, loop_signal_fn *fn, void *arg, struct err *e);

/* A source that another thread fires with loop_wake(); any number of wakes before the callback count as one. */
struct loop_source *loop_add_wake(struct loop *l, loop_timer_fn *fn, void *arg, struct err *e);
void loop_wake(struct loop_source *s); /* thread-safe until the source is removed */

/* A timer first fires after `delay_ns`, then every `repeat_ns` (0 = once). It stays, disarmed, after it fired once, and
 * can be armed again; late repeats are not made up for. A negative delay creates it disarmed. */
struct loop_timer *loop_add_timer(struct loop *l, int64_t delay_ns, int64_t repeat_ns, loop_timer_fn *fn, void *arg,
                                  struct err *e);
void loop_timer_arm(struct loop_timer *t, int64_t delay_ns, int64_t repeat_ns);
void loop_timer_disarm(struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);
void loop_remove_timer(struct loop_timer *t); /* NULL is fine */

/* Wait for at most `timeout_ns` (negative = until something happens), then call whatever is due. Returns the number of
 * callbacks called, or -1 with the error of one. Not to be called from a callback. */
MUST_USE int loop_once(struct loop *l, int64_t timeout_ns, struct err *e);
/* loop_once until loop_stop: 0, or -1 with the error that a callback returned. */
MUST_USE int loop_run(struct loop *l, struct err *e);
void loop_stop(struct loop *l); /* from a callback */

#endif
