/* The join string: what is taken, how it is written back, and where each error points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "common/join.h"

#define HEX "8e0bdd697628b91d8f245587ee95c5b04d48963f79259877b49cd9063aead3b7"
#define Z85 "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6" /* the same key */

static void test_taken(void **state)
{
    (void)state;
    static const struct {
        const char *text, *written;
        size_t n;
        const char *first, *key;
    } cases[] = {
        { "acsweep://127.0.0.1:7400", "acsweep://127.0.0.1:7400", 1, "tcp://127.0.0.1:7400", "" },
        { "acsweep://localhost:7400", "acsweep://127.0.0.1:7400", 1, "tcp://127.0.0.1:7400", "" },
        { "acsweep://[::1]:7400", "acsweep://[::1]:7400", 1, "tcp://[::1]:7400", "" },
        { "acsweep://head:1?key=" HEX, "acsweep://head:1?key=" HEX, 1, "tcp://head:1", Z85 },
        { "acsweep://head:1?key=" Z85, "acsweep://head:1?key=" HEX, 1, "tcp://head:1", Z85 },
        { "acsweep://a.b-c:65535,[2001:db8::1]:2,10.0.0.3:3?key=" HEX,
          "acsweep://a.b-c:65535,[2001:db8::1]:2,10.0.0.3:3?key=" HEX, 3, "tcp://a.b-c:65535", Z85 },
        { "acsweep://127.0.0.1:1?key=" HEX, "acsweep://127.0.0.1:1?key=" HEX, 1, "tcp://127.0.0.1:1", Z85 },
        { "ipc:///run/acsweep/s", "ipc:///run/acsweep/s", 1, "ipc:///run/acsweep/s", "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct join j;
        struct err e = { 0 };
        if (join_parse(cases[i].text, &j, &e) < 0)
            fail_msg("%s: %s", cases[i].text, e.text);
        assert_int_equal(j.n, cases[i].n);
        assert_string_equal(j.endpoints[0].text, cases[i].first);
        assert_string_equal(j.server_key, cases[i].key);
        AUTO(buf_free) struct buf written = BUF_INIT(JOIN_MAX_TEXT);
        join_format(&j, &written);
        assert_int_equal(buf_check(&written, "join", &e), 0);
        assert_string_equal(buf_text(&written), cases[i].written);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *says;
    } cases[] = {
        { "", "character 1:", "acsweep://HOST:PORT" },
        { "http://head:1", "character 1:", "http://head:1" },
        { "acsweep://", "character 11:", "no port" },
        { "acsweep://head", "character 11:", "no port" },
        { "acsweep://head:", "character 11:", "port" },
        { "acsweep://head:0", "character 11:", "port" },
        { "acsweep://head:65536", "character 11:", "port" },
        { "acsweep://head:80x", "character 11:", "port" },
        { "acsweep://head:*", "character 11:", "port" },
        { "acsweep://*:80", "character 11:", "cannot stand in a host name" },
        { "acsweep://user@head:80", "character 11:", "'@'" },
        { "acsweep://127.0.0.1:80,", "character 24:", "no port" },
        { "acsweep://127.0.0.1:80,head", "character 24:", "no port" },
        { "acsweep://fe80::1:80", "character 11:", "brackets" },
        { "acsweep://[fe80::1:80", "character 11:", "]" },
        { "acsweep://[fe80::1]80", "character 11:", "no port" },
        { "acsweep://[10.0.0.1]:80", "character 11:", "not an IPv6 address" },
        { "acsweep://head:80", "tcp://head:80", "?key=SERVERKEY" },
        { "acsweep://127.0.0.1:80,head:80", "tcp://head:80", "?key=SERVERKEY" },
        { "acsweep://head:80?token=x", "character 18:", "only ?key=" },
        { "acsweep://head:80?key=", "character 23:", "0 characters" },
        { "acsweep://head:80?key=abc", "character 23:", "3 characters" },
        { "acsweep://head:80?key=" HEX "0", "character 23:", "65 characters" },
        { "acsweep://a:1,b:2,c:3,d:4,e:5,f:6,g:7,h:8,i:9?key=" HEX, "character 43:", "more than 8" },
        { "ipc://", "character 1:", "no path" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct join j;
        struct err e = { 0 };
        if (join_parse(cases[i].text, &j, &e) == 0)
            fail_msg("taken: %s", cases[i].text);
        assert_int_equal(e.kind, ERR_INPUT);
        if (!strstr(e.text, cases[i].place) || !strstr(e.text, cases[i].says))
            fail_msg("%s: '%s' lacks '%s' or '%s'", cases[i].text, e.text, cases[i].place, cases[i].says);
    }
}

static void test_long_text_is_refused(void **state)
{
    (void)state;
    struct join j;
    struct err e = { 0 };
    char text[JOIN_MAX_TEXT + 2];
    memset(text, 'a', sizeof text - 1);
    memcpy(text, "acsweep://", 10);
    text[sizeof text - 1] = '\0';
    assert_int_equal(join_parse(text, &j, &e), -1);
    assert_non_null(strstr(e.text, "longer than"));
    err_clear(&e);
    text[1000] = '\0'; /* within the limit, but one host */
    assert_int_equal(join_parse(text, &j, &e), -1);
    assert_non_null(strstr(e.text, "character 11"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
