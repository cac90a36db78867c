#include "cli/working.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/mono.h"

#define SHOW_EVERY (200 * NS_PER_MS)

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int signo)
{
    asked_to_stop = signo;
}

void working_begin(void)
{
    struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_RESTART | (int)SA_RESETHAND };
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

int working_progress(void *arg, size_t done, size_t all, struct err *e)
{
    struct working *w = arg;
    int64_t now = mono_now();
    if (asked_to_stop)
        return FAIL(e, ERR_INTERRUPTED, "interrupted by SIG%s; nothing was kept", sigabbrev_np(asked_to_stop));
    if (isatty(STDERR_FILENO) && (now - w->shown > SHOW_EVERY || done == all)) {
        fprintf(stderr, "\r%zu of %zu %s\033[K%s", done, all, w->what, done == all ? "\r\033[K" : "");
        w->shown = now;
    }
    return 0;
}

int working_threads(const struct opts *o)
{
    cpu_set_t set;
    if (opts_given(o, "threads"))
        return (int)opts_int(o, "threads");
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 64 ? n : 64;
}
