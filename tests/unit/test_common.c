/* err, parse, buf, digest, wire: tables of cases, bad input first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/mono.h"
#include "common/parse.h"
#include "common/utf8.h"
#include "common/wire.h"

static void first_error_is_kept(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_int_equal(FAIL(&e, ERR_INPUT, "cause %d", 1), -1);
    FAIL(&e, ERR_BUG, "later");
    err_wrap(&e, "sweep.cfg:3");
    assert_string_equal(e.text, "sweep.cfg:3: cause 1");
    assert_int_equal(e.kind, ERR_INPUT);
    assert_int_equal(err_exit_code(e.kind), 3);
}

static void integers_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = { "", " 1", "+1", "1 ", "0x10", "99999999999999999999", "101", "-1", "1e1", "-" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = { 0 };
        uint64_t v = 7;
        assert_int_equal(parse_u64(bad[i], 0, 100, &v, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_int_equal(v, 7);
    }
    struct err e = { 0 };
    int64_t v;
    assert_int_equal(parse_i64("-5", -10, 10, &v, &e), 0);
    assert_int_equal(v, -5);
}

static void durations_and_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns; /* -1 = refused */
    } cases[] = { { "90s", 90 * NS_PER_S },
                  { "1.5h", 5400 * NS_PER_S },
                  { "250ms", 250 * NS_PER_MS },
                  { "0", 0 },
                  { "15", -1 },
                  { "s", -1 },
                  { "-3s", -1 },
                  { "1e30d", -1 },
                  { "nan", -1 },
                  { "0x10s", -1 } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        int64_t ns = -1;
        int rc = parse_duration(cases[i].text, &ns, &e);
        assert_int_equal(rc, cases[i].ns < 0 ? -1 : 0);
        if (rc == 0)
            assert_int_equal(ns, cases[i].ns);
    }
    struct err e = { 0 };
    uint64_t bytes;
    assert_int_equal(parse_size("40GiB", &bytes, &e), 0);
    assert_true(bytes == UINT64_C(40) << 30);
    assert_int_equal(parse_size("40Gib", &bytes, &e), -1);
}

static void words_of_a_list(void **state)
{
    (void)state;
    char text[] = " CLIP@336, ,C+D@336\t,, a b ,";
    char *rest = text;
    assert_string_equal(parse_next_word(&rest, ','), "CLIP@336");
    assert_string_equal(parse_next_word(&rest, ','), "C+D@336");
    assert_string_equal(parse_next_word(&rest, ','), "a b");
    assert_null(parse_next_word(&rest, ','));
    assert_null(parse_next_word(&rest, ','));
}

static void nearest_name(void **state)
{
    (void)state;
    static const char *const names[] = { "policy", "budget", "benchmarks" };
    assert_string_equal(parse_nearest("plicy", names, 3), "policy");
    assert_string_equal(parse_nearest("benchmark", names, 3), "benchmarks");
    assert_null(parse_nearest("zzzz", names, 3));
}

static void utf8_is_told_from_other_bytes(void **state)
{
    (void)state;
    static const char good[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80";
    assert_null(utf8_find_invalid(""));
    assert_null(utf8_find_invalid(good));
    static const char *const bad[] = { "\x80",         "\xff",         "\xc0\x80",         "\xe0\x80\x80", "\xf0\x80\x80\x80",
                                       "\xed\xa0\x80", "\xc3",         "\xe2\x82",         "\xf0\x9f\x98", "\xf4\x90\x80\x80",
                                       "\xc3(",        "\xf8\x88\x80\x80\x80" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char text[32];
        snprintf(text, sizeof text, "ok %s", bad[i]);
        assert_ptr_equal(utf8_find_invalid(text), text + 3);
    }
}

static void buf_keeps_its_limit(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(buf_free) struct buf b = BUF_INIT(8);
    buf_puts(&b, "12345678");
    assert_int_equal(buf_check(&b, "text", &e), 0);
    buf_puts(&b, "9");
    assert_int_equal(buf_check(&b, "text", &e), -1);
    assert_string_equal(buf_text(&b), "12345678");
}

static void canonical_json_is_one_form(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(json_decref) json_t *a = json_loads("{\"b\": 1.0, \"a\": [0.1, 1e3, true, null, \"\\u00e9\\n\"]}", 0, NULL);
    AUTO(free) char *text = json_canonical(a, &e);
    assert_string_equal(text, "{\"a\":[0.1,1000,true,null,\"\xc3\xa9\\u000a\"],\"b\":1}");
    char hex[DIGEST_HEX_SIZE];
    digest_bytes("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void wire_refuses_what_is_no_message(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = { { "", 0 }, { "\xff\xff\xff", 3 }, { "\x10\x05", 2 /* message_id without version */ } };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = { 0 };
        assert_null(wire_unpack(bad[i].bytes, bad[i].len, &e));
        assert_int_equal(e.kind, ERR_PEER);
    }
}

static void wire_round_trip_over_a_pipe(void **state)
{
    (void)state;
    struct err e = { 0 };
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    Acsweep__Drain drain = ACSWEEP__DRAIN__INIT;
    drain.reason = (char *)"walltime";
    envelope out = ACSWEEP__ENVELOPE__INIT;
    out.body_case = ACSWEEP__ENVELOPE__BODY_DRAIN;
    out.drain = &drain;
    assert_int_equal(wire_write_fd(fds[1], &out, &e), 0);
    assert_int_equal(write(fds[1], "\x05\x00", 2), 2);
    close(fds[1]);
    AUTO(envelope_free) envelope *in = NULL;
    assert_int_equal(wire_read_fd(fds[0], &in, &e), 1);
    assert_int_equal(in->body_case, ACSWEEP__ENVELOPE__BODY_DRAIN);
    assert_string_equal(in->drain->reason, "walltime");
    envelope *none;
    assert_int_equal(wire_read_fd(fds[0], &none, &e), -1); /* cut in the middle of a length */
    assert_int_equal(e.kind, ERR_PEER);
    close(fds[0]);
}

static void texts_are_mended(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "", "" },
        { "plain", "plain" },
        { "gr\xc3\xbc\xc3\x9f \xe2\x96\x88 \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x96\x88 \xf0\x9f\x98\x80" },
        { "Latin \xfc"
          "ber",
          "Latin ?ber" },
        { "cut \xe2\x96", "cut " },
        { "cut \xf0\x9f\x98", "cut " },
        { "\x80\xbf", "??" },           /* the middle of nothing */
        { "\xc0\xaf", "??" },           /* longer than need be */
        { "\xed\xa0\x80", "???" },      /* half a pair of UTF-16 */
        { "\xf4\x90\x80\x80", "????" }, /* beyond the last character */
        { "a\xe2"
          "b\xe2\x96\x88",
          "a?b\xe2\x96\x88" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[64];
        strcpy(text, cases[i][0]);
        assert_int_equal(utf8_is_valid(text), strcmp(cases[i][0], cases[i][1]) == 0);
        utf8_mend(text);
        assert_string_equal(text, cases[i][1]);
        assert_true(utf8_is_valid(text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_is_kept),
        cmocka_unit_test(integers_are_checked),
        cmocka_unit_test(durations_and_sizes),
        cmocka_unit_test(words_of_a_list),
        cmocka_unit_test(texts_are_mended),
        cmocka_unit_test(nearest_name),
        cmocka_unit_test(utf8_is_told_from_other_bytes),
        cmocka_unit_test(buf_keeps_its_limit),
        cmocka_unit_test(canonical_json_is_one_form),
        cmocka_unit_test(wire_refuses_what_is_no_message),
        cmocka_unit_test(wire_round_trip_over_a_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
