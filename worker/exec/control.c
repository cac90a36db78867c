/* One mutex guards all fields that the reader thread and the main thread share; writes to the socket have their own, so
 * that a slow agent never keeps the reader from seeing a Cancel. */
#include "worker/exec/control.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mono.h"
#include "worker/proctree.h"
#include "worker/token.h"

#define OBEY_NS (5 * NS_PER_S) /* time a task gets to end by itself once the agent is gone */

struct control {
    int fd, cancel_fd;
    pthread_t reader;
    pthread_mutex_t lock, write_lock;
    pthread_cond_t changed; /* next, busy or gone */
    envelope *next; /* assignment that waits for the main thread */
    Acsweep__Token *current; /* of the task, or the bundle, that runs */
    size_t n_current;
    bool busy, cancelled, gone;
    struct control_cancel cancel;
    struct err error; /* why the pipe broke, if it did */
};

static void set_cancel(struct control *c, const char *reason, int64_t grace_ns)
{
    if (!c->busy || c->cancelled)
        return;
    c->cancelled = true;
    c->cancel.grace_ns = grace_ns;
    snprintf(c->cancel.reason, sizeof c->cancel.reason, "%s", reason);
    uint64_t one = 1;
    if (write(c->cancel_fd, &one, sizeof one) < 0)
        log_error("exec.cancel_fd", KV_STR("reason", reason));
}

static int begin(struct control *c, const Acsweep__Assign *a, struct err *e)
{
    free(c->current);
    c->n_current = 0;
    c->current = calloc(a->n_assignments, sizeof *c->current);
    if (!c->current)
        return FAIL_NOMEM(e);
    for (; c->n_current < a->n_assignments; c->n_current++)
        c->current[c->n_current] = token_copy(a->assignments[c->n_current]->token);
    c->busy = true;
    c->cancelled = false;
    uint64_t drained;
    if (read(c->cancel_fd, &drained, sizeof drained) < 0)
        return 0; /* nothing was pending */
    return 0;
}

static bool is_whole(const Acsweep__Assign *a)
{
    for (size_t i = 0; i < a->n_assignments; i++)
        if (!a->assignments[i]->token || !a->assignments[i]->spec)
            return false;
    return a->n_assignments > 0;
}

static bool is_current(const struct control *c, const Acsweep__Token *t)
{
    for (size_t i = 0; i < c->n_current; i++)
        if (token_equal(t, &c->current[i]))
            return true;
    return false;
}

/* Takes ownership of m. */
static int take_message(struct control *c, envelope *m, struct err *e)
{
    AUTO(envelope_free) envelope *owned = m;
    switch (m->body_case) {
    case ACSWEEP__ENVELOPE__BODY_ASSIGN:
        if (!is_whole(m->assign))
            return FAIL(e, ERR_PEER, "the agent must assign whole tasks");
        if (c->next || c->busy)
            return FAIL(e, ERR_PEER, "the agent assigned a task before the last one had ended");
        TRY(begin(c, m->assign, e));
        c->next = TAKE(owned);
        pthread_cond_signal(&c->changed);
        return 0;
    case ACSWEEP__ENVELOPE__BODY_CANCEL:
        if (is_current(c, m->cancel->token))
            set_cancel(c, m->cancel->reason,
                       (int64_t)(m->cancel->grace_ms < 86400000 ? m->cancel->grace_ms : 86400000) * NS_PER_MS);
        return 0;
    default: /* ExecHello, and whatever a later agent may say */
        return 0;
    }
}

/* Called with the lock held. */
static bool wait_until_idle(struct control *c)
{
    int64_t until = mono_now() + OBEY_NS;
    const struct timespec ts = { .tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S };
    while (c->busy)
        if (pthread_cond_timedwait(&c->changed, &c->lock, &ts) != 0)
            return false;
    return true;
}

static void *read_loop(void *arg)
{
    struct control *c = arg;
    struct err e = { 0 };
    int got;
    for (;;) {
        envelope *m = NULL;
        got = wire_read_fd(c->fd, &m, &e);
        if (got <= 0)
            break;
        pthread_mutex_lock(&c->lock);
        got = take_message(c, m, &e);
        pthread_mutex_unlock(&c->lock);
        if (got < 0)
            break;
    }
    pthread_mutex_lock(&c->lock);
    c->gone = true;
    c->error = e;
    set_cancel(c, "agent_gone", 0);
    pthread_cond_broadcast(&c->changed);
    bool obeyed = wait_until_idle(c);
    pthread_mutex_unlock(&c->lock);
    if (obeyed)
        return NULL;
    log_error("exec.stuck", KV_STR("action", "the agent is gone and the task does not end: killing the tree"));
    proctree_kill_all(getpid(), 20);
    _exit(70);
}

struct control *control_start(int fd, struct err *e)
{
    struct control *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    c->fd = fd;
    c->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->write_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    /* Signals belong to the main thread. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = c->cancel_fd < 0 || pthread_create(&c->reader, NULL, read_loop, c) != 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        if (c->cancel_fd >= 0)
            close(c->cancel_fd);
        free(c);
        return FAIL_NULL(e, ERR_ENV, "cannot start the reader of the agent's pipe");
    }
    return c;
}

void control_destroy(struct control *c)
{
    if (!c)
        return;
    control_end_task(c);
    shutdown(c->fd, SHUT_RDWR); /* wakes the reader with an end of file */
    pthread_join(c->reader, NULL);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->write_lock);
    envelope_free(c->next);
    free(c->current);
    close(c->cancel_fd);
    close(c->fd);
    free(c);
}

int control_next(struct control *c, envelope **out, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    while (!c->next && !c->gone)
        pthread_cond_wait(&c->changed, &c->lock);
    int got = c->next && !c->gone;
    if (got) {
        *out = TAKE(c->next);
    } else {
        c->busy = false; /* a task that nobody waits for any more is not begun */
        pthread_cond_broadcast(&c->changed);
        if (c->error.kind != ERR_NONE) {
            *e = c->error;
            got = -1;
        }
    }
    pthread_mutex_unlock(&c->lock);
    return got;
}

void control_end_task(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    c->busy = false;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

int control_cancel_fd(const struct control *c)
{
    return c->cancel_fd;
}

bool control_cancelled(struct control *c, struct control_cancel *out)
{
    pthread_mutex_lock(&c->lock);
    bool yes = c->cancelled;
    if (yes && out)
        *out = c->cancel;
    pthread_mutex_unlock(&c->lock);
    return yes;
}

int control_send(struct control *c, envelope *m, struct err *e)
{
    pthread_mutex_lock(&c->write_lock);
    int done = wire_write_fd(c->fd, m, e);
    pthread_mutex_unlock(&c->write_lock);
    return done;
}
