/* Texts and their numbers: 0, 1, 2 ... in the order in which they came first. */
#ifndef ACSWEEP_WORKER_PRETRAIN_NAMES_H
#define ACSWEEP_WORKER_PRETRAIN_NAMES_H

#include "common/map.h"

struct name {
    char *text;
    size_t number;
};
/* Plain memory: start with {0}, end with names_free. */
struct names {
    struct map map;
    struct name **list;
    size_t n, cap;
};
void names_free(struct names *names);
/* Its number, or -1. */
int64_t names_find(const struct names *names, const char *text, size_t len);
/* Its number; it gets one when it has none. -1 without memory. */
MUST_USE int64_t names_add(struct names *names, const char *text, size_t len, struct err *e);
static inline const char *names_text(const struct names *names, size_t i)
{
    return names->list[i]->text;
}
static inline UNUSED void names_free_cleanup(struct names *names)
{
    names_free(names);
}

#endif
