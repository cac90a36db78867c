/* The representation that a task is about, as its parameters name it. */
#ifndef ACSWEEP_WORKER_EXEC_NATIVE_MEMBERS_H
#define ACSWEEP_WORKER_EXEC_NATIVE_MEMBERS_H

#include "worker/exec/native.h"
#include "worker/extract/representation.h"

#define NATIVE_MEMBERS_MAX 32

struct native_members {
    struct representation_member list[NATIVE_MEMBERS_MAX];
    size_t n;
    int64_t grid;        /* target; 0 = the finest member's */
    enum th_dtype dtype; /* that tokens are rounded to */
};

/* `representation`: {"members": [{"resolution", "options"}], "target_grid", "fusion"}, of an identity; `encoding`:
 * {"select_layer", "image_aspect", "dtype"}; `names`: {"members": [{"encoder", "checkpoint"}]}. Texts stay the
 * parameters'. ERR_INPUT names what is missing, or what this program cannot do. Checkpoints are not looked for. */
MUST_USE int native_members_read(json_t *representation, json_t *encoding, json_t *names, struct native_members *m,
                                 struct err *e);
/* Find the checkpoints on this node, of members that have no kept features, and open them all. NULL on error. */
struct representation *native_members_open(const struct exec_task *t, struct native_members *m, json_t *names,
                                           struct th_device device, struct err *e);
/* The checkpoint of member `i` on this node; NULL on error. */
const char *native_member_path(const struct exec_task *t, json_t *names, size_t i, struct err *e);

/* Files of features that the plan keeps: the inputs cache:MEMBER:SHARD. */
struct native_caches {
    char **files;
    size_t n;
    const char **lists[NATIVE_MEMBERS_MAX];
};
/* Puts them into list[0 .. n-1], where they stay the caches'. */
MUST_USE int native_caches_find(const struct exec_task *t, struct representation_member *list, size_t n,
                                struct native_caches *c, struct err *e);
void native_caches_free(struct native_caches *c);
static inline UNUSED void native_caches_free_cleanup(struct native_caches *c)
{
    native_caches_free(c);
}

#endif
