/* For params.c and params_load.c only. */
#ifndef ACSWEEP_WORKER_MODEL_PARAMS_IMPL_H
#define ACSWEEP_WORKER_MODEL_PARAMS_IMPL_H

#include "common/arena.h"
#include "common/map.h"
#include "worker/model/params.h"

struct param {
    const char *name; /* in the checkpoint */
    int rank;
    int64_t dims[PARAM_MAX_RANK];
    enum param_kind kind;
    bool needed;          /* must be there */
    struct tensor **slot; /* NULL: compared, not loaded */
    struct tensor *loaded;
};

struct params {
    struct arena arena; /* names */
    struct param *items;
    size_t n, cap;
    const char **allowed;
    size_t n_allowed, cap_allowed;
    char path[256]; /* what names begin with now */
    size_t root;    /* how much of it is the root */
    size_t levels[8];
    int depth;
    bool unused;                        /* see params_unused */
    void (*drop_all)(struct params *p); /* of params_load.c, once there are tensors */
    bool failed;                        /* no memory while declaring */
    bool misuse;                        /* names too long, ranks too high, levels too many */
};

/* "head.*" for all that begin with "head.", or one name. */
bool param_matches(const char *pattern, const char *name);
/* The error of the declarations, if any. */
MUST_USE int params_declared(const struct params *p, struct err *e);

#endif
