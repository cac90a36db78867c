/* Correspondence pictures: bytes from outside to data, and data to a page with everything at the right pixel. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>

#include "common/digest.h"
#include "report/gallery.h"
#include "report/heat.h"
#include "report/svg.h"
#include "tests/lib/wellformed.h"
#include "worker/data/jpeg_write.h"

/* Source drawn at half its size, target at 1.15 times. Cells: 0 85 170 255. */
static const char good[] =
    "{\"format\":\"acsweep pictures 1\",\"members\":[\"clip\"],\"alpha\":0.1,\"grid\":2,"
    "\"pairs\":[{\"pair\":\"1-a-b:cat\","
    "\"category\":\"cat\",\"source\":{\"image\":\"a.jpg\",\"width\":400,\"height\":200},"
    "\"target\":{\"image\":\"b.jpg\",\"width\":100,\"height\":200},\"limit\":[10,20],\"points\":["
    "{\"point\":0,\"source\":[100,50],\"target\":[20,40],\"predicted\":[60,80],\"correct\":true},"
    "{\"point\":3,\"source\":[300,100],\"target\":[80.6,100],\"predicted\":[10,10],\"correct\":false}],"
    "\"map\":{\"point\":3,\"side\":2,\"low\":-0.25,\"high\":0.75,\"box\":[-50,0,200,200],\"cells\":\"AFWq/w==\"}}]}";

static struct pictures *parse(const char *text)
{
    struct err e = { 0 };
    struct pictures *p = pictures_parse(text, strlen(text), "test", &e);
    if (!p)
        fail_msg("%s", e.text);
    return p;
}

static void good_pictures(void **state)
{
    (void)state;
    static const uint8_t cells[] = { 0, 85, 170, 255 };
    AUTO(pictures_free) struct pictures *p = parse(good);
    assert_int_equal(p->n_pairs, 1);
    assert_true(p->alpha == 0.1);
    const struct picture_pair *pair = &p->pairs[0];
    assert_string_equal(pair->source.image, "a.jpg");
    assert_int_equal(pair->n_points, 2);
    assert_true(pair->points[1].target[0] == 80.6 && !pair->points[1].correct && pair->points[0].correct);
    assert_int_equal(pair->map.point, 1);
    assert_memory_equal(pair->map.cells, cells, 4);
}

/* ---- what is wrong ----------------------------------------------------------------------------------------------- */

/* Replace the value at a path ("pairs.0.map.side") by JSON; "" takes it away. */
static void change(json_t *o, const char *path, const char *value)
{
    char name[32];
    size_t n = strcspn(path, ".");
    snprintf(name, sizeof name, "%.*s", (int)n, path);
    json_t *v = *value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    if (path[n]) {
        json_decref(v);
        change(json_is_array(o) ? json_array_get(o, (size_t)atoi(name)) : json_object_get(o, name), path + n + 1,
               value);
    } else if (json_is_array(o)) {
        json_array_set_new(o, (size_t)atoi(name), v);
    } else if (v) {
        json_object_set_new(o, name, v);
    } else {
        json_object_del(o, name);
    }
}

static void bad_pictures(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value, *says;
    } cases[] = {
        { "format", "\"acsweep pictures 2\"", "test: its format is not 'acsweep pictures 1'" },
        { "format", "7", "its format" },
        { "alpha", "", "test: alpha must be a number" },
        { "pairs", "[]", "test: pairs must be a list" },
        { "pairs", "{}", "pairs must be a list" },
        { "pairs", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", "pairs must be a list of a few" },
        { "pairs.0", "3", "pairs[0].pair must be a short text" },
        { "pairs.0.pair", "\"\"", "pairs[0].pair must be a short text" },
        { "pairs.0.category", "\"a\\u0000b\"", "not JSON" },
        { "pairs.0.source.width", "0", "pairs[0].source.width must be a number in range" },
        { "pairs.0.target.height", "1e9", "pairs[0].target.height" },
        { "pairs.0.target", "null", "pairs[0].target.image" },
        { "pairs.0.limit", "[0,1]", "pairs[0].limit must be above 0" },
        { "pairs.0.limit", "[1]", "two numbers" },
        { "pairs.0.points", "[]", "pairs[0].points must be a list" },
        { "pairs.0.points.1.point", "30", "pairs[0].points[1].point must be a whole number" },
        { "pairs.0.points.1.point", "0", "pairs[0].points[1].point must be larger" },
        { "pairs.0.points.0.source", "[1,\"2\"]", "pairs[0].points[0].source must be numbers" },
        { "pairs.0.points.0.predicted", "[1,1e300]", "predicted must be numbers in range" },
        { "pairs.0.points.0.correct", "1", "correct must be true or false" },
        { "pairs.0.map", "", "pairs[0].map.point" },
        { "pairs.0.map.point", "4", "one of the points" },
        { "pairs.0.map.side", "65", "pairs[0].map.side" },
        { "pairs.0.map.side", "3", "cells must be base64 of side x side bytes" },
        { "pairs.0.map.high", "-0.5", "high" },
        { "pairs.0.map.box", "[0,0,0,5]", "box must be of some size" },
        { "pairs.0.map.cells", "\"AFWq/w\"", "cells" },
        { "pairs.0.map.cells", "\"AFWq\\n/w==\"", "cells" },
        { "pairs.0.map.cells", "\"AFWq/w==\\\"\"", "cells" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        AUTO(json_decref) json_t *o = json_loads(good, 0, NULL);
        bool raw = strstr(cases[i].value, "\\u0000");
        if (!raw)
            change(o, cases[i].path, cases[i].value);
        AUTO(free) char *text = raw ? strdup("{\"format\":\"a\\u0000b\"}") : json_dumps(o, JSON_COMPACT);
        if (pictures_parse(text, strlen(text), "test", &e))
            fail_msg("case %zu was taken", i);
        assert_int_equal(e.kind, ERR_INPUT);
        if (strncmp(e.text, "test: ", 6) != 0 || !strstr(e.text, cases[i].says))
            fail_msg("case %zu: %s", i, e.text);
        err_clear(&e);
    }
}

static void two_alike(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(json_decref) json_t *o = json_loads(good, 0, NULL);
    json_t *pairs = json_object_get(o, "pairs");
    json_array_append(pairs, json_array_get(pairs, 0));
    AUTO(free) char *text = json_dumps(o, 0);
    assert_null(pictures_parse(text, strlen(text), "test", &e));
    assert_non_null(strstr(e.text, "pairs[1].pair must be another one"));
}

/* ---- thumbnails -------------------------------------------------------------------------------------------------- */

static char *jpeg_text(uint32_t width, uint32_t height)
{
    struct err e = { 0 };
    AUTO(image_free) struct image im = { 0 };
    AUTO(buf_free) struct buf jpeg = BUF_INIT(1 << 20);
    assert_int_equal(image_create(width, height, &im, &e), 0);
    assert_int_equal(jpeg_encode(&im, 80, &jpeg, &e), 0);
    size_t size = sodium_base64_encoded_len(jpeg.len, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(size);
    return sodium_bin2base64(text, size, (uint8_t *)jpeg.data, jpeg.len, sodium_base64_VARIANT_ORIGINAL);
}

static struct thumbnails *thumbnails_of(const char *image, const char *jpeg, struct err *e)
{
    AUTO(json_decref) json_t *o =
        json_pack("{s:s,s:[{s:s,s:s}]}", "format", "acsweep thumbnails 1", "images", "image", image, "jpeg", jpeg);
    AUTO(free) char *text = json_dumps(o, JSON_COMPACT);
    return thumbnails_parse(text, strlen(text), "test", e);
}

static void only_small_jpegs(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(free) char *small = jpeg_text(1024, 3), *large = jpeg_text(1025, 3);
    AUTO(thumbnails_free) struct thumbnails *t = thumbnails_of("a.jpg", small, &e);
    assert_non_null(t);
    assert_string_equal(t->all[0].jpeg, small);
    const char *const refused[] = { large, "", "AFWq/w==", "/9j/", "/9j/4AAQ", "\" onload=\"alert(1)", "/9j/ 4AA" };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct err why = { 0 };
        assert_null(thumbnails_of("a.jpg", refused[i], &why));
        assert_string_equal(why.text, "test: images[0].jpeg must be base64 of a small JPEG");
        err_clear(&why);
    }
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

static char *draw(const struct gallery *g)
{
    struct buf out = BUF_INIT(8 << 20);
    gallery_page(g, "T<itle>", &out);
    assert_false(out.failed);
    const char *complaint = wellformed(buf_text(&out));
    if (complaint)
        fail_msg("%s", complaint);
    return out.data;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("missing: %s", part);
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

static void points_at_their_pixels(void **state)
{
    (void)state;
    AUTO(pictures_free) struct pictures *p = parse(good);
    const struct gallery g = { .names = { "clip" }, .pictures = { p }, .n = 1 };
    AUTO(free) char *page = draw(&g);
    assert_has(page, "viewBox=\"0 0 200.00 100.00\"");              /* the source */
    assert_has(page, "viewBox=\"0 0 115.00 230.00\"");              /* the target */
    assert_has(page, "class=\"given\" d=\"M47.00 25.00a3.0 3.0");   /* point 0 of the source at 50, 25 */
    assert_has(page, "class=\"chosen\" d=\"M144.50 50.00a5.5 5.5"); /* point 3 at 150, 50 */
    /* Point 0: from 23, 46 to 69, 92, correct. */
    assert_has(page, "class=\"hit\" d=\"M23.00 46.00L69.00 92.00\"");
    assert_has(page, "class=\"hit\" d=\"M19.00 46.00a4.0 4.0");
    assert_has(page, "class=\"hit full\" d=\"M66.50 92.00a2.5 2.5");
    /* Point 3: from 92.69, 115 to 11.5, 11.5, wrong; drawn again on its map. */
    assert_int_equal(count(page, "class=\"miss dashes\" d=\"M92.69 115.00L11.50 11.50\""), 2);
    assert_int_equal(count(page, "class=\"miss\" d=\"M8.00 8.00l7.0 7.0m0 -7.0l-7.0 7.0\""), 2);
    assert_has(page, "<ellipse class=\"within\" cx=\"92.69\" cy=\"115.00\" rx=\"11.50\" ry=\"23.00\"/>");
    assert_has(page, "<image class=\"heat\" x=\"-57.50\" y=\"0.00\" width=\"230.00\" height=\"230.00\"");
    assert_has(page, "clip finds 1 of 2 points in the target");
    assert_has(page, "similarity -0.25 to 0.75");
    assert_has(page, "the point is found wrongly");
    assert_has(page, "T&lt;itle&gt;");
    assert_has(page, "<rect class=\"lane\" width=\"100%\" height=\"100%\"/>"); /* no thumbnail */
}

/* A point that is found in the margin is drawn at the edge, where the line crosses it: 5 units inside. */
static void beyond_the_edge(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *o = json_loads(good, 0, NULL);
    change(o, "pairs.0.points.0.target", "[20,100]"); /* drawn at 23, 115 */
    change(o, "pairs.0.points.0.predicted", "[20,-900]");
    change(o, "pairs.0.points.1.target", "[20,100]");
    change(o, "pairs.0.points.1.predicted", "[180,100]"); /* 207 of 115 */
    AUTO(free) char *text = json_dumps(o, 0);
    AUTO(pictures_free) struct pictures *p = parse(text);
    const struct gallery g = { .names = { "a+b" }, .pictures = { p }, .n = 1 };
    AUTO(free) char *page = draw(&g);
    assert_has(page, "<title>point 0: correct, beyond the edge</title>");
    assert_has(page, "d=\"M23.00 115.00L23.00 5.00\"");
    assert_has(page, "d=\"M23.00 115.00L110.00 115.00\"");
    assert_has(page, "<b>a+<wbr/>b</b>");
}

static void each_thumbnail_once(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(free) char *jpeg = jpeg_text(16, 8);
    AUTO(thumbnails_free) struct thumbnails *t = thumbnails_of("b.jpg", jpeg, &e);
    AUTO(pictures_free) struct pictures *p = parse(good), *q = parse(good);
    const struct thumbnails *all[] = { t, t };
    const struct gallery g = {
        .names = { "x", "y" }, .pictures = { p, q }, .n = 2, .thumbnails = all, .n_thumbnails = 2
    };
    AUTO(free) char *page = draw(&g);
    assert_int_equal(count(page, jpeg), 1);
    assert_has(page, "<image id=\"p-0\" width=\"115.00\" height=\"230.00\"");
    assert_int_equal(count(page, "href=\"#p-0\""), 5); /* the target, and twice for each column */
    assert_int_equal(count(page, "<h3>"), 1);
}

static void names_are_escaped_and_gaps_are_said(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *o = json_loads(good, 0, NULL);
    change(o, "pairs.0.pair", "\"<script>\"");
    change(o, "pairs.0.category", "\"\\\" onload=\\\"x\"");
    AUTO(free) char *text = json_dumps(o, 0);
    AUTO(pictures_free) struct pictures *p = parse(good), *q = parse(text);
    const struct gallery g = { .names = { "<b>&", "other" }, .pictures = { p, q }, .n = 2 };
    AUTO(free) char *page = draw(&g);
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "<b>&amp;<"));
    assert_has(page, "&lt;script&gt;");
    assert_int_equal(count(page, "has no picture of this pair"), 2);
    assert_int_equal(count(page, "<h3>"), 2);
}

static void no_columns(void **state)
{
    (void)state;
    const struct gallery g = { 0 };
    AUTO(free) char *page = draw(&g);
    assert_null(strstr(page, "<h3>"));
}

/* ---- the map as a picture ---------------------------------------------------------------------------------------- */

static void maps_are_pictures(void **state)
{
    (void)state;
    for (int side = 1; side <= PICTURES_SIDE_MAX; side += 21) {
        struct err e = { 0 };
        uint8_t cells[PICTURES_SIDE_MAX * PICTURES_SIDE_MAX], png[1 << 14];
        size_t n = 0;
        AUTO(buf_free) struct buf text = BUF_INIT(1 << 16);
        AUTO(image_free) struct image im = { 0 };
        for (int i = 0; i < side * side; i++)
            cells[i] = (uint8_t)(i * 37);
        assert_int_equal(heat_png(cells, side, &text, &e), 0);
        assert_int_equal(
            sodium_base642bin(png, sizeof png, text.data, text.len, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL), 0);
        if (image_decode(png, n, "map", NULL, &im, &e) < 0)
            fail_msg("%s", e.text);
        assert_true(im.width == (uint32_t)side && im.height == (uint32_t)side);
        for (int i = 0; i < side * side; i++) {
            struct svg_rgb want = svg_colour(cells[i] / 255.0);
            const uint8_t *got = im.pixels + 3 * i;
            assert_true(got[0] == want.r && got[1] == want.g && got[2] == want.b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_pictures),
        cmocka_unit_test(bad_pictures),
        cmocka_unit_test(two_alike),
        cmocka_unit_test(only_small_jpegs),
        cmocka_unit_test(points_at_their_pixels),
        cmocka_unit_test(beyond_the_edge),
        cmocka_unit_test(each_thumbnail_once),
        cmocka_unit_test(names_are_escaped_and_gaps_are_said),
        cmocka_unit_test(no_columns),
        cmocka_unit_test(maps_are_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
