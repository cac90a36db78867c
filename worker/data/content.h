/* The content digest of an outside file or directory (checkpoint, pictures, questions): what a sweep's results name it
 * by, whatever it is called and wherever it lies.
 *
 * A file's is its SHA-256, as `sha256sum FILE` prints it. A directory's is that of the list of its files, a line each
 * in the order of the names' bytes, as sha256sum writes it:
 *
 *     HEX  NAME\n      NAME is relative to the directory. With a backslash, newline or return in it the line begins
 *                     with a backslash, and they are written \\, \n and \r.
 *
 * So this prints it, too:
 *
 *     cd DIR && find -L . -name '.?*' -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z |
 *         xargs -0 sha256sum | sha256sum
 *
 * Sizes are not in it: a digest has them in itself. Links are followed, as caches of checkpoints consist of them; a
 * link to nowhere or into a directory that it lies in is an error, and so is what is neither file nor directory. Names
 * that begin with a dot are not looked at (.git, .cache, .DS_Store), nor what is below them; directories count only by
 * what is in them. Modes, owners and times do not count.
 *
 * Reading is by several files at a time. A cache file remembers digests by name, size, time of change and inode, so
 * that what was read once is not read again, also when it was interrupted in the middle; what changed less than two
 * seconds before it was read is not remembered, because a later change could bear the same time. */
#ifndef ACSWEEP_WORKER_DATA_CONTENT_H
#define ACSWEEP_WORKER_DATA_CONTENT_H

#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"

/* Bytes looked at so far, of all; -1 with an error ends it. Called about ten times a second. */
typedef int content_progress(void *arg, uint64_t done, uint64_t bytes, struct err *e);

struct content_options {
    const char *cache; /* a file of ours, made when it is not there; NULL = nothing is remembered */
    unsigned threads;  /* files read at a time; 0 = 4 */
    content_progress *progress;
    void *arg;
};
struct content {
    char digest[DIGEST_HEX_SIZE];
    uint64_t files, bytes;
    uint64_t bytes_read; /* of which the rest was known from the cache */
};

/* ERR_INPUT for what has no content digest (see above), ERR_ENV when it cannot be read or changes meanwhile. */
MUST_USE int content_digest(const char *path, const struct content_options *o, struct content *out, struct err *e);

/* As for a directory, but of these files below `dir` only; one that is named twice counts once. */
MUST_USE int content_digest_files(const char *dir, const char *const *names, size_t n, const struct content_options *o,
                                  struct content *out, struct err *e);

#endif
