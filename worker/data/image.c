#include "worker/data/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/data/exif.h"
#include "worker/data/image_codec.h"

void image_free(struct image *im)
{
    free(im->pixels);
    *im = (struct image){ 0 };
}

int image_create(uint32_t width, uint32_t height, struct image *out, struct err *e)
{
    if (!width || !height || width > IMAGE_MAX_EDGE || height > IMAGE_MAX_EDGE)
        return FAIL(e, ERR_INPUT, "a picture of %u x %u pixels: each edge must be 1 to %u", width, height,
                    IMAGE_MAX_EDGE);
    uint8_t *pixels = calloc(height, (size_t)width * 3);
    if (!pixels)
        return FAIL(e, ERR_ENV, "no memory for a picture of %u x %u pixels", width, height);
    *out = (struct image){ .width = width, .height = height, .pixels = pixels };
    return 0;
}

int image_check_size(const struct image_source *s, uint64_t width, uint64_t height)
{
    if (!width || !height)
        return FAIL(s->e, ERR_INPUT, "%s: the header states an empty picture of %llu x %llu pixels; replace the file",
                    s->name, (unsigned long long)width, (unsigned long long)height);
    if (width > IMAGE_MAX_EDGE || height > IMAGE_MAX_EDGE || height > s->max_pixels / width)
        return FAIL(s->e, ERR_INPUT,
                    "%s: the header states %llu x %llu pixels; at most %llu are read, and %u on an edge: shrink the "
                    "picture, or leave it out",
                    s->name, (unsigned long long)width, (unsigned long long)height, (unsigned long long)s->max_pixels,
                    IMAGE_MAX_EDGE);
    return 0;
}

int image_claim(const struct image_source *s, uint64_t width, uint64_t height, uint64_t least, struct image *out)
{
    TRY(image_check_size(s, width, height));
    if (s->len < least)
        return FAIL(s->e, ERR_INPUT,
                    "%s: %llu x %llu pixels cannot be in a file of %zu bytes; it is damaged or made to deceive: "
                    "replace it",
                    s->name, (unsigned long long)width, (unsigned long long)height, s->len);
    struct err why = { 0 };
    if (image_create((uint32_t)width, (uint32_t)height, out, &why) < 0)
        return FAIL(s->e, why.kind, "%s: %s", s->name, why.text);
    return 0;
}

int image_truncated(const struct image_source *s, const char *format)
{
    return FAIL(s->e, ERR_INPUT, "%s: the %s ends too soon (%zu bytes); copy or download the file again", s->name,
                format, s->len);
}

/* ---- formats ------------------------------------------------------------------------------------------------------
 */

static bool is_jpeg(const struct image_source *s)
{
    return s->len >= 3 && memcmp(s->bytes, "\xff\xd8\xff", 3) == 0;
}

static bool is_png(const struct image_source *s)
{
    return s->len >= 8 && memcmp(s->bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static bool is_webp(const struct image_source *s)
{
    return s->len >= 12 && memcmp(s->bytes, "RIFF", 4) == 0 && memcmp(s->bytes + 8, "WEBP", 4) == 0;
}

static const struct format {
    bool (*is)(const struct image_source *s);
    int (*read)(const struct image_source *s, struct image *out);
} formats[] = {
    { is_jpeg, image_read_jpeg },
    { is_png, image_read_png },
    { is_webp, image_read_webp },
};

static int read_any(const struct image_source *s, struct image *out)
{
    if (s->len == 0)
        return FAIL(s->e, ERR_INPUT, "%s: the file is empty; copy or download it again", s->name);
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (formats[i].is(s))
            return formats[i].read(s, out);
    return FAIL(s->e, ERR_INPUT, "%s: neither JPEG, PNG nor WebP (it starts with %02x %02x %02x %02x); convert it",
                s->name, s->bytes[0], s->len > 1 ? s->bytes[1] : 0, s->len > 2 ? s->bytes[2] : 0,
                s->len > 3 ? s->bytes[3] : 0);
}

int image_decode(const void *bytes, size_t len, const char *name, const struct image_options *o, struct image *out,
                 struct err *e)
{
    struct err why = { 0 };
    struct image_source s = { .bytes = bytes, .len = len, .name = name, .e = &why };
    s.max_pixels = o && o->max_pixels ? o->max_pixels : IMAGE_MAX_PIXELS;
    AUTO(image_free) struct image im = { 0 };
    if (read_any(&s, &im) < 0 || (o && o->exif_rotate && image_orient(&im, exif_orientation(bytes, len), &why) < 0)) {
        if (e && e->kind == ERR_NONE)
            *e = why;
        return -1;
    }
    *out = im;
    im.pixels = NULL;
    return 0;
}

/* ---- files --------------------------------------------------------------------------------------------------------
 */

static int read_all(int fd, uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = read(fd, bytes + at, len - at);
        if (n == 0)
            errno = EIO;
        if (n == 0 || (n < 0 && errno != EINTR))
            return -1;
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int image_load(const char *path, const struct image_options *o, struct image *out, struct err *e)
{
    uint64_t limit = o && o->max_bytes ? o->max_bytes : IMAGE_MAX_BYTES;
    struct stat st;
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    if (fd < 0 || fstat(fd, &st) < 0)
        return FAIL(e, ERR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return FAIL(e, ERR_INPUT, "%s: not a file; name a JPEG, PNG or WebP file", path);
    if ((uint64_t)st.st_size > limit)
        return FAIL(e, ERR_INPUT, "%s: %lld bytes; at most %llu are read: shrink the picture, or leave it out", path,
                    (long long)st.st_size, (unsigned long long)limit);
    size_t len = (size_t)st.st_size;
    AUTO(free) uint8_t *bytes = malloc(len ? len : 1);
    if (!bytes)
        return FAIL_NOMEM(e);
    if (read_all(fd, bytes, len) < 0)
        return FAIL(e, ERR_ENV, "%s: cannot read: %s", path, strerror(errno));
    return image_decode(bytes, len, path, o, out, e);
}

/* ---- orientation --------------------------------------------------------------------------------------------------
 */

/* Where the pixel of the turned picture comes from: the source's x and y grow by these with each step right or down. */
static const struct turn {
    bool swapped; /* width and height change places */
    bool from_right, from_bottom;
} turns[] = {
    [1] = { false, false, false }, [2] = { false, true, false }, [3] = { false, true, true },
    [4] = { false, false, true },  [5] = { true, false, false }, [6] = { true, false, true },
    [7] = { true, true, true },    [8] = { true, true, false },
};

int image_orient(struct image *im, int orientation, struct err *e)
{
    if (orientation < 2 || orientation > 8)
        return 0;
    struct turn t = turns[orientation];
    uint32_t w = im->width, h = im->height;
    AUTO(image_free) struct image out = { 0 };
    TRY(image_create(t.swapped ? h : w, t.swapped ? w : h, &out, e));
    uint8_t *to = out.pixels;
    for (uint32_t y = 0; y < out.height; y++)
        for (uint32_t x = 0; x < out.width; x++, to += 3) {
            uint32_t sx = t.swapped ? y : x, sy = t.swapped ? x : y;
            sx = t.from_right ? w - 1 - sx : sx;
            sy = t.from_bottom ? h - 1 - sy : sy;
            memcpy(to, im->pixels + ((size_t)sy * w + sx) * 3, 3);
        }
    free(im->pixels);
    *im = out;
    out.pixels = NULL;
    return 0;
}
