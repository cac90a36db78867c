/* What a model asks of a checkpoint (params.h) and what is told about one (inspect.h), without libtorch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/checkpoint_copy.h"
#include "worker/model/inspect.h"
#include "worker/model/params.h"

#define GOLDEN SOURCE_DIR "/tests/golden/vit/"

static char scratch[64];

static int setup(void **state)
{
    (void)state;
    checkpoint_scratch(scratch);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    checkpoint_scratch_end(scratch);
    return 0;
}

static json_t *inspect(const char *dir)
{
    struct err e = { 0 };
    json_t *info = inspect_checkpoint(dir, &e);
    if (!info)
        fail_msg("%s: %s", dir, e.text);
    assert_int_equal(e.kind, ERR_NONE);
    return info;
}

static int64_t number(const json_t *info, const char *key)
{
    return json_integer_value(json_object_get(info, key));
}

/* ---- inspect --------------------------------------------------------------------------------------------------------
 */

static void test_a_whole_clip_model_in_two_files(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *info = inspect(GOLDEN "clip336");
    const json_t *tokens = json_object_get(info, "tokens"), *files = json_object_get(info, "files");
    assert_string_equal(json_string_value(json_object_get(info, "kind")), "clip");
    assert_true(json_is_true(json_object_get(info, "readable")));
    assert_int_equal(json_array_size(json_object_get(info, "problems")), 0);
    assert_true(number(info, "layers") == 3 && number(info, "width") == 32 && number(info, "heads") == 4);
    assert_true(number(info, "patch") == 7 && number(info, "image") == 42 && number(info, "grid") == 6);
    assert_true(number(tokens, "patches") == 36 && number(tokens, "class") == 1 && number(tokens, "registers") == 0);
    assert_string_equal(json_string_value(json_object_get(info, "activation")), "quick_gelu");
    assert_int_equal(json_array_size(files), 2);
    const json_t *stored = json_object_get(info, "stored");
    assert_int_equal(number(json_array_get(files, 0), "tensors") + number(json_array_get(files, 1), "tensors"),
                     number(stored, "tensors"));
    assert_int_equal(number(json_object_get(info, "dtypes"), "F16"), number(stored, "tensors"));
    assert_int_equal(number(stored, "bytes"), 2 * number(stored, "parameters"));
    assert_true(number(info, "parameters") < number(stored, "parameters"));
    assert_true(json_is_false(json_object_get(info, "preprocessor")));
}

/* All numbers of such a file are the encoder's, but for the mask token. */
static void test_parameters_are_counted(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *info = inspect(GOLDEN "dinov2_registers_swiglu");
    assert_int_equal(number(info, "parameters") + 32, number(json_object_get(info, "stored"), "parameters"));
    assert_int_equal(number(json_object_get(info, "tokens"), "registers"), 3);
    assert_string_equal(json_string_value(json_object_get(info, "activation")), "swiglu");
}

static void test_every_checkpoint_of_the_reference_is_readable(void **state)
{
    (void)state;
    static const char *const names[] = {
        "clip224", "openclip", "siglip", "dinov2", "dinov2_swiglu", "dinov2_registers"
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char dir[300];
        snprintf(dir, sizeof dir, GOLDEN "%s", names[i]);
        AUTO(json_decref) json_t *info = inspect(dir);
        AUTO(buf_free) struct buf text = BUF_INIT(1 << 20);
        inspect_text(info, &text);
        if (!strstr(buf_text(&text), "readable     yes\n") || strstr(buf_text(&text), "(null)"))
            fail_msg("%s", buf_text(&text));
    }
}

static void assert_problems(const char *const *wanted)
{
    AUTO(json_decref) json_t *info = inspect(scratch);
    const json_t *problems = json_object_get(info, "problems");
    AUTO(buf_free) struct buf text = BUF_INIT(1 << 20);
    inspect_text(info, &text);
    size_t n = 0;
    for (; wanted[n]; n++)
        if (!strstr(buf_text(&text), wanted[n]))
            fail_msg("no '%s' in:\n%s", wanted[n], buf_text(&text));
    if (n != json_array_size(problems) || json_is_true(json_object_get(info, "readable")))
        fail_msg("%zu problems were wanted:\n%s", n, buf_text(&text));
}
#define ASSERT_PROBLEMS(...) assert_problems((const char *const[]){ __VA_ARGS__, NULL })

static void test_every_problem_is_told(void **state)
{
    (void)state;
    ASSERT_PROBLEMS("there is no model.safetensors", "config.json: cannot read");
    checkpoint_config(scratch, "{\"model_type\": \"mamba\", \"hidden_size\": 4096}");
    ASSERT_PROBLEMS("there is no model.safetensors", "'model_type' is 'mamba', which is no vision encoder");
    const struct checkpoint_edit edits[] = {
        { EDIT_DROP, "vision_model.pre_layrnorm.bias", NULL },
        { EDIT_RENAME, "vision_model.encoder.layers.1.mlp.fc1.bias", "vision_model.encoder.layers.1.mlp.fc1.bia" },
        { EDIT_FLATTEN, "vision_model.encoder.layers.2.mlp.fc2.weight", NULL },
        { EDIT_TO_INTEGERS, "vision_model.post_layernorm.weight", NULL },
        { EDIT_ADD, "vision_model.post_layernorm.bias", "vision_model.encoder.layers.3.layer_norm1.bias" },
        { EDIT_ADD, "vision_model.embeddings.class_embedding", "vision_model.embeddings.position_ids" },
        { 0 },
    };
    checkpoint_copy(GOLDEN "clip224", scratch, edits);
    ASSERT_PROBLEMS(
        "missing: vision_model.pre_layrnorm.bias\n", "missing: vision_model.encoder.layers.1.mlp.fc1.bias\n",
        "of another shape or type: vision_model.encoder.layers.2.mlp.fc2.weight is F32[2048], not [32,64]\n",
        "of another shape or type: vision_model.post_layernorm.weight is I32[32], not [32]\n",
        "unknown: vision_model.encoder.layers.1.mlp.fc1.bia\n",
        "unknown: vision_model.encoder.layers.3.layer_norm1.bias\n");
}

static void test_decoders_are_known_too(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *info = inspect(SOURCE_DIR "/tests/golden/llama/grouped");
    assert_true(json_is_true(json_object_get(info, "readable")));
    assert_true(number(info, "kv_heads") == 2 && number(info, "heads") == 4 && number(info, "vocabulary") == 96);
    assert_true(json_is_true(json_object_get(info, "tied")));
    assert_int_equal(number(info, "parameters"), number(json_object_get(info, "stored"), "parameters"));
    AUTO(json_decref) json_t *vicuna = inspect(SOURCE_DIR "/tests/golden/llama/vicuna"); /* .bin, with constants */
    AUTO(buf_free) struct buf text = BUF_INIT(1 << 20);
    inspect_text(vicuna, &text);
    static const char *const wanted[] = { "kind         llama\n",
                                          "decoder      3 layers of width 32, 4 heads (4 of keys), MLP 56 (swiglu)",
                                          "text         96 tokens known, 64 positions, scaling none\n",
                                          "file         pytorch_model-00001-of-00002.bin", "readable     yes\n" };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (!strstr(buf_text(&text), wanted[i]))
            fail_msg("no '%s' in:\n%s", wanted[i], buf_text(&text));
    checkpoint_config(scratch, "{\"model_type\": \"llama\", \"rope_scaling\": {\"rope_type\": \"yarn\"}}");
    ASSERT_PROBLEMS("there is no model.safetensors", "'rope_scaling.rope_type' is 'yarn'");
}

static void test_not_a_directory(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_null(inspect_checkpoint("/nowhere", &e));
    assert_true(e.kind == ERR_INPUT && strstr(e.text, "/nowhere: No such file"));
    err_clear(&e);
    assert_null(inspect_checkpoint("/dev/null", &e));
    assert_non_null(strstr(e.text, "it is not a directory"));
}

/* ---- params ---------------------------------------------------------------------------------------------------------
 */

static const struct checkpoint_edit no_edit[] = { { 0 } };

static struct weights *open_scratch(void)
{
    struct err e = { 0 };
    struct weights *w = weights_open(scratch, &e);
    if (!w)
        fail_msg("%s", e.text);
    return w;
}

static void test_what_is_under_another_root_is_left_alone(void **state)
{
    (void)state;
    struct err e = { 0 };
    checkpoint_copy(GOLDEN "clip336", scratch, no_edit);
    AUTO(weights_destroy) struct weights *w = open_scratch();
    AUTO(params_destroy) struct params *p = params_create(&e);
    struct tensor *slot = NULL;
    params_root(p, "visual_projection.");
    params_want(p, &slot, PARAM_WEIGHT, TH_DIMS(16, 32), "weight");
    assert_int_equal(params_check(p, w, "config.json", &e), 0);
    assert_int_equal(params_elements(p), 16 * 32);
    assert_string_equal(params_find_root(w, (const char *const[]){ "a.", "text_projection.", NULL }, "weight"),
                        "text_projection.");
    assert_string_equal(params_find_root(w, (const char *const[]){ "a.", "b.", NULL }, "weight"), "a.");
}

static void test_long_lists_are_cut_and_counted(void **state)
{
    (void)state;
    struct err e = { 0 };
    checkpoint_copy(GOLDEN "clip224", scratch, no_edit);
    AUTO(weights_destroy) struct weights *w = open_scratch();
    AUTO(params_destroy) struct params *p = params_create(&e);
    struct tensor *slot = NULL;
    for (int i = 0; i < 1000; i++) {
        params_enter(p, "layer.%d.", i);
        params_want(p, &slot, PARAM_WEIGHT, TH_DIMS(1), "w");
        params_leave(p);
    }
    assert_int_equal(params_check(p, w, "config.json", &e), -1);
    assert_non_null(strstr(e.text, "1000 missing (layer.0.w, layer.1.w, "));
    assert_non_null(strstr(e.text, " and 979 more); 55 unknown (vision_model."));
}

static void test_declarations_that_cannot_be(void **state)
{
    (void)state;
    struct err e = { 0 };
    checkpoint_copy(GOLDEN "clip224", scratch, no_edit);
    AUTO(weights_destroy) struct weights *w = open_scratch();
    AUTO(params_destroy) struct params *p = params_create(&e);
    for (int i = 0; i < 40; i++)
        params_enter(p, "a_rather_long_name_for_a_level_of_a_model.");
    for (int i = 0; i < 40; i++)
        params_leave(p);
    assert_int_equal(params_check(p, w, "config.json", &e), -1);
    assert_int_equal(e.kind, ERR_BUG);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_whole_clip_model_in_two_files),
        TEST(test_parameters_are_counted),
        TEST(test_every_checkpoint_of_the_reference_is_readable),
        TEST(test_every_problem_is_told),
        TEST(test_decoders_are_known_too),
        TEST(test_not_a_directory),
        TEST(test_what_is_under_another_root_is_left_alone),
        TEST(test_long_lists_are_cut_and_counted),
        TEST(test_declarations_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
