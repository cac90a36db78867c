#include "worker/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/digest.h"
#include "worker/errands.h"
#include "worker/layout.h"
#include "worker/token.h"

struct leftovers {
    struct leftovers_options o;
    char *scratch;
    int lock_fd; /* of the scratch directory */
    struct errands *errands;
    char *kept[LEFTOVERS_KEPT]; /* work places of failed attempts, a ring; the thread's own */
    size_t next_kept;
};

/* ---- on the thread ------------------------------------------------------------------------------------------------
 */

/* Takes the path; the oldest makes room for it. */
static void keep(struct leftovers *l, char *path)
{
    char **at = &l->kept[l->next_kept++ % LEFTOVERS_KEPT];
    if (*at)
        remove_tree(*at);
    free(*at);
    *at = path;
}

struct clearing { /* after one attempt */
    struct errand errand;
    struct leftovers *l;
    Acsweep__Token token;
    char identity[DIGEST_HEX_SIZE];
    bool debris; /* its exec died: what it was making goes; else it is acknowledged */
    bool done;   /* it succeeded and counts: its checkpoints go */
    bool keep;   /* its work place is wanted by people */
    bool leave;  /* or still in use */
    char store[];
};

static void clearing_drop(struct errand *x)
{
    free(x);
}

/* Of this attempt and of earlier ones that were not claimed by a later one. */
static void remove_checkpoints(const char *dir, const struct clearing *c)
{
    DIR *d = opendir(dir);
    for (struct dirent *de; d && (de = readdir(d));) {
        AUTO(free) char *path = NULL;
        unsigned attempt;
        unsigned long long epoch;
        if (layout_is_of(de->d_name, c->identity, &attempt, &epoch) && attempt <= c->token.attempt &&
            asprintf(&path, "%s/%s", dir, de->d_name) >= 0)
            remove_tree(path);
    }
    if (d)
        closedir(d);
}

static void clear_checkpoints(const struct clearing *c)
{
    AUTO(free) char *shared = layout_checkpoints(c->store, c->l->scratch), *own = layout_checkpoints("", c->l->scratch);
    if (shared)
        remove_checkpoints(shared, c);
    if (own) /* from a time when the store was not seen */
        remove_checkpoints(own, c);
}

static void clear_temp(const struct clearing *c)
{
    AUTO(free) char *shared = layout_temp(c->store, c->l->scratch, c->identity, &c->token);
    AUTO(free) char *own = layout_temp("", c->l->scratch, c->identity, &c->token);
    if (shared)
        remove_tree(shared);
    if (own)
        remove_tree(own);
}

static void clear(struct errand *x)
{
    const struct clearing *c = (struct clearing *)x;
    AUTO(free) char *work = layout_attempt(c->l->scratch, &c->token);
    if (c->done)
        clear_checkpoints(c);
    if (c->debris)
        clear_temp(c);
    if (!work || c->leave)
        return;
    if (c->keep)
        keep(c->l, TAKE(work));
    else
        remove_tree(work);
}

/* ---- on the loop --------------------------------------------------------------------------------------------------
 */

static int on_cleared(struct errand *x, struct err *e)
{
    AUTO(free) struct clearing *c = (struct clearing *)x;
    return c->debris ? 0 : c->l->o.on_cleared(&c->token, c->l->o.arg, e);
}

static struct clearing *clearing_make(struct leftovers *l, const Acsweep__Token *t, const char *identity,
                                      const char *store, struct err *e)
{
    struct clearing *c = calloc(1, sizeof *c + strlen(store) + 1);
    if (!c)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    c->errand = (struct errand){ .run = clear, .done = on_cleared, .drop = clearing_drop };
    c->l = l;
    c->token = token_copy(t);
    snprintf(c->identity, sizeof c->identity, "%s", identity);
    memcpy(c->store, store, strlen(store) + 1);
    return c;
}

int leftovers_acknowledged(struct leftovers *l, const Acsweep__Result *r, bool committed, const char *store,
                           struct err *e)
{
    struct clearing *c = clearing_make(l, r->token, r->identity, store, e);
    if (!c)
        return -1;
    c->done = committed && r->outcome == ACSWEEP__OUTCOME__SUCCEEDED && layout_is_identity(r->identity);
    c->keep = committed && r->outcome == ACSWEEP__OUTCOME__FAILED;
    errands_put(l->errands, &c->errand);
    return 0;
}

int leftovers_debris(struct leftovers *l, const Acsweep__Token *t, const char *identity, bool fenced, const char *store,
                     struct err *e)
{
    if (!layout_is_identity(identity))
        return 0;
    struct clearing *c = clearing_make(l, t, identity, store, e);
    if (!c)
        return -1;
    c->debris = true;
    c->leave = !fenced; /* its result is still to be acknowledged */
    errands_put(l->errands, &c->errand);
    return 0;
}

/* ---- what former agents left --------------------------------------------------------------------------------------
 */

struct place {
    char *path;
    struct timespec changed;
};
struct former { /* work places, oldest first */
    struct errand errand;
    struct leftovers *l;
    struct place *list;
    size_t n;
};

static void former_drop(struct errand *x)
{
    struct former *f = (struct former *)x;
    for (size_t i = 0; i < f->n; i++)
        free(f->list[i].path);
    free(f->list);
    free(f);
}

static int former_done(struct errand *x, struct err *e)
{
    (void)e;
    former_drop(x);
    return 0;
}

static void keep_former(struct errand *x)
{
    struct former *f = (struct former *)x;
    for (size_t i = 0; i < f->n; i++)
        keep(f->l, TAKE(f->list[i].path));
}

static int by_age(const void *a, const void *b)
{
    const struct timespec *x = &((const struct place *)a)->changed, *y = &((const struct place *)b)->changed;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

static int add_former(struct former *f, const char *dir, const char *name, struct err *e)
{
    struct stat st;
    struct place *more = realloc(f->list, (f->n + 1) * sizeof *more);
    if (!more)
        return FAIL_NOMEM(e);
    f->list = more;
    if (asprintf(&more[f->n].path, "%s/%s", dir, name) < 0)
        return FAIL_NOMEM(e);
    more[f->n].changed = stat(more[f->n].path, &st) == 0 ? st.st_mtim : (struct timespec){ 0 };
    f->n++;
    return 0;
}

static int list_former(struct former *f, struct err *e)
{
    AUTO(free) char *dir = layout_attempts(f->l->scratch);
    DIR *d = dir ? opendir(dir) : NULL;
    int rc = dir ? 0 : FAIL_NOMEM(e);
    for (struct dirent *de; rc == 0 && d && (de = readdir(d));)
        if (de->d_name[0] != '.')
            rc = add_former(f, dir, de->d_name, e);
    if (d)
        closedir(d);
    if (f->n)
        qsort(f->list, f->n, sizeof *f->list, by_age);
    return rc;
}

static int clear_former(struct leftovers *l, struct err *e)
{
    struct former *f = calloc(1, sizeof *f);
    if (!f)
        return FAIL_NOMEM(e);
    *f = (struct former){ { .run = keep_former, .done = former_done, .drop = former_drop }, .l = l };
    if (list_former(f, e) < 0) {
        former_drop(&f->errand);
        return -1;
    }
    errands_put(l->errands, &f->errand);
    return 0;
}

/* Every agent holds a share of the lock for its life. Who gets all of it is alone here, and nothing of his runs yet:
 * all that is there now is of former agents. */
static int lock_scratch(struct leftovers *l, struct err *e)
{
    AUTO(free) char *path = NULL;
    if (asprintf(&path, "%s/lock", l->scratch) < 0)
        return FAIL_NOMEM(e);
    l->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (l->lock_fd < 0)
        return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
    int done = flock(l->lock_fd, LOCK_EX | LOCK_NB) == 0 ? clear_former(l, e) : 0;
    while (flock(l->lock_fd, LOCK_SH) < 0 && errno == EINTR)
        ;
    return done;
}

/* ---- life ---------------------------------------------------------------------------------------------------------
 */

struct leftovers *leftovers_create(const struct leftovers_options *o, struct err *e)
{
    AUTO(leftovers_destroy) struct leftovers *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    l->o = *o;
    l->lock_fd = -1;
    l->scratch = strdup(o->scratch);
    if (!l->scratch)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    l->errands = errands_create(o->loop, e);
    if (!l->errands || lock_scratch(l, e) < 0)
        return NULL;
    return TAKE(l);
}

void leftovers_destroy(struct leftovers *l)
{
    if (!l)
        return;
    if (!errands_destroy(l->errands))
        return; /* its thread is not done with our memory */
    for (size_t i = 0; i < LEFTOVERS_KEPT; i++)
        free(l->kept[i]);
    if (l->lock_fd >= 0)
        close(l->lock_fd);
    free(l->scratch);
    free(l);
}
