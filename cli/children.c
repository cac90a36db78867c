/* Starting, watching and ending child programs. */
#include "cli/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/mono.h"

/* In the child, between fork and exec: only async-signal-safe calls. */
static void become(const char *const *argv, int log, int keep_fd, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127); /* we were orphaned before the death signal was armed */
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
        _exit(127);
    if (keep_fd >= 0)
        fcntl(keep_fd, F_SETFD, 0);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(argv[0], (char *const *)argv);
    static const char text[] = "acsweep: cannot execute the program\n";
    if (write(2, text, sizeof text - 1) < 0)
        _exit(126);
    _exit(127);
}

int child_start(struct child *c, const char *const *argv, int keep_fd, struct err *e)
{
    AUTO(close) int log = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        return FAIL(e, ERR_ENV, "cannot open the log %s: %s", c->log, strerror(errno));
    fflush(NULL);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return FAIL(e, ERR_ENV, "cannot start %s: %s", c->name, strerror(errno));
    if (pid == 0)
        become(argv, log, keep_fd, parent);
    c->pid = pid;
    c->status = 0;
    return 0;
}

bool child_ended(struct child *c)
{
    if (c->pid == 0)
        return true;
    int status;
    pid_t got = waitpid(c->pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR))
        return false;
    c->status = got > 0 ? status : 0;
    c->pid = 0;
    return true;
}

/* The last non-empty line of the log, which is where a program says why it ended. */
static void last_line(const char *path, char *line, size_t size)
{
    line[0] = '\0';
    AUTO(fclose) FILE *f = fopen(path, "re");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        return;
    long end = ftell(f), from = end > 2048 ? end - 2048 : 0;
    char text[2049];
    if (fseek(f, from, SEEK_SET) != 0)
        return;
    size_t n = fread(text, 1, sizeof text - 1, f);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    text[n] = '\0';
    const char *begin = strrchr(text, '\n');
    snprintf(line, size, "%.*s", (int)size - 1, begin ? begin + 1 : text);
}

void child_describe(const struct child *c, char *text, size_t size)
{
    char line[400];
    last_line(c->log, line, sizeof line);
    int n = WIFSIGNALED(c->status) ? snprintf(text, size, "%s was ended by signal %d", c->name, WTERMSIG(c->status))
                                   : snprintf(text, size, "%s ended with exit code %d", c->name, WEXITSTATUS(c->status));
    if (n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, "; see %s%s%s", c->log, *line ? ": " : "", line);
}

static size_t running(struct child *const *list, size_t n)
{
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        left += !child_ended(list[i]);
    return left;
}

static void send_all(struct child *const *list, size_t n, int signo)
{
    for (size_t i = 0; i < n; i++)
        if (list[i]->pid > 0)
            kill(list[i]->pid, signo);
}

void children_stop(struct child *const *list, size_t n, int64_t grace_ns)
{
    int64_t deadline = mono_now() + grace_ns;
    send_all(list, n, SIGTERM);
    while (running(list, n) > 0) {
        if (mono_now() >= deadline) {
            send_all(list, n, SIGKILL);
            deadline = mono_now() + NS_PER_S;
        }
        mono_sleep(10 * NS_PER_MS);
    }
}
