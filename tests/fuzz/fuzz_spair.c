/* Any bytes as a pair's or a picture's file of an SPair-71k directory: refused with its name, or sizes, boxes and
 * points that can be computed with. The first byte chooses which. */
#include <stdlib.h>
#include <string.h>

#include "worker/data/spair_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_side(const struct spair_side *s)
{
    if (!s->width || !s->height || !(s->box[0] < s->box[2]) || !(s->box[1] < s->box[3]))
        abort();
}

static int pair(const char *text, size_t len, struct err *e)
{
    struct spair_pair_file f = { 0 };
    if (spair_parse_pair(text, len, "fuzz.json", &f, e) < 0)
        return -1;
    check_side(&f.source);
    check_side(&f.target);
    if (strchr(f.category, '/') || strchr(f.source_name, '/') || !f.target_name[0])
        abort();
    return 0;
}

static int picture(const char *text, size_t len, struct err *e)
{
    struct spair_image im = { 0 };
    if (spair_parse_image(text, len, "fuzz.json", &im, e) < 0)
        return -1;
    for (int i = 0; i < SPAIR_POINTS; i++)
        if (!(im.points >> i & 1 ? im.x[i] >= 0 && im.y[i] >= 0 : im.x[i] == 0 && im.y[i] == 0))
            abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    if (!size)
        return 0;
    const char *text = (const char *)data + 1;
    int rc = data[0] & 1 ? pair(text, size - 1, &e) : picture(text, size - 1, &e);
    if (rc < 0 && (e.kind != ERR_INPUT || strncmp(e.text, "fuzz.json:", 10) != 0))
        abort();
    return 0;
}
