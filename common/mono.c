#include "common/mono.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t mono_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t wall_now_us(void)
{
    return read_clock(CLOCK_REALTIME) / NS_PER_US;
}

int64_t cpu_now_self_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void mono_sleep(int64_t ns)
{
    struct timespec t = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
    while (ns > 0 && nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

int mono_ms_until(int64_t deadline)
{
    int64_t left = deadline - mono_now();
    if (left <= 0)
        return 0;
    int64_t ms = (left + NS_PER_MS - 1) / NS_PER_MS;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}
