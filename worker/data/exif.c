#include "worker/data/exif.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Bytes with an end; every read is checked. */
struct span {
    const uint8_t *at;
    size_t len;
};

static struct span sub(struct span s, size_t from, size_t len)
{
    if (!len || from > s.len || len > s.len - from)
        return (struct span){ 0 };
    return (struct span){ s.at + from, len };
}

/* `n` bytes at `from` as a number; 0 beyond the end. */
static uint32_t number(struct span s, size_t from, size_t n, bool big)
{
    struct span b = sub(s, from, n);
    uint32_t v = 0;
    for (size_t i = 0; i < b.len; i++)
        v |= (uint32_t)b.at[i] << 8 * (big ? n - 1 - i : i);
    return v;
}

static bool starts(struct span s, size_t from, const char *with, size_t n)
{
    struct span b = sub(s, from, n);
    return b.len == n && memcmp(b.at, with, n) == 0;
}

/* ---- TIFF: byte order, 42, offset of the first directory; a directory is a count and entries of 12 bytes -----------
 */

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, ENTRY_BYTES = 12 };

static int tiff_orientation(struct span t)
{
    bool big = starts(t, 0, "MM", 2);
    if ((!big && !starts(t, 0, "II", 2)) || number(t, 2, 2, big) != 42)
        return 1;
    size_t at = number(t, 4, 4, big);
    size_t entries = number(t, at, 2, big);
    for (size_t i = 0; i < entries; i++) {
        struct span entry = sub(t, at + 2 + i * ENTRY_BYTES, ENTRY_BYTES);
        if (!entry.len)
            return 1;
        if (number(entry, 0, 2, big) != TAG_ORIENTATION)
            continue;
        uint32_t value = number(entry, 8, 2, big);
        return number(entry, 2, 2, big) == TYPE_SHORT && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

static int exif_block(struct span block)
{
    size_t head = starts(block, 0, "Exif\0\0", 6) ? 6 : 0;
    return head <= block.len ? tiff_orientation(sub(block, head, block.len - head)) : 1;
}

/* ---- containers ---------------------------------------------------------------------------------------------------
 */

static int jpeg_orientation(struct span s)
{
    for (size_t at = 2; at + 4 <= s.len;) {
        if (s.at[at] != 0xff)
            return 1;
        uint8_t marker = s.at[at + 1];
        if (marker == 0xff) { /* fill byte */
            at++;
            continue;
        }
        if (marker == 0xda || marker == 0xd9) /* the picture itself, or the end */
            return 1;
        size_t len = number(s, at + 2, 2, true);
        if (len < 2)
            return 1;
        if (marker == 0xe1 && starts(s, at + 4, "Exif\0\0", 6))
            return exif_block(sub(s, at + 4, len - 2));
        at += 2 + len;
    }
    return 1;
}

static int png_orientation(struct span s)
{
    for (size_t at = 8; at + 12 <= s.len;) {
        size_t len = number(s, at, 4, true);
        if (starts(s, at + 4, "eXIf", 4))
            return exif_block(sub(s, at + 8, len));
        at += 12 + len;
    }
    return 1;
}

static int webp_orientation(struct span s)
{
    for (size_t at = 12; at + 8 <= s.len;) {
        size_t len = number(s, at + 4, 4, false);
        if (starts(s, at, "EXIF", 4))
            return exif_block(sub(s, at + 8, len));
        at += 8 + len + (len & 1);
    }
    return 1;
}

int exif_orientation(const void *bytes, size_t len)
{
    struct span s = { bytes, len };
    if (starts(s, 0, "\xff\xd8", 2))
        return jpeg_orientation(s);
    if (starts(s, 0, "\x89PNG", 4))
        return png_orientation(s);
    if (starts(s, 0, "RIFF", 4) && starts(s, 8, "WEBP", 4))
        return webp_orientation(s);
    return 1;
}
