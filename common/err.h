/* One error value for the whole project: a kind the caller acts on (retry, requeue, exit code) and a text for people.
 *
 * Every function that can fail returns 0 / -1 (or a pointer / NULL) and takes a `struct err *` as its last argument.
 * The place that knows most sets the text; callers add context with err_wrap(); the edge (main, a message handler) logs
 * it once. A `struct err` is plain memory: start it with `= {0}`, there is nothing to free. */
#ifndef ACSWEEP_COMMON_ERR_H
#define ACSWEEP_COMMON_ERR_H

#include <stdbool.h>

enum err_kind {
    ERR_NONE,
    ERR_USAGE,       /* the command line is wrong                                    exit 2 */
    ERR_INPUT,       /* a config, data file, checkpoint or image is wrong            exit 3 */
    ERR_ENV,         /* something this machine lacks: program, file, disk, address   exit 4 */
    ERR_PEER,        /* bytes from another process break the protocol                exit 4 */
    ERR_DB_RETRY,    /* the database said "try again" or the connection was lost     exit 4 */
    ERR_DB,          /* the database refused for good                                exit 4 */
    ERR_INTERRUPTED, /* a signal or a cancel asked us to stop                        exit 5 */
    ERR_NOMEM,       /* memory of this machine is used up                            exit 4 */
    ERR_GPU_OOM,     /* memory of a GPU is used up; a task may ask for more          exit 4 */
    ERR_GPU,         /* a GPU failed; the process that used it must end              exit 4 */
    ERR_TASK,        /* a task failed, see its failure class                         exit 1 */
    ERR_BUG,         /* our own mistake                                              exit 70 */
};

struct err {
    enum err_kind kind;
    const char *file; /* source place that set it, for logs */
    int line;
    char text[1024];
};

/* Fill `e` and return -1, so that `return FAIL(e, ERR_INPUT, "...")` reads as one thing. `e` may be NULL.
 * Only the first error is kept: a later set on a filled `e` is ignored, because the first is the cause. */
int err_set(struct err *e, enum err_kind kind, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Put "context: " before the text already in `e`; does nothing when `e` is empty. Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forget the error, ready for another call. */
void err_clear(struct err *e);

/* Stable name of a kind ("input", "env", ...), for logs and JSON. */
const char *err_kind_name(enum err_kind kind);

/* Process exit code of a kind, from the table in docs/cli.md. */
int err_exit_code(enum err_kind kind);

/* Tells the compiler what err_set returns, so that it sees that a caller with TRY does not go on. */
static inline int err_minus_one(int rc)
{
    (void)rc;
    return -1;
}

#define FAIL(e, kind, ...) err_minus_one(err_set((e), (kind), __FILE__, __LINE__, __VA_ARGS__))
#define FAIL_NOMEM(e) FAIL((e), ERR_NOMEM, "out of memory")
/* As FAIL, for functions that return a pointer. */
#define FAIL_NULL(e, kind, ...) (err_set((e), (kind), __FILE__, __LINE__, __VA_ARGS__), (void *)0)
#define TRY(call)       \
    do {                \
        if ((call) < 0) \
            return -1;  \
    } while (0)

#endif
