#include "worker/exec/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mono.h"
#include "common/parse.h"
#include "common/utf8.h"
#include "worker/proctree.h"

#define FORWARD_EVERY (500 * NS_PER_MS)
#define TAIL 16384
#define PROGRESS_MARK "acsweep-progress:"

static const char *const gpu_oom_words[] = { "CUDA out of memory", "OutOfMemoryError", "CUDA error: out of memory",
                                             NULL };
static const char *const gpu_error_words[] = { "CUDA error", "CUDA driver error", "CUDA_ERROR_", "cudaError", "NVML",
                                               NULL };
static const char *const gpu_broken_words[] = { "uncorrectable ECC error",
                                                "no CUDA-capable device is detected",
                                                "CUDA-capable device(s) is/are busy or unavailable",
                                                "all CUDA-capable devices are busy or unavailable",
                                                "GPU is lost",
                                                "fallen off the bus",
                                                "hardware stack error",
                                                "unknown error",
                                                NULL };

struct child {
    const struct child_options *o;
    struct child_end *end;
    pid_t pid;
    int log_fd, pipe_fd, pidfd;
    uint64_t logged;
    bool capped, unsent;
    int64_t kill_at, forwarded; /* 0 = not stopping */
    double fraction;
    char tail[TAIL];
    size_t tail_len;
    char line[1024];
    size_t line_len;
};

/* In the new process, which may only make calls that are safe after a fork of a program with threads. The program dies
 * with this exec even when both are killed at once and nobody is left to clean up. */
static _Noreturn void become_program(const struct child *c, pid_t exec, int out_fd, int tell_fd)
{
    sigset_t none;
    sigemptyset(&none);
    const int usual[] = { SIGPIPE, SIGTERM, SIGINT };
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        signal(usual[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == exec && dup2(in, 0) == 0 && dup2(out_fd, 1) == 1 &&
        dup2(out_fd, 2) == 2 && chdir(c->o->cwd) == 0)
        execvpe(c->o->argv[0], c->o->argv, c->o->env);
    int why = errno;
    _exit(write(tell_fd, &why, sizeof why) == sizeof why ? 127 : 126);
}

/* The signal of PR_SET_PDEATHSIG follows the thread that forks: this must be the main one. */
static int spawn(struct child *c, int out_fd, struct err *e)
{
    int tell[2], why = 0;
    pid_t exec = getpid();
    if (pipe2(tell, O_CLOEXEC) < 0)
        return FAIL(e, ERR_ENV, "pipe: %s", strerror(errno));
    AUTO(close) int hear = tell[0];
    c->pid = fork();
    if (c->pid == 0)
        become_program(c, exec, out_fd, tell[1]);
    int forked = c->pid < 0 ? errno : 0;
    close(tell[1]);
    if (forked)
        return FAIL(e, ERR_ENV, "fork: %s", strerror(forked));
    ssize_t n;
    while ((n = read(hear, &why, sizeof why)) < 0 && errno == EINTR)
        ;
    if (n <= 0) /* closed by a successful exec */
        return 0;
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return FAIL(e, ERR_INPUT, "cannot start '%s' in %s: %s", c->o->argv[0], c->o->cwd, strerror(why));
}

/* ---- the log ----------------------------------------------------------------------------------------------------- */

static bool says(const char *line, const char *const *words)
{
    for (; *words; words++)
        if (strstr(line, *words))
            return true;
    return false;
}

static void read_signs(struct child *c)
{
    bool oom = says(c->line, gpu_oom_words), error = !oom && says(c->line, gpu_error_words);
    c->end->gpu_oom |= oom;
    c->end->gpu_error |= error;
    c->end->gpu_broken |= error && says(c->line, gpu_broken_words);
}

static void end_line(struct child *c)
{
    c->line[c->line_len] = '\0';
    if (c->line_len == 0)
        return;
    read_signs(c);
    if (strncmp(c->line, PROGRESS_MARK, strlen(PROGRESS_MARK)) == 0) {
        char *after;
        double f = strtod(c->line + strlen(PROGRESS_MARK), &after);
        if (f >= 0 && f <= 1)
            c->fraction = f;
    }
    snprintf(c->end->last_line, sizeof c->end->last_line, "%.200s", c->line);
    utf8_mend(c->end->last_line); /* a progress bar of long characters is cut anywhere */
    c->line_len = 0;
}

static void scan_lines(struct child *c, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char b = (unsigned char)p[i];
        if (b == '\n' || b == '\r')
            end_line(c);
        else if (c->line_len < sizeof c->line - 1)
            c->line[c->line_len++] = b < ' ' || b == 0x7f ? ' ' : (char)b;
    }
}

static void keep_tail(struct child *c, const char *p, size_t n)
{
    if (n >= TAIL) {
        memcpy(c->tail, p + n - TAIL, TAIL);
        c->tail_len = TAIL;
        return;
    }
    if (c->tail_len + n > TAIL) {
        size_t drop = c->tail_len + n - TAIL;
        memmove(c->tail, c->tail + drop, c->tail_len - drop);
        c->tail_len -= drop;
    }
    memcpy(c->tail + c->tail_len, p, n);
    c->tail_len += n;
}

/* A log that cannot be written costs the log, not the task. */
static void write_log(struct child *c, const char *p, size_t n)
{
    if (c->capped || c->log_fd < 0)
        return;
    size_t room = c->logged < c->o->log_cap ? (size_t)(c->o->log_cap - c->logged) : 0;
    c->capped = n > room;
    size_t take = c->capped ? room : n;
    if (take && write(c->log_fd, p, take) != (ssize_t)take)
        c->capped = true;
    c->logged += take;
    if (c->capped)
        dprintf(c->log_fd, "\n[log cut off here]\n");
}

/* Read what is there; false at the end of the stream. */
static bool read_log(struct child *c)
{
    char chunk[16384];
    for (int i = 0; i < 64; i++) {
        ssize_t n = read(c->pipe_fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return true;
        if (n == 0)
            return false;
        write_log(c, chunk, (size_t)n);
        keep_tail(c, chunk, (size_t)n);
        scan_lines(c, chunk, (size_t)n);
        c->unsent = true;
    }
    return true;
}

static void forward(struct child *c, bool now)
{
    if (!c->unsent || (!now && mono_now() - c->forwarded < FORWARD_EVERY))
        return;
    exec_progress(c->o->task, c->fraction, c->end->last_line, c->tail, c->tail_len);
    c->tail_len = 0;
    c->unsent = false;
    c->forwarded = mono_now();
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void begin_stop(struct child *c)
{
    struct control_cancel why = { 0 };
    control_cancelled(c->o->task->control, &why);
    c->end->stopped = true;
    c->kill_at = mono_now() + why.grace_ns;
    proctree_signal(getpid(), SIGTERM);
}

static int wait_ms(const struct child *c)
{
    int64_t until = mono_now() + NS_PER_S;
    if (c->unsent)
        until = c->forwarded + FORWARD_EVERY;
    if (c->kill_at && c->kill_at < until)
        until = c->kill_at;
    return mono_ms_until(until);
}

/* Until the program itself has ended. What it left in the background is killed after that, and may hold the pipe open.
 */
static void watch(struct child *c)
{
    bool open = true;
    for (;;) {
        struct pollfd p[] = {
            { .fd = c->pidfd, .events = POLLIN },
            { .fd = c->kill_at ? -1 : control_cancel_fd(c->o->task->control), .events = POLLIN },
            { .fd = open ? c->pipe_fd : -1, .events = POLLIN },
        };
        if (poll(p, ARRAY_LEN(p), wait_ms(c)) < 0 && errno != EINTR)
            return;
        if (p[2].revents)
            open = read_log(c);
        if (p[0].revents)
            return;
        if (p[1].revents)
            begin_stop(c);
        if (c->kill_at && mono_now() >= c->kill_at)
            proctree_kill_all(getpid(), 20);
        forward(c, false);
    }
}

static void collect(struct child *c, uint64_t oom_before)
{
    struct rusage ru = { 0 };
    while (wait4(c->pid, &c->end->status, 0, &ru) < 0 && errno == EINTR)
        ;
    proctree_kill_all(getpid(), 50);
    read_log(c);
    end_line(c);
    forward(c, true);
    c->end->max_rss_bytes = (uint64_t)ru.ru_maxrss * 1024;
    c->end->oom = proctree_oom_kills() > oom_before;
}

static int open_ends(struct child *c, int *child_end, struct err *e)
{
    int ends[2];
    c->log_fd = open(c->o->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (c->log_fd < 0)
        return FAIL(e, ERR_ENV, "%s: %s", c->o->log_path, strerror(errno));
    if (pipe2(ends, O_CLOEXEC) < 0)
        return FAIL(e, ERR_ENV, "pipe: %s", strerror(errno));
    c->pipe_fd = ends[0];
    *child_end = ends[1];
    fcntl(c->pipe_fd, F_SETFL, O_NONBLOCK);
    return 0;
}

static int run(struct child *c, struct err *e)
{
    AUTO(close) int out = -1;
    uint64_t oom_before = proctree_oom_kills();
    TRY(open_ends(c, &out, e));
    TRY(spawn(c, out, e));
    close(out);
    out = -1;
    c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (c->pidfd < 0) {
        kill(c->pid, SIGKILL);
        collect(c, oom_before);
        return FAIL(e, ERR_ENV, "pidfd_open: %s (Linux 5.3 or newer is needed)", strerror(errno));
    }
    watch(c);
    collect(c, oom_before);
    return 0;
}

int child_run(const struct child_options *o, struct child_end *end, struct err *e)
{
    AUTO(free) struct child *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL_NOMEM(e);
    *c = (struct child){ .o = o, .end = end, .log_fd = -1, .pipe_fd = -1, .pidfd = -1, .fraction = -1 };
    *end = (struct child_end){ 0 };
    int done = run(c, e);
    const int fds[] = { c->log_fd, c->pipe_fd, c->pidfd };
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return done;
}
