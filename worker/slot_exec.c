/* The pipe is a non-blocking socket pair: a stopped exec must never stop the agent's heartbeats. The end of the process
 * is seen through a pidfd, so no SIGCHLD is needed, and nothing else in the program can collect it by mistake. */
#include "worker/slot_exec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <zmq.h>

#include "common/buf.h"
#include "worker/proctree.h"
#include "worker/spawn.h"

#define EXEC_FD 3
#define OUT_LIMIT ((size_t)4 * WIRE_MAX_BYTES)
#define CHUNK ((size_t)65536)
#define IN_LIMIT ((size_t)WIRE_MAX_BYTES + 4 + CHUNK)
#define EOF_WAIT (10 * NS_PER_S) /* for an exec that has closed its pipe to be gone */
#define DIE_TRIES 400            /* of 5 ms */

struct slot_exec {
    struct loop *loop;
    pid_t pid; /* 0 once collected */
    int fd, pidfd;
    struct loop_source *io, *end;
    struct loop_timer *timer; /* armed at the end of the stream */
    struct buf in, out;
    bool killed;
    struct slot_exec_handlers on;
    bool *destroyed; /* set by slot_exec_destroy while a callback of ours runs */
    char broken[240];
};

/* ---- start -------------------------------------------------------------------------------------------------------- */

static int spawn(const struct slot_exec_options *o, int child_fd, pid_t *pid, struct err *e)
{
    AUTO(buf_free) struct buf devices = BUF_INIT(1 << 16);
    AUTO(free) char *scratch = NULL, *store = NULL;
    buf_puts(&devices, "CUDA_VISIBLE_DEVICES=");
    for (size_t i = 0; i < o->n_devices; i++)
        buf_printf(&devices, "%s%s", i ? "," : "", o->devices[i]);
    TRY(buf_check(&devices, "device list", e));
    if (asprintf(&scratch, "ACSWEEP_SCRATCH=%s", o->scratch) < 0 || asprintf(&store, "ACSWEEP_STORE=%s", o->store) < 0)
        return FAIL_NOMEM(e);
    char *argv[] = { (char *)o->path, NULL };
    const char *const set[] = { scratch, store, buf_text(&devices), NULL };
    return spawn_start(&(struct spawn){ argv, set, child_fd, EXEC_FD }, pid, e);
}

/* ---- messages ----------------------------------------------------------------------------------------------------- */

static void kill_tree(struct slot_exec *x)
{
    x->killed = true;
    if (x->pid > 0)
        proctree_kill_with_root(x->pid);
}

static void mark_broken(struct slot_exec *x, const struct err *e)
{
    snprintf(x->broken, sizeof x->broken, "%.200s", e->text);
    loop_remove(TAKE(x->io));
    kill_tree(x);
}

static uint32_t frame_length(const struct buf *b)
{
    const unsigned char *p = (const unsigned char *)b->data;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void buf_drop(struct buf *b, size_t n)
{
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = '\0';
}

/* Deliver every whole frame. Returns 1 when the receiver destroyed x meanwhile. */
static int deliver(struct slot_exec *x, struct err *e)
{
    while (x->in.len >= 4) {
        uint32_t len = frame_length(&x->in);
        struct err bad = { 0 };
        if (len == 0 || len > WIRE_MAX_BYTES) {
            (void)FAIL(&bad, ERR_PEER, "the exec announced a message of %u bytes", len);
            return mark_broken(x, &bad), 0;
        }
        if (x->in.len < 4 + (size_t)len)
            return 0;
        AUTO(envelope_free) envelope *m = wire_unpack(x->in.data + 4, len, &bad);
        if (!m)
            return mark_broken(x, &bad), 0;
        buf_drop(&x->in, 4 + (size_t)len);
        bool destroyed = false;
        x->destroyed = &destroyed;
        int done = x->on.on_message(m, x->on.arg, e);
        if (destroyed)
            return done < 0 ? -1 : 1;
        x->destroyed = NULL;
        TRY(done);
    }
    return 0;
}

/* 1: x is gone; 0: nothing more for now. *eof is set at the end of the stream. */
static int receive(struct slot_exec *x, bool *eof, struct err *e)
{
    char chunk[CHUNK];
    for (;;) {
        ssize_t n = recv(x->fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (n <= 0) {
            *eof = true;
            return 0;
        }
        buf_add(&x->in, chunk, (size_t)n);
        if (buf_check(&x->in, "message from acsweep-exec", e) < 0)
            return -1;
        int gone = deliver(x, e);
        if (gone != 0)
            return gone;
        if (!x->io)
            return 0;
    }
}

static void flush_out(struct slot_exec *x)
{
    while (x->out.len) {
        ssize_t n = send(x->fd, x->out.data, x->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            buf_clear(&x->out); /* it is dying; the pidfd says so soon */
            break;
        }
        if (n <= 0)
            break;
        buf_drop(&x->out, (size_t)n);
    }
    if (x->io)
        loop_set_events(x->io, x->out.len ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN);
}

static int on_io(struct loop *l, short events, void *arg, struct err *e)
{
    (void)l;
    struct slot_exec *x = arg;
    bool eof = false;
    if (events & ZMQ_POLLOUT)
        flush_out(x);
    int gone = receive(x, &eof, e);
    if (gone != 0)
        return gone < 0 ? -1 : 0;
    if (eof) { /* it is ending, or has lost its mind: nobody hears it any more */
        loop_remove(TAKE(x->io));
        loop_timer_arm(x->timer, EOF_WAIT, 0);
    }
    return 0;
}

static int on_timer(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    (void)e;
    kill_tree(arg);
    return 0;
}

static int on_end(struct loop *l, short events, void *arg, struct err *e)
{
    (void)l;
    (void)events;
    struct slot_exec *x = arg;
    bool eof = false;
    if (x->io) { /* what it said before it died */
        int gone = receive(x, &eof, e);
        if (gone != 0)
            return gone < 0 ? -1 : 0;
    }
    int status = 0;
    while (waitpid(x->pid, &status, 0) < 0 && errno == EINTR)
        ;
    x->pid = 0;
    loop_remove(TAKE(x->end));
    loop_remove(TAKE(x->io));
    return x->on.on_end(status, x->broken, x->on.arg, e);
}

/* ---- life --------------------------------------------------------------------------------------------------------- */

static int watch(struct slot_exec *x, struct err *e)
{
    x->pidfd = (int)syscall(SYS_pidfd_open, x->pid, 0);
    if (x->pidfd < 0)
        return FAIL(e, ERR_ENV, "pidfd_open: %s (Linux 5.3 or newer is needed)", strerror(errno));
    x->io = loop_add_fd(x->loop, x->fd, ZMQ_POLLIN, on_io, x, e);
    x->end = x->io ? loop_add_fd(x->loop, x->pidfd, ZMQ_POLLIN, on_end, x, e) : NULL;
    x->timer = x->end ? loop_add_timer(x->loop, -1, 0, on_timer, x, e) : NULL;
    return x->timer ? 0 : -1;
}

static int say_hello(struct slot_exec *x, const struct slot_exec_options *o, struct err *e)
{
    size_t n = o->paths ? o->paths->n : 0;
    AUTO(free) Acsweep__NamedPath *paths = calloc(n + 1, sizeof *paths);
    AUTO(free) Acsweep__NamedPath **list = calloc(n + 1, sizeof *list);
    if (!paths || !list)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        acsweep__named_path__init(&paths[i]);
        paths[i].name = o->paths->list[i].name;
        paths[i].path = o->paths->list[i].path;
        list[i] = &paths[i];
    }
    Acsweep__ExecHello h = ACSWEEP__EXEC_HELLO__INIT;
    h.slot = o->slot;
    h.worker_id = (char *)o->worker_id;
    h.devices = (char **)o->devices;
    h.n_devices = o->n_devices;
    h.n_paths = n;
    h.paths = list;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_EXEC_HELLO;
    m.exec_hello = &h;
    return slot_exec_send(x, &m, e);
}

struct slot_exec *slot_exec_spawn(const struct slot_exec_options *o, struct err *e)
{
    AUTO(slot_exec_destroy) struct slot_exec *x = calloc(1, sizeof *x);
    if (!x)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    *x = (struct slot_exec){ .loop = o->loop, .fd = -1, .pidfd = -1, .in = BUF_INIT(IN_LIMIT), .out = BUF_INIT(OUT_LIMIT),
                             .on = o->on };
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return FAIL_NULL(e, ERR_ENV, "socketpair: %s", strerror(errno));
    x->fd = pair[0];
    AUTO(close) int child_fd = pair[1];
    if (spawn(o, child_fd, &x->pid, e) < 0 || watch(x, e) < 0 || say_hello(x, o, e) < 0)
        return NULL;
    return TAKE(x);
}

void slot_exec_destroy(struct slot_exec *x)
{
    if (!x)
        return;
    if (x->destroyed)
        *x->destroyed = true;
    if (x->pid > 0) {
        if (!x->killed)
            kill_tree(x);
        for (int i = 0; i < DIE_TRIES && waitpid(x->pid, NULL, WNOHANG) == 0; i++)
            mono_sleep(5 * NS_PER_MS);
    }
    loop_remove(x->io);
    loop_remove(x->end);
    loop_remove_timer(x->timer);
    if (x->fd >= 0)
        close(x->fd);
    if (x->pidfd >= 0)
        close(x->pidfd);
    buf_free(&x->in);
    buf_free(&x->out);
    free(x);
}

int slot_exec_send(struct slot_exec *x, envelope *m, struct err *e)
{
    AUTO(free) uint8_t *bytes = NULL;
    size_t len;
    TRY(wire_pack(m, &bytes, &len, e));
    const unsigned char head[4] = { len & 255, len >> 8 & 255, len >> 16 & 255, len >> 24 & 255 };
    buf_add(&x->out, head, sizeof head);
    buf_add(&x->out, bytes, len);
    TRY(buf_check(&x->out, "messages to acsweep-exec", e));
    flush_out(x);
    return 0;
}

int slot_exec_kill_all(struct slot_exec *const *list, size_t n, struct err *e)
{
    AUTO(free) pid_t *pids = calloc(n + 1, sizeof *pids);
    size_t alive = 0;
    if (!pids)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        list[i]->killed = true;
        if (list[i]->pid > 0)
            pids[alive++] = list[i]->pid;
    }
    if (alive)
        proctree_kill_with_roots(pids, alive);
    return 0;
}

pid_t slot_exec_pid(const struct slot_exec *x)
{
    return x->pid;
}
