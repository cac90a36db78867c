#include "worker/pretrain/pace.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>

#include "common/mono.h"

#define WARMUP 0.05

static volatile sig_atomic_t interrupted;

static void on_signal(int signo)
{
    (void)signo;
    interrupted = 1;
}

void pace_catch_signals(void)
{
    struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_RESTART };
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

int pace_begin(struct pace *p, struct err *e)
{
    p->began = p->reported = mono_now();
    p->losses = json_array();
    return p->losses ? 0 : FAIL_NOMEM(e);
}

void pace_free(struct pace *p)
{
    json_decref(p->losses);
    p->losses = NULL;
}

/* The part of the training that is over, from 0 to 1. */
static double part_done(const struct pace *p)
{
    if (p->steps)
        return (double)p->step / (double)p->steps;
    return fmin(1, (double)(mono_now() - p->began) / (double)NS_PER_S / p->seconds);
}

bool pace_goes_on(const struct pace *p)
{
    return p->step == 0 || part_done(p) < 1;
}

double pace_rate(const struct pace *p)
{
    double half = p->steps ? 0.5 / (double)p->steps : 0; /* the first step's rate is not 0 */
    double done = fmin(1, part_done(p) + half), warm = fmax(WARMUP, 2 * half);
    return p->rate * (done < warm ? fmax(done / warm, 0.01) : 0.5 * (1 + cos(M_PI * (done - warm) / (1 - warm))));
}

static int report(struct pace *p, struct err *e)
{
    int64_t now = mono_now();
    double mean = p->sum / (double)p->summed, each = (double)(now - p->reported) / (double)NS_PER_S / (double)p->summed;
    fprintf(stderr, "step %lld", (long long)p->step);
    if (p->steps)
        fprintf(stderr, " of %lld", (long long)p->steps);
    fprintf(stderr, ": loss %.4f, %.3f s a step, %.0f s\n", mean, each, (double)(now - p->began) / (double)NS_PER_S);
    p->reported = now;
    p->sum = 0;
    p->summed = 0;
    json_t *row = json_pack("[I, f]", (json_int_t)p->step, mean);
    return json_array_append_new(p->losses, row) < 0 ? FAIL_NOMEM(e) : 0;
}

int pace_step(struct pace *p, double loss, struct err *e)
{
    p->step++;
    if (!isfinite(loss))
        return FAIL(e, ERR_TASK, "the loss of step %lld is %g: lower --lr", (long long)p->step, loss);
    if (interrupted)
        return FAIL(e, ERR_INTERRUPTED, "interrupted at step %lld; nothing was written", (long long)p->step);
    p->sum += loss;
    p->summed++;
    return p->step % p->report == 0 || !pace_goes_on(p) ? report(p, e) : 0;
}
