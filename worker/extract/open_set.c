#include "worker/extract/open_set.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct image_set *open_image_set(const char *path, struct err *e)
{
    char below[4096];
    struct stat st;
    if (snprintf(below, sizeof below, "%s/JPEGImages", path) >= (int)sizeof below)
        return FAIL_NULL(e, ERR_INPUT, "a path longer than %zu bytes: %.80s...", sizeof below, path);
    if (stat(path, &st) < 0)
        return FAIL_NULL(e, ERR_ENV, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode)) {
        snprintf(below, sizeof below, "%s", path);
        return image_set_json(path, dirname(below), e);
    }
    return stat(below, &st) == 0 && S_ISDIR(st.st_mode) ? image_set_spair(path, e) : image_set_folder(path, e);
}
