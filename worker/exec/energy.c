#include "worker/exec/energy.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "common/mono.h"
#include "worker/exec/nvml.h"

#define DEVICES_MAX 64
#define SAMPLE_EVERY (NS_PER_S / 2)

struct meter { /* of one device */
    void *device;
    bool counts; /* it has an energy counter */
    bool known;  /* since energy_begin */
    uint64_t begin_mj;
    double joules; /* by integration */
    uint64_t last_mw;
    int64_t last;
};

struct energy {
    struct nvml *nvml;
    struct meter meters[DEVICES_MAX];
    size_t n;
    bool samples; /* some device has no counter: a thread reads their power */
    pthread_t thread;
    pthread_mutex_t lock; /* of all below, and of the meters while the thread runs */
    pthread_cond_t wake;
    bool stop;
};

/* ---- power, for devices without a counter ------------------------------------------------------------------------ */

static void sample(struct energy *m, struct meter *x)
{
    struct err e = { 0 };
    uint64_t mw;
    int64_t now = mono_now();
    if (nvml_power_mw(m->nvml, x->device, &mw, &e) < 0) {
        x->known = false;
        return;
    }
    if (x->last) /* the trapezoid between two readings */
        x->joules += (double)(x->last_mw + mw) / 2e3 * (double)(now - x->last) / (double)NS_PER_S;
    x->last = now;
    x->last_mw = mw;
}

static void sample_all(struct energy *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (!m->meters[i].counts && m->meters[i].known)
            sample(m, &m->meters[i]);
}

static void *sample_loop(void *arg)
{
    struct energy *m = arg;
    pthread_mutex_lock(&m->lock);
    while (!m->stop) {
        int64_t until = mono_now() + SAMPLE_EVERY;
        const struct timespec ts = { .tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S };
        pthread_cond_timedwait(&m->wake, &m->lock, &ts);
        if (!m->stop)
            sample_all(m);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

static bool start_thread(struct energy *m)
{
    sigset_t all, before;
    sigfillset(&all);
    m->stop = false;
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&m->thread, NULL, sample_loop, m) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void stop_thread(struct energy *m)
{
    pthread_mutex_lock(&m->lock);
    m->stop = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
}

/* ---- one attempt ------------------------------------------------------------------------------------------------- */

void energy_begin(struct energy *m)
{
    struct err e = { 0 };
    if (!m)
        return;
    for (size_t i = 0; i < m->n; i++) {
        struct meter *x = &m->meters[i];
        *x = (struct meter){ .device = x->device, .counts = x->counts, .known = true };
        if (x->counts)
            x->known = nvml_energy_mj(m->nvml, x->device, &x->begin_mj, &e) == 0;
        else
            sample(m, x);
    }
    m->stop = !m->samples || !start_thread(m); /* without the thread, the readings at both ends must do */
}

/* A counter that went back was reset with its driver. */
static bool read_meter(struct energy *m, struct meter *x, double *joules)
{
    struct err e = { 0 };
    uint64_t mj;
    if (x->counts) {
        if (!x->known || nvml_energy_mj(m->nvml, x->device, &mj, &e) < 0 || mj < x->begin_mj)
            return false;
        *joules += (double)(mj - x->begin_mj) / 1e3;
        return true;
    }
    if (x->known)
        sample(m, x);
    *joules += x->joules;
    return x->known;
}

double energy_end(struct energy *m)
{
    double joules = 0;
    bool known = m != NULL;
    if (m && !m->stop)
        stop_thread(m);
    for (size_t i = 0; m && i < m->n; i++)
        known &= read_meter(m, &m->meters[i], &joules);
    return known ? joules : 0;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static int find_device(struct energy *m, const char *uuid, struct err *e)
{
    struct meter *x = &m->meters[m->n];
    struct err why = { 0 };
    uint64_t value;
    x->device = nvml_device(m->nvml, uuid, e);
    if (!x->device)
        return -1;
    x->counts = nvml_energy_mj(m->nvml, x->device, &value, &why) == 0;
    if (!x->counts)
        TRY(nvml_power_mw(m->nvml, x->device, &value, e));
    m->samples |= !x->counts;
    m->n++;
    return 0;
}

static int open_all(struct energy *m, char *const *uuids, size_t n, struct err *e)
{
    m->nvml = nvml_open(e);
    if (!m->nvml)
        return -1;
    for (size_t i = 0; i < n; i++)
        TRY(find_device(m, uuids[i], e));
    return 0;
}

struct energy *energy_open(char *const *uuids, size_t n)
{
    struct err e = { 0 };
    struct energy *m = n && n <= DEVICES_MAX ? calloc(1, sizeof *m) : NULL;
    if (!m)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&m->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&m->lock, NULL);
    m->stop = true;
    if (open_all(m, uuids, n, &e) == 0)
        return m;
    log_info("exec.energy", KV_STR("not_measured", e.text));
    energy_close(m);
    return NULL;
}

void energy_close(struct energy *m)
{
    if (!m)
        return;
    if (!m->stop)
        stop_thread(m);
    nvml_close(m->nvml);
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
    free(m);
}
