#include "report/heat.h"

#include <string.h>

#include <sodium.h>
#include <zlib.h>

#include "report/pictures.h"
#include "report/svg.h"

/* ---- PNG: signature, IHDR, PLTE, IDAT, IEND (the standard's chunks, a palette of 256 colours, no filter) --------- */

static void put_u32(struct buf *out, uint32_t v)
{
    const uint8_t b[] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
    buf_add(out, b, sizeof b);
}

static void put_chunk(struct buf *out, const char *kind, const uint8_t *data, size_t n)
{
    uLong crc = crc32(crc32(0, (const Bytef *)kind, 4), n ? data : (const Bytef *)"", (uInt)n);
    put_u32(out, (uint32_t)n);
    buf_add(out, kind, 4);
    buf_add(out, data, n);
    put_u32(out, (uint32_t)crc);
}

static void put_header(struct buf *out, int side)
{
    const uint8_t edge = (uint8_t)side;
    const uint8_t header[] = { 0, 0, 0, edge, 0, 0, 0, edge, 8, 3, 0, 0, 0 }; /* 8 bits, palette */
    uint8_t palette[256 * 3];
    for (int i = 0; i < 256; i++) {
        struct svg_rgb c = svg_colour(i / 255.0);
        palette[3 * i] = c.r;
        palette[3 * i + 1] = c.g;
        palette[3 * i + 2] = c.b;
    }
    buf_add(out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(out, "IHDR", header, sizeof header);
    put_chunk(out, "PLTE", palette, sizeof palette);
}

static int put_rows(struct buf *out, const uint8_t *cells, int side, struct err *e)
{
    uint8_t rows[PICTURES_SIDE_MAX * (PICTURES_SIDE_MAX + 1)];
    size_t width = (size_t)side;
    for (size_t y = 0; y < width; y++) {
        rows[y * (width + 1)] = 0;
        memcpy(rows + y * (width + 1) + 1, cells + y * width, width);
    }
    uLong whole = (uLong)(width * (width + 1));
    uLongf n = compressBound(whole);
    AUTO(free) uint8_t *packed = malloc(n);
    if (!packed || compress2(packed, &n, rows, whole, 9) != Z_OK)
        return FAIL_NOMEM(e);
    put_chunk(out, "IDAT", packed, n);
    return 0;
}

int heat_png(const uint8_t *cells, int side, struct buf *out, struct err *e)
{
    AUTO(buf_free) struct buf png = BUF_INIT(1 << 16);
    put_header(&png, side);
    TRY(put_rows(&png, cells, side, e));
    put_chunk(&png, "IEND", NULL, 0);
    TRY(buf_check(&png, "a heat map", e));
    size_t size = sodium_base64_encoded_len(png.len, sodium_base64_VARIANT_ORIGINAL);
    AUTO(free) char *text = malloc(size);
    if (!text)
        return FAIL_NOMEM(e);
    buf_puts(out, sodium_bin2base64(text, size, (uint8_t *)png.data, png.len, sodium_base64_VARIANT_ORIGINAL));
    return 0;
}
