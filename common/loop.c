/* Event loop over zmq_poll. Sources live in an array that mirrors the poll items and is compacted between rounds, so
 * that a callback may add or remove anything; timers live in a binary heap ordered by due time. */
#include "common/loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <zmq.h>

enum { SIGNAL_MAX = 64, SIGNAL_BATCH = 16 };
#define DISARMED SIZE_MAX

struct loop_source {
    struct loop *l;
    void *socket; /* or NULL, then fd */
    int fd;
    int own_fd; /* closed with the source, or -1 */
    short events;
    bool dead; /* removed, waiting for compaction */
    loop_io_fn *fn;
    loop_timer_fn *wake_fn;
    void *arg;
};

struct loop_timer {
    struct loop *l;
    int64_t due, repeat;
    size_t heap_at; /* or DISARMED */
    size_t list_at;
    bool dead; /* removed inside its own callback */
    loop_timer_fn *fn;
    void *arg;
};

struct signal_slot {
    loop_signal_fn *fn;
    void *arg;
};

struct loop {
    struct loop_source **sources;
    zmq_pollitem_t *items;                   /* items[i] mirrors sources[i] */
    size_t n_sources, cap_sources, n_polled; /* sources added since the poll have no item yet */
    struct loop_timer **timers, **heap;      /* all timers, and the armed ones */
    size_t n_timers, cap_timers, n_heap;
    struct loop_timer *firing;
    struct signal_slot signals[SIGNAL_MAX + 1];
    struct loop_source *signal_source;
    sigset_t signal_set, old_mask;
    bool stopped, running;
};

struct loop *loop_create(struct err *e)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    sigemptyset(&l->signal_set);
    pthread_sigmask(SIG_BLOCK, NULL, &l->old_mask);
    return l;
}

static void source_free(struct loop_source *s)
{
    if (s->own_fd >= 0)
        close(s->own_fd);
    free(s);
}

void loop_destroy(struct loop *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->n_sources; i++)
        source_free(l->sources[i]);
    for (size_t i = 0; i < l->n_timers; i++)
        free(l->timers[i]);
    pthread_sigmask(SIG_SETMASK, &l->old_mask, NULL);
    free(l->sources);
    free(l->items);
    free(l->timers);
    free(l->heap);
    free(l);
}

/* ---- sources --------------------------------------------------------------------------------------------------- */

static int sources_reserve(struct loop *l, struct err *e)
{
    if (l->n_sources < l->cap_sources)
        return 0;
    size_t cap = l->cap_sources ? 2 * l->cap_sources : 8;
    struct loop_source **sources = realloc(l->sources, cap * sizeof(struct loop_source *));
    if (!sources)
        return FAIL_NOMEM(e);
    l->sources = sources;
    zmq_pollitem_t *items = realloc(l->items, cap * sizeof *items);
    if (!items)
        return FAIL_NOMEM(e);
    l->items = items;
    l->cap_sources = cap;
    return 0;
}

static struct loop_source *source_add(struct loop *l, struct loop_source init, struct err *e)
{
    if (sources_reserve(l, e) < 0)
        return NULL;
    struct loop_source *s = malloc(sizeof *s);
    if (!s)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    *s = init;
    s->l = l;
    l->sources[l->n_sources++] = s;
    return s;
}

struct loop_source *loop_add_zmq(struct loop *l, void *socket, short events, loop_io_fn *fn, void *arg, struct err *e)
{
    return source_add(
        l, (struct loop_source){ .socket = socket, .fd = -1, .own_fd = -1, .events = events, .fn = fn, .arg = arg }, e);
}

struct loop_source *loop_add_fd(struct loop *l, int fd, short events, loop_io_fn *fn, void *arg, struct err *e)
{
    return source_add(l, (struct loop_source){ .fd = fd, .own_fd = -1, .events = events, .fn = fn, .arg = arg }, e);
}

void loop_set_events(struct loop_source *s, short events)
{
    s->events = events;
}

void loop_remove(struct loop_source *s)
{
    if (s)
        s->dead = true;
}

static void sources_compact(struct loop *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n_sources; i++) {
        if (l->sources[i]->dead)
            source_free(l->sources[i]);
        else
            l->sources[kept++] = l->sources[i];
    }
    l->n_sources = kept;
}

static int on_wake(struct loop *l, short events, void *arg, struct err *e)
{
    (void)events;
    struct loop_source *s = arg;
    uint64_t count;
    if (read(s->fd, &count, sizeof count) < 0)
        return 0; /* taken already */
    return s->wake_fn(l, s->arg, e);
}

struct loop_source *loop_add_wake(struct loop *l, loop_timer_fn *fn, void *arg, struct err *e)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return FAIL_NULL(e, ERR_ENV, "eventfd: %s", strerror(errno));
    struct loop_source init = {
        .fd = fd, .own_fd = fd, .events = ZMQ_POLLIN, .fn = on_wake, .wake_fn = fn, .arg = arg
    };
    struct loop_source *s = source_add(l, init, e);
    if (!s)
        close(fd);
    return s;
}

void loop_wake(struct loop_source *s)
{
    uint64_t one = 1;
    ssize_t ignored = write(s->fd, &one, sizeof one); /* fails only when a wake is pending */
    (void)ignored;
}

/* ---- signals --------------------------------------------------------------------------------------------------- */

static int on_signalfd(struct loop *l, short events, void *arg, struct err *e)
{
    (void)events;
    (void)arg;
    struct signalfd_siginfo infos[SIGNAL_BATCH];
    ssize_t n = read(l->signal_source->fd, infos, sizeof infos);
    for (ssize_t i = 0; i < n / (ssize_t)sizeof infos[0]; i++) {
        uint32_t signo = infos[i].ssi_signo;
        if (signo <= SIGNAL_MAX && l->signals[signo].fn)
            TRY(l->signals[signo].fn(l, (int)signo, l->signals[signo].arg, e));
    }
    return 0;
}

int loop_add_signal(struct loop *l, int signo, loop_signal_fn *fn, void *arg, struct err *e)
{
    if (signo < 1 || signo > SIGNAL_MAX)
        return FAIL(e, ERR_BUG, "no signal %d", signo);
    l->signals[signo] = (struct signal_slot){ fn, arg };
    sigaddset(&l->signal_set, signo);
    pthread_sigmask(SIG_BLOCK, &l->signal_set, NULL);
    int fd = signalfd(l->signal_source ? l->signal_source->fd : -1, &l->signal_set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return FAIL(e, ERR_ENV, "signalfd: %s", strerror(errno));
    if (l->signal_source)
        return 0;
    struct loop_source init = { .fd = fd, .own_fd = fd, .events = ZMQ_POLLIN, .fn = on_signalfd };
    l->signal_source = source_add(l, init, e);
    if (!l->signal_source) {
        close(fd);
        return -1;
    }
    return 0;
}

/* ---- timers: a binary heap ------------------------------------------------------------------------------------- */

static void heap_put(struct loop *l, size_t at, struct loop_timer *t)
{
    l->heap[at] = t;
    t->heap_at = at;
}

static void heap_up(struct loop *l, size_t at)
{
    struct loop_timer *t = l->heap[at];
    while (at > 0 && t->due < l->heap[(at - 1) / 2]->due) {
        heap_put(l, at, l->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(l, at, t);
}

static void heap_down(struct loop *l, size_t at)
{
    struct loop_timer *t = l->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= l->n_heap)
            break;
        if (child + 1 < l->n_heap && l->heap[child + 1]->due < l->heap[child]->due)
            child++;
        if (t->due <= l->heap[child]->due)
            break;
        heap_put(l, at, l->heap[child]);
        at = child;
    }
    heap_put(l, at, t);
}

void loop_timer_disarm(struct loop_timer *t)
{
    struct loop *l = t->l;
    size_t at = t->heap_at;
    if (at == DISARMED)
        return;
    t->heap_at = DISARMED;
    struct loop_timer *last = l->heap[--l->n_heap];
    if (last == t)
        return;
    heap_put(l, at, last);
    heap_up(l, at);
    heap_down(l, last->heap_at);
}

static void timer_arm_at(struct loop_timer *t, int64_t due, int64_t repeat_ns)
{
    loop_timer_disarm(t);
    t->due = due;
    t->repeat = repeat_ns;
    heap_put(t->l, t->l->n_heap++, t);
    heap_up(t->l, t->heap_at);
}

void loop_timer_arm(struct loop_timer *t, int64_t delay_ns, int64_t repeat_ns)
{
    int64_t now = mono_now(), due;
    if (__builtin_add_overflow(now, delay_ns > 0 ? delay_ns : 0, &due))
        due = INT64_MAX; /* "never" is a fair delay */
    timer_arm_at(t, due, repeat_ns > 0 ? repeat_ns : 0);
}

bool loop_timer_armed(const struct loop_timer *t)
{
    return t->heap_at != DISARMED;
}

/* The heap never needs more room than there are timers, so arming cannot fail. */
static int timers_reserve(struct loop *l, struct err *e)
{
    if (l->n_timers < l->cap_timers)
        return 0;
    size_t cap = l->cap_timers ? 2 * l->cap_timers : 8;
    struct loop_timer **timers = realloc(l->timers, cap * sizeof(struct loop_timer *));
    if (!timers)
        return FAIL_NOMEM(e);
    l->timers = timers;
    struct loop_timer **heap = realloc(l->heap, cap * sizeof(struct loop_timer *));
    if (!heap)
        return FAIL_NOMEM(e);
    l->heap = heap;
    l->cap_timers = cap;
    return 0;
}

struct loop_timer *loop_add_timer(struct loop *l, int64_t delay_ns, int64_t repeat_ns, loop_timer_fn *fn, void *arg,
                                  struct err *e)
{
    if (timers_reserve(l, e) < 0)
        return NULL;
    struct loop_timer *t = malloc(sizeof *t);
    if (!t)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    *t = (struct loop_timer){ .l = l, .heap_at = DISARMED, .list_at = l->n_timers, .fn = fn, .arg = arg };
    l->timers[l->n_timers++] = t;
    if (delay_ns >= 0)
        loop_timer_arm(t, delay_ns, repeat_ns);
    return t;
}

void loop_remove_timer(struct loop_timer *t)
{
    if (!t || t->dead)
        return;
    struct loop *l = t->l;
    loop_timer_disarm(t);
    l->timers[t->list_at] = l->timers[--l->n_timers];
    l->timers[t->list_at]->list_at = t->list_at;
    if (t == l->firing)
        t->dead = true;
    else
        free(t);
}

static int timer_fire(struct loop *l, struct loop_timer *t, int64_t now, struct err *e)
{
    if (t->repeat > 0)
        timer_arm_at(t, t->due + t->repeat > now ? t->due + t->repeat : now + t->repeat, t->repeat);
    else
        loop_timer_disarm(t);
    l->firing = t;
    int rc = t->fn(l, t->arg, e);
    l->firing = NULL;
    if (t->dead)
        free(t);
    return rc;
}

/* At most as many as were armed at the start, so that a timer that re-arms itself with no delay cannot starve sockets.
 */
static int timers_fire(struct loop *l, struct err *e)
{
    int64_t now = mono_now();
    int fired = 0;
    for (size_t left = l->n_heap; left > 0 && l->n_heap > 0 && l->heap[0]->due <= now; left--) {
        TRY(timer_fire(l, l->heap[0], now, e));
        fired++;
    }
    return fired;
}

/* ---- rounds ---------------------------------------------------------------------------------------------------- */

static long poll_timeout_ms(const struct loop *l, int64_t timeout_ns)
{
    int64_t ms = timeout_ns < 0 ? -1 : timeout_ns / NS_PER_MS + (timeout_ns % NS_PER_MS != 0);
    if (l->n_heap > 0) {
        int64_t left = l->heap[0]->due - mono_now();
        int64_t timer_ms = left <= 0 ? 0 : left / NS_PER_MS + (left % NS_PER_MS != 0);
        if (ms < 0 || timer_ms < ms)
            ms = timer_ms;
    }
    return ms > INT_MAX ? INT_MAX : (long)ms;
}

static int sources_poll(struct loop *l, long timeout_ms, struct err *e)
{
    sources_compact(l);
    for (size_t i = 0; i < l->n_sources; i++) {
        const struct loop_source *s = l->sources[i];
        l->items[i] = (zmq_pollitem_t){ .socket = s->socket, .fd = s->fd, .events = s->events };
    }
    l->n_polled = l->n_sources;
    int rc = zmq_poll(l->items, (int)l->n_polled, timeout_ms);
    if (rc < 0 && zmq_errno() != EINTR)
        return FAIL(e, zmq_errno() == ETERM ? ERR_BUG : ERR_ENV, "zmq_poll: %s", zmq_strerror(zmq_errno()));
    return rc < 0 ? 0 : rc;
}

static int sources_fire(struct loop *l, struct err *e)
{
    int fired = 0;
    for (size_t i = 0; i < l->n_polled; i++) {
        struct loop_source *s = l->sources[i];
        short events = l->items[i].revents;
        if (!events || s->dead)
            continue;
        TRY(s->fn(l, events, s->wake_fn ? s : s->arg, e));
        fired++;
    }
    return fired;
}

static int round_run(struct loop *l, int64_t timeout_ns, struct err *e)
{
    int ready = sources_poll(l, poll_timeout_ms(l, timeout_ns), e);
    TRY(ready);
    int fired = timers_fire(l, e);
    TRY(fired);
    int called = ready > 0 ? sources_fire(l, e) : 0;
    TRY(called);
    return fired + called;
}

int loop_once(struct loop *l, int64_t timeout_ns, struct err *e)
{
    if (l->running)
        return FAIL(e, ERR_BUG, "loop_once called from a callback");
    l->running = true;
    int rc = round_run(l, timeout_ns, e);
    l->running = false;
    return rc;
}

int loop_run(struct loop *l, struct err *e)
{
    l->stopped = false;
    while (!l->stopped)
        TRY(loop_once(l, -1, e));
    return 0;
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
}
