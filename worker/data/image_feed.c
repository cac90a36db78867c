#include "worker/data/image_feed.h"

#include <limits.h>

int image_feed_make(void *arg, size_t i, float *out, struct err *e)
{
    const struct image_feed *f = arg;
    char path[PATH_MAX];
    AUTO(image_free) struct image im = { 0 };
    TRY(image_set_full_path(f->set, f->first + i, path, sizeof path, e));
    TRY(image_load(path, &f->options, &im, e));
    if (preprocess_apply(f->preprocess, &im, out, e) < 0)
        return err_wrap(e, "%s", path);
    return 0;
}
