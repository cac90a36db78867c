/* Where this node has data, checkpoints and the artifact store: logical names of sweep.cfg -> local paths. Rows,
 * messages to coordinators and identities hold names only, so each node may keep things where it likes. */
#ifndef ACSWEEP_WORKER_PATHS_H
#define ACSWEEP_WORKER_PATHS_H

#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

struct named_path {
    char *name, *path;
};
struct paths {
    struct named_path *list;
    size_t n;
};

/* "NAME=PATH"; the name ends at the first '='. ERR_USAGE when either is missing, the path is relative, or the name is
 * there already. */
MUST_USE int paths_add(struct paths *p, const char *text, struct err *e);
/* NULL when there is none of that name. */
const char *paths_find(const struct paths *p, const char *name);
void paths_free(struct paths *p);
static inline UNUSED void paths_free_cleanup(struct paths *p)
{
    paths_free(p);
}

#endif
