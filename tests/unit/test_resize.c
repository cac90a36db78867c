/* Resizing: Pillow's bytes, for every filter; a part is what the whole cropped would be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/golden_images.h"
#include "worker/data/resize.h"

static void same_as_pillow(void **state)
{
    (void)state;
    json_t *m = golden_manifest(), *c;
    size_t i, len;
    uint8_t *want = golden_read("resized.u8", &len);
    json_array_foreach(json_object_get(m, "resize"), i, c)
    {
        struct err e = { 0 };
        AUTO(image_free) struct image im = { 0 }, got = { 0 };
        uint32_t width = (uint32_t)golden_number(c, "width"), height = (uint32_t)golden_number(c, "height");
        int how = (int)golden_number(c, "resample");
        size_t at = golden_number(c, "offset"), n = golden_number(c, "bytes");
        golden_picture(golden_text(c, "picture"), NULL, &im);
        assert_int_equal(resize_image(&im, width, height, (enum resample)how, &got, &e), 0);
        assert_int_equal(n, (size_t)width * height * 3);
        assert_true(at + n <= len);
        for (size_t k = 0; k < n; k++)
            if (got.pixels[k] != want[at + k])
                fail_msg("%s to %u x %u by filter %d: byte %zu is %u instead of %u", golden_text(c, "picture"), width,
                         height, how, k, got.pixels[k], want[at + k]);
    }
    assert_true(i >= 50);
    free(want);
    json_decref(m);
}

static void a_part_is_a_part(void **state)
{
    (void)state;
    static const struct resize_to parts[] = {
        { 24, 16, 0, 0, 24, 16 },  { 24, 16, 5, 3, 7, 9 }, { 24, 16, 23, 15, 1, 1 },    { 90, 120, 40, 77, 50, 43 },
        { 61, 40, 10, 20, 30, 5 }, { 61, 7, 60, 0, 1, 7 }, { 200, 40, 150, 39, 50, 1 },
    };
    AUTO(image_free) struct image im = { 0 };
    golden_picture("61x40.png", NULL, &im);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        for (int how = 0; how < RESAMPLE_COUNT; how++) {
            const struct resize_to *to = &parts[i];
            struct err e = { 0 };
            AUTO(image_free) struct image whole = { 0 }, part = { 0 };
            assert_int_equal(
                resize_image(&im, (uint32_t)to->width, (uint32_t)to->height, (enum resample)how, &whole, &e), 0);
            assert_int_equal(resize_part(&im, to, (enum resample)how, &part, &e), 0);
            for (uint32_t y = 0; y < to->part_height; y++)
                assert_memory_equal(part.pixels + (size_t)y * to->part_width * 3,
                                    whole.pixels + ((to->top + y) * to->width + to->left) * 3,
                                    (size_t)to->part_width * 3);
        }
}

/* The whole would have 4 * 10^15 pixels; one grey in, the same grey out. */
static void a_part_of_something_vast(void **state)
{
    (void)state;
    uint8_t grey[2 * 3] = { 90, 90, 90, 90, 90, 90 };
    struct image im = { .width = 2, .height = 1, .pixels = grey };
    struct resize_to to = { 2000000000, 2000000, 999999990, 1000000, 20, 3 };
    for (int how = RESAMPLE_LANCZOS; how < RESAMPLE_COUNT; how++) {
        struct err e = { 0 };
        AUTO(image_free) struct image out = { 0 };
        assert_int_equal(resize_part(&im, &to, (enum resample)how, &out, &e), 0);
        for (size_t i = 0; i < 20 * 3 * 3; i++)
            assert_int_equal(out.pixels[i], 90);
    }
}

static void refusals(void **state)
{
    (void)state;
    static const struct resize_to bad[] = {
        { 10, 10, 5, 0, 6, 1 },
        { 10, 10, 0, 10, 1, 1 },
        { 10, 10, 0, 0, 0, 1 },
        { UINT64_MAX, 10, UINT64_MAX - 1, 0, 1, 1 },
    };
    uint8_t pixel[3] = { 0 };
    struct image im = { .width = 1, .height = 1, .pixels = pixel };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = { 0 };
        struct image out = { 0 };
        assert_int_equal(resize_part(&im, &bad[i], RESAMPLE_BICUBIC, &out, &e), -1);
        assert_int_equal(e.kind, ERR_BUG);
    }
    struct err e = { 0 };
    struct image out = { 0 };
    assert_int_equal(resize_image(&im, IMAGE_MAX_EDGE + 1, 1, RESAMPLE_BICUBIC, &out, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_pillow),
        cmocka_unit_test(a_part_is_a_part),
        cmocka_unit_test(a_part_of_something_vast),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
