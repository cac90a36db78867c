#include "cli/pace.h"

#include <inttypes.h>
#include <math.h>

#include "common/mono.h"

/* The rate is a mean over about so long, or about so many tasks, whichever takes longer. */
static const double memory_s = 10, memory_tasks = 4;
static const double soonest_s = 0.2, idle_most_s = 2;

void pace_begin(struct pace *p, uint64_t done, int64_t now)
{
    *p = (struct pace){ .first = done, .done = done, .at = now };
}

static double memory_of(const struct pace *p)
{
    double ended = (double)(p->done - p->first), long_enough = ended > 0 ? memory_tasks * p->worked / ended : memory_s;
    return long_enough > memory_s ? long_enough : memory_s;
}

void pace_count(struct pace *p, uint64_t done, bool running, int64_t now)
{
    double dt = (double)(now - p->at) / (double)NS_PER_S;
    if (dt < soonest_s)
        return;
    if (done < p->done) /* begun anew */
        pace_begin(p, done, p->at);
    uint64_t ended = done - p->done;
    p->idle = running || ended > 0 ? 0 : p->idle + dt;
    p->at = now;
    p->done = done;
    if (p->idle > 0)
        return;
    p->worked += dt;
    double memory = memory_of(p);
    /* While young, the plain mean; later an exponential one. */
    double weight = p->worked < memory ? dt / p->worked : 1 - exp(-dt / memory);
    p->rate += ((double)ended / dt - p->rate) * weight;
}

static void time_put(double seconds, struct buf *to)
{
    uint64_t t = (uint64_t)(seconds + 0.5);
    if (t < 3600)
        buf_printf(to, "%" PRIu64 ":%02" PRIu64, t / 60, t % 60);
    else
        buf_printf(to, "%" PRIu64 ":%02" PRIu64 " h", t / 3600, t / 60 % 60);
}

void pace_put(const struct pace *p, uint64_t left, struct buf *to)
{
    if (left == 0 || p->rate < 1e-6 || p->idle > idle_most_s)
        return;
    if (p->rate < 0.95)
        buf_printf(to, "  %.*f/min", p->rate * 60 < 9.95 ? 1 : 0, p->rate * 60);
    else
        buf_printf(to, "  %.*f/s", p->rate < 9.95 ? 1 : 0, p->rate);
    buf_printf(to, "  ETA ");
    time_put((double)left / p->rate, to);
}
