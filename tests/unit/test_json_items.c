/* Lists of JSON objects, one at a time: both forms, and every way in which they can be wrong, with the line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "worker/data/json_items.h"

/* The values of "n" in a row, or the error. */
static int sum_up(const char *text, char *out, size_t size, struct err *e)
{
    AUTO(json_items_close) struct json_items *items = json_items_from(text, strlen(text), "x.json", e);
    assert_non_null(items);
    json_t *item;
    int rc;
    size_t at = 0;
    out[0] = '\0';
    while ((rc = json_items_next(items, &item, e)) > 0) {
        at +=
            (size_t)snprintf(out + at, size - at, "%lld@%s ", (long long)json_integer_value(json_object_get(item, "n")),
                             json_items_place(items) + strlen("x.json:"));
        json_decref(item);
    }
    return rc;
}

static void both_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", "" },
        { " \n\n", "" },
        { "[]", "" },
        { "\xef\xbb\xbf[ ]\n", "" },
        { "[{\"n\":1},\n{\"n\":2} ,{\"n\":3}\n]\n", "1@1 2@2 3@2 " },
        { "{\"n\":1}\n{\"n\":2}\r\n\n{\"n\":3,\"s\":\"}{\\\"\"}", "1@1 2@2 3@4 " },
        { "\xef\xbb\xbf{\"n\":7}", "7@1 " },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[200];
        struct err e = { 0 };
        assert_int_equal(sum_up(cases[i].text, got, sizeof got, &e), 0);
        assert_string_equal(got, cases[i].want);
    }
}

/* Each object again by its place, in any order. */
static void by_place(void **state)
{
    (void)state;
    struct err e = { 0 };
    const char text[] = "[{\"n\":1},\n {\"n\":2},{\"n\":3}]";
    AUTO(json_items_close) struct json_items *items = json_items_from(text, strlen(text), "x.json", &e);
    size_t places[3], len;
    json_t *item;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(json_items_next(items, &item, &e), 1);
        places[i] = json_items_offset(items);
        json_decref(item);
    }
    for (int i = 2; i >= 0; i--) {
        assert_int_equal(json_items_at(items, places[i], &item, &e), 0);
        assert_int_equal(json_integer_value(json_object_get(item, "n")), i + 1);
        json_decref(item);
    }
    assert_ptr_equal(json_items_bytes(items, &len), text);
    assert_int_equal(len, strlen(text));
    assert_int_equal(json_items_at(items, len, &item, &e), -1);
    err_clear(&e);
    assert_int_equal(json_items_at(items, 1 + places[0], &item, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "[", "x.json:1: the list is not closed" },
        { "[{\"n\":1}\n", "x.json:2: the list is not closed" },
        { "[{\"n\":1},", "x.json:1: a JSON object" },
        { "[{\"n\":1},]", "x.json:1: a JSON object" },
        { "[{\"n\":1} {\"n\":2}]", "x.json:1: a comma or ]" },
        { "[{\"n\":1}]\n[", "x.json:2: something follows" },
        { "[1]", "x.json:1: a JSON object" },
        { "\"x\"", "x.json:1: a JSON object" },
        { "{\"n\":1}\n{\"n\":\n}", "x.json:3: not JSON" },
        { "{\"n\":1}\n{\"n\":\"\\u0000\"}", "x.json:2: not JSON" },
        { "{\"n\":NaN}", "x.json:1: not JSON" },
        { "{\"n\":1", "x.json:1: not JSON" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[200];
        struct err e = { 0 };
        assert_int_equal(sum_up(cases[i].text, got, sizeof got, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        if (strncmp(e.text, cases[i].part, strlen(cases[i].part)) != 0)
            fail_msg("'%s' does not begin with '%s'", e.text, cases[i].part);
    }
}

static void depth_has_an_end(void **state)
{
    (void)state;
    enum { DEEP = 200000 };
    char *text = malloc(DEEP + 16), got[200];
    struct err e = { 0 };
    strcpy(text, "{\"n\":");
    memset(text + 5, '[', DEEP);
    text[5 + DEEP] = '\0';
    assert_int_equal(sum_up(text, got, sizeof got, &e), -1);
    assert_non_null(strstr(e.text, "maximum parsing depth"));
    free(text);
}

static void files(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_null(json_items_open("/nowhere/x.json", &e));
    assert_non_null(strstr(e.text, "/nowhere/x.json: cannot open"));
    err_clear(&e);
    assert_null(json_items_open("/tmp", &e));
    assert_non_null(strstr(e.text, "/tmp: not a file"));
    err_clear(&e);
    AUTO(json_items_close)
    struct json_items *items = json_items_open(SOURCE_DIR "/tests/golden/images/manifest.json", &e);
    json_t *item;
    assert_non_null(items);
    assert_int_equal(json_items_next(items, &item, &e), 1);
    assert_non_null(json_object_get(item, "decode"));
    json_decref(item);
    assert_int_equal(json_items_next(items, &item, &e), 0);
    assert_int_equal(json_items_next(items, &item, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms),       cmocka_unit_test(by_place), cmocka_unit_test(refused),
        cmocka_unit_test(depth_has_an_end), cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
