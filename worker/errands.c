#include "worker/errands.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "common/log.h"

#define END_WAIT_S 5

struct queue {
    struct errand *first, **tail;
};

struct errands {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct loop_source *wake;
    struct queue todo, over; /* under the lock, as is `ending` */
    bool ending, started;
};

static void queue_put(struct queue *q, struct errand *x)
{
    x->next = NULL;
    *q->tail = x;
    q->tail = &x->next;
}

static struct errand *queue_take(struct queue *q)
{
    struct errand *x = q->first;
    if (x)
        q->first = x->next;
    if (!q->first)
        q->tail = &q->first;
    return x;
}

/* ---- on the thread ------------------------------------------------------------------------------------------------
 */

static struct errand *next_errand(struct errands *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->todo.first && !s->ending)
        pthread_cond_wait(&s->news, &s->lock);
    struct errand *x = s->ending ? NULL : queue_take(&s->todo);
    pthread_mutex_unlock(&s->lock);
    return x;
}

static void *run(void *arg)
{
    struct errands *s = arg;
    for (struct errand *x; (x = next_errand(s));) {
        x->run(x);
        pthread_mutex_lock(&s->lock);
        queue_put(&s->over, x);
        if (!s->ending) /* else the loop may be gone */
            loop_wake(s->wake);
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

/* ---- on the loop --------------------------------------------------------------------------------------------------
 */

static int on_wake(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct errands *s = arg;
    for (;;) {
        pthread_mutex_lock(&s->lock);
        struct errand *x = queue_take(&s->over);
        pthread_mutex_unlock(&s->lock);
        if (!x)
            return 0;
        TRY(x->done(x, e));
    }
}

void errands_put(struct errands *s, struct errand *x)
{
    pthread_mutex_lock(&s->lock);
    queue_put(&s->todo, x);
    pthread_cond_signal(&s->news);
    pthread_mutex_unlock(&s->lock);
}

/* ---- life ---------------------------------------------------------------------------------------------------------
 */

static int start(struct errands *s, struct err *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    s->started = pthread_create(&s->thread, NULL, run, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return s->started ? 0 : FAIL(e, ERR_ENV, "cannot start a thread for file work");
}

struct errands *errands_create(struct loop *l, struct err *e)
{
    AUTO(errands_destroy) struct errands *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    s->todo.tail = &s->todo.first;
    s->over.tail = &s->over.first;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->news, NULL);
    s->wake = loop_add_wake(l, on_wake, s, e);
    if (!s->wake || start(s, e) < 0)
        return NULL;
    return TAKE(s);
}

static bool end_thread(struct errands *s)
{
    struct timespec until;
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    pthread_cond_signal(&s->news);
    pthread_mutex_unlock(&s->lock);
    clock_gettime(CLOCK_REALTIME, &until); /* what pthread_timedjoin_np counts by */
    until.tv_sec += END_WAIT_S;
    return pthread_timedjoin_np(s->thread, NULL, &until) == 0;
}

bool errands_destroy(struct errands *s)
{
    if (!s)
        return true;
    if (s->started && !end_thread(s)) {
        log_warn("errands.stuck", KV_STR("action", "a file system hangs; what was to be done there is left undone"));
        return false;
    }
    loop_remove(s->wake);
    for (struct errand *x; (x = queue_take(&s->todo)) || (x = queue_take(&s->over));)
        x->drop(x);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->news);
    free(s);
    return true;
}
