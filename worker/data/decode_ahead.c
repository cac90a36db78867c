#include "worker/data/decode_ahead.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAX_THREADS 256

struct slot { /* item i has slot i % ahead */
    bool ready;
    int rc;
    struct err e;
};

struct decode_ahead {
    struct decode_ahead_job job;
    pthread_mutex_t lock;
    pthread_cond_t room;  /* a slot became free, or stop */
    pthread_cond_t ready; /* a slot was filled */
    size_t begun, taken;  /* items: begun by a thread, taken by the reader */
    bool stop;
    struct slot *slots;
    float *floats; /* (ahead, floats) */
    pthread_t threads[MAX_THREADS];
    unsigned n_threads;
};

static float *floats_of(const struct decode_ahead *d, size_t i)
{
    return d->floats + i % d->job.ahead * d->job.floats;
}

/* ---- the threads --------------------------------------------------------------------------------------------------
 */

/* With the lock held: the next item to make, or false when there is none left. */
static bool begin(struct decode_ahead *d, size_t *i)
{
    while (!d->stop && d->begun < d->job.n && d->begun - d->taken >= d->job.ahead)
        pthread_cond_wait(&d->room, &d->lock);
    if (d->stop || d->begun == d->job.n)
        return false;
    *i = d->begun++;
    return true;
}

static void *work(void *arg)
{
    struct decode_ahead *d = arg;
    size_t i;
    pthread_mutex_lock(&d->lock);
    while (begin(d, &i)) {
        struct slot *s = &d->slots[i % d->job.ahead];
        pthread_mutex_unlock(&d->lock);
        struct err e = { 0 };
        int rc = d->job.make(d->job.arg, i, floats_of(d, i), &e);
        pthread_mutex_lock(&d->lock);
        s->rc = rc;
        s->e = e;
        s->ready = true;
        pthread_cond_signal(&d->ready);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static unsigned processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 ? (unsigned)n : 1;
}

/* Signals are the main thread's. Fewer threads than wanted are enough, but not none. */
static int start_threads(struct decode_ahead *d, struct err *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = 0;
    while (rc == 0 && d->n_threads < d->job.threads)
        if ((rc = pthread_create(&d->threads[d->n_threads], NULL, work, d)) == 0)
            d->n_threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return d->n_threads ? 0 : FAIL(e, ERR_ENV, "no thread to read pictures with: %s", strerror(rc));
}

/* ---- start and stop -----------------------------------------------------------------------------------------------
 */

void decode_ahead_stop(struct decode_ahead *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->stop = true;
    pthread_cond_broadcast(&d->room);
    pthread_mutex_unlock(&d->lock);
    for (unsigned i = 0; i < d->n_threads; i++)
        pthread_join(d->threads[i], NULL);
    pthread_cond_destroy(&d->room);
    pthread_cond_destroy(&d->ready);
    pthread_mutex_destroy(&d->lock);
    free(d->slots);
    free(d->floats);
    free(d);
}

static void settle(struct decode_ahead_job *job)
{
    if (job->threads == 0)
        job->threads = processors();
    if (job->threads > MAX_THREADS)
        job->threads = MAX_THREADS;
    if (job->ahead == 0)
        job->ahead = (size_t)4 * job->threads;
    if (job->ahead > job->n)
        job->ahead = job->n ? job->n : 1;
    if (job->threads > job->ahead)
        job->threads = (unsigned)job->ahead;
}

struct decode_ahead *decode_ahead_start(const struct decode_ahead_job *job, struct err *e)
{
    struct decode_ahead *d = calloc(1, sizeof *d);
    if (!d)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->room, NULL);
    pthread_cond_init(&d->ready, NULL);
    AUTO(decode_ahead_stop) struct decode_ahead *mine = d;
    d->job = *job;
    settle(&d->job);
    if (d->job.floats <= SIZE_MAX / sizeof *d->floats / d->job.ahead)
        d->floats = calloc(d->job.ahead, d->job.floats * sizeof *d->floats);
    d->slots = calloc(d->job.ahead, sizeof *d->slots);
    if (!d->floats || !d->slots)
        return FAIL_NULL(e, ERR_ENV, "no memory for %zu pictures of %zu numbers; read fewer ahead", d->job.ahead,
                         d->job.floats);
    if (start_threads(d, e) < 0)
        return NULL;
    return TAKE(mine);
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

/* Wait for the next item; with the lock held. */
static struct slot *next(struct decode_ahead *d)
{
    struct slot *s = &d->slots[d->taken % d->job.ahead];
    while (!s->ready)
        pthread_cond_wait(&d->ready, &d->lock);
    return s;
}

static void release(struct decode_ahead *d, struct slot *s)
{
    s->ready = false;
    d->taken++;
    pthread_cond_signal(&d->room);
}

int decode_ahead_read(struct decode_ahead *d, float *out, size_t max, size_t *got, struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&d->lock);
    for (*got = 0; *got < max && d->taken < d->job.n; ++*got) {
        struct slot *s = next(d);
        if (s->rc < 0 && *got > 0)
            break;
        if (s->rc < 0) {
            rc = FAIL(e, s->e.kind, "%s", s->e.text);
            release(d, s);
            break;
        }
        /* Nobody else touches a slot that is ready. */
        pthread_mutex_unlock(&d->lock);
        memcpy(out + *got * d->job.floats, floats_of(d, d->taken), d->job.floats * sizeof *out);
        pthread_mutex_lock(&d->lock);
        release(d, s);
    }
    pthread_mutex_unlock(&d->lock);
    return rc;
}
