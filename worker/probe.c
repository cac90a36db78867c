#include "worker/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <zmq.h>

#include "common/buf.h"
#include "worker/spawn.h"

#define ANSWER_LIMIT ((size_t)1 << 20)
#define CHUNKS 256 /* read at once; more than a pipe holds */

struct probe {
    struct probe_options o;
    pid_t pid; /* 0 once collected */
    int fd, pidfd;
    struct loop_source *io, *end;
    struct loop_timer *timer;
    struct buf text;
    bool answered;
};

/* ---- start ------------------------------------------------------------------------------------------------------- */

static int spawn(const struct probe_options *o, int out_fd, pid_t *pid, struct err *e)
{
    char visible[200];
    snprintf(visible, sizeof visible, "CUDA_VISIBLE_DEVICES=%s", o->visible ? o->visible : "");
    char *argv[] = { (char *)o->exec_path, (char *)"--probe", NULL };
    const char *const set[] = { o->visible ? visible : NULL, NULL };
    return spawn_start(&(struct spawn){ argv, set, out_fd, 1 }, pid, e);
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

static int answer(struct probe *p, const struct gpu_list *list, const struct err *why, struct err *e)
{
    if (p->answered)
        return 0;
    p->answered = true;
    loop_timer_disarm(p->timer);
    return p->o.done(list, why, p->o.arg, e);
}

/* The process has ended with this wait status, and `text` is all that it said. */
static int read_answer(const struct probe *p, int status, struct gpu_list *list, struct err *why)
{
    TRY(buf_check(&p->text, "answer of acsweep-exec --probe", why));
    if (WIFSIGNALED(status))
        return FAIL(why, ERR_ENV, "acsweep-exec --probe died of signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return FAIL(why, ERR_ENV, "acsweep-exec --probe failed with exit code %d", WEXITSTATUS(status));
    return gpu_parse(buf_text(&p->text), list, why);
}

static void read_some(struct probe *p)
{
    char chunk[4096];
    for (int i = 0; i < CHUNKS; i++) { /* one that talks without end does not stop the loop */
        ssize_t n = read(p->fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 && p->io)
            loop_remove(TAKE(p->io));
        if (n <= 0)
            return;
        buf_add(&p->text, chunk, (size_t)n);
    }
}

static int on_io(struct loop *l, short events, void *arg, struct err *e)
{
    (void)l;
    (void)events;
    (void)e;
    read_some(arg);
    return 0;
}

static int on_end(struct loop *l, short events, void *arg, struct err *e)
{
    (void)l;
    (void)events;
    struct probe *p = arg;
    struct gpu_list list;
    struct err why = { 0 };
    int status = 0;
    read_some(p);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    p->pid = 0;
    loop_remove(TAKE(p->end));
    int got = read_answer(p, status, &list, &why);
    return answer(p, got < 0 ? NULL : &list, got < 0 ? &why : NULL, e);
}

static int on_timeout(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct probe *p = arg;
    struct err why = { 0 };
    FAIL(&why, ERR_INTERRUPTED, "acsweep-exec --probe does not answer; is a GPU or its driver stuck?");
    kill(p->pid, SIGKILL);
    return answer(p, NULL, &why, e);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static int watch(struct probe *p, struct err *e)
{
    p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (p->pidfd < 0)
        return FAIL(e, ERR_ENV, "pidfd_open: %s (Linux 5.3 or newer is needed)", strerror(errno));
    p->io = loop_add_fd(p->o.loop, p->fd, ZMQ_POLLIN, on_io, p, e);
    p->end = p->io ? loop_add_fd(p->o.loop, p->pidfd, ZMQ_POLLIN, on_end, p, e) : NULL;
    p->timer = p->end ? loop_add_timer(p->o.loop, p->o.timeout_ns, 0, on_timeout, p, e) : NULL;
    return p->timer ? 0 : -1;
}

struct probe *probe_start(const struct probe_options *o, struct err *e)
{
    AUTO(probe_destroy) struct probe *p = calloc(1, sizeof *p);
    int ends[2];
    if (!p)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    *p = (struct probe){ .o = *o, .fd = -1, .pidfd = -1, .text = BUF_INIT(ANSWER_LIMIT) };
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return FAIL_NULL(e, ERR_ENV, "pipe: %s", strerror(errno));
    p->fd = ends[0];
    AUTO(close) int theirs = ends[1];
    fcntl(theirs, F_SETFL, 0); /* it may write in peace */
    if (spawn(o, theirs, &p->pid, e) < 0 || watch(p, e) < 0)
        return NULL;
    p->o.exec_path = p->o.visible = NULL; /* not ours to keep */
    return TAKE(p);
}

bool probe_over(const struct probe *p)
{
    return p->pid == 0;
}

pid_t probe_pid(const struct probe *p)
{
    return p->pid;
}

void probe_destroy(struct probe *p)
{
    if (!p)
        return;
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        for (int i = 0; i < 100 && waitpid(p->pid, NULL, WNOHANG) == 0; i++)
            mono_sleep(5 * NS_PER_MS); /* it dies at once, or never */
    }
    loop_remove(p->io);
    loop_remove(p->end);
    loop_remove_timer(p->timer);
    if (p->fd >= 0)
        close(p->fd);
    if (p->pidfd >= 0)
        close(p->pidfd);
    buf_free(&p->text);
    free(p);
}

/* ---- at once ----------------------------------------------------------------------------------------------------- */

struct waiting {
    struct loop *loop;
    struct gpu_list *out;
    struct err why;
    bool ok;
};

static int on_answer(const struct gpu_list *list, const struct err *why, void *arg, struct err *e)
{
    (void)e;
    struct waiting *w = arg;
    w->ok = list != NULL;
    if (list)
        *w->out = *list;
    else
        w->why = *why;
    loop_stop(w->loop);
    return 0;
}

int probe_now(const char *exec_path, int64_t timeout_ns, struct gpu_list *out, struct err *e)
{
    AUTO(loop_destroy) struct loop *l = loop_create(e);
    struct waiting w = { .loop = l, .out = out };
    *out = (struct gpu_list){ 0 };
    const struct probe_options o = { l, exec_path, NULL, timeout_ns, on_answer, &w };
    AUTO(probe_destroy) struct probe *p = l ? probe_start(&o, e) : NULL;
    if (!p || loop_run(l, e) < 0)
        return -1;
    if (w.ok)
        return 0;
    *e = w.why;
    return -1;
}
