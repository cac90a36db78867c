/* Preprocessing: the floats of transformers' processors (and of Pillow and numpy where those cannot tell channels from
 * rows); files and options that make no sense are refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "common/digest.h"
#include "tests/unit/golden_images.h"
#include "worker/data/preprocess.h"

/* ---- against the reference -----------------------------------------------------------------------------------------
 */

static struct preprocess_options options_of(const json_t *c)
{
    const json_t *j = json_object_get(c, "options");
    const char *geometry = json_string_value(json_object_get(j, "geometry"));
    struct preprocess_options o = {
        .size = (uint32_t)json_integer_value(json_object_get(j, "size")),
        .half = json_is_true(json_object_get(j, "half")),
        .pad = json_is_true(json_object_get(j, "pad")),
        .other_resample = json_object_get(j, "resample") != NULL,
        .resample = (enum resample)json_integer_value(json_object_get(j, "resample")),
    };
    if (geometry)
        o.geometry = strcmp(geometry, "stretch") == 0 ? PREPROCESS_STRETCH : PREPROCESS_LETTERBOX;
    return o;
}

static void make(const json_t *manifest, const json_t *c, struct preprocess *p)
{
    struct err e = { 0 };
    struct preprocess_options o = options_of(c);
    const char *name = json_string_value(json_object_get(c, "processor"));
    int rc;
    if (name) {
        char *text = json_dumps(json_object_get(json_object_get(manifest, "processors"), name), 0);
        rc = preprocess_parse(text, strlen(text), name, &o, p, &e);
        free(text);
    } else
        rc = preprocess_without_file(&o, p, &e);
    if (rc < 0)
        fail_msg("%s", e.text);
}

static void compare(const json_t *c, const float *got, size_t n, const float *stored)
{
    const char *sum = json_string_value(json_object_get(c, "sha256"));
    if (sum) {
        char hex[DIGEST_HEX_SIZE];
        digest_bytes(got, n * sizeof *got, hex);
        if (strcmp(hex, sum) != 0)
            fail_msg("%s: the bytes of the result differ", json_dumps(c, 0));
        return;
    }
    const float *want = stored + golden_number(c, "offset") / sizeof *want;
    assert_int_equal(golden_number(c, "bytes"), n * sizeof *want);
    for (size_t i = 0; i < n; i++)
        if (got[i] != want[i])
            fail_msg("%s: value %zu is %.9g instead of %.9g", json_dumps(c, 0), i, got[i], want[i]);
}

static void same_as_the_reference(void **state)
{
    (void)state;
    json_t *m = golden_manifest(), *c;
    size_t i, len;
    float *stored = golden_read("processed.f32", &len);
    json_array_foreach(json_object_get(m, "process"), i, c)
    {
        struct preprocess p;
        struct err e = { 0 };
        uint32_t width, height;
        const json_t *shape = json_object_get(c, "shape");
        AUTO(image_free) struct image im = { 0 };
        golden_picture(golden_text(c, "picture"), NULL, &im);
        make(m, c, &p);
        preprocess_output(&p, &width, &height);
        assert_int_equal(json_integer_value(json_array_get(shape, 1)), height);
        assert_int_equal(json_integer_value(json_array_get(shape, 2)), width);
        float *got = malloc(preprocess_floats(&p) * sizeof *got);
        assert_non_null(got);
        assert_int_equal(preprocess_apply(&p, &im, got, &e), 0);
        compare(c, got, preprocess_floats(&p), stored);
        free(got);
    }
    assert_true(i >= 120);
    free(stored);
    json_decref(m);
}

/* ---- the file ------------------------------------------------------------------------------------------------------
 */

#define CLIP "{\"image_processor_type\":\"CLIPImageProcessor\""

static int parse(const char *text, const struct preprocess_options *o, struct preprocess *p, struct err *e)
{
    return preprocess_parse(text, strlen(text), "p.json", o, p, e);
}

static void accepted_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t width, height;
    } cases[] = {
        { CLIP "}", 224, 224 },
        { CLIP ",\"size\":null,\"crop_size\":{\"height\":30,\"width\":40}}", 40, 30 },
        { "{\"image_processor_type\":\"CLIPImageProcessorFast\",\"do_pad\":false,\"crop_size\":7}", 7, 7 },
        { "{\"image_processor_type\":\"SiglipImageProcessorFast\",\"size\":{\"height\":384,\"width\":380}}", 380, 384 },
        { "{\"feature_extractor_type\":\"CLIPFeatureExtractor\",\"size\":336,\"crop_size\":336}", 336, 336 },
        { "{\"feature_extractor_type\":\"ViTFeatureExtractor\",\"size\":19}", 19, 19 },
        { "{\"image_processor_type\":\"BitImageProcessor\",\"size\":{\"shortest_edge\":256}}", 224, 224 },
        { "{\"processor_class\":\"CLIPProcessor\",\"image_processor\":{\"image_processor_type\":\"CLIPImageProcessor\","
          "\"size\":{\"shortest_edge\":20,\"longest_edge\":null},\"crop_size\":20}}",
          20, 20 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        struct preprocess p;
        uint32_t width, height;
        if (parse(cases[i].text, NULL, &p, &e) < 0)
            fail_msg("%s", e.text);
        preprocess_output(&p, &width, &height);
        assert_int_equal(width, cases[i].width);
        assert_int_equal(height, cases[i].height);
    }
}

static void refused_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "", "p.json:1: not JSON" },
        { "[]", "p.json:1: a JSON object" },
        { "{\"size\":1,\n\"size\":2}", "p.json:2: not JSON: duplicate object key" },
        { "{}", "p.json: no 'image_processor_type'" },
        { "{\"image_processor_type\":7}", "no 'image_processor_type'" },
        { "{\"image_processor_type\":\"LlavaNextImageProcessor\"}",
          "the processor 'LlavaNextImageProcessor' is not known" },
        { CLIP ",\"size\":0}", "'size' must be a whole number of pixels" },
        { CLIP ",\"size\":224.5}", "'size' must be a whole number of pixels" },
        { CLIP ",\"size\":100000}", "'size'" },
        { CLIP ",\"size\":{\"height\":3}}", "'size' must be" },
        { CLIP ",\"size\":{\"shortest_edge\":\"224\"}}", "'size' must be a whole number" },
        { CLIP ",\"size\":{\"shortest_edge\":224,\"longest_edge\":300}}", "'size' must be" },
        { CLIP ",\"size\":[224,224]}", "'size' must be" },
        { CLIP ",\"crop_size\":{\"shortest_edge\":224}}", "'crop_size' must be" },
        { CLIP ",\"crop_size\":-3}", "'crop_size' must be" },
        { CLIP ",\"do_center_crop\":false}", "pictures would come out with different sizes" },
        { CLIP ",\"do_resize\":\"yes\"}", "'do_resize' must be true or false" },
        { CLIP ",\"resample\":6}", "'resample' must be one of Pillow's numbers" },
        { CLIP ",\"image_mean\":[0.5,0.5]}", "'image_mean' must be a number, or a list of three" },
        { CLIP ",\"image_mean\":[0.5,0.5,\"x\"]}", "'image_mean' must be" },
        { CLIP ",\"image_mean\":1e300}", "'image_mean' must be within" },
        { CLIP ",\"image_std\":[1,0,1]}", "'image_std' must be away from zero" },
        { CLIP ",\"rescale_factor\":0}", "'rescale_factor' must be" },
        { CLIP ",\"do_pad\":true}", "'do_pad' is not supported" },
        { CLIP ",\"use_square_size\":true}", "'use_square_size' is not supported" },
        { "{\"image_processor_type\":\"SiglipImageProcessor\",\"size\":224}", "'size' must be {\"height\": H" },
        { "{\"image_processor_type\":\"SiglipImageProcessor\",\"do_resize\":false}", "different sizes" },
        { "{\"image_processor_type\":\"ViTImageProcessor\",\"size\":{\"shortest_edge\":224}}",
          "'size' must be {\"height\"" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        struct preprocess p;
        if (parse(cases[i].text, NULL, &p, &e) == 0)
            fail_msg("%s is taken", cases[i].text);
        assert_int_equal(e.kind, ERR_INPUT);
        if (strncmp(e.text, "p.json:", 7) != 0 || !strstr(e.text, cases[i].part))
            fail_msg("%s: '%s' has no '%s'", cases[i].text, e.text, cases[i].part);
    }
    struct err e = { 0 };
    struct preprocess p;
    assert_int_equal(preprocess_load("/nowhere/preprocessor_config.json", NULL, &p, &e), -1);
    assert_non_null(strstr(e.text, "/nowhere/preprocessor_config.json: cannot open"));
}

/* ---- options -------------------------------------------------------------------------------------------------------
 */

static void size_keeps_the_field_of_view(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct preprocess p;
    const char *dino = "{\"image_processor_type\":\"BitImageProcessor\",\"size\":{\"shortest_edge\":256}}";
    assert_int_equal(parse(dino, &(struct preprocess_options){ .size = 336 }, &p, &e), 0);
    assert_int_equal(p.shortest, 384);
    assert_int_equal(p.crop_width, 336);
    struct preprocess_options square = { .size = 336, .geometry = PREPROCESS_STRETCH };
    assert_int_equal(parse(dino, &square, &p, &e), 0);
    assert_int_equal(p.fit, PREPROCESS_TO_SIZE);
    assert_int_equal(p.width, 336);
    assert_false(p.crop);
}

static void refused_options(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct preprocess p;
    assert_int_equal(parse(CLIP "}", &(struct preprocess_options){ .size = 8193 }, &p, &e), -1);
    assert_non_null(strstr(e.text, "8193 pixels"));
    err_clear(&e);
    assert_int_equal(preprocess_without_file(&(struct preprocess_options){ 0 }, &p, &e), -1);
    assert_non_null(strstr(e.text, "name the size"));
    err_clear(&e);
    struct preprocess_options box = { .geometry = PREPROCESS_LETTERBOX };
    assert_int_equal(parse(CLIP ",\"crop_size\":{\"height\":3,\"width\":4}}", &box, &p, &e), -1);
    assert_non_null(strstr(e.text, "not a square"));
    err_clear(&e);
    const char *narrow = CLIP ",\"size\":8000,\"crop_size\":4}"; /* scaled up, the shortest edge would pass the limit */
    assert_int_equal(parse(narrow, &(struct preprocess_options){ .size = 8 }, &p, &e), -1);
    assert_non_null(strstr(e.text, "shortest edge would become 16000"));
}

static void padding_has_a_limit(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct preprocess p;
    AUTO(image_free) struct image line = { 0 };
    assert_int_equal(parse(CLIP "}", &(struct preprocess_options){ .pad = true }, &p, &e), 0);
    assert_int_equal(image_create(20000, 1, &line, &e), 0);
    float *out = malloc(preprocess_floats(&p) * sizeof *out);
    assert_int_equal(preprocess_apply(&p, &line, out, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "padded to a square"));
    free(out);
}

/* shortest_edge would make 224 x 224,000,000 pixels of this; only the crop is built. */
static void a_thread_of_a_picture(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct preprocess p;
    AUTO(image_free) struct image line = { 0 };
    assert_int_equal(parse(CLIP "}", NULL, &p, &e), 0);
    assert_int_equal(image_create(1, 1000000, &line, &e), 0);
    memset(line.pixels, 255, 3000000);
    float *out = malloc(preprocess_floats(&p) * sizeof *out);
    assert_int_equal(preprocess_apply(&p, &line, out, &e), 0);
    for (size_t i = 0; i < 224 * 224; i++)
        assert_true(fabsf(out[i] - (1 - 0.48145466F) / 0.26862954F) < 1e-5F);
    free(out);
}

static void letterboxes(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height, edge;
        struct letterbox box;
    } cases[] = {
        { 480, 358, 840, { 0, 107, 840, 626 } }, /* 626.5 goes to the even one, (840 - 626) / 2 */
        { 358, 480, 840, { 107, 0, 626, 840 } }, { 500, 375, 840, { 0, 105, 840, 630 } },
        { 7, 7, 840, { 0, 0, 840, 840 } },       { 100000, 1, 16, { 0, 7, 16, 1 } },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct letterbox b = preprocess_letterbox(cases[i].width, cases[i].height, cases[i].edge);
        assert_memory_equal(&b, &cases[i].box, sizeof b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_the_reference), cmocka_unit_test(accepted_forms),
        cmocka_unit_test(refused_files),         cmocka_unit_test(size_keeps_the_field_of_view),
        cmocka_unit_test(refused_options),       cmocka_unit_test(padding_has_a_limit),
        cmocka_unit_test(a_thread_of_a_picture), cmocka_unit_test(letterboxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
