/* The C score of whole sets: by hand, against the independent reference (tests/golden/score_c), and what bad input
 * says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <cmocka.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "tests/unit/data_files.h"
#include "worker/data/png_write.h"
#include "worker/score/c_album.h"
#include "worker/torch/safetensors.h"

#define GOLDEN SOURCE_DIR "/tests/golden/score_c/"
#define NEAR 1e-9 /* the generator leaves no decision to rounding */

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static const json_t *at(const json_t *list, size_t i)
{
    const json_t *v = json_array_get(list, i);
    assert_non_null(v);
    return v;
}

/* ---- the golden set -------------------------------------------------------------------------------------------------
 */

static struct c_setting read_setting(const json_t *j)
{
    struct c_setting s = c_setting_default();
    const json_t *v, *alphas = json_object_get(j, "alphas");
    if ((v = json_object_get(j, "geometry")))
        assert_int_equal(c_geometry_parse(json_string_value(v), &s.geometry, NULL), 0);
    if ((v = json_object_get(j, "arith")))
        assert_int_equal(c_arith_parse(json_string_value(v), &s.arith, NULL), 0);
    if ((v = json_object_get(j, "grid")))
        s.grid = (int)json_integer_value(v);
    if ((v = json_object_get(j, "side")))
        s.side = (int)json_integer_value(v);
    if ((v = json_object_get(j, "window")))
        s.window = (int)json_integer_value(v);
    if ((v = json_object_get(j, "temperature")))
        s.temperature = json_number_value(v);
    for (size_t i = 0; i < json_array_size(alphas); i++)
        s.alphas[i] = json_number_value(json_array_get(alphas, i));
    if (alphas)
        s.n_alphas = json_array_size(alphas);
    return s;
}

/* Options of one run; members' directories live in `dirs`. */
static struct c_options golden_options(const json_t *run, struct c_member *members, char (*dirs)[400])
{
    const json_t *names = json_object_get(run, "features");
    struct c_options o = { .pairs = GOLDEN "set",
                           .members = members,
                           .n_members = json_array_size(names),
                           .all = json_is_true(json_object_get(run, "all")),
                           .setting = read_setting(json_object_get(run, "setting")) };
    for (size_t i = 0; i < o.n_members; i++) {
        const char *name = json_string_value(at(names, i));
        snprintf(dirs[i], sizeof dirs[i], GOLDEN "features/%s", name);
        members[i] = (struct c_member){ name, dirs[i] };
    }
    return o;
}

static json_t *golden_runs(void)
{
    json_t *runs = json_load_file(GOLDEN "expected.json", 0, NULL);
    assert_true(json_array_size(runs) >= 10);
    return runs;
}

static void compare_numbers(const json_t *got, const json_t *want, const char *what)
{
    const char *key;
    json_t *value;
    assert_int_equal(json_object_size(got), json_object_size(want));
    json_object_foreach((json_t *)want, key, value)
    {
        if (!(fabs(number(got, key) - json_number_value(value)) <= NEAR))
            fail_msg("%s: %s is %.12f instead of %.12f", what, key, number(got, key), json_number_value(value));
    }
}

static void compare_entry(const json_t *got, const json_t *want)
{
    char what[300] = "";
    const char *category;
    json_t *c, *have = json_object_get(got, "categories"), *need = json_object_get(want, "categories");
    for (size_t i = 0; i < json_array_size(json_object_get(want, "members")); i++) {
        const char *name = json_string_value(at(json_object_get(got, "members"), i));
        const char *wanted = json_string_value(at(json_object_get(want, "members"), i));
        assert_string_equal(name, strrchr(wanted, '/') + 1);
        snprintf(what + strlen(what), sizeof what - strlen(what), "%s ", name);
    }
    assert_int_equal(json_array_size(json_object_get(got, "members")),
                     json_array_size(json_object_get(want, "members")));
    assert_true(number(got, "grid") == number(want, "grid") && number(got, "pairs") == number(want, "pairs"));
    compare_numbers(json_object_get(got, "pck"), json_object_get(want, "pck"), what);
    assert_true(fabs(number(got, "geo") - number(want, "geo")) <= NEAR);
    compare_numbers(json_object_get(got, "position"), json_object_get(want, "position"), "the position alone");
    assert_int_equal(json_object_size(have), json_object_size(need));
    json_object_foreach(need, category, c)
    {
        assert_true(number(json_object_get(have, category), "pairs") == number(c, "pairs"));
        compare_numbers(json_object_get(json_object_get(have, category), "pck"), json_object_get(c, "pck"), category);
    }
}

static void scores_are_the_reference_s(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *runs = golden_runs();
    for (size_t r = 0; r < json_array_size(runs); r++) {
        struct err e = { 0 };
        struct c_member members[8];
        char dirs[8][400];
        const json_t *run = at(runs, r), *want = json_object_get(run, "list");
        struct c_options o = golden_options(run, members, dirs);
        AUTO(json_decref) json_t *got = c_score(&o, &e);
        if (!got)
            fail_msg("run %zu: %s", r, e.text);
        assert_int_equal(json_array_size(got), json_array_size(want));
        for (size_t i = 0; i < json_array_size(want); i++)
            compare_entry(at(got, i), at(want, i));
    }
}

/* Distance of the predicted point from the reference's, in the frame; pictures give it in pixels of the picture. */
static double difference(const json_t *entry, const json_t *point, const json_t *want)
{
    const json_t *frame = json_object_get(json_object_get(entry, "target"), "frame"),
                 *p = json_object_get(point, "predicted");
    double d[2];
    for (size_t i = 0; i < 2; i++)
        d[i] = json_number_value(at(p, i)) * json_number_value(at(json_object_get(frame, "scale"), i)) +
               json_number_value(at(json_object_get(frame, "offset"), i)) - json_number_value(at(want, i));
    return hypot(d[0], d[1]);
}

static size_t compare_points(const json_t *entry, const json_t *want, double near, size_t *n)
{
    const json_t *points = json_object_get(entry, "points"), *indices = json_object_get(want, "points");
    size_t far = 0;
    assert_string_equal(json_string_value(json_object_get(entry, "pair")),
                        json_string_value(json_object_get(want, "pair")));
    assert_int_equal(json_array_size(points), json_array_size(indices));
    for (size_t i = 0; i < json_array_size(points); i++, (*n)++) {
        assert_int_equal(json_integer_value(json_object_get(at(points, i), "point")),
                         json_integer_value(at(indices, i)));
        far += !(difference(entry, at(points, i), at(json_object_get(want, "predicted"), i)) < near);
    }
    return far;
}

static void predictions_are_the_reference_s(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *runs = golden_runs();
    for (size_t r = 0; r < json_array_size(runs); r++) {
        struct err e = { 0 };
        struct c_member members[8];
        char dirs[8][400];
        const char *names[64];
        const json_t *run = at(runs, r), *want = json_object_get(run, "predictions");
        size_t pairs = json_array_size(want), n = 0, far = 0;
        struct c_options o = golden_options(run, members, dirs);
        o.all = false;
        for (size_t i = 0; i < pairs; i++)
            names[i] = json_string_value(json_object_get(at(want, i), "pair"));
        AUTO(json_decref) json_t *got = c_score_pictures(&o, names, pairs, &e);
        if (!got)
            fail_msg("run %zu: %s", r, e.text);
        for (size_t i = 0; i < pairs; i++)
            far += compare_points(at(got, i), at(want, i), 2e-3, &n);
        if (far)
            fail_msg("run %zu: %zu of %zu points are elsewhere", r, far, n);
    }
}

/* ---- pictures -------------------------------------------------------------------------------------------------------
 */

static void pictures_agree_with_scores(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *runs = golden_runs();
    struct c_member members[8];
    char dirs[8][400];
    struct c_options o = golden_options(at(runs, 0), members, dirs);
    const json_t *want = json_object_get(at(runs, 0), "predictions");
    const char *names[] = { json_string_value(json_object_get(at(want, 5), "pair")),
                            json_string_value(json_object_get(at(want, 1), "pair")) };
    o.n_members = 2; /* three representations */
    AUTO(json_decref) json_t *got = c_score_pictures(&o, names, 2, NULL);
    assert_int_equal(json_array_size(got), 6);
    for (size_t i = 0; i < 6; i++) {
        const json_t *entry = at(got, i), *points = json_object_get(entry, "points");
        assert_string_equal(json_string_value(json_object_get(entry, "pair")), names[i / 3]);
        assert_true(json_array_size(points) > 0);
        double grid = number(entry, "grid");
        for (size_t k = 0; k < json_array_size(points); k++) {
            const json_t *p = at(points, k), *correct = json_object_get(p, "correct");
            double limit = number(json_object_get(entry, "limits"), "0.10"), error = number(p, "error");
            assert_true(json_array_size(json_object_get(p, "map")) == grid * grid);
            assert_int_equal(json_is_true(json_object_get(correct, "0.10")), error < limit);
            assert_true(fabs(json_number_value(at(json_object_get(p, "map"), 0))) <= 1.0001);
        }
    }
    struct err e = { 0 };
    names[0] = "nobody";
    assert_null(c_score_pictures(&o, names, 2, &e));
    assert_non_null(strstr(e.text, "no pair 'nobody'"));
    err_clear(&e);
    names[0] = names[1];
    assert_null(c_score_pictures(&o, names, 2, &e));
    assert_non_null(strstr(e.text, "twice"));
}

/* ---- a set by hand --------------------------------------------------------------------------------------------------
 */

/* With what its metadata says: "key=value", ended by NULL; NULL for none. */
static void put_made(const char *path, enum th_dtype type, const int64_t *dims, int rank, const void *data,
                     const char *const *made)
{
    size_t bytes = th_dtype_size(type);
    struct err e = { 0 };
    for (int i = 0; i < rank; i++)
        bytes *= (size_t)dims[i];
    put_text(path, "");
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(in_scratch(path), &e);
    assert_non_null(w);
    for (; made && *made; made++) {
        char key[32] = "";
        memcpy(key, *made, strcspn(*made, "="));
        assert_int_equal(st_writer_metadata(w, key, strchr(*made, '=') + 1, &e), 0);
    }
    assert_int_equal(st_writer_declare(w, "features", type, dims, rank, &e), 0);
    assert_int_equal(st_writer_put(w, "features", data, bytes, &e), 0);
    assert_int_equal(st_writer_commit(w, &e), 0);
}

static void put_features(const char *path, enum th_dtype type, const int64_t *dims, int rank, const void *data)
{
    put_made(path, type, dims, rank, data, NULL);
}

/* Token i is the unit vector i: the best cell is the source's own, and the point its middle. 4 x 4 cells of 210 pixels,
 * so cell (0, 0) leads to (105, 105). */
static void put_unit_tokens(const char *path)
{
    static const int64_t dims[] = { 16, 16 };
    float tokens[16][16] = { 0 };
    for (int i = 0; i < 16; i++)
        tokens[i][i] = (float)(i + 1);
    put_features(path, TH_F32, dims, 2, tokens);
}

#define WHOLE "\"src_imsize\":[840,840,3],\"trg_imsize\":[840,840,3],\"src_bndbox\":[0,0,9,9],\"trg_bndbox\":"

static void put_hand_pair(const char *id, const char *a, const char *b, const char *category, const char *box)
{
    char name[200], text[600];
    snprintf(name, sizeof name, "hand/PairAnnotation/test/%s-%s-%s:%s.json", id, a, b, category);
    snprintf(text, sizeof text, "{\"category\":\"%s\",\"src_imname\":\"%s.jpg\",\"trg_imname\":\"%s.jpg\"," WHOLE "%s}",
             category, a, b, box);
    put_text(name, text);
}

static void put_hand_image(const char *category, const char *stem, const char *points)
{
    char name[200], text[600];
    snprintf(name, sizeof name, "hand/JPEGImages/%s/%s.jpg", category, stem);
    put_text(name, "x");
    snprintf(name, sizeof name, "hand/ImageAnnotation/%s/%s.json", category, stem);
    snprintf(text, sizeof text, "{\"kps\":%s}", points);
    put_text(name, text);
    snprintf(name, sizeof name, "unit/%s/%s.safetensors", category, stem);
    put_unit_tokens(name);
}

/* cat: point 2 errs by exactly 42, point 3 (its mirror) by 43, point 5 by nothing; point 0 is in one picture only.
 * toy: one point, which errs by 5. */
static int hand_files(void **state)
{
    if (scratch_make(state) < 0)
        return -1;
    put_hand_image("cat", "a", "{\"0\":[1,1],\"2\":[0,0],\"3\":[209,209],\"5\":[840,840],\"7\":null}");
    put_hand_image("cat", "b", "{\"0\":null,\"2\":[147,105],\"3\":[105,148],\"5\":[735,735],\"7\":[3,3]}");
    put_hand_image("toy", "t", "{\"0\":[220,430]}");
    put_hand_image("toy", "u", "{\"0\":[318,529]}");          /* cell (2, 1): (315, 525) */
    put_hand_image("sheep", "s", "{\"0\":[1,1]}");            /* a category without pairs */
    put_hand_pair("1", "a", "b", "cat", "[100,100,520,300]"); /* 420 */
    put_hand_pair("2", "t", "u", "toy", "[0,0,40,100]");      /* 100 */
    return 0;
}

/* One member, from the scratch directory `features`. */
static struct c_options hand_options(const char *features)
{
    static char pairs[100], dir[100];
    static struct c_member member;
    snprintf(pairs, sizeof pairs, "%s", in_scratch("hand"));
    snprintf(dir, sizeof dir, "%s", in_scratch(features));
    member = (struct c_member){ features, dir };
    return (struct c_options){ .pairs = pairs, .members = &member, .n_members = 1, .setting = c_setting_default() };
}

/* 0.1 and 0.05 as float32 are a little more than that: 42 of 420 and 5 of 100 are correct. */
static void points_by_hand(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct c_options o = hand_options("unit");
    AUTO(json_decref) json_t *got = c_score(&o, &e);
    if (!got)
        fail_msg("%s", e.text);
    const json_t *one = at(got, 0), *categories = json_object_get(one, "categories");
    assert_int_equal(json_array_size(got), 1);
    assert_string_equal(json_string_value(at(json_object_get(one, "members"), 0)), "unit");
    assert_true(number(one, "grid") == 4 && number(one, "pairs") == 2);
    assert_int_equal(json_object_size(categories), 2);
    const json_t *cat = json_object_get(json_object_get(categories, "cat"), "pck");
    const json_t *toy = json_object_get(json_object_get(categories, "toy"), "pck");
    assert_true(fabs(number(cat, "0.10") - 2.0 / 3) < 1e-12 && fabs(number(cat, "0.05") - 1.0 / 3) < 1e-12);
    assert_true(fabs(number(cat, "0.01") - 1.0 / 3) < 1e-12);
    assert_true(number(toy, "0.10") == 1 && number(toy, "0.05") == 1 && number(toy, "0.01") == 0);
    const json_t *all = json_object_get(one, "pck");
    assert_true(fabs(number(all, "0.10") - (2.0 / 3 + 1) / 2) < 1e-12);
    assert_true(fabs(number(all, "0.05") - (1.0 / 3 + 1) / 2) < 1e-12 && fabs(number(all, "0.01") - 1.0 / 6) < 1e-12);
    assert_true(number(one, "geo") == 0.5); /* points 2 and 3 of the cat; toys have no mirror images */
}

/* Correct is strictly below: half of 84 and half of 10 are errors of exactly 42 and 5. */
static void limits_are_strict(void **state)
{
    (void)state;
    struct c_options o = hand_options("unit");
    put_hand_pair("1", "a", "b", "cat", "[0,0,84,7]");
    put_hand_pair("2", "t", "u", "toy", "[0,0,10,10]");
    o.setting.alphas[0] = 0.5;
    o.setting.alphas[1] = 0.5001;
    o.setting.n_alphas = 2;
    AUTO(json_decref) json_t *got = c_score(&o, NULL);
    const json_t *categories = json_object_get(at(got, 0), "categories");
    const json_t *cat = json_object_get(json_object_get(categories, "cat"), "pck");
    const json_t *toy = json_object_get(json_object_get(categories, "toy"), "pck");
    assert_true(fabs(number(cat, "0.50") - 1.0 / 3) < 1e-12 && fabs(number(cat, "0.5001") - 2.0 / 3) < 1e-12);
    assert_true(number(toy, "0.50") == 0 && number(toy, "0.5001") == 1);
}

static void expect_position(const struct c_options *o, double at_10, double at_05, double at_01)
{
    struct err e = { 0 };
    AUTO(json_decref) json_t *got = c_score(o, &e);
    if (!got)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < json_array_size(got); i++) {
        const json_t *position = json_object_get(at(got, i), "position");
        assert_true(fabs(number(position, "0.10") - at_10) <= NEAR);
        assert_true(fabs(number(position, "0.05") - at_05) <= NEAR);
        assert_true(fabs(number(position, "0.01") - at_01) <= NEAR);
    }
}

/* Of a picture twice as wide as high and one three times as high as wide: the same part of each edge, in whichever geometry. */
static void put_wide_and_high(const char *box)
{
    char text[400];
    put_text("hand/JPEGImages/pot/w.jpg", "x");
    put_text("hand/JPEGImages/pot/h.jpg", "x");
    put_text("hand/ImageAnnotation/pot/w.json", "{\"kps\":{\"0\":[100,50],\"1\":[20,90]}}");
    put_text("hand/ImageAnnotation/pot/h.json", "{\"kps\":{\"0\":[50,150],\"1\":[10,290]}}");
    snprintf(text, sizeof text,
             "{\"category\":\"pot\",\"src_imname\":\"w.jpg\",\"trg_imname\":\"h.jpg\",\"src_imsize\":[200,100,3],"
             "\"trg_imsize\":[100,300,3],\"src_bndbox\":[0,0,9,9],\"trg_bndbox\":%s}", box);
    put_text("hand/PairAnnotation/test/3-w-h:pot.json", text);
    put_unit_tokens("unit/pot/w.safetensors");
    put_unit_tokens("unit/pot/h.safetensors");
}

/* cat: point 2 is off by (147, 105), 3 by (104, 61), 5 by (105, 105), none within 42; toy by (98, 99). pot: point 0 is where it was,
 * point 1 off by 20 of 300 pixels. */
static void position_by_hand(void **state)
{
    (void)state;
    struct c_options o = hand_options("unit");
    expect_position(&o, 0, 0, 0);
    put_wide_and_high("[0,0,50,210]");
    expect_position(&o, 1. / 3, 0.5 / 3, 0.5 / 3); /* 20 < 0.1 * 210 */
    put_wide_and_high("[0,0,70,190]");
    expect_position(&o, 0.5 / 3, 0.5 / 3, 0.5 / 3);
    o.setting.geometry = C_STRETCH_BOTH;
    expect_position(&o, 1. / 3, 0.5 / 3, 0.5 / 3); /* by 56 of 840; the box is 588 wide and 532 high */
}

static void no_mirror_images_at_all(void **state)
{
    (void)state;
    char path[600];
    struct c_options o = hand_options("unit");
    snprintf(path, sizeof path, "%s/PairAnnotation/test/1-a-b:cat.json", o.pairs);
    assert_int_equal(unlink(path), 0);
    AUTO(json_decref) json_t *got = c_score(&o, NULL);
    assert_true(json_is_null(json_object_get(at(got, 0), "geo")));
    assert_int_equal(json_object_size(json_object_get(at(got, 0), "categories")), 1);
}

/* ---- albums ---------------------------------------------------------------------------------------------------------
 */

static void put_picture(const char *path, uint32_t width, uint32_t height)
{
    struct err e = { 0 };
    AUTO(image_free) struct image im = { 0 };
    assert_int_equal(image_create(width, height, &im, &e), 0);
    uint32_t noise = 1;
    for (size_t i = 0; i < (size_t)width * height * 3; i++)
        im.pixels[i] = (uint8_t)((noise = noise * 1664525 + 1013904223) >> 24);
    assert_int_equal(png_write(in_scratch(path), &im, &e), 0);
}

static int album_files(void **state)
{
    if (hand_files(state) < 0)
        return -1;
    put_picture("hand/JPEGImages/cat/a.jpg", 30, 20);
    put_picture("hand/JPEGImages/cat/b.jpg", 20, 30);
    put_picture("hand/JPEGImages/toy/t.jpg", 700, 300); /* noise does not compress */
    put_picture("hand/JPEGImages/toy/u.jpg", 1, 700);
    return 0;
}

static json_t *album_of(const struct c_options *o, size_t n)
{
    struct err e = { 0 };
    json_t *got = c_album_of(o, NULL, n, &e);
    if (!got)
        fail_msg("%s", e.text);
    return got;
}

static void check_place(const json_t *o, const char *key, double x, double y)
{
    const json_t *place = json_object_get(o, key);
    if (fabs(json_number_value(at(place, 0)) - x) > 1e-4 || fabs(json_number_value(at(place, 1)) - y) > 1e-4)
        fail_msg("%s is at %g, %g", key, json_number_value(at(place, 0)), json_number_value(at(place, 1)));
}

static void an_album_by_hand(void **state)
{
    (void)state;
    struct c_options o = hand_options("unit");
    AUTO(json_decref) json_t *got = album_of(&o, 2);
    const json_t *album = at(json_object_get(got, "albums"), 0), *cat = at(json_object_get(album, "pairs"), 0),
                 *toy = at(json_object_get(album, "pairs"), 1), *points = json_object_get(cat, "points"),
                 *map = json_object_get(cat, "map");
    assert_string_equal(json_string_value(json_object_get(album, "format")), "acsweep pictures 1");
    assert_string_equal(json_string_value(json_object_get(cat, "pair")), "1-a-b:cat");
    assert_int_equal(json_array_size(points), 3);
    check_place(at(points, 0), "source", 0, 0);
    check_place(at(points, 0), "target", 147, 105);
    check_place(at(points, 0), "predicted", 105, 105);
    check_place(at(points, 2), "predicted", 735, 735);
    assert_true(json_is_true(json_object_get(at(points, 0), "correct")));  /* errs by 42 of 42 and a little */
    assert_true(json_is_false(json_object_get(at(points, 1), "correct"))); /* by 43 */
    check_place(cat, "limit", 42, 42);
    assert_null(json_object_get(cat, "geo"));
    assert_true(number(map, "point") == 2 && number(map, "side") == 4 && number(map, "low") == 0 && number(map, "high") == 1);
    assert_string_equal(json_string_value(json_object_get(map, "cells")), "/wAAAAAAAAAAAAAAAAAAAA==");
    check_place(toy, "limit", 10, 10);
    check_place(at(json_object_get(toy, "points"), 0), "predicted", 315, 525);
}

/* 100 x 50 in a frame of 840: scale 8.4, and 210 rows of margin above. */
static void an_album_of_a_wide_picture(void **state)
{
    (void)state;
    struct c_options o = hand_options("unit");
    put_hand_image("wide", "s", "{\"4\":[10,10],\"5\":[90,40]}");
    put_hand_image("wide", "t", "{\"4\":[12,10],\"5\":[9,40]}");
    put_picture("hand/JPEGImages/wide/s.jpg", 9, 9);
    put_picture("hand/JPEGImages/wide/t.jpg", 9, 9);
    put_text("hand/PairAnnotation/test/3-s-t:wide.json",
             "{\"category\":\"wide\",\"src_imname\":\"s.jpg\",\"trg_imname\":\"t.jpg\",\"src_imsize\":[100,50,3],"
             "\"trg_imsize\":[100,50,3],\"src_bndbox\":[0,0,100,50],\"trg_bndbox\":[0,0,100,50]}");
    AUTO(json_decref) json_t *got = album_of(&o, 3);
    const json_t *wide = at(json_object_get(at(json_object_get(got, "albums"), 0), "pairs"), 2), *points = json_object_get(wide, "points"),
                 *box = json_object_get(json_object_get(wide, "map"), "box");
    check_place(at(points, 0), "source", 10, 10);
    check_place(at(points, 0), "predicted", 12.5, 12.5); /* (105, 315) of the frame */
    check_place(at(points, 1), "target", 9, 40);
    check_place(wide, "limit", 10, 10);
    assert_true(json_number_value(at(box, 0)) == 0 && fabs(json_number_value(at(box, 1)) + 25) < 1e-4);
    assert_true(fabs(json_number_value(at(box, 2)) - 100) < 1e-4 && fabs(json_number_value(at(box, 3)) - 100) < 1e-4);
    assert_true(number(json_object_get(wide, "map"), "point") == 4); /* none is geometry-aware: the first */
}

static void fine_maps_are_averaged(void **state)
{
    (void)state;
    struct c_options o = hand_options("unit");
    o.setting.grid = 45; /* 23 x 23 pairs of cells, the last of them half */
    AUTO(json_decref) json_t *got = album_of(&o, 1);
    const json_t *pair = at(json_object_get(at(json_object_get(got, "albums"), 0), "pairs"), 0),
                 *map = json_object_get(pair, "map");
    assert_true(number(map, "side") == 23);
    assert_true(fabs(json_number_value(at(json_object_get(map, "box"), 2)) - 840.0 * 46 / 45) < 1e-3);
    assert_int_equal(strlen(json_string_value(json_object_get(map, "cells"))), (23 * 23 + 2) / 3 * 4);
}

static void thumbnails_fit(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct c_options o = hand_options("unit");
    AUTO(json_decref) json_t *got = album_of(&o, 2);
    const json_t *images = json_object_get(json_object_get(got, "thumbnails"), "images");
    assert_int_equal(json_array_size(images), 4);
    for (size_t i = 0; i < 4; i++) {
        const char *text = json_string_value(json_object_get(at(images, i), "jpeg"));
        assert_memory_equal(text, "/9j/", 4);
        assert_true(strlen(text) <= (20 << 10) / 3 * 4 + 4);
    }
    put_text("hand/JPEGImages/cat/b.jpg", "no picture");
    assert_null(c_album_of(&o, NULL, 2, &e));
    assert_non_null(strstr(e.text, "cat/b.jpg"));
}

static void albums_agree_with_pictures(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(json_decref) json_t *runs = golden_runs();
    struct c_member members[8];
    char dirs[8][400];
    struct c_options o = golden_options(at(runs, 0), members, dirs);
    o.n_members = 2; /* three representations */
    AUTO(spair_destroy) struct spair *set = spair_load(o.pairs, o.split ? o.split : "test", &e);
    AUTO(c_features_destroy) struct c_features *f = set ? c_features_create(set, 1 << 20, &e) : NULL;
    struct c_source sources[2];
    assert_non_null(f);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(c_features_add(f, members[i].name, members[i].dir, &sources[i], &e), 0);
    static const uint32_t subsets[] = { 1, 2, 3 };
    const struct c_job job = { .set = set, .sources = sources, .n_sources = 2, .subsets = subsets, .n_subsets = 3,
                               .setting = o.setting, .threads = 4 };
    size_t pairs[C_ALBUM_PAIRS_MAX], n = c_album_choose(set, 5, pairs), points = 0;
    assert_int_equal(n, 5);
    const char *names[C_ALBUM_PAIRS_MAX];
    for (size_t i = 0; i < n; i++)
        names[i] = set->pairs[pairs[i]].name;
    AUTO(json_decref) json_t *albums = c_album(&job, pairs, n, &e), *want = c_score_pictures(&o, names, n, &e);
    if (!albums || !want)
        fail_msg("%s", e.text);
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < n; i++) {
            const json_t *entry = at(want, i * 3 + k), *list = json_object_get(entry, "points"),
                         *got = json_object_get(at(json_object_get(at(albums, k), "pairs"), i), "points");
            assert_int_equal(json_array_size(list), json_array_size(got));
            for (size_t j = 0; j < json_array_size(got); j++, points++) {
                assert_true(json_equal(json_object_get(at(got, j), "predicted"), json_object_get(at(list, j), "predicted")));
                assert_int_equal(json_is_true(json_object_get(at(got, j), "correct")),
                                 json_is_true(json_object_get(json_object_get(at(list, j), "correct"), "0.10")));
            }
        }
    assert_true(points > 15);
}

/* Spread over the categories; the same whatever the order; never of few points. */
static void pairs_by_lot(void **state)
{
    (void)state;
    static char names[3][6][8];
    struct spair_pair pairs[18] = { 0 };
    struct spair_category categories[] = { { "a", 0, 6 }, { "b", 6, 6 }, { "none", 12, 0 }, { "c", 12, 6 } };
    struct spair set = { .pairs = pairs, .n_pairs = 18, .categories = categories, .n_categories = 4 };
    size_t got[C_ALBUM_PAIRS_MAX], again[C_ALBUM_PAIRS_MAX];
    for (size_t i = 0; i < 18; i++) {
        snprintf(names[i / 6][i % 6], 8, "%zu", i);
        pairs[i] = (struct spair_pair){ .name = names[i / 6][i % 6], .points = i % 3 ? 0xff : 1 };
    }
    assert_int_equal(c_album_choose(&set, 0, got), 0);
    assert_int_equal(c_album_choose(&set, 100, got), 12); /* the most; four in each have points enough */
    assert_int_equal(c_album_choose(&set, 4, got), 4);
    size_t in[3] = { 0 };
    for (size_t i = 0; i < 4; i++) {
        assert_true(got[i] % 3 != 0);
        in[got[i] / 6]++;
        for (size_t k = 0; k < i; k++)
            assert_true(got[i] != got[k]);
    }
    assert_true(in[0] == 1 && in[1] == 1 && in[2] == 2);
    for (size_t i = 0; i < 9; i += 1) { /* turn each category round */
        size_t a = i / 3 * 6 + i % 3, b = i / 3 * 6 + 5 - i % 3;
        struct spair_pair p = pairs[a];
        pairs[a] = pairs[b];
        pairs[b] = p;
    }
    assert_int_equal(c_album_choose(&set, 4, again), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(got[i] / 6 * 6 + 5 - got[i] % 6, again[i]);
}

/* ---- the same numbers whatever it costs -----------------------------------------------------------------------------
 */

struct calls {
    atomic_size_t dots;
    size_t progress, done, stop_at;
};

static int plain_dot(void *arg, const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width,
                     float *out, size_t out_stride, struct err *e)
{
    (void)e;
    ((struct calls *)arg)->dots++;
    c_dot(rows, n_rows, tokens, n_tokens, width, out, out_stride);
    return 0;
}

static int failing_dot(void *arg, const float *rows, size_t n_rows, const float *tokens, size_t n_tokens, size_t width,
                       float *out, size_t out_stride, struct err *e)
{
    (void)arg, (void)rows, (void)n_rows, (void)tokens, (void)n_tokens, (void)width, (void)out, (void)out_stride;
    return FAIL(e, ERR_GPU, "the device is gone");
}

static int count_progress(void *arg, size_t done, size_t pairs, struct err *e)
{
    struct calls *c = arg;
    c->progress++;
    assert_true(done > c->done && done <= pairs);
    c->done = done;
    return c->stop_at && done >= c->stop_at ? FAIL(e, ERR_INTERRUPTED, "stopped") : 0;
}

static void cost_changes_no_number(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *runs = golden_runs();
    struct c_member members[8];
    char dirs[8][400];
    struct calls calls = { 0 };
    struct c_options o = golden_options(at(runs, 3), members, dirs), cheap = o;
    AUTO(free) char *want = c_score_json(&o, NULL);
    assert_non_null(want);
    cheap.threads = 5;
    cheap.memory = 2u << 20; /* small blocks, fewer threads, files opened again and again */
    cheap.dot = plain_dot;
    cheap.dot_arg = cheap.progress_arg = &calls;
    cheap.progress = count_progress;
    AUTO(free) char *got = c_score_json(&cheap, NULL);
    assert_non_null(got);
    assert_string_equal(got, want);
    assert_true(calls.dots > 0 && calls.progress > 1 && calls.done == 23);
    /* Each representation alone. */
    AUTO(json_decref) json_t *list = c_score(&o, NULL);
    for (uint32_t mask = 1; mask < 16; mask++) {
        struct c_options alone = o;
        alone.all = false;
        alone.subsets = &mask;
        alone.n_subsets = 1;
        AUTO(json_decref) json_t *one = c_score(&alone, NULL);
        bool found = false;
        for (size_t i = 0; i < json_array_size(list); i++)
            found |= json_equal(at(list, i), at(one, 0));
        assert_true(found);
    }
}

/* What a run plans for stays within its budget, down to what it says it needs; below that it says so. */
static void memory_fits_the_budget(void **state)
{
    (void)state;
    static const char *const names[] = { "flat16", "fine24", "odd14" };
    static const uint32_t subsets[] = { 1, 7, 6 };
    struct err e = { 0 };
    AUTO(spair_destroy) struct spair *set = spair_load(GOLDEN "set", "test", &e);
    AUTO(c_features_destroy) struct c_features *f = set ? c_features_create(set, 1 << 20, &e) : NULL;
    struct c_source s[3];
    struct c_job job = { .set = set,
                         .sources = s,
                         .n_sources = 3,
                         .subsets = subsets,
                         .n_subsets = 3,
                         .threads = 4,
                         .setting = c_setting_default() };
    assert_non_null(f);
    for (size_t i = 0; i < 3; i++) {
        char dir[400];
        snprintf(dir, sizeof dir, GOLDEN "features/%s", names[i]);
        assert_int_equal(c_features_add(f, names[i], dir, &s[i], &e), 0);
    }
    AUTO(c_scores_destroy) struct c_scores *rich = c_run(&job, &e);
    assert_non_null(rich);
    struct c_plan_size most = c_scores_plan(rich), before = most;
    assert_int_equal(most.threads, 4);
    assert_int_equal(most.rows, 256);
    for (job.memory = most.bytes;; job.memory -= most.bytes / 40) {
        AUTO(c_scores_destroy) struct c_scores *poor = c_run(&job, &e);
        if (!poor)
            break;
        struct c_plan_size now = c_scores_plan(poor);
        assert_true(now.bytes <= job.memory && now.bytes <= before.bytes && now.rows >= 30);
        for (size_t i = 0; i < 3; i++)
            assert_true(c_scores_pck(poor, i, C_ALL, 0) == c_scores_pck(rich, i, C_ALL, 0));
        before = now;
    }
    assert_true(before.threads == 1 && before.rows < 60);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "budget"));
}

static void a_run_can_be_ended(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *runs = golden_runs();
    struct c_member members[8];
    char dirs[8][400];
    struct calls calls = { .stop_at = 3 };
    struct err e = { 0 };
    struct c_options o = golden_options(at(runs, 1), members, dirs);
    o.threads = 2;
    o.progress = count_progress;
    o.progress_arg = &calls;
    assert_null(c_score(&o, &e));
    assert_int_equal(e.kind, ERR_INTERRUPTED);
    err_clear(&e);
    o.progress = NULL;
    o.dot = failing_dot;
    assert_null(c_score(&o, &e));
    assert_int_equal(e.kind, ERR_GPU);
}

/* ---- bad input ------------------------------------------------------------------------------------------------------
 */

static void expect_error(const struct c_options *o, const char *text)
{
    struct err e = { 0 };
    AUTO(json_decref) json_t *got = c_score(o, &e);
    assert_null(got);
    if (!strstr(e.text, text) || e.kind != ERR_INPUT)
        fail_msg("'%s' (%s) does not say '%s'", e.text, err_kind_name(e.kind), text);
}

static void bad_options(void **state)
{
    (void)state;
    struct c_member m[20];
    struct c_options o = hand_options("unit");
    for (size_t i = 0; i < ARRAY_LEN(m); i++)
        m[i] = o.members[0];
    o.members = m;
    o.n_members = 2;
    expect_error(&o, "given twice");
    o.n_members = 20;
    o.all = true;
    expect_error(&o, "too many subsets");
    o.n_members = 1;
    o.all = false;
    m[0].name = "clip\xff";
    expect_error(&o, "not UTF-8; rename them");
    o.n_members = 0;
    expect_error(&o, "0 directories");
    o = hand_options("unit");
    o.split = "train";
    expect_error(&o, "PairAnnotation/train");
    o = hand_options("unit");
    o.setting.grid = 1000;
    expect_error(&o, "grid 1000");
    o = hand_options("unit");
    o.setting.temperature = NAN;
    expect_error(&o, "temperature");
    o = hand_options("unit");
    for (o.memory = 1; o.memory <= 1000; o.memory += 333)
        expect_error(&o, "budget");
    o = hand_options("unit");
    uint32_t strange = 2;
    o.subsets = &strange;
    o.n_subsets = 1;
    expect_error(&o, "not there");
}

static void bad_features(void **state)
{
    static const int64_t square[] = { 16, 3 }, oblong[] = { 15, 3 }, flat[] = { 48 }, other[] = { 16, 2 };
    float values[48];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        values[i] = (float)i;
    struct c_options o = hand_options("bad");
    expect_error(&o, "4 of 4 pictures have no features");
    put_features("bad/cat/a.safetensors", TH_F32, square, 2, values);
    put_features("bad/cat/b.safetensors", TH_F32, square, 2, values);
    put_features("bad/toy/t.safetensors", TH_F32, square, 2, values);
    expect_error(&o, "1 of 4 pictures have no features; the first file that is missing is");
    put_text("bad/toy/u.safetensors", "this is no such file");
    expect_error(&o, "bad/toy/u.safetensors");
    put_features("bad/toy/u.safetensors", TH_F32, oblong, 2, values);
    expect_error(&o, "15 tokens; a square grid");
    put_features("bad/toy/u.safetensors", TH_F32, flat, 1, values);
    expect_error(&o, "F32[48]");
    put_features("bad/toy/u.safetensors", TH_I32, square, 2, values);
    expect_error(&o, "I32[16,3]");
    put_features("bad/toy/u.safetensors", TH_F32, other, 2, values);
    expect_error(&o, "unlike those before it");
    values[7] = NAN;
    put_features("bad/toy/u.safetensors", TH_F32, square, 2, values);
    expect_error(&o, "bad: features of JPEGImages/toy/u.jpg: the token in row 0, column 2");
    for (int i = 0; i < 4; i++) {
        static const char *const files[] = { "bad/cat/a", "bad/cat/b", "bad/toy/t", "bad/toy/u" };
        char name[100];
        uint16_t half[48] = { 0x3C00, 0x3C00 };
        snprintf(name, sizeof name, "%s.safetensors", files[i]);
        put_features(name, TH_F16, square, 2, half);
    }
    o.setting.arith = C_STORED;
    expect_error(&o, "F16");
    o.setting.arith = C_FP32;
    AUTO(json_decref) json_t *got = c_score(&o, NULL);
    assert_non_null(got);
}

/* Files say how they were made: a directory of two kinds, or of another geometry than is scored, gives no number. */
static void features_of_another_making(void **state)
{
    static const char *const files[] = { "made/cat/a", "made/cat/b", "made/toy/t", "made/toy/u" };
    static const char *const box[] = { "geometry=letterbox", "layer=-2", NULL };
    static const char *const deeper[] = { "geometry=letterbox", "layer=-1", NULL };
    static const int64_t square[] = { 16, 3 };
    const float values[48] = { 1 };
    char path[4][64];
    (void)state;
    struct c_options o = hand_options("made");
    for (int i = 0; i < 4; i++) {
        snprintf(path[i], sizeof path[i], "%s.safetensors", files[i]);
        put_made(path[i], TH_F32, square, 2, values, box);
    }
    AUTO(json_decref) json_t *got = c_score(&o, NULL);
    assert_non_null(got);
    o.setting.geometry = C_STRETCH_BOTH;
    expect_error(&o, "was extracted with the geometry 'letterbox', but is to be scored with 'stretch_both'");
    o.setting.geometry = C_LETTERBOX;
    put_made(path[3], TH_F32, square, 2, values, deeper);
    expect_error(&o, "were extracted differently (their 'layer' is not the same)");
    put_features(path[3], TH_F32, square, 2, values);
    expect_error(&o, "were extracted differently");
}

/* A file that changes between the check and the reading of a long run. */
static void features_that_change(void **state)
{
    static const int64_t square[] = { 16, 3 };
    float values[48] = { 1 };
    struct err e = { 0 };
    (void)state;
    AUTO(spair_destroy) struct spair *set = spair_load(in_scratch("hand"), "test", &e);
    AUTO(c_features_destroy) struct c_features *f = set ? c_features_create(set, 1 << 20, &e) : NULL;
    struct c_source s;
    struct c_map map;
    assert_non_null(f);
    assert_int_equal(c_features_add(f, "unit", in_scratch("unit"), &s, &e), 0);
    assert_int_equal(s.open(s.arg, 0, &map, &e), 0);
    assert_true(c_features_mapped(f) == 16 * 16 * 4);
    s.close(s.arg, &map);
    put_features("unit/cat/b.safetensors", TH_F32, square, 2, values);
    assert_int_equal(s.open(s.arg, 1, &map, &e), -1);
    assert_non_null(strstr(e.text, "changed"));
    err_clear(&e);
    assert_int_equal(unlink(in_scratch("unit/toy/t.safetensors")), 0);
    assert_int_equal(s.open(s.arg, 2, &map, &e), -1);
    assert_non_null(strstr(e.text, "unit/toy/t.safetensors"));
}

/* Never more than the budget, but for the file in use; those used longest ago go first. */
static void files_kept_within_the_budget(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(spair_destroy) struct spair *set = spair_load(GOLDEN "set", "test", &e);
    AUTO(c_features_destroy) struct c_features *f = set ? c_features_create(set, 20000, &e) : NULL;
    struct c_source s[2];
    struct c_map map, held;
    assert_non_null(f);
    assert_int_equal(c_features_add(f, "a", GOLDEN "features/flat16", &s[0], &e), 0);
    assert_int_equal(c_features_add(f, "b", GOLDEN "features/fine24", &s[1], &e), 0);
    assert_int_equal(s[0].open(s[0].arg, 0, &held, &e), 0);
    float first;
    memcpy(&first, held.raw, sizeof first);
    for (size_t i = 0; i < 200; i++) {
        struct c_source *any = &s[i % 2];
        assert_int_equal(any->open(any->arg, i * 7 % set->n_images, &map, &e), 0);
        any->close(any->arg, &map);
        assert_true(c_features_mapped(f) > 0 && c_features_mapped(f) <= 20000);
    }
    assert_memory_equal(&first, held.raw, sizeof first); /* who holds a map keeps it */
    s[0].close(s[0].arg, &held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_the_reference_s),
        cmocka_unit_test(predictions_are_the_reference_s),
        cmocka_unit_test(pictures_agree_with_scores),
        cmocka_unit_test_setup_teardown(points_by_hand, hand_files, scratch_remove),
        cmocka_unit_test_setup_teardown(limits_are_strict, hand_files, scratch_remove),
        cmocka_unit_test_setup_teardown(position_by_hand, hand_files, scratch_remove),
        cmocka_unit_test_setup_teardown(no_mirror_images_at_all, hand_files, scratch_remove),
        cmocka_unit_test_setup_teardown(an_album_by_hand, album_files, scratch_remove),
        cmocka_unit_test_setup_teardown(an_album_of_a_wide_picture, album_files, scratch_remove),
        cmocka_unit_test_setup_teardown(fine_maps_are_averaged, album_files, scratch_remove),
        cmocka_unit_test_setup_teardown(thumbnails_fit, album_files, scratch_remove),
        cmocka_unit_test(albums_agree_with_pictures),
        cmocka_unit_test(pairs_by_lot),
        cmocka_unit_test(cost_changes_no_number),
        cmocka_unit_test(memory_fits_the_budget),
        cmocka_unit_test(a_run_can_be_ended),
        cmocka_unit_test_setup_teardown(bad_options, hand_files, scratch_remove),
        cmocka_unit_test_setup_teardown(bad_features, hand_files, scratch_remove),
        cmocka_unit_test_setup_teardown(features_of_another_making, hand_files, scratch_remove),
        cmocka_unit_test_setup_teardown(features_that_change, hand_files, scratch_remove),
        cmocka_unit_test(files_kept_within_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
