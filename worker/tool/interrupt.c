#include "worker/tool/interrupt.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int signo)
{
    asked_to_stop = signo;
}

void tool_catch_signals(void)
{
    struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_RESTART | (int)SA_RESETHAND };
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

int tool_interrupted(struct err *e)
{
    if (!asked_to_stop)
        return 0;
    return FAIL(e, ERR_INTERRUPTED, "interrupted by SIG%s", sigabbrev_np(asked_to_stop));
}
