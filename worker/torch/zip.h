/* The directory of a ZIP archive in memory whose members are stored, not compressed: as torch.save writes them. With
 * ZIP64, as files over 4 GiB have it. Nothing is copied. */
#ifndef ACSWEEP_WORKER_TORCH_ZIP_H
#define ACSWEEP_WORKER_TORCH_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/map.h"
#include "common/own.h"

struct zip_member {
    const char *name;
    const uint8_t *data;
    size_t size;
};

struct zip {
    struct zip_member *members;
    size_t n;
    struct map by_name;
    struct arena arena;
};

/* Does it begin as such an archive does? */
bool zip_is(const void *bytes, size_t size);
/* Fill `out` (to be freed in any case). ERR_INPUT for what is damaged, cut off, compressed or encrypted. */
MUST_USE int zip_read(const void *bytes, size_t size, struct zip *out, struct err *e);
void zip_free(struct zip *z);
const struct zip_member *zip_find(const struct zip *z, const char *name); /* NULL: there is none */

static inline UNUSED void zip_free_cleanup(struct zip *z)
{
    zip_free(z);
}

#endif
