/* config.json of vision transformers: the defaults are transformers' own, and nonsense is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/digest.h"
#include "worker/model/vit_config.h"

static int read_text(const char *text, struct vit_config *c, struct err *e)
{
    AUTO(hf_config_free) struct hf_config file = { 0 };
    TRY(hf_config_parse(text, strlen(text), "dir/config.json", &file, e));
    return vit_config_read(&file, c, e);
}

/* ---- defaults -------------------------------------------------------------------------------------------------------
 */

static void assert_number(const json_t *effective, const char *key, int64_t got)
{
    const json_t *want = json_object_get(effective, key);
    if (want && json_integer_value(want) != got)
        fail_msg("%s is %lld, not %lld", key, (long long)got, (long long)json_integer_value(want));
}

static void assert_effective(const json_t *want, const struct vit_config *c)
{
    assert_number(want, "hidden_size", c->width);
    assert_number(want, "num_hidden_layers", c->layers);
    assert_number(want, "num_attention_heads", c->heads);
    assert_number(want, "num_channels", c->channels);
    assert_number(want, "image_size", c->image);
    assert_number(want, "patch_size", c->patch);
    assert_number(want, "intermediate_size", c->mlp);
    assert_number(want, "num_register_tokens", c->registers);
    assert_string_equal(json_string_value(json_object_get(want, "hidden_act")),
                        activation_name((enum activation)c->activation));
    assert_true(json_number_value(json_object_get(want, "layer_norm_eps")) == c->eps);
    if (json_object_get(want, "qkv_bias")) {
        assert_int_equal(json_is_true(json_object_get(want, "qkv_bias")), c->qkv_bias);
        assert_int_equal(json_is_true(json_object_get(want, "use_swiglu_ffn")), c->swiglu);
        assert_true(c->layer_scale && c->class_token && c->patch_bias && !c->pre_norm);
    }
}

static void test_keys_left_out_mean_what_they_mean_to_transformers(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *cases = json_load_file(SOURCE_DIR "/tests/golden/vit/configs.json", 0, NULL);
    assert_true(json_array_size(cases) > 5);
    json_t *one;
    size_t i;
    json_array_foreach(cases, i, one)
    {
        struct err e = { 0 };
        struct vit_config c;
        AUTO(free) char *text = json_dumps(json_object_get(one, "config"), 0);
        if (read_text(text, &c, &e) < 0)
            fail_msg("%s: %s", text, e.text);
        print_message("%s\n", text);
        assert_effective(json_object_get(one, "effective"), &c);
    }
}

static void test_class_by_architecture_where_model_type_is_missing(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct vit_config c;
    assert_int_equal(read_text("{\"architectures\": [\"Dinov2WithRegistersModel\"]}", &c, &e), 0);
    assert_true(c.family == VIT_DINOV2_REGISTERS && c.registers == 4 && vit_prefix_tokens(&c) == 5);
    assert_int_equal(read_text("{\"architectures\": [\"SiglipModel\"], \"vision_config\": {}}", &c, &e), 0);
    assert_true(c.family == VIT_SIGLIP && vit_prefix_tokens(&c) == 0 && vit_grid(&c, 230) == 14);
    assert_int_equal(read_text("{\"model_type\": \"clip\", \"vision_config\": {\"layer_norm_eps\": 1e-5}, "
                               "\"vision_config_dict\": {\"patch_size\": 32, \"layer_norm_eps\": 0.00001}}",
                               &c, &e),
                     0); /* the same twice, once as the default */
}

static void assert_comes_back(const struct vit_config *c)
{
    struct err e = { 0 };
    struct vit_config again = { 0 };
    AUTO(json_decref) json_t *j = vit_config_json(c);
    AUTO(free) char *text = json_dumps(j, 0);
    assert_int_equal(read_text(text, &again, &e), 0);
    AUTO(json_decref) json_t *k = vit_config_json(&again);
    if (!json_equal(j, k) || again.mlp != c->mlp || again.eps != c->eps || again.registers != c->registers)
        fail_msg("%s", text);
}

static void test_what_is_written_is_read_again(void **state)
{
    (void)state;
    struct vit_config c = { .layers = 3, .heads = 1, .image = 90, .patch = 7, .channels = 1, .eps = 1e-6 };
    for (c.family = VIT_CLIP; c.family <= VIT_DINOV2_REGISTERS; c.family++) {
        c.layer_scale = c.family >= VIT_DINOV2;
        c.registers = c.family == VIT_DINOV2_REGISTERS ? 5 : 0;
        for (c.width = 1; c.width < 100; c.width += 7)
            for (int64_t k = 1; k < 100; k++) {
                c.swiglu = c.layer_scale && k % 2;
                c.mlp = c.swiglu ? 8 * k : c.width + k; /* ratios that are no whole numbers too */
                if ((double)c.mlp * 1.5 / (double)c.width <= 64)
                    assert_comes_back(&c);
            }
    }
}

/* ---- refusals -------------------------------------------------------------------------------------------------------
 */

#define DINO "{\"model_type\": \"dinov2\", "
#define CLIP "{\"model_type\": \"clip\", "

static const struct {
    const char *text, *part;
} refused[] = {
    { "", "dir/config.json:1: " },
    { "[]", "not a JSON object" },
    { "{", "dir/config.json:1: " },
    { "{\"a\": 1, \"a\": 2}", "duplicate" },
    { "{}", "'model_type' is not there" },
    { "{\"architectures\": [\"ResNet\"]}", "'model_type' is not there" },
    { "{\"model_type\": \"llava\"}", "'model_type' is 'llava', which is no vision encoder known here: clip, " },
    { "{\"model_type\": \"siglip2\"}", "is 'siglip2'" },
    { CLIP "\"text_config\": {}}", "'vision_config' is not there" },
    { CLIP "\"vision_config\": [1]}", "'vision_config' is not there, or no object" },
    { CLIP "\"vision_config\": {\"hidden_size\": 0}}",
      "'vision_config.hidden_size' must be a whole number from 1 to 65536" },
    { CLIP "\"vision_config\": {\"hidden_act\": \"tanh\"}}",
      "'vision_config.hidden_act' is 'tanh'; known here: gelu, gelu_python, " },
    { CLIP "\"vision_config\": {\"hidden_act\": 3}}", "'vision_config.hidden_act' is not a text; known here" },
    { CLIP "\"vision_config\": {\"patch_size\": 14}, \"vision_config_dict\": {\"patch_size\": 16}}",
      "'vision_config.patch_size' and that of 'vision_config_dict' contradict" },
    { CLIP "\"vision_config\": {}, \"vision_config_dict\": {\"hidden_act\": \"gelu\"}}",
      "'vision_config.hidden_act' and that of 'vision_config_dict' contradict" },
    { CLIP "\"vision_config\": {}, \"vision_config_dict\": {\"patch_size\": 0}}",
      "'vision_config_dict.patch_size' must be a whole number" },
    { CLIP "\"vision_config\": {}, \"vision_config_dict\": 7}", "'vision_config_dict' is not there, or no object" },
    { DINO "\"num_hidden_layers\": 0}", "'num_hidden_layers' must be a whole number from 1 to 1000" },
    { DINO "\"num_hidden_layers\": 12.0}", "'num_hidden_layers' must be a whole number" },
    { DINO "\"num_hidden_layers\": \"12\"}", "'num_hidden_layers' must be a whole number" },
    { DINO "\"num_hidden_layers\": true}", "'num_hidden_layers' must be a whole number" },
    { DINO "\"hidden_size\": 9223372036854775807}", "'hidden_size' must be a whole number from 1 to 65536" },
    { DINO "\"hidden_size\": 770}", "'hidden_size' must be a multiple of 'num_attention_heads'" },
    { DINO "\"patch_size\": 500}", "'patch_size' is larger than 'image_size'" },
    { DINO "\"image_size\": [224, 224]}", "'image_size' must be a whole number" },
    { DINO "\"layer_norm_eps\": -1e-6}", "'layer_norm_eps' must be a number from 0 to 1" },
    { DINO "\"mlp_ratio\": 0}", "'mlp_ratio' must be a number from 0.01 to 64" },
    { DINO "\"hidden_size\": 12, \"mlp_ratio\": 0.02}", "'mlp_ratio' leaves the MLP no width" },
    { DINO "\"qkv_bias\": 1}", "'qkv_bias' must be true or false" },
};

static void test_nonsense_is_refused_by_file_and_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct err e = { 0 };
        struct vit_config c;
        if (read_text(refused[i].text, &c, &e) == 0)
            fail_msg("%s: taken", refused[i].text);
        if (e.kind != ERR_INPUT || !strstr(e.text, refused[i].part) || !strstr(e.text, "dir/config.json"))
            fail_msg("%s: %s", refused[i].text, e.text);
    }
}

static void test_null_is_the_default(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct vit_config c;
    assert_int_equal(read_text(DINO "\"hidden_size\": null, \"num_hidden_layers\": null}", &c, &e), 0);
    assert_true(c.width == 768 && c.layers == 12);
}

static void test_depth_is_limited_outside_of_texts(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct vit_config c;
    AUTO(buf_free) struct buf text = BUF_INIT(1 << 20);
    buf_puts(&text, DINO "\"x\": \"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\", \"y\": ");
    for (int i = 0; i < 40; i++)
        buf_puts(&text, "[");
    assert_int_equal(read_text(buf_text(&text), &c, &e), -1);
    assert_non_null(strstr(e.text, "nested more than 32 deep"));
    err_clear(&e);
    buf_clear(&text);
    buf_puts(&text, DINO "\"x\": \"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"}");
    assert_int_equal(read_text(buf_text(&text), &c, &e), 0);
}

static void test_files_that_cannot_be_read(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct vit_config c;
    assert_int_equal(vit_config_load("/nowhere/config.json", &c, &e), -1);
    assert_true(e.kind == ERR_ENV && strstr(e.text, "/nowhere/config.json: cannot read"));
    err_clear(&e);
    assert_int_equal(vit_config_load("/tmp", &c, &e), -1);
    assert_true(e.kind == ERR_ENV);
    err_clear(&e);
    assert_int_equal(vit_config_load("/dev/zero", &c, &e), -1);
    assert_true(e.kind == ERR_INPUT && strstr(e.text, "over 4 MiB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_left_out_mean_what_they_mean_to_transformers),
        cmocka_unit_test(test_class_by_architecture_where_model_type_is_missing),
        cmocka_unit_test(test_what_is_written_is_read_again),
        cmocka_unit_test(test_nonsense_is_refused_by_file_and_key),
        cmocka_unit_test(test_null_is_the_default),
        cmocka_unit_test(test_depth_is_limited_outside_of_texts),
        cmocka_unit_test(test_files_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
