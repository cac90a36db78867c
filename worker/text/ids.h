/* A growing row of token ids. Plain memory: start with {0}, end with ids_free. */
#ifndef ACSWEEP_WORKER_TEXT_IDS_H
#define ACSWEEP_WORKER_TEXT_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct ids {
    int32_t *v;
    size_t n, cap;
};

void ids_free(struct ids *ids);
static inline UNUSED void ids_free_cleanup(struct ids *ids)
{
    ids_free(ids);
}
/* Room for `more` ids behind the last one. */
MUST_USE int ids_reserve(struct ids *ids, size_t more, struct err *e);
MUST_USE int ids_add(struct ids *ids, int32_t id, struct err *e);
MUST_USE int ids_append(struct ids *ids, const int32_t *v, size_t n, struct err *e);

#endif
