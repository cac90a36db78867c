#include "worker/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "common/digest.h"
#include "common/log.h"
#include "worker/layout.h"
#include "worker/token.h"

#define END_WAIT_S 5

enum job_kind { ACKNOWLEDGED, DEBRIS };

struct job {
    struct job *next;
    enum job_kind kind;
    Acsweep__Token token;
    char identity[DIGEST_HEX_SIZE];
    bool done, failed, fenced; /* it succeeded and counts; its log is wanted; there is no result */
    char store[];
};

struct jobs {
    struct job *first, **tail;
};

struct place { /* a work place */
    char *path;
    struct timespec changed;
};

struct leftovers {
    struct leftovers_options o;
    char *scratch;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct loop_source *wake;
    struct jobs todo, cleared; /* under the lock, as is `ending` */
    bool ending, started;
    int lock_fd;          /* of the scratch directory */
    struct place *former; /* left by former agents, oldest first; the thread's own, as is what follows */
    size_t n_former;
    char *kept[LEFTOVERS_KEPT]; /* work places of failed attempts, a ring */
    size_t next_kept;
};

static void jobs_put(struct jobs *q, struct job *j)
{
    j->next = NULL;
    *q->tail = j;
    q->tail = &j->next;
}

static struct job *jobs_take(struct jobs *q)
{
    struct job *j = q->first;
    if (j)
        q->first = j->next;
    if (!q->first)
        q->tail = &q->first;
    return j;
}

/* ---- on the thread ----------------------------------------------------------------------------------------------- */

/* Takes the path; the oldest makes room for it. */
static void keep(struct leftovers *l, char *path)
{
    char **at = &l->kept[l->next_kept++ % LEFTOVERS_KEPT];
    if (*at)
        remove_tree(*at);
    free(*at);
    *at = path;
}

/* Of this attempt and of earlier ones that were not claimed by a later one. */
static void remove_checkpoints(const char *dir, const struct job *j)
{
    DIR *d = opendir(dir);
    for (struct dirent *de; d && (de = readdir(d));) {
        AUTO(free) char *path = NULL;
        unsigned attempt;
        unsigned long long epoch;
        if (layout_is_of(de->d_name, j->identity, &attempt, &epoch) && attempt <= j->token.attempt &&
            asprintf(&path, "%s/%s", dir, de->d_name) >= 0)
            remove_tree(path);
    }
    if (d)
        closedir(d);
}

static void clear_acknowledged(struct leftovers *l, const struct job *j)
{
    AUTO(free) char *work = layout_attempt(l->scratch, &j->token);
    if (j->done) {
        AUTO(free) char *shared = layout_checkpoints(j->store, l->scratch), *own = layout_checkpoints("", l->scratch);
        if (shared && own) {
            remove_checkpoints(shared, j);
            remove_checkpoints(own, j); /* from the time before the store was seen */
        }
    }
    if (!work)
        return;
    if (j->failed)
        keep(l, TAKE(work));
    else
        remove_tree(work);
}

static void clear_debris(struct leftovers *l, const struct job *j)
{
    AUTO(free) char *temp = layout_temp(j->store, l->scratch, j->identity, &j->token);
    AUTO(free) char *work = layout_attempt(l->scratch, &j->token);
    if (temp)
        remove_tree(temp);
    if (work && j->fenced)
        remove_tree(work);
}

static struct job *next_job(struct leftovers *l)
{
    pthread_mutex_lock(&l->lock);
    while (!l->todo.first && !l->ending)
        pthread_cond_wait(&l->news, &l->lock);
    struct job *j = l->ending ? NULL : jobs_take(&l->todo);
    pthread_mutex_unlock(&l->lock);
    return j;
}

static void *clear(void *arg)
{
    struct leftovers *l = arg;
    for (size_t i = 0; i < l->n_former; i++)
        keep(l, TAKE(l->former[i].path));
    for (struct job *j; (j = next_job(l));) {
        if (j->kind == DEBRIS) {
            clear_debris(l, j);
            free(j);
            continue;
        }
        clear_acknowledged(l, j);
        pthread_mutex_lock(&l->lock);
        jobs_put(&l->cleared, j);
        if (!l->ending) /* else the loop may be gone */
            loop_wake(l->wake);
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

/* ---- on the loop ------------------------------------------------------------------------------------------------- */

static int on_wake(struct loop *loop, void *arg, struct err *e)
{
    (void)loop;
    struct leftovers *l = arg;
    for (;;) {
        pthread_mutex_lock(&l->lock);
        AUTO(free) struct job *j = jobs_take(&l->cleared);
        pthread_mutex_unlock(&l->lock);
        if (!j)
            return 0;
        TRY(l->o.on_cleared(&j->token, l->o.arg, e));
    }
}

static struct job *job_make(enum job_kind kind, const Acsweep__Token *t, const char *identity, const char *store,
                            struct err *e)
{
    struct job *j = calloc(1, sizeof *j + strlen(store) + 1);
    if (!j)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    j->kind = kind;
    j->token = token_copy(t);
    snprintf(j->identity, sizeof j->identity, "%s", identity);
    memcpy(j->store, store, strlen(store) + 1);
    return j;
}

static int hand_over(struct leftovers *l, struct job *j)
{
    pthread_mutex_lock(&l->lock);
    jobs_put(&l->todo, j);
    pthread_cond_signal(&l->news);
    pthread_mutex_unlock(&l->lock);
    return 0;
}

int leftovers_acknowledged(struct leftovers *l, const Acsweep__Result *r, bool committed, const char *store,
                           struct err *e)
{
    struct job *j = job_make(ACKNOWLEDGED, r->token, r->identity, store, e);
    if (!j)
        return -1;
    j->done = committed && r->outcome == ACSWEEP__OUTCOME__SUCCEEDED && layout_is_identity(r->identity);
    j->failed = committed && r->outcome == ACSWEEP__OUTCOME__FAILED;
    return hand_over(l, j);
}

int leftovers_debris(struct leftovers *l, const Acsweep__Token *t, const char *identity, bool fenced, const char *store,
                     struct err *e)
{
    if (!layout_is_identity(identity))
        return 0;
    struct job *j = job_make(DEBRIS, t, identity, store, e);
    if (!j)
        return -1;
    j->fenced = fenced;
    return hand_over(l, j);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static int by_age(const void *a, const void *b)
{
    const struct timespec *x = &((const struct place *)a)->changed, *y = &((const struct place *)b)->changed;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

static int add_former(struct leftovers *l, const char *dir, const char *name, struct err *e)
{
    struct stat st;
    struct place *more = realloc(l->former, (l->n_former + 1) * sizeof *more);
    if (!more)
        return FAIL_NOMEM(e);
    l->former = more;
    struct place *at = &more[l->n_former];
    if (asprintf(&at->path, "%s/%s", dir, name) < 0)
        return FAIL_NOMEM(e);
    at->changed = stat(at->path, &st) == 0 ? st.st_mtim : (struct timespec){ 0 };
    l->n_former++;
    return 0;
}

static int list_former(struct leftovers *l, struct err *e)
{
    AUTO(free) char *dir = layout_attempts(l->scratch);
    DIR *d = dir ? opendir(dir) : NULL;
    int rc = dir ? 0 : FAIL_NOMEM(e);
    for (struct dirent *de; rc == 0 && d && (de = readdir(d));)
        if (de->d_name[0] != '.')
            rc = add_former(l, dir, de->d_name, e);
    if (d)
        closedir(d);
    if (l->n_former)
        qsort(l->former, l->n_former, sizeof *l->former, by_age);
    return rc;
}

/* Every agent holds a share of the lock for its life. Who gets all of it is alone here, and nothing of his runs yet:
 * all that is there now is of former agents. */
static int find_former(struct leftovers *l, struct err *e)
{
    AUTO(free) char *path = NULL;
    if (asprintf(&path, "%s/lock", l->scratch) < 0)
        return FAIL_NOMEM(e);
    l->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (l->lock_fd < 0)
        return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
    int found = flock(l->lock_fd, LOCK_EX | LOCK_NB) == 0 ? list_former(l, e) : 0;
    while (flock(l->lock_fd, LOCK_SH) < 0 && errno == EINTR)
        ;
    return found;
}

static int start(struct leftovers *l, struct err *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    l->started = pthread_create(&l->thread, NULL, clear, l) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return l->started ? 0 : FAIL(e, ERR_ENV, "cannot start the thread that clears up");
}

struct leftovers *leftovers_create(const struct leftovers_options *o, struct err *e)
{
    AUTO(leftovers_destroy) struct leftovers *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    l->o = *o;
    l->lock_fd = -1;
    l->todo.tail = &l->todo.first;
    l->cleared.tail = &l->cleared.first;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->news, NULL);
    l->scratch = strdup(o->scratch);
    if (!l->scratch)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    l->wake = loop_add_wake(o->loop, on_wake, l, e);
    if (!l->wake || find_former(l, e) < 0 || start(l, e) < 0)
        return NULL;
    return TAKE(l);
}

/* false: it hangs on some file system, and everything that it may still touch must stay. */
static bool end_thread(struct leftovers *l)
{
    struct timespec until;
    pthread_mutex_lock(&l->lock);
    l->ending = true;
    pthread_cond_signal(&l->news);
    pthread_mutex_unlock(&l->lock);
    clock_gettime(CLOCK_REALTIME, &until); /* what pthread_timedjoin_np counts by */
    until.tv_sec += END_WAIT_S;
    return pthread_timedjoin_np(l->thread, NULL, &until) == 0;
}

void leftovers_destroy(struct leftovers *l)
{
    if (!l)
        return;
    if (l->started && !end_thread(l)) {
        log_warn("leftovers.stuck", KV_STR("action", "left to the next agent"));
        return;
    }
    loop_remove(l->wake);
    for (struct job *j; (j = jobs_take(&l->todo)) || (j = jobs_take(&l->cleared));)
        free(j);
    for (size_t i = 0; i < LEFTOVERS_KEPT; i++)
        free(l->kept[i]);
    for (size_t i = 0; i < l->n_former; i++)
        free(l->former[i].path);
    free(l->former);
    if (l->lock_fd >= 0)
        close(l->lock_fd);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->news);
    free(l->scratch);
    free(l);
}
