/* Tokenizers beside transformers and tokenizers: every text of tests/golden/text, id for id, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/text_golden.h"
#include "worker/data/json_text.h"
#include "worker/text/sentencepiece_shim.h"
#include "worker/text/sp_bpe.h"
#include "worker/text/tokenizer.h"

static struct tokenizer *open_golden(const char *name)
{
    char path[400];
    struct err e = { 0 };
    /* Where there are both files, the one that the golden values are of. */
    snprintf(path, sizeof path, "%s/%s/tokenizer.%s", GOLDEN, name, strncmp(name, "slow", 4) == 0 ? "model" : "json");
    struct tokenizer *t = tokenizer_open_file(path, &e);
    if (!t)
        fail_msg("%s: %s", name, e.text);
    return t;
}

static void check_encode(const char *name, const struct tokenizer *t, const json_t *hex, const json_t *c, int *wrong)
{
    const json_t *want_ids = json_array_get(c, 0), *want_text = json_array_get(c, 1);
    AUTO(buf_free) struct buf text = BUF_INIT(1 << 20), decoded = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
    AUTO(ids_free) struct ids ids = { 0 };
    struct err e = { 0 };
    golden_bytes(hex, &text);
    golden_bytes(want_text ? want_text : hex, &want);
    assert_int_equal(tokenizer_encode(t, text.data, text.len, false, &ids, &e), 0);
    if (!golden_same_ids(&ids, want_ids)) {
        print_error("%s: '%s' (%s)\n", name, buf_text(&text), json_string_value(hex));
        golden_print("  got ", &ids);
        print_error("  want %s\n", golden_dump(want_ids));
        ++*wrong;
        return;
    }
    assert_int_equal(tokenizer_decode(t, ids.v, ids.n, false, &decoded, &e), 0);
    if (decoded.len != want.len || memcmp(buf_text(&decoded), buf_text(&want), want.len) != 0) {
        print_error("%s: decoding of '%s': got '%s', want '%s'\n", name, buf_text(&text), buf_text(&decoded),
                    buf_text(&want));
        ++*wrong;
    }
}

static void check_decode(const char *name, const struct tokenizer *t, const json_t *c, int *wrong)
{
    AUTO(ids_free) struct ids ids = { 0 };
    struct err e = { 0 };
    golden_ids(json_array_get(c, 0), &ids);
    for (int skip = 0; skip < 2; skip++) {
        AUTO(buf_free) struct buf got = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
        golden_bytes(json_array_get(c, skip ? 2 : 1), &want);
        assert_int_equal(tokenizer_decode(t, ids.v, ids.n, skip, &got, &e), 0);
        if (got.len == want.len && memcmp(buf_text(&got), buf_text(&want), want.len) == 0)
            continue;
        print_error("%s: skip %d: got '%s', want '%s'\n", name, skip, buf_text(&got), buf_text(&want));
        golden_print("  of ", &ids);
        ++*wrong;
    }
}

/* Piece by piece the same text comes out, and never an unfinished character. */
static void check_stream(const char *name, const struct tokenizer *t, const json_t *c)
{
    AUTO(ids_free) struct ids ids = { 0 };
    AUTO(buf_free) struct buf got = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
    struct tokenizer_stream s = { 0 };
    struct err e = { 0 };
    golden_ids(json_array_get(c, 0), &ids);
    golden_bytes(json_array_get(c, 2), &want);
    for (size_t i = 0; i < ids.n; i++) {
        assert_int_equal(tokenizer_stream_push(t, &s, ids.v[i], &got, &e), 0);
        if (got.len > want.len || memcmp(buf_text(&got), buf_text(&want), got.len) != 0)
            fail_msg("%s: after %zu ids '%s' is no beginning of '%s'", name, i + 1, buf_text(&got), buf_text(&want));
    }
    assert_int_equal(tokenizer_stream_end(t, &s, &got, &e), 0);
    tokenizer_stream_free(&s);
    assert_string_equal(buf_text(&got), buf_text(&want));
}

static void check_one(const char *name, const json_t *texts, const json_t *golden, int *wrong)
{
    AUTO(tokenizer_close) struct tokenizer *t = open_golden(name);
    const json_t *c;
    size_t i;
    assert_int_equal(tokenizer_bos(t), golden_int(golden, "bos"));
    assert_int_equal(tokenizer_eos(t), golden_int(golden, "eos"));
    assert_int_equal(tokenizer_unk(t), golden_int(golden, "unk"));
    assert_int_equal(tokenizer_size(t), golden_int(golden, "size"));
    assert_int_equal(tokenizer_is_legacy(t), json_is_true(json_object_get(golden, "legacy")));
    json_array_foreach(json_object_get(golden, "encode"), i, c)
        check_encode(name, t, json_array_get(json_array_get(texts, i), 0), c, wrong);
    json_array_foreach(json_object_get(golden, "decode"), i, c)
    {
        check_decode(name, t, c, wrong);
        if (!*wrong)
            check_stream(name, t, c);
    }
}

static void as_the_reference(const char *begin)
{
    AUTO(json_decref) json_t *all = golden_load("tokens.json");
    const char *name;
    json_t *golden;
    int wrong = 0, seen = 0;
    json_object_foreach(all, name, golden)
    {
        if (strncmp(name, begin, strlen(begin)) == 0) {
            check_one(name, json_object_get(all, "texts"), golden, &wrong);
            seen++;
        }
    }
    assert_true(seen > 0);
    assert_int_equal(wrong, 0);
}

static void slow(void **state)
{
    (void)state;
    as_the_reference("slow");
}

static int take(void *ctx, int32_t id)
{
    struct err e = { 0 };
    return ids_add(ctx, id, &e);
}

static void compare_with_library(const char *name, const json_t *texts)
{
    char path[400], why[200];
    AUTO(free) char *bytes = NULL;
    size_t len, i;
    struct err e = { 0 };
    const json_t *c;
    bool dummy_prefix;
    struct bpe *b;
    snprintf(path, sizeof path, "%s/%s/tokenizer.model", GOLDEN, name);
    assert_int_equal(json_text_read(path, 1 << 20, &bytes, &len, &e), 0);
    struct sp_model *m = sp_open(bytes, len, why, sizeof why);
    assert_non_null(m);
    assert_int_equal(sp_bpe_make(bytes, len, name, &b, &dummy_prefix, &e), 0);
    assert_non_null(b); /* it is of the kind that has the fast encoding */
    json_array_foreach(texts, i, c)
    {
        AUTO(buf_free) struct buf raw = BUF_INIT(1 << 20), text = BUF_INIT(1 << 20);
        AUTO(ids_free) struct ids ours = { 0 }, theirs = { 0 };
        golden_bytes(json_array_get(c, 0), &raw);
        unicode_mend(buf_text(&raw), raw.len, &text);
        assert_int_equal(sp_encode(m, buf_text(&text), text.len, take, &theirs, why, sizeof why), 0);
        assert_int_equal(sp_bpe_encode(b, dummy_prefix, (struct slice){ buf_text(&text), text.len }, &ours, &e), 0);
        assert_int_equal(ours.n, theirs.n);
        if (ours.n)
            assert_memory_equal(ours.v, theirs.v, ours.n * sizeof *ours.v);
    }
    bpe_destroy(b);
    sp_close(m);
}

/* The fast encoding of LLaMA's kind of models beside the general one. */
static void slow_without_library(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *all = golden_load("tokens.json");
    compare_with_library("slow_new", json_object_get(all, "texts"));
    compare_with_library("slow_no_bytes", json_object_get(all, "texts"));
}

static void fast(void **state)
{
    (void)state;
    as_the_reference("fast");
}

static void byte_level(void **state)
{
    (void)state;
    as_the_reference("byte");
}

static void odd(void **state)
{
    (void)state;
    as_the_reference("odd");
}

/* The model comes before tokenizer.json, and both are found by the directory. */
static void which_file(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(tokenizer_close) struct tokenizer *fast_one = tokenizer_open(GOLDEN "/byte_gpt2", &e);
    assert_non_null(fast_one);
    AUTO(tokenizer_close) struct tokenizer *none = tokenizer_open(GOLDEN, &e);
    assert_null(none);
    assert_non_null(strstr(e.text, "neither tokenizer.model nor tokenizer.json"));
    err_clear(&e);
    AUTO(tokenizer_close) struct tokenizer *other = tokenizer_open_file(GOLDEN "/versions.txt", &e);
    assert_null(other);
    assert_non_null(strstr(e.text, "name a tokenizer.model"));
    err_clear(&e);
    AUTO(tokenizer_close) struct tokenizer *slow_one = tokenizer_open(GOLDEN "/slow_new", &e);
    assert_non_null(slow_one);
    assert_int_equal(tokenizer_pad(slow_one), tokenizer_unk(slow_one)); /* as LLaVA sets it */
    assert_int_equal(tokenizer_id(slow_one, "</s>"), 2);
    assert_int_equal(tokenizer_id(slow_one, "<no such token>"), -1);
    assert_true(tokenizer_adds_bos(slow_one));
}

static void bos_and_limits(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(tokenizer_close) struct tokenizer *t = open_golden("fast_legacy");
    AUTO(ids_free) struct ids ids = { 0 };
    AUTO(buf_free) struct buf b = BUF_INIT(100);
    assert_int_equal(tokenizer_encode(t, NULL, 0, false, &ids, &e), 0);
    assert_int_equal(ids.n, 0);
    assert_int_equal(tokenizer_encode(t, NULL, 0, true, &ids, &e), 0);
    assert_int_equal(ids.n, 1);
    assert_int_equal(ids.v[0], 1);
    assert_int_equal(tokenizer_decode(t, ids.v, 1, true, &b, &e), 0);
    assert_int_equal(b.len, 0);
    assert_int_equal(tokenizer_decode(t, (int32_t[]){ -200 }, 1, true, &b, &e), -1);
    assert_non_null(strstr(e.text, "token id -200 is not one of 0 to"));
    err_clear(&e);
    assert_int_equal(tokenizer_decode(t, (int32_t[]){ (int32_t)tokenizer_size(t) }, 1, true, &b, &e), -1);
}

/* A long text in a time that grows with n log n: 1 MB of letters takes a moment; with n^2 it would be an hour. */
static void long_text(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(tokenizer_close) struct tokenizer *t = open_golden("fast_new");
    AUTO(ids_free) struct ids ids = { 0 };
    size_t len = 1 << 20;
    AUTO(free) char *text = malloc(len);
    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = "the old man sits "[i % 17];
    assert_int_equal(tokenizer_encode(t, text, len, true, &ids, &e), 0);
    AUTO(buf_free) struct buf back = BUF_INIT(len + 1);
    assert_int_equal(tokenizer_decode(t, ids.v, ids.n, true, &back, &e), 0);
    assert_int_equal(back.len, len);
    assert_memory_equal(back.data, text, len);
}

/* Every file that cannot be a tokenizer: one error that names it and says what is wrong. */
static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text, *part;
    } cases[] = {
        { "tokenizer.json", "", "tokenizer.json:1: not JSON" },
        { "tokenizer.json", "[]", "a JSON object {...} is wanted" },
        { "tokenizer.json", "{}", "model must be an object" },
        { "tokenizer.json", "{\"model\":{\"type\":\"Unigram\"}}", "a model of type 'Unigram' is not supported" },
        { "tokenizer.json", "{\"model\":{\"type\":\"BPE\",\"dropout\":0.1}}", "model.dropout is not supported" },
        { "tokenizer.json", "{\"model\":{\"vocab\":{\"a\":0}}}", "model.vocab and model.merges" },
        { "tokenizer.json", "{\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}", "'a' must have a token id" },
        { "tokenizer.json", "{\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "there twice" },
        { "tokenizer.json", "{\"model\":{\"vocab\":{\"a\":0,\"b\":1},\"merges\":[\"a b\"]}}", "merge 0, 'a' and 'b'" },
        { "tokenizer.json", "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}", "entry 0 must be \"left right\"" },
        { "tokenizer.json", "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[],\"unk_token\":\"u\"}}",
          "token 'u' is not in" },
        { "tokenizer.json", "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]},\"normalizer\":{\"type\":\"NFC\"}}",
          "normalizer 'NFC' is not supported" },
        { "tokenizer.json", "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]},\"pre_tokenizer\":{\"type\":\"Digits\"}}",
          "pre_tokenizer 'Digits' is not supported" },
        { "tokenizer.json",
          "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]},\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":"
          "\"Isolated\","
          "\"pattern\":{\"Regex\":\"(\"}}}",
          "the pattern '('" },
        { "tokenizer.json", "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]},\"decoder\":{\"type\":\"WordPiece\"}}",
          "decoder 'WordPiece' is not supported" },
        { "tokenizer.json",
          "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]},\"post_processor\":{\"type\":\"BertProcessing\"}}",
          "post_processor 'BertProcessing' is not supported" },
        { "tokenizer.json",
          "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]},\"added_tokens\":[{\"id\":0,\"content\":\"b\"}]}",
          "which the vocabulary sees otherwise" },
        { "tokenizer.model", "not a protocol buffer", "not a SentencePiece model" },
        { "tokenizer.model", "", "not a SentencePiece model" },
    };
    char dir[] = "/tmp/acsweep-text-XXXXXX", path[200];
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        snprintf(path, sizeof path, "%s/%s", dir, cases[i].file);
        golden_write(path, cases[i].text);
        AUTO(tokenizer_close) struct tokenizer *t = tokenizer_open_file(path, &e);
        unlink(path);
        assert_null(t);
        if (e.kind != ERR_INPUT || !strstr(e.text, cases[i].part))
            fail_msg("case %zu: '%s' lacks '%s'", i, e.text, cases[i].part);
    }
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow),
        cmocka_unit_test(slow_without_library),
        cmocka_unit_test(fast),
        cmocka_unit_test(byte_level),
        cmocka_unit_test(odd),
        cmocka_unit_test(which_file),
        cmocka_unit_test(bos_and_limits),
        cmocka_unit_test(long_text),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
