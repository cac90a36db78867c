/* Pictures of the concepts by other artists than the emoji's: clipart.png, which is a part of the program. */
#ifndef ACSWEEP_WORLD_CLIPART_H
#define ACSWEEP_WORLD_CLIPART_H

#include <stddef.h>

#include "world/art.h"

struct clipart_entry {
    uint32_t code; /* of the concept that it is a drawing of, each once */
    const char *noun;
    const char *source; /* file of the Open Clip Art Library */
};
size_t clipart_count(void);
const struct clipart_entry *clipart_at(size_t i);
bool clipart_has(uint32_t code);

struct clipart;
MUST_USE struct clipart *clipart_open(struct err *e);
void clipart_close(struct clipart *c);
DEFINE_CLEANUP(clipart_close, struct clipart *)
/* The drawing of a code point with its border, premultiplied: *rgba is (height, width, 4), malloc'ed. ERR_BUG: there is
 * none. */
MUST_USE int clipart_tile(const struct clipart *c, uint32_t code, uint8_t **rgba, int *width, int *height,
                          struct err *e);

#endif
