/* Any bytes as correspondence pictures or thumbnails of a result: refused with the name, or drawn as a page that is
 * well-formed XML. The first byte chooses which. */
#include <stdlib.h>
#include <string.h>

#include "report/gallery.h"
#include "tests/lib/wellformed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void draw(const struct gallery *g)
{
    AUTO(buf_free) struct buf out = BUF_INIT(64 << 20);
    gallery_page(g, "fuzz", &out);
    if (out.failed || wellformed(buf_text(&out)) || strstr(out.data, "<script"))
        abort();
}

static int pictures(const char *text, size_t len, struct err *e)
{
    AUTO(pictures_free) struct pictures *p = pictures_parse(text, len, "fuzz", e);
    if (!p)
        return -1;
    draw(&(struct gallery){ .names = { "one", "two" }, .pictures = { p, p }, .n = 2 });
    return 0;
}

static int thumbnails(const char *text, size_t len, struct err *e)
{
    AUTO(thumbnails_free) struct thumbnails *t = thumbnails_parse(text, len, "fuzz", e);
    if (!t)
        return -1;
    for (size_t i = 0; i < t->n; i++)
        if (strpbrk(t->all[i].jpeg, "\"<>& '"))
            abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { 0 };
    if (!size)
        return 0;
    const char *text = (const char *)data + 1;
    int rc = data[0] & 1 ? pictures(text, size - 1, &e) : thumbnails(text, size - 1, &e);
    if (rc < 0 && (e.kind != ERR_INPUT || strncmp(e.text, "fuzz: ", 6) != 0))
        abort();
    return 0;
}
