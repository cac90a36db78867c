/* LLaVA's conversation files: samples in any order, lengths, and every way in which one can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/text_golden.h"
#include "worker/text/chat_set.h"
#include "worker/text/unicode.h"

#define TURNS                                                                                                      \
    "\"conversations\":[{\"from\":\"human\",\"value\":\"<image>\\nWhat is it?\"},{\"from\":\"gpt\",\"value\":\"A " \
    "dog.\"}]"

static const char three[] =
    "[{\"id\":\"a\",\"image\":\"00453/004539375.jpg\"," TURNS "},\n"
    " {\"id\":7," TURNS "},\n"
    " {\"image\":\"./coco//train2017/1.jpg\",\"more\":null,\"conversations\":[{\"from\":\"gpt\",\"value\":\"\"}]}]\n";

static void samples(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(chat_set_close) struct chat_set *s = chat_set_from(three, strlen(three), "x.json", &e);
    AUTO(chat_sample_free) struct chat_sample a = { 0 };
    assert_non_null(s);
    assert_int_equal(chat_set_count(s), 3);
    assert_int_equal(chat_set_images(s), 2);
    assert_int_equal(chat_set_length(s, 0), 6);
    assert_int_equal(chat_set_length(s, 1), -6);
    assert_int_equal(chat_set_length(s, 2), 1);
    assert_int_equal(chat_set_lengths(s)[1], -6);
    assert_int_equal(chat_set_read(s, 2, &a, &e), 0);
    assert_string_equal(a.image, "coco/train2017/1.jpg");
    assert_string_equal(a.id, "");
    assert_int_equal(a.n_turns, 1);
    assert_int_equal(a.turns[0].from, TURN_GPT);
    assert_int_equal(chat_set_read(s, 1, &a, &e), 0);
    assert_null(a.image);
    assert_string_equal(a.id, "7");
    assert_int_equal(chat_set_read(s, 0, &a, &e), 0);
    assert_string_equal(a.id, "a");
    assert_int_equal(a.n_turns, 2);
    assert_int_equal(a.turns[0].from, TURN_HUMAN);
    assert_int_equal(a.turns[0].len, strlen("<image>\nWhat is it?"));
    assert_memory_equal(a.turns[1].text, "A dog.", 6);
    assert_int_equal(chat_set_read(s, 3, &a, &e), -1);
}

static void files(void **state)
{
    (void)state;
    struct err e = { 0 };
    char dir[] = "/tmp/acsweep-chat-XXXXXX", path[100], hex[DIGEST_HEX_SIZE], want[DIGEST_HEX_SIZE];
    uint64_t bytes;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/x.jsonl", dir);
    golden_write(path, "{" TURNS "}\n{" TURNS "}\n");
    AUTO(chat_set_close) struct chat_set *s = chat_set_open(path, &e);
    assert_non_null(s);
    assert_int_equal(chat_set_count(s), 2);
    chat_set_digest(s, hex);
    assert_int_equal(digest_file(path, want, &bytes, &e), 0);
    assert_string_equal(hex, want);
    unlink(path);
    rmdir(dir);
    AUTO(chat_set_close) struct chat_set *none = chat_set_open("/nowhere/x.json", &e);
    assert_null(none);
    assert_non_null(strstr(e.text, "/nowhere/x.json: cannot open"));
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "", "x.json: no samples in it" },
        { "[]", "x.json: no samples in it" },
        { "[{" TURNS "},\n{}]", "x.json:2: sample 1: 'conversations' must be a list" },
        { "[{\"conversations\":[]}]", "x.json:1: sample 0: 'conversations' must be a list" },
        { "[{\"conversations\":[1]}]", "turn 0: 'from' must be" },
        { "[{\"conversations\":[{\"from\":\"user\",\"value\":\"\"}]}]", "turn 0: 'from' must be \"human\" or \"gpt\"" },
        { "[{\"conversations\":[{\"from\":\"human\"}]}]", "turn 0: 'value' must be a text" },
        { "[{\"conversations\":[{\"from\":\"human\",\"value\":[\"\"]}]}]", "turn 0: 'value' must be a text" },
        { "[{\"id\":1.5," TURNS "}]", "sample 0: 'id' must be a text or a whole number" },
        { "[{\"image\":null," TURNS "}]", "sample 0: 'image' must be a path; leave it out" },
        { "[{\"image\":[\"a.jpg\"]," TURNS "}]", "sample 0: 'image' must be a path" },
        { "[{\"image\":\"../a.jpg\"," TURNS "}]", "sample 0: 'image'" },
        { "[{\"image\":\"/a.jpg\"," TURNS "}]", "sample 0: 'image'" },
        { "[{\"image\":\"\"," TURNS "}]", "sample 0: 'image'" },
        { "[{\"image\":\"a.jpg\",\"conversations\":[{\"from\":\"human\",\"value\":\"<image>\\nWhat?\"},"
          "{\"from\":\"gpt\",\"value\":\"an <image>\"}]}]",
          "sample 0: 'conversations': <image> stands in 2 turns" },
        { "[{" TURNS "}", "x.json:1: the list is not closed" },
        { "[{" TURNS "},{\"a\"]", "x.json:1: not JSON" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        AUTO(chat_set_close) struct chat_set *s = chat_set_from(cases[i].text, strlen(cases[i].text), "x.json", &e);
        assert_null(s);
        if (e.kind != ERR_INPUT || !strstr(e.text, cases[i].part))
            fail_msg("case %zu: '%s' lacks '%s'", i, e.text, cases[i].part);
    }
}

/* Words as Python counts them: the golden texts hold every kind of white space. */
static void words(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *all = golden_load("tokens.json");
    const json_t *c;
    size_t i;
    json_array_foreach(json_object_get(all, "texts"), i, c)
    {
        AUTO(buf_free) struct buf text = BUF_INIT(1 << 20);
        golden_bytes(json_array_get(c, 0), &text);
        assert_int_equal(unicode_words(buf_text(&text), text.len), json_integer_value(json_array_get(c, 1)));
    }
    assert_true(i > 100);
}

static void characters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t first;
        size_t size;
        const char *mended, *lossy;
    } cases[] = {
        { "a", 'a', 1, "a", "a" },
        { "\xc3\xa9", 0xe9, 2, "\xc3\xa9", "\xc3\xa9" },
        { "\xf4\x8f\xbf\xbf", 0x10ffff, 4, "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
        { "\xf4\x90\x80\x80", -1, 1, "????", "????" },
        { "\xed\xa0\x80", -1, 1, "???", "???" },
        { "\xc0\x80", -1, 1, "??", "??" },
        { "\xe6\x97", -1, 1, "??", "?" },
        { "\xf0\x9f\x98z", -1, 1, "???z", "?z" },
        { "\xe2\x82\xe2\x82\xac", -1, 1, "??\xe2\x82\xac", "?\xe2\x82\xac" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_free) struct buf mended = BUF_INIT(100), lossy = BUF_INIT(100), a = BUF_INIT(100), b = BUF_INIT(100);
        size_t size, len = strlen(cases[i].text);
        struct slice mark = { UNICODE_REPLACEMENT, 3 }, question = { "?", 1 };
        assert_int_equal(unicode_at(cases[i].text, len, &size), cases[i].first);
        assert_int_equal(size, cases[i].size);
        unicode_mend(cases[i].text, len, &mended);
        unicode_mend_lossy(cases[i].text, len, &lossy);
        text_replace(mended.data, mended.len, mark, question, &a);
        text_replace(lossy.data, lossy.len, mark, question, &b);
        assert_string_equal(a.data, cases[i].mended);
        assert_string_equal(b.data, cases[i].lossy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples), cmocka_unit_test(files),      cmocka_unit_test(refused),
        cmocka_unit_test(words),   cmocka_unit_test(characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
