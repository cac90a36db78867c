#include "worker/data/content.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/buf.h"
#include "worker/data/content_list.h"

#define BLOCK ((size_t)4 << 20)
#define MAX_THREADS 64
#define TICK_NS 100000000
#define SETTLED_NS INT64_C(2000000000)

struct reading {
    struct content_list *list;
    const char *dir;
    atomic_size_t next;
    atomic_uint_fast64_t done; /* bytes */
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t ended; /* a thread has */
    unsigned at_work;
    struct err error; /* the first one */
};

/* ---- one file -----------------------------------------------------------------------------------------------------
 */

static int count_block(void *arg, size_t n, struct err *e)
{
    struct reading *r = arg;
    atomic_fetch_add(&r->done, n);
    return atomic_load(&r->stop) ? FAIL(e, ERR_INTERRUPTED, "asked to stop") : 0;
}

static bool same_file(const struct content_file *a, const struct content_file *b)
{
    return a->size == b->size && a->changed == b->changed && a->inode == b->inode;
}

/* As it was listed, before and after it is read: else the digest would be of no state that there was. */
static int check_same(int fd, const char *path, const struct content_file *f, struct err *e)
{
    struct stat st;
    struct content_file now;
    if (fstat(fd, &st) < 0)
        return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
    TRY(content_file_take(&now, &st, path, e));
    return same_file(&now, f) ? 0 : FAIL(e, ERR_ENV, "%s changed while it was read", path);
}

static int read_file(struct reading *r, struct content_file *f, void *block, struct err *e)
{
    char path[4200], digest[DIGEST_HEX_SIZE];
    snprintf(path, sizeof path, "%s%s%s", r->dir, f->name[0] ? "/" : "", f->name);
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return FAIL(e, ERR_ENV, "%s: %s", path, strerror(errno));
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    TRY(check_same(fd, path, f, e));
    TRY(digest_fd(fd, path, block, BLOCK, count_block, r, digest, e));
    TRY(check_same(fd, path, f, e));
    memcpy(f->digest, digest, sizeof f->digest);
    return 0;
}

/* ---- the threads --------------------------------------------------------------------------------------------------
 */

static int read_files(struct reading *r, struct err *e)
{
    AUTO(free) void *block = malloc(BLOCK);
    if (!block)
        return FAIL_NOMEM(e);
    size_t i;
    while (!atomic_load(&r->stop) && (i = atomic_fetch_add(&r->next, 1)) < r->list->n)
        if (!r->list->files[i].digest[0])
            TRY(read_file(r, &r->list->files[i], block, e));
    return 0;
}

static void *work(void *arg)
{
    struct reading *r = arg;
    struct err e = { 0 };
    int rc = read_files(r, &e);
    pthread_mutex_lock(&r->lock);
    if (rc < 0 && !r->error.kind)
        r->error = e;
    if (rc < 0)
        atomic_store(&r->stop, true);
    r->at_work--;
    pthread_cond_signal(&r->ended);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* With the lock held: until all have ended. */
static void watch(struct reading *r, const struct content_options *o, uint64_t bytes)
{
    while (r->at_work) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TICK_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&r->ended, &r->lock, &until);
        if (!o->progress || atomic_load(&r->stop))
            continue;
        pthread_mutex_unlock(&r->lock);
        struct err e = { 0 };
        int rc = o->progress(o->arg, atomic_load(&r->done), bytes, &e);
        pthread_mutex_lock(&r->lock);
        if (rc < 0 && !r->error.kind)
            r->error = e;
        if (rc < 0)
            atomic_store(&r->stop, true);
    }
}

/* Signals are for the thread that started us. */
static unsigned start(struct reading *r, pthread_t *threads, unsigned wanted)
{
    sigset_t all, before;
    unsigned n = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (n < wanted && pthread_create(&threads[n], NULL, work, r) == 0)
        n++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n;
}

static int read_all(struct reading *r, const struct content_options *o, struct err *e)
{
    pthread_t threads[MAX_THREADS];
    unsigned wanted = o->threads ? o->threads : 4, n;
    wanted = wanted > MAX_THREADS ? MAX_THREADS : wanted;
    wanted = wanted > r->list->n ? (unsigned)r->list->n : wanted;
    pthread_mutex_lock(&r->lock);
    n = r->at_work = start(r, threads, wanted);
    watch(r, o, r->list->bytes);
    pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    if (r->error.kind)
        return e ? (*e = r->error, -1) : -1;
    return n || !r->list->n ? 0 : FAIL(e, ERR_ENV, "no thread can be started: %s", strerror(errno));
}

static int read_unknown(struct content_list *l, const char *dir, const struct content_options *o, uint64_t known,
                        struct err *e)
{
    struct reading r = { .list = l, .dir = dir };
    atomic_init(&r.done, known);
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.ended, NULL);
    int rc = read_all(&r, o, e);
    pthread_cond_destroy(&r.ended);
    pthread_mutex_destroy(&r.lock);
    return rc;
}

/* ---- the digest ---------------------------------------------------------------------------------------------------
 */

/* A line of sha256sum. */
static void put_line(struct buf *b, const struct content_file *f)
{
    bool plain = !strpbrk(f->name, "\\\n\r");
    buf_printf(b, "%s%s  ", plain ? "" : "\\", f->digest);
    if (plain)
        buf_puts(b, f->name);
    for (const char *p = f->name; !plain && *p; p++)
        if (*p == '\\' || *p == '\n' || *p == '\r')
            buf_puts(b, *p == '\\' ? "\\\\" : *p == '\n' ? "\\n" : "\\r");
        else
            buf_add(b, p, 1);
    buf_puts(b, "\n");
}

static int digest_list(const struct content_list *l, char hex[DIGEST_HEX_SIZE], struct err *e)
{
    AUTO(buf_free) struct buf b = BUF_INIT(SIZE_MAX / 4);
    if (l->n == 1 && !l->files[0].name[0]) {
        memcpy(hex, l->files[0].digest, DIGEST_HEX_SIZE);
        return 0;
    }
    for (size_t i = 0; i < l->n; i++)
        put_line(&b, &l->files[i]);
    TRY(buf_check(&b, "the list of files", e));
    digest_bytes(buf_text(&b), b.len, hex);
    return 0;
}

static int digest_files(struct content_list *l, const char *dir, const struct content_options *o, struct content *out,
                        struct err *e)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t known = 0;
    if (o->cache)
        content_cache_read(l, o->cache);
    for (size_t i = 0; i < l->n; i++)
        known += l->files[i].digest[0] ? l->files[i].size : 0;
    *out = (struct content){ .files = l->n, .bytes = l->bytes, .bytes_read = l->bytes - known };
    bool all = true;
    for (size_t i = 0; i < l->n; i++)
        all &= l->files[i].digest[0] != '\0';
    if (!all) {
        int rc = read_unknown(l, dir, o, known, e); /* what was read before an error is remembered, too */
        struct err lost = { 0 };
        int64_t settled = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - SETTLED_NS;
        if (o->cache && content_cache_write(l, o->cache, settled, &lost) < 0 && rc == 0)
            return err_set(e, lost.kind, lost.file, lost.line, "%s", lost.text);
        TRY(rc);
    }
    return digest_list(l, out->digest, e);
}

int content_digest(const char *path, const struct content_options *o, struct content *out, struct err *e)
{
    AUTO(content_list_free) struct content_list l = { 0 };
    TRY(content_list_walk(&l, path, e));
    return digest_files(&l, path, o, out, e);
}

int content_digest_files(const char *dir, const char *const *names, size_t n, const struct content_options *o,
                         struct content *out, struct err *e)
{
    AUTO(content_list_free) struct content_list l = { 0 };
    TRY(content_list_named(&l, dir, names, n, e));
    return digest_files(&l, dir, o, out, e);
}
