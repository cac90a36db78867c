#include "coordinator/dbthread.h"

#include <pthread.h>
#include <signal.h>

struct queue {
    struct db_job *first, **last;
};

struct dbthread {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct queue todo, finished; /* under the lock */
    bool stop;                   /* under the lock */
    struct db *db;               /* the thread's own after its start */
    struct loop_source *wake;
    size_t pending; /* loop thread only */
};

static void queue_push(struct queue *q, struct db_job *j)
{
    j->next = NULL;
    *q->last = j;
    q->last = &j->next;
}

static struct db_job *queue_take_all(struct queue *q)
{
    struct db_job *all = q->first;
    q->first = NULL;
    q->last = &q->first;
    return all;
}

static struct db_job *wait_for_job(struct dbthread *t)
{
    pthread_mutex_lock(&t->lock);
    while (!t->todo.first && !t->stop)
        pthread_cond_wait(&t->more, &t->lock);
    struct db_job *j = t->stop ? NULL : t->todo.first;
    if (j && !(t->todo.first = j->next))
        t->todo.last = &t->todo.first;
    pthread_mutex_unlock(&t->lock);
    return j;
}

static void *work(void *arg)
{
    struct dbthread *t = arg;
    struct db_job *j;
    while ((j = wait_for_job(t))) {
        j->rc = j->run(j, t->db, &j->err);
        pthread_mutex_lock(&t->lock);
        queue_push(&t->finished, j);
        pthread_mutex_unlock(&t->lock);
        loop_wake(t->wake);
    }
    return NULL;
}

static const struct err stopping = { .kind = ERR_INTERRUPTED, .text = "the coordinator is stopping" };

/* With `over`, the leadership has ended: whatever came of a job, its owner only lets go of it. */
static int hand_back(struct dbthread *t, struct db_job *all, const struct err *over, struct err *e)
{
    int rc = 0;
    while (all) {
        struct db_job *j = all;
        all = j->next;
        t->pending--;
        struct err why = j->err;
        struct err ignored = { 0 };
        /* After one callback ended the loop, the rest must still be freed. */
        if (j->done(j, over ? over : j->rc < 0 ? &why : NULL, rc ? &ignored : e) < 0)
            rc = -1;
    }
    return rc;
}

static int on_wake(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    struct dbthread *t = arg;
    pthread_mutex_lock(&t->lock);
    struct db_job *all = queue_take_all(&t->finished);
    pthread_mutex_unlock(&t->lock);
    return hand_back(t, all, NULL, e);
}

struct dbthread *dbthread_create(struct loop *l, struct db *d, struct err *e)
{
    struct dbthread *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    t->todo.last = &t->todo.first;
    t->finished.last = &t->finished.first;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->more, NULL);
    t->wake = loop_add_wake(l, on_wake, t, e);
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    t->db = d;
    bool started = t->wake && pthread_create(&t->thread, NULL, work, t) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!started) {
        loop_remove(t->wake);
        free(t);
        return FAIL_NULL(e, ERR_ENV, "cannot start the database thread");
    }
    return t;
}

void dbthread_post(struct dbthread *t, struct db_job *j)
{
    j->err = (struct err){ 0 };
    t->pending++;
    pthread_mutex_lock(&t->lock);
    queue_push(&t->todo, j);
    pthread_cond_signal(&t->more);
    pthread_mutex_unlock(&t->lock);
}

size_t dbthread_pending(const struct dbthread *t)
{
    return t->pending;
}

void dbthread_destroy(struct dbthread *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_signal(&t->more);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    loop_remove(t->wake);
    struct err ignored = { 0 };
    hand_back(t, queue_take_all(&t->finished), &stopping, &ignored);
    hand_back(t, queue_take_all(&t->todo), &stopping, &ignored);
    db_close(t->db);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->more);
    free(t);
}
