#include "world/clipart.h"

#include <string.h>

#include <png.h>

#include "world/clipart_png.h" /* generated: the bytes of clipart.png */

#define TILE 96
#define COLUMNS 9

static const struct clipart_entry table[] = {
#define CLIPART(code, noun, source) { 0x##code, noun, source },
#include "world/clipart_table.h"
#undef CLIPART
};

struct clipart {
    int width, height;
    uint8_t *rgba; /* not premultiplied, as PNG has it */
};

size_t clipart_count(void)
{
    return sizeof table / sizeof *table;
}

const struct clipart_entry *clipart_at(size_t i)
{
    return &table[i];
}

static size_t find(uint32_t code)
{
    size_t i = 0;
    while (i < clipart_count() && table[i].code != code)
        i++;
    return i;
}

bool clipart_has(uint32_t code)
{
    return find(code) < clipart_count();
}

static int decode(struct clipart *c, struct err *e)
{
    png_image png = { .version = PNG_IMAGE_VERSION };
    if (!png_image_begin_read_from_memory(&png, clipart_png, clipart_png_size))
        return FAIL(e, ERR_BUG, "the clip art: %s", png.message);
    png.format = PNG_FORMAT_RGBA;
    c->width = (int)png.width, c->height = (int)png.height;
    c->rgba = malloc(PNG_IMAGE_SIZE(png));
    if (!c->rgba) {
        png_image_free(&png);
        return FAIL_NOMEM(e);
    }
    if (!png_image_finish_read(&png, NULL, c->rgba, 0, NULL))
        return FAIL(e, ERR_BUG, "the clip art: %s", png.message);
    if (c->width != COLUMNS * TILE || (size_t)c->height / TILE * COLUMNS < clipart_count())
        return FAIL(e, ERR_BUG, "the clip art has not the size that its table says");
    return 0;
}

struct clipart *clipart_open(struct err *e)
{
    AUTO(clipart_close) struct clipart *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    return decode(c, e) < 0 ? NULL : TAKE(c);
}

void clipart_close(struct clipart *c)
{
    if (!c)
        return;
    free(c->rgba);
    free(c);
}

static uint8_t under(uint8_t colour, uint8_t alpha)
{
    return (uint8_t)((colour * alpha + 127) / 255);
}

int clipart_tile(const struct clipart *c, uint32_t code, uint8_t **rgba, int *width, int *height, struct err *e)
{
    size_t k = find(code), left = k % COLUMNS * TILE, top = k / COLUMNS * TILE;
    if (k == clipart_count())
        return FAIL(e, ERR_BUG, "there is no clip art of U+%04X", code);
    uint8_t *out = malloc((size_t)TILE * TILE * 4);
    if (!out)
        return FAIL_NOMEM(e);
    for (size_t y = 0; y < TILE; y++)
        for (size_t x = 0; x < TILE; x++) {
            const uint8_t *from = c->rgba + ((top + y) * (size_t)c->width + left + x) * 4;
            uint8_t *to = out + (y * TILE + x) * 4;
            for (int i = 0; i < 3; i++)
                to[i] = under(from[i], from[3]);
            to[3] = from[3];
        }
    *rgba = out;
    *width = *height = TILE;
    return 0;
}
