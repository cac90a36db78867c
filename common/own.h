/* Ownership helpers: scope cleanup, hand-over, checked results.
 *
 *     AUTO(plan_destroy) struct plan *p = plan_create(&e);   // destroyed at the end of the scope
 *     return TAKE(p);                                        // ...unless given away
 *
 * A destroy function takes a plain pointer, accepts NULL, and is registered once with DEFINE_CLEANUP in its header. */
#ifndef ACSWEEP_COMMON_OWN_H
#define ACSWEEP_COMMON_OWN_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MUST_USE __attribute__((warn_unused_result))
#define UNUSED __attribute__((unused))
#define ARRAY_LEN(a) (sizeof(a) / sizeof *(a))

#define AUTO(fn) __attribute__((cleanup(fn##_cleanup)))
#define DEFINE_CLEANUP(fn, type)                    \
    static inline UNUSED void fn##_cleanup(type *p) \
    {                                               \
        fn(*p);                                     \
    }
#define TAKE(p)                    \
    __extension__({                \
        __typeof__(p) kept_ = (p); \
        (p) = NULL;                \
        kept_;                     \
    })

/* AUTO(free) void *p; AUTO(fclose) FILE *f; AUTO(close) int fd = -1; */
static inline UNUSED void free_cleanup(void *p)
{
    free(*(void **)p);
}
static inline UNUSED void fclose_cleanup(FILE **f)
{
    if (*f)
        fclose(*f);
}
static inline UNUSED void close_cleanup(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#endif
