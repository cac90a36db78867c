/* Field-by-field differences of two JSON values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/changes.h"

static json_t *parse(const char *text)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    if (!v)
        fail_msg("%s", text);
    return v;
}

static void differences(void **state)
{
    static const struct {
        const char *was, *is, *want;
    } cases[] = {
        { "{\"a\":1,\"b\":[1,{\"c\":2}]}", "{\"b\":[1,{\"c\":2}],\"a\":1}", "[]" },
        { "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1,\"c\":3}}", "[{\"field\":\"a.c\",\"was\":2,\"is\":3}]" },
        { "{\"a\":1}", "{\"b\":2}",
          "[{\"field\":\"a\",\"was\":1,\"is\":null},{\"field\":\"b\",\"was\":null,\"is\":2}]" },
        { "{\"m\":[{\"n\":1}]}", "{\"m\":[{\"n\":1},{\"n\":2}]}",
          "[{\"field\":\"m[1]\",\"was\":null,\"is\":{\"n\":2}}]" },
        { "{\"m\":[1]}", "{\"m\":{\"x\":1}}", "[{\"field\":\"m\",\"was\":[1],\"is\":{\"x\":1}}]" },
        { "1", "1.0", "[{\"field\":\"\",\"was\":1,\"is\":1.0}]" },
        { "{\"a\":null}", "{}", "[{\"field\":\"a\",\"was\":null,\"is\":null}]" }, /* absent is not null */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *was = parse(cases[i].was), *is = parse(cases[i].is), *want = parse(cases[i].want), *got = json_array();
        assert_int_equal(changes_find(got, "", was, is, NULL), 0);
        if (!json_equal(got, want))
            fail_msg("%s -> %s: %s", cases[i].was, cases[i].is, json_dumps(got, 0));
        json_decref(was);
        json_decref(is);
        json_decref(want);
        json_decref(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(differences) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
