/* Pictures: the pixels are Pillow's; what is broken, huge or lies is refused with its name and a remedy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <zlib.h>

#include "common/buf.h"
#include "tests/unit/golden_images.h"
#include "worker/data/exif.h"
#include "worker/data/jpeg_write.h"
#include "worker/data/png_write.h"

/* ---- against Pillow ------------------------------------------------------------------------------------------------
 */

/* The same byte for byte; where a file's pixels are defined only up to a decoder's rounding, one level apart. */
static void compare_pixels(const char *name, const struct image *got, const struct image *want)
{
    int allowed = strstr(name, ".jpg") || strstr(name, "lossy") || strstr(name, "alpha.webp") ? 1 : 0;
    for (size_t k = 0, n = (size_t)got->width * got->height * 3; k < n; k++)
        if (abs(got->pixels[k] - want->pixels[k]) > allowed)
            fail_msg("%s: byte %zu is %u instead of %u", name, k, got->pixels[k], want->pixels[k]);
}

static void same_as_pillow(void **state)
{
    (void)state;
    json_t *m = golden_manifest(), *c;
    size_t i;
    json_array_foreach(json_object_get(m, "decode"), i, c)
    {
        struct image_options o = { .exif_rotate = json_is_true(json_object_get(c, "turn")) };
        AUTO(image_free) struct image got = { 0 }, want = { 0 };
        golden_picture(golden_text(c, "picture"), &o, &got);
        golden_ppm(golden_text(c, "expected"), &want);
        if (got.width != want.width || got.height != want.height)
            fail_msg("%s: %u x %u instead of %u x %u", golden_text(c, "picture"), got.width, got.height, want.width,
                     want.height);
        compare_pixels(golden_text(c, "expected"), &got, &want);
    }
    assert_true(i >= 50);
    json_decref(m);
}

/* ---- refusals ------------------------------------------------------------------------------------------------------
 */

static void refused(const void *bytes, size_t len, const struct image_options *o, const char *part)
{
    struct err e = { 0 };
    AUTO(image_free) struct image im = { 0 };
    int rc = image_decode(bytes, len, "shelf/x.jpg", o, &im, &e);
    if (rc == 0)
        fail_msg("taken, instead of refused with '%s'", part);
    assert_int_equal(e.kind, ERR_INPUT);
    if (strncmp(e.text, "shelf/x.jpg: ", 13) != 0 || !strstr(e.text, part))
        fail_msg("'%s' has no '%s'", e.text, part);
    assert_null(im.pixels);
}

static void not_a_picture(void **state)
{
    (void)state;
    refused("", 0, NULL, "empty");
    refused("G", 1, NULL, "neither JPEG, PNG nor WebP");
    refused("GIF89a", 6, NULL, "it starts with 47 49 46 38); convert it");
    refused("\xff\xd8\xff", 3, NULL, "ends too soon");
    refused("\x89PNG\r\n\x1a\n", 8, NULL, "ends too soon");
    refused("RIFF\4\0\0\0WEBP", 12, NULL, "not a WebP that can be read");
    refused("RIFF\4\0\0\0WAVE", 12, NULL, "neither");
}

/* Every proper beginning of a file is refused, wherever it is cut. */
static void truncated(void **state)
{
    (void)state;
    static const char *const names[] = { "rgb.jpg",    "rgb422_progressive.jpg", "grey.png",   "rgb_interlaced.png",
                                         "lossy.webp", "lossless.webp",          "alpha.webp", "animated.webp" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[64];
        size_t len, end;
        snprintf(path, sizeof path, "pictures/%s", names[i]);
        uint8_t *bytes = golden_read(path, &len);
        end = strstr(names[i], "png") ? len - 12 : len; /* without IEND a PNG still has all its pixels */
        for (size_t n = 0; n < end; n += 1 + n / 40) {
            struct err e = { 0 };
            AUTO(image_free) struct image im = { 0 };
            if (image_decode(bytes, n, names[i], NULL, &im, &e) == 0)
                fail_msg("%s cut to %zu of %zu bytes is taken", names[i], n, len);
            assert_int_equal(e.kind, ERR_INPUT);
        }
        free(bytes);
    }
}

/* A PNG of this header with `raw` zero bytes of data. */
static void make_png(struct buf *b, uint32_t width, uint32_t height, int colour, size_t raw)
{
    struct {
        const char *name;
        const uint8_t *bytes;
        size_t len;
    } chunks[3];
    uint8_t head[13] = { width >> 24,  width >> 16, width >> 8, width, height >> 24,
                         height >> 16, height >> 8, height,     8,     (uint8_t)colour };
    uLongf packed_len = compressBound(raw);
    uint8_t *zeros = calloc(raw ? raw : 1, 1), *packed = malloc(packed_len);
    assert_int_equal(compress2(packed, &packed_len, zeros, raw, 9), Z_OK);
    chunks[0].name = "IHDR", chunks[0].bytes = head, chunks[0].len = sizeof head;
    chunks[1].name = "IDAT", chunks[1].bytes = packed, chunks[1].len = packed_len;
    chunks[2].name = "IEND", chunks[2].bytes = head, chunks[2].len = 0;
    buf_add(b, "\x89PNG\r\n\x1a\n", 8);
    for (int i = 0; i < 3; i++) {
        uint32_t n = (uint32_t)chunks[i].len;
        uLong crc = crc32(crc32(0, (const uint8_t *)chunks[i].name, 4), chunks[i].bytes, n);
        uint8_t size[4] = { n >> 24, n >> 16, n >> 8, n }, sum[4] = { crc >> 24, crc >> 16, crc >> 8, crc };
        buf_add(b, size, 4);
        buf_add(b, chunks[i].name, 4);
        buf_add(b, chunks[i].bytes, n);
        buf_add(b, sum, 4);
    }
    free(zeros);
    free(packed);
}

static void lying_png(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
        size_t raw;
        const char *part;
    } cases[] = {
        { 0, 10, 10, "states an empty picture of 0 x 10 pixels" },
        { 60000, 60000, 100, "the header states 60000 x 60000 pixels; at most 178956970 are read" },
        { 2000000, 10, 100, "the header states 2000000 x 10 pixels" },
        { 13000, 13000, 100, "cannot be in a file of" }, /* 507 MB from 80 bytes */
        { 100, 100, 301 * 50, "Not enough image data" }, /* half of the rows */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_free) struct buf b = BUF_INIT(1 << 20);
        make_png(&b, cases[i].width, cases[i].height, 2, cases[i].raw);
        refused(b.data, b.len, NULL, cases[i].part);
    }
    AUTO(buf_free) struct buf b = BUF_INIT(1 << 20);
    make_png(&b, 300, 200, 2, 901 * 200); /* 180 kB from some 200 bytes is what deflate can do */
    AUTO(image_free) struct image im = { 0 };
    struct err e = { 0 };
    assert_int_equal(image_decode(b.data, b.len, "black", NULL, &im, &e), 0);
    refused(b.data, b.len, &(struct image_options){ .max_pixels = 59999 }, "at most 59999 are read");
}

static void lying_jpeg(void **state)
{
    (void)state;
    size_t len;
    uint8_t *bytes = golden_read("pictures/rgb.jpg", &len);
    uint8_t *frame = memmem(bytes, len, "\xff\xc0", 2); /* length, precision, height, width, components */
    assert_non_null(frame);
    memcpy(frame + 5, "\x30\x00\x30\x00", 4);
    refused(bytes, len, NULL, "12288 x 12288 pixels cannot be in a file of");
    memcpy(frame + 5, "\xff\xdc\xff\xdc", 4);
    refused(bytes, len, NULL, "at most 178956970 are read");
    memcpy(frame + 5, "\x00\x00\x00\x10", 4);
    refused(bytes, len, NULL, "not a JPEG that can be read");
    frame[4] = 12;
    memcpy(frame + 5, "\x00\x10\x00\x10", 4);
    refused(bytes, len, NULL, "not a JPEG that can be read");
    free(bytes);
}

static void endless_scans(void **state)
{
    (void)state;
    size_t len;
    uint8_t *bytes = golden_read("pictures/rgb422_progressive.jpg", &len);
    uint8_t *scan = memmem(bytes, len, "\xff\xda", 2), *next = NULL;
    for (uint8_t *p = scan + 2; !next; p++)
        if (p[0] == 0xff && p[1] != 0 && (p[1] < 0xd0 || p[1] > 0xd7))
            next = p;
    size_t head = (size_t)(scan - bytes);
    AUTO(buf_free) struct buf b = BUF_INIT(1 << 20);
    buf_add(&b, bytes, head);
    for (int i = 0; i < 300; i++)
        buf_add(&b, scan, (size_t)(next - scan));
    buf_add(&b, "\xff\xd9", 2);
    refused(b.data, b.len, NULL, "more than 200 scans");
    free(bytes);
}

static void files(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        uint64_t max_bytes;
        const char *part;
    } cases[] = {
        { "/nowhere/x.png", 0, "/nowhere/x.png: cannot open: No such file" },
        { "/tmp", 0, "/tmp: not a file" },
        { "/dev/zero", 0, "/dev/zero: not a file" },
        { GOLDEN "pictures/rgb.png", 700, "721 bytes; at most 700 are read" },
        { GOLDEN "generate.py", 0, "neither JPEG, PNG nor WebP" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        struct image im = { 0 };
        assert_int_equal(image_load(cases[i].path, &(struct image_options){ .max_bytes = cases[i].max_bytes }, &im, &e),
                         -1);
        assert_int_equal(e.kind, ERR_INPUT);
        if (!strstr(e.text, cases[i].part))
            fail_msg("'%s' has no '%s'", e.text, cases[i].part);
    }
}

/* ---- EXIF ----------------------------------------------------------------------------------------------------------
 */

static int orientation_of(const uint8_t *tiff, size_t len)
{
    uint8_t jpeg[256] = { 0xff, 0xd8, 0xff, 0xe0, 0, 2, 0xff, 0xff, 0xe1, 0, (uint8_t)(len + 8) };
    memcpy(jpeg + 11, "Exif\0\0", 6);
    memcpy(jpeg + 17, tiff, len);
    return exif_orientation(jpeg, 17 + len);
}

static void orientation(void **state)
{
    (void)state;
    uint8_t little[] = "II*\0\10\0\0\0\2\0"
                       "\17\1\2\0\5\0\0\0\0\0\0\0"
                       "\22\1\3\0\1\0\0\0\6\0\0\0";
    uint8_t big[] = "MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\3\0\0";
    assert_int_equal(orientation_of(little, sizeof little - 1), 6);
    assert_int_equal(orientation_of(big, sizeof big - 1), 3);
    for (size_t n = 0; n + 4 < sizeof big; n++) /* cut before the value */
        assert_int_equal(orientation_of(big, n < 20 ? n : 19), 1);
    big[19] = 9; /* no such orientation */
    assert_int_equal(orientation_of(big, sizeof big - 1), 1);
    little[4] = little[5] = little[6] = little[7] = 0xff; /* a directory beyond the end */
    assert_int_equal(orientation_of(little, sizeof little - 1), 1);
    assert_int_equal(exif_orientation("", 0), 1);
}

/* ---- writing -------------------------------------------------------------------------------------------------------
 */

static void written_png_reads_back(void **state)
{
    (void)state;
    char dir[] = "/tmp/acsweep-image-XXXXXX", path[64];
    struct err e = { 0 };
    AUTO(image_free) struct image im = { 0 }, again = { 0 };
    golden_picture("61x40.png", NULL, &im);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/x.png", dir);
    assert_int_equal(png_write(path, &im, &e), 0);
    assert_int_equal(image_load(path, NULL, &again, &e), 0);
    assert_int_equal(again.width, 61);
    assert_int_equal(again.height, 40);
    assert_memory_equal(again.pixels, im.pixels, 61 * 40 * 3);
    unlink(path);
    assert_int_equal(mkdir(path, 0777), 0); /* in the way of the rename */
    assert_int_equal(png_write(path, &im, &e), -1);
    assert_int_equal(e.kind, ERR_ENV);
    rmdir(path);
    assert_int_equal(rmdir(dir), 0); /* nothing left beside it */

    AUTO(buf_free) struct buf small = BUF_INIT(100);
    err_clear(&e);
    assert_int_equal(png_encode(&im, PNG_SMALL, &small, &e), -1);
    assert_int_equal(e.kind, ERR_ENV);
}

static void written_jpeg_reads_back(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(image_free) struct image im = { 0 }, again = { 0 };
    AUTO(buf_free) struct buf fine = BUF_INIT(1 << 20), coarse = BUF_INIT(1 << 20), small = BUF_INIT(100);
    assert_int_equal(image_create(61, 40, &im, &e), 0);
    for (size_t y = 0; y < 40; y++)
        for (size_t x = 0; x < 61; x++)
            memcpy(im.pixels + (y * 61 + x) * 3, (uint8_t[]){ (uint8_t)(4 * x), (uint8_t)(6 * y), 90 }, 3);
    assert_int_equal(jpeg_encode(&im, 95, &fine, &e), 0);
    assert_int_equal(jpeg_encode(&im, 20, &coarse, &e), 0);
    assert_true(coarse.len < fine.len);
    assert_int_equal(image_decode(fine.data, fine.len, "fine", NULL, &again, &e), 0);
    assert_true(again.width == 61 && again.height == 40);
    for (size_t i = 0; i < 61 * 40 * 3; i++)
        assert_true(abs(again.pixels[i] - im.pixels[i]) <= 12);
    assert_int_equal(jpeg_encode(&im, 95, &small, &e), -1);
    assert_int_equal(e.kind, ERR_ENV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_pillow), cmocka_unit_test(not_a_picture), cmocka_unit_test(truncated),
        cmocka_unit_test(lying_png),      cmocka_unit_test(lying_jpeg),    cmocka_unit_test(endless_scans),
        cmocka_unit_test(files),          cmocka_unit_test(orientation),   cmocka_unit_test(written_png_reads_back),
        cmocka_unit_test(written_jpeg_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
