/* Checkpoints as they are published, without their weights: config.json, preprocessor_config.json, and safetensors files
 * that are all hole behind a true header (tests/golden/vit/published.json says what transformers made of them). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "common/buf.h"
#include "common/digest.h" /* json_decref_cleanup */
#include "tests/unit/data_files.h"
#include "worker/data/preprocess.h"
#include "worker/model/inspect.h"
#include "worker/model/vit_config.h"

#define HEADER_MOST ((size_t)16 << 20)

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    if (!text)
        fail_msg("no '%s'", key);
    return text;
}

static int64_t number_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* ---- files ----------------------------------------------------------------------------------------------------------
 */

/* One tensor's entry of a header; *at: where its data begins, moved behind it. */
static json_t *describe(const char *name, const json_t *shape, int64_t *at)
{
    const char *dtype = strstr(name, "position_ids") ? "I64" : "F32";
    int64_t begin = *at, bytes = dtype[0] == 'I' ? 8 : 4;
    size_t i;
    json_t *size;
    json_array_foreach(shape, i, size)
    {
        bytes *= json_integer_value(size);
    }
    *at += bytes;
    return json_pack("{s:s, s:O, s:[I,I]}", "dtype", dtype, "shape", shape, "data_offsets", (json_int_t)begin,
                     (json_int_t)*at);
}

struct shard {
    char name[64];
    json_t *header;
    int64_t bytes;
};

static void write_shard(const struct shard *s)
{
    AUTO(free) char *text = json_dumps(s->header, JSON_COMPACT);
    uint64_t length = strlen(text);
    AUTO(buf_free) struct buf file = BUF_INIT(HEADER_MOST);
    buf_add(&file, &length, sizeof length);
    buf_add(&file, text, length);
    assert_false(file.failed);
    put_bytes(s->name, file.data, file.len);
    assert_int_equal(truncate(in_scratch(s->name), (off_t)file.len + s->bytes), 0);
    json_decref(s->header);
}

static void write_index(json_t *map)
{
    AUTO(json_decref) json_t *index = json_pack("{s:{s:i}, s:o}", "metadata", "total_size", 0, "weight_map", map);
    AUTO(free) char *text = json_dumps(index, 0);
    put_bytes("model.safetensors.index.json", text, strlen(text));
}

/* "a.{}.b" of 24 layers becomes 24 tensors. Every second tensor goes to the second file where there are two. */
static void write_weights(const json_t *tensors, int files)
{
    struct shard shards[2] = { { .header = json_object() }, { .header = json_object() } };
    json_t *map = json_object(), *entry;
    size_t i, n = 0;
    for (int k = 0; k < 2; k++)
        snprintf(shards[k].name, sizeof shards[k].name, files == 1 ? "model.safetensors" : "model-%05d-of-00002.safetensors",
                 k + 1);
    json_array_foreach(tensors, i, entry)
    {
        const char *pattern = json_string_value(json_array_get(entry, 0)), *hole = strstr(pattern, "{}");
        for (int64_t layer = 0; layer < (hole ? json_integer_value(json_array_get(entry, 2)) : 1); layer++, n++) {
            char name[200];
            struct shard *s = &shards[files == 1 ? 0 : n % 2];
            snprintf(name, sizeof name, "%s", pattern);
            if (hole)
                snprintf(name, sizeof name, "%.*s%d%s", (int)(hole - pattern), pattern, (int)layer, hole + 2);
            json_object_set_new(s->header, name, describe(name, json_array_get(entry, 1), &s->bytes));
            json_object_set_new(map, name, json_string(s->name));
        }
    }
    write_shard(&shards[0]);
    if (files == 1) {
        json_decref(shards[1].header);
        json_decref(map);
        return;
    }
    write_shard(&shards[1]);
    write_index(map);
}

static void write_json(const char *name, const json_t *value)
{
    AUTO(free) char *text = json_dumps(value, 0);
    put_bytes(name, text, strlen(text));
}

/* ---- what is made of them -------------------------------------------------------------------------------------------
 */

static void assert_readable(const json_t *encoder, const char *name)
{
    struct err e = { 0 };
    AUTO(json_decref) json_t *info = inspect_checkpoint(scratch, &e);
    assert_string_equal(e.text, "");
    AUTO(buf_free) struct buf text = BUF_INIT(1 << 20);
    inspect_text(info, &text);
    if (!json_is_true(json_object_get(info, "readable")))
        fail_msg("%s:\n%s", name, buf_text(&text));
    assert_int_equal(number_of(info, "parameters"), number_of(encoder, "parameters"));
    assert_int_equal(number_of(info, "image"), number_of(encoder, "image_size"));
    assert_int_equal(number_of(json_object_get(info, "tokens"), "registers"), number_of(encoder, "num_register_tokens"));
}

static void assert_sizes(const json_t *encoder)
{
    struct err e = { 0 };
    struct vit_config c;
    assert_int_equal(vit_config_load(in_scratch("config.json"), &c, &e), 0);
    assert_int_equal(c.width, number_of(encoder, "hidden_size"));
    assert_int_equal(c.layers, number_of(encoder, "num_hidden_layers"));
    assert_int_equal(c.heads, number_of(encoder, "num_attention_heads"));
    assert_int_equal(c.patch, number_of(encoder, "patch_size"));
    assert_int_equal(c.swiglu, json_is_true(json_object_get(encoder, "use_swiglu_ffn")));
    assert_string_equal(activation_name((enum activation)c.activation), text_of(encoder, "hidden_act"));
    assert_true(c.eps == json_number_value(json_object_get(encoder, "layer_norm_eps")));
}

static void assert_prepared(const json_t *prepared, const char *name)
{
    struct err e = { 0 };
    struct preprocess p;
    uint32_t width, height;
    if (preprocess_load(in_scratch("preprocessor_config.json"), NULL, &p, &e) < 0)
        fail_msg("%s: %s", name, e.text);
    preprocess_output(&p, &width, &height);
    assert_int_equal(width, number_of(prepared, "width"));
    assert_int_equal(height, number_of(prepared, "height"));
    AUTO(image_free) struct image im = { 0 };
    assert_int_equal(image_create(500, 300, &im, &e), 0);
    for (size_t i = 0; i < (size_t)500 * 300; i++)
        memcpy(im.pixels + 3 * i, (const uint8_t[]){ 200, 100, 50 }, 3);
    AUTO(free) float *chw = calloc(preprocess_floats(&p), sizeof *chw);
    assert_non_null(chw);
    assert_int_equal(preprocess_apply(&p, &im, chw, &e), 0);
    for (size_t c = 0; c < 3; c++) {
        double want = json_number_value(json_array_get(json_object_get(prepared, "pixel"), c));
        assert_true(fabs((double)chw[c * width * height] - want) < 1e-6);
    }
}

static void test_they_can_be_read(void **state)
{
    AUTO(json_decref) json_t *all = json_load_file(SOURCE_DIR "/tests/golden/vit/published.json", 0, NULL);
    const json_t *one;
    size_t i;
    assert_true(json_array_size(all) > 10);
    json_array_foreach(all, i, one)
    {
        const json_t *encoder = json_object_get(one, "encoder");
        const char *name = text_of(one, "name");
        print_message("%s\n", name);
        assert_int_equal(scratch_make(state), 0);
        write_json("config.json", json_object_get(one, "config"));
        write_json("preprocessor_config.json", json_object_get(one, "preprocessor"));
        write_weights(json_object_get(encoder, "tensors"), (int)number_of(one, "files"));
        assert_readable(encoder, name);
        assert_sizes(encoder);
        assert_prepared(json_object_get(one, "prepared"), name);
        assert_int_equal(scratch_remove(state), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_they_can_be_read) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
