/* SPair-71k's layout: what a small one says, and each way in which a file can be wrong, by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/data_files.h"
#include "worker/data/spair.h"

static void put_picture(const char *category, const char *stem, const char *kps)
{
    char name[200], text[1000];
    snprintf(name, sizeof name, "sp/JPEGImages/%s/%s.jpg", category, stem);
    put_text(name, "x");
    snprintf(name, sizeof name, "sp/ImageAnnotation/%s/%s.json", category, stem);
    snprintf(text, sizeof text, "{\"filename\":\"%s.jpg\",\"image_width\":500,\"kps\":%s}", stem, kps);
    put_text(name, text);
}

#define PAIR "sp/PairAnnotation/test/"
#define SIDES \
    "\"src_imsize\":[500,375,3],\"trg_imsize\":[333,500,3],\"src_bndbox\":[1,2,300,200.5],\"trg_bndbox\":[5,6,7,8]"

static void put_pair(const char *id, const char *category, const char *a, const char *b)
{
    char name[200], text[1000];
    snprintf(name, sizeof name, PAIR "%s-%s-%s:%s.json", id, a, b, category);
    snprintf(text, sizeof text, "{\"category\":\"%s\",\"src_imname\":\"%s.jpg\",\"trg_imname\":\"%s.jpg\"," SIDES "}",
             category, a, b);
    put_text(name, text);
}

static int good_files(void **state)
{
    if (scratch_make(state) < 0)
        return -1;
    put_picture("dog", "d1", "{\"0\":[10,20],\"1\":null,\"2\":[30.5,40],\"29\":[1,2]}");
    put_picture("dog", "d2", "{\"0\":[11,21],\"1\":[5,5],\"2\":null,\"29\":[3,4]}");
    put_picture("cat", "c1", "{\"7\":[0,0]}");
    put_picture("cat", "c2", "{\"7\":[499,374]}");
    put_picture("cat", "unused", "{}");
    put_pair("000002", "dog", "d2", "d1");
    put_pair("000001", "dog", "d1", "d2");
    put_pair("000003", "cat", "c1", "c2");
    return 0;
}

static void a_small_one(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(spair_destroy) struct spair *s = spair_load(in_scratch("sp"), "test", &e);
    if (!s)
        fail_msg("%s", e.text);
    assert_int_equal(s->n_pairs, 3);
    assert_int_equal(s->n_categories, 2);
    assert_string_equal(s->categories[0].name, "cat");
    assert_int_equal(s->categories[0].count, 1);
    assert_string_equal(s->categories[1].name, "dog");
    assert_int_equal(s->categories[1].first, 1);
    assert_int_equal(s->categories[1].count, 2);
    const struct spair_pair *p = &s->pairs[1];
    assert_string_equal(p->name, "000001-d1-d2:dog");
    assert_string_equal(p->category, "dog");
    assert_int_equal(p->points, 1 | 1u << 29);
    assert_int_equal(p->source.image->points, 1 | 4 | 1u << 29);
    assert_true(p->source.image->x[2] == 30.5 && p->source.image->y[2] == 40);
    assert_int_equal(p->source.width, 500);
    assert_int_equal(p->target.height, 500);
    assert_true(p->source.box[3] == 200.5);
    assert_string_equal(p->target.image->path, "JPEGImages/dog/d2.jpg");
    assert_ptr_equal(p->target.image, s->pairs[2].source.image);
    assert_int_equal(s->n_images, 4); /* the unused one is not read */
    assert_string_equal(s->images[0]->path, "JPEGImages/cat/c1.jpg");
    assert_string_equal(s->images[3]->path, "JPEGImages/dog/d2.jpg");
}

/* ---- refusals ------------------------------------------------------------------------------------------------------
 */

static void refused(const char *split, const char *part)
{
    struct err e = { 0 };
    AUTO(spair_destroy) struct spair *s = spair_load(in_scratch("sp"), split, &e);
    if (s)
        fail_msg("taken, instead of refused with '%s'", part);
    assert_int_equal(e.kind, ERR_INPUT);
    if (!strstr(e.text, part))
        fail_msg("'%s' has no '%s'", e.text, part);
}

static void bad_pairs(void **state)
{
    (void)state;
#define NAMES "\"category\":\"dog\",\"src_imname\":\"d1.jpg\",\"trg_imname\":\"d2.jpg\","
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "", "bad:dog.json:1: not JSON" },
        { "{" SIDES "}", "bad:dog.json: 'category' must be" },
        { "{\"category\":\"../x\"}", "bad:dog.json: 'category' must be a plain name" },
        { "{\"category\":\"dog\",\"src_imname\":\"a/b.jpg\"}", "'src_imname' must be a plain name" },
        { "{" NAMES "\"src_imsize\":[500]}", "'src_imsize' must be a list of" },
        { "{" NAMES "\"src_imsize\":[500,0,3]}", "'src_imsize' must be [width, height, channels]" },
        { "{" NAMES "\"src_imsize\":[500,3.5,3]}", "'src_imsize' must be [width, height, channels]" },
        { "{" NAMES "\"src_imsize\":[5,3,3],\"src_bndbox\":[1,2,1,4]}", "'src_bndbox' must be [x1, y1, x2, y2]" },
        { "{" NAMES "\"src_imsize\":[5,3,3],\"src_bndbox\":[1,2,1e99,4]}", "'src_bndbox' must be a list of pixel" },
        { "{" NAMES "\"src_imsize\":[5,3,3],\"src_bndbox\":[1,2,3,4]}", "'trg_imsize' must be" },
        { "{\"category\":\"cat\",\"src_imname\":\"c1.jpg\",\"trg_imname\":\"c2.jpg\"," SIDES "}",
          "bad:dog.json: its name must end in ':cat.json'" },
        { "{\"category\":\"dog\",\"src_imname\":\"d1.jpg\",\"trg_imname\":\"gone.jpg\"," SIDES "}",
          "JPEGImages/dog/gone.jpg: no such picture" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put_text(PAIR "bad:dog.json", cases[i].text);
        refused("test", cases[i].part);
    }
    unlink(in_scratch(PAIR "bad:dog.json"));
    refused("trn", "PairAnnotation/trn: cannot open: No such file or directory; an SPair-71k directory has");
    refused("../test", "the split '../test' must be");
    put_text("sp/PairAnnotation/val/readme.txt", "");
    refused("val", "0 pairs; a .json file for each");
}

static void bad_points(void **state)
{
    (void)state;
    static const struct {
        const char *kps, *part;
    } cases[] = {
        { "[]", "ImageAnnotation/dog/e1.json: 'kps' must be an object" },
        { "{\"30\":null}", "ImageAnnotation/dog/e1.json: 'kps' has a point '30'" },
        { "{\"x\":null}", "'kps' has a point 'x'" },
        { "{\"01x\":null}", "'kps' has a point '01x'" },
        { "{\"0\":7}", "'kps' must be a list of two numbers, or null" },
        { "{\"0\":[1]}", "'kps' must be a list of two numbers, or null" },
        { "{\"0\":[1,\"2\"]}", "'kps' must be a list of pixel coordinates" },
        { "{\"0\":[-1,2]}", "point 0 of 'kps' lies outside" },
        { "{\"1\":[1,1]}", "bad-e1-d1:dog.json: the two pictures have no key point in common" },
    };
    put_pair("bad", "dog", "e1", "d1");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put_picture("dog", "e1", cases[i].kps);
        refused("test", cases[i].part);
    }
    unlink(in_scratch("sp/ImageAnnotation/dog/e1.json"));
    refused("test", "ImageAnnotation/dog/e1.json: cannot open");
}

/* ---- symmetric points ----------------------------------------------------------------------------------------------
 */

static void symmetric_points(void **state)
{
    (void)state;
    static const struct {
        const char *category;
        size_t groups, points;
    } cases[] = {
        /* counted from the data set's own list */
        { "aeroplane", 9, 18 }, { "bicycle", 3, 6 },    { "bird", 4, 8 },        { "boat", 6, 12 },
        { "bottle", 5, 10 },    { "bus", 8, 28 },       { "car", 9, 30 },        { "cat", 2, 6 },
        { "chair", 6, 14 },     { "cow", 4, 12 },       { "dog", 2, 6 },         { "horse", 3, 10 },
        { "motorbike", 2, 4 },  { "person", 6, 12 },    { "pottedplant", 3, 8 }, { "sheep", 4, 12 },
        { "train", 9, 18 },     { "tvmonitor", 4, 16 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n;
        uint32_t all = 0, points = 0;
        const uint32_t *groups = spair_symmetric(cases[i].category, &n);
        assert_int_equal(n, cases[i].groups);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(all & groups[k], 0); /* a point is in one group at most */
            assert_true(groups[k] < 1u << SPAIR_POINTS);
            all |= groups[k];
            points += (uint32_t)__builtin_popcount(groups[k]);
        }
        assert_int_equal(points, cases[i].points);
    }
    size_t n = 5;
    assert_null(spair_symmetric("zebra", &n));
    assert_int_equal(n, 0);
    const uint32_t *cat = spair_symmetric("cat", &n);
    assert_int_equal(cat[1], 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_one),
        cmocka_unit_test(bad_pairs),
        cmocka_unit_test(bad_points),
        cmocka_unit_test(symmetric_points),
    };
    return cmocka_run_group_tests(tests, good_files, scratch_remove);
}
