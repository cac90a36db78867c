/* Private to worker/data: one file of an SPair-71k directory. */
#ifndef ACSWEEP_WORKER_DATA_SPAIR_FILE_H
#define ACSWEEP_WORKER_DATA_SPAIR_FILE_H

#include <limits.h>

#include "worker/data/spair.h"

/* What a pair's file says; `image` of the sides is not set. */
struct spair_pair_file {
    char category[NAME_MAX + 1];
    char source_name[NAME_MAX + 1], target_name[NAME_MAX + 1]; /* files of JPEGImages/<category> */
    struct spair_side source, target;
};

/* `name` stands for the file in messages. */
MUST_USE int spair_parse_pair(const char *text, size_t len, const char *name, struct spair_pair_file *out,
                              struct err *e);
/* Fill points, x and y. */
MUST_USE int spair_parse_image(const char *text, size_t len, const char *name, struct spair_image *out, struct err *e);

#endif
