/* Files with sizes, times and digests, in the order of their names' bytes: what content.c makes a digest of, and what a
 * cache file holds. Private to worker/data/content*.c. */
#ifndef ACSWEEP_WORKER_DATA_CONTENT_LIST_H
#define ACSWEEP_WORKER_DATA_CONTENT_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"

struct content_file {
    char *name; /* relative to the directory; "" = the path itself */
    uint64_t size, inode;
    int64_t changed;              /* st_mtim in nanoseconds */
    char digest[DIGEST_HEX_SIZE]; /* "" = not known yet */
};
struct content_list {
    struct content_file *files;
    size_t n, cap;
    uint64_t bytes;
};

void content_list_free(struct content_list *l);
static inline UNUSED void content_list_free_cleanup(struct content_list *l)
{
    content_list_free(l);
}

/* The file, or all files below the directory. */
MUST_USE int content_list_walk(struct content_list *l, const char *path, struct err *e);
/* These files below `dir`. */
MUST_USE int content_list_named(struct content_list *l, const char *dir, const char *const *names, size_t n,
                                struct err *e);
/* Size, time and inode of an open or named file; ERR_INPUT unless it is a regular one. */
struct stat;
MUST_USE int content_file_take(struct content_file *f, const struct stat *st, const char *path, struct err *e);

/* Digests of the files that are as `cache` remembers them. A cache that is missing or spoilt knows nothing. */
void content_cache_read(struct content_list *l, const char *cache);
/* Remember what is known, of files that had not changed since `settled` (ns). A cache that cannot be written is an
 * error. */
MUST_USE int content_cache_write(const struct content_list *l, const char *cache, int64_t settled, struct err *e);

#endif
