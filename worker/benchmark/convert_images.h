/* Inside worker/benchmark: pictures of a published file. */
#ifndef ACSWEEP_WORKER_BENCHMARK_CONVERT_IMAGES_H
#define ACSWEEP_WORKER_BENCHMARK_CONVERT_IMAGES_H

#include <jansson.h>

#include "common/arena.h"
#include "common/map.h"

struct pictures {
    const char *beside;  /* directory of the questions */
    const char *below;   /* that of the pictures in it, which goes before their names; cleaned */
    bool made;           /* the directory is there */
    struct map by_bytes; /* digest -> path */
    struct map by_name;  /* file names taken */
    struct map by_id;    /* what others may refer to by number (MMBench) -> path */
    struct arena arena;
    size_t written;
};

void convert_pictures_free(struct pictures *p);
static inline UNUSED void pictures_free_cleanup(struct pictures *p)
{
    convert_pictures_free(p);
}

/* The path of a picture, relative to the questions' directory, as long as the pictures live. `value` is a path (checked
 * and put below `below`), or the bytes in base64, alone or as {"bytes": ...}, which are written to a file named after
 * `stem` unless the same bytes have been. */
MUST_USE const char *pictures_take(struct pictures *p, const json_t *value, const char *stem, struct err *e);

/* The bytes of a text in base64, malloc'ed: with or without padding, line ends and "data:...;base64,". */
MUST_USE int base64_decode(const char *text, uint8_t **bytes, size_t *n, struct err *e);

#endif
