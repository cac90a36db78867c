/* Config tables: values, defaults, what is refused and how it is said. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/conf.h"
#include "common/digest.h"
#include "common/mono.h"

struct port {
    struct conf_text name;
    int64_t number;
    int line;
};
struct all {
    bool flag;
    int64_t whole, wait, room, unset;
    double real;
    struct conf_text text, absent;
    int choice;
    struct conf_list words, ports;
    struct inner {
        int64_t depth;
    } inner;
    json_t *user;
};

#define P(f) .name = #f, .at = CONF_AT(struct port, f)
static const struct conf_key port_keys[] = {
    { P(name), .type = CONF_TEXT, .required = true, .help = "its name" },
    { P(number), .type = CONF_INT, .fallback = "80", .lo = 1, .hi = 65535, .help = "its number" },
    { 0 },
};
static const struct conf_table port_table = { "a port", sizeof(struct port), port_keys, CONF_AT(struct port, line) };
static const struct conf_key inner_keys[] = {
    { .name = "depth", .type = CONF_INT, .at = CONF_AT(struct inner, depth), .fallback = "3", .role = CONF_IDENTITY, .help = "d" },
    { 0 },
};
static const struct conf_table inner_table = { "inner", sizeof(struct inner), inner_keys, SIZE_MAX };
#define A(f) .name = #f, .at = CONF_AT(struct all, f)
static const struct conf_key all_keys[] = {
    { A(flag), .type = CONF_BOOL, .fallback = "true", .help = "f" },
    { A(whole), .type = CONF_INT, .fallback = "5", .lo = -10, .hi = 1e13, .role = CONF_IDENTITY, .help = "w" },
    { A(unset), .type = CONF_INT, .role = CONF_IDENTITY, .help = "u" },
    { A(real), .type = CONF_REAL, .fallback = "0.5", .lo = 0, .hi = 1, .role = CONF_IDENTITY, .help = "r" },
    { A(wait), .type = CONF_DURATION, .fallback = "90s", .lo = 0, .hi = 3600, .help = "w" },
    { A(room), .type = CONF_SIZE, .fallback = "2KiB", .help = "s" },
    { A(text), .type = CONF_TEXT, .fallback = "hello", .help = "t" },
    { A(absent), .type = CONF_TEXT, .help = "a" },
    { A(choice), .type = CONF_CHOICE, .fallback = "green", .choices = "red|green|blue", .role = CONF_IDENTITY, .help = "c" },
    { A(words), .type = CONF_TEXTS, .help = "w" },
    { A(ports), .type = CONF_GROUPS, .table = &port_table, .help = "p" },
    { A(inner), .type = CONF_GROUP, .table = &inner_table, .help = "i" },
    { A(user), .type = CONF_FREE, .help = "u" },
    { 0 },
};
static const struct conf_table all_table = { "the file", sizeof(struct all), all_keys, SIZE_MAX };

static void test_defaults(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(conf_destroy) struct conf *c = conf_parse(&all_table, "", "x.cfg", &e);
    assert_non_null(c);
    const struct all *v = conf_values(c);
    assert_true(v->flag);
    assert_int_equal(v->whole, 5);
    assert_true(v->unset == CONF_UNSET_INT);
    assert_true(v->real == 0.5);
    assert_true(v->wait == 90 * NS_PER_S);
    assert_int_equal(v->room, 2048);
    assert_string_equal(v->text.s, "hello");
    assert_null(v->absent.s);
    assert_int_equal(v->choice, 1);
    assert_int_equal(v->words.n, 0);
    assert_int_equal(v->inner.depth, 3);
    assert_null(v->user);
}

static const char *const full = "flag = false; whole = 9999999999999L; real = 1; wait = \"2m\"; room = \"1GiB\";\n"
                                "text = \"a \\\"b\\\"\"; choice = \"blue\"; words = [\"x\", \"y\"];\n"
                                "ports = ( { name = \"web\"; },\n { name = \"dns\"; number = 0x35; } );\n"
                                "inner = { depth = -1; };\n"
                                "user = { deep = { list = (1, 2.5, \"z\", true); }; };\n";

static void check_full(const struct all *v)
{
    assert_false(v->flag);
    assert_true(v->whole == 9999999999999LL);
    assert_true(v->real == 1.0);
    assert_true(v->wait == 120 * NS_PER_S);
    assert_true(v->room == 1 << 30);
    assert_string_equal(v->text.s, "a \"b\"");
    assert_int_equal(v->choice, 2);
    assert_int_equal(v->words.n, 2);
    assert_string_equal(((struct conf_text *)v->words.items)[1].s, "y");
    const struct port *ports = v->ports.items;
    assert_int_equal(v->ports.n, 2);
    assert_int_equal(ports[0].number, 80);
    assert_int_equal(ports[1].number, 53);
    assert_int_equal(v->inner.depth, -1);
    AUTO(json_decref) json_t *wanted = json_loads("{\"deep\":{\"list\":[1,2.5,\"z\",true]}}", 0, NULL);
    assert_true(json_equal(v->user, wanted));
}

static void test_values(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(conf_destroy) struct conf *c = conf_parse(&all_table, full, "x.cfg", &e);
    assert_non_null(c);
    const struct all *v = conf_values(c);
    check_full(v);
    assert_int_equal(v->text.line, 2);
    assert_int_equal(((struct port *)v->ports.items)[1].line, 4);
}

/* What is printed means the same when read, with and without explanations. */
static void test_print(void **state)
{
    (void)state;
    struct err e = { 0 };
    for (int comments = 0; comments < 2; comments++) {
        AUTO(conf_destroy) struct conf *c = conf_parse(&all_table, full, "x.cfg", &e);
        AUTO(buf_free) struct buf b = BUF_INIT(1 << 20);
        conf_print(&all_table, conf_values(c), comments, &b);
        AUTO(conf_destroy) struct conf *again = conf_parse(&all_table, buf_text(&b), "printed", &e);
        assert_string_equal(e.text, "");
        check_full(conf_values(again));
        assert_true(!comments == !strstr(buf_text(&b), "# its number; 1..65535; default 80"));
    }
}

static void test_json_by_role(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(conf_destroy) struct conf *c = conf_parse(&all_table, full, "x.cfg", &e);
    AUTO(json_decref) json_t *has = conf_json(&all_table, conf_values(c), CONF_IDENTITY);
    AUTO(json_decref) json_t *wanted = json_loads(
        "{\"whole\":9999999999999,\"real\":1,\"choice\":\"blue\",\"inner\":{\"depth\":-1}}", 0, NULL);
    assert_true(json_equal(has, wanted));
}

/* Each text with the message it must give. */
static const char *const refused[][2] = {
    { "whloe = 1;", "x.cfg:1: 'whloe' is not a key of the file; did you mean 'whole'?" },
    { "\n\nports = ( { name = \"a\"; nmber = 1; } );", "x.cfg:3: 'nmber' is not a key of a port; did you mean 'number'?" },
    { "zzzzzzzzzz = 1;", "x.cfg:1: 'zzzzzzzzzz' is not a key of the file" },
    { "whole = \"5\";", "x.cfg:1: whole of the file must be a whole number, but here is a text" },
    { "whole = 5.0;", "x.cfg:1: whole of the file must be a whole number, but here is a real number" },
    { "whole = -11;", "x.cfg:1: whole of the file must be in -10..10000000000000" },
    { "whole = 3000000000;", "x.cfg:1: the number 3000000000 needs an L behind it (64 bits): 3000000000L" },
    { "whole = 99999999999999999999L;", "x.cfg:1: the number 99999999999999999999... is too large" },
    { "real = 1e400;", "x.cfg:1: real of the file is not a finite number" },
    { "real = 1.5;", "x.cfg:1: real of the file must be in 0..1" },
    { "flag = 1;", "x.cfg:1: flag of the file must be true or false, but here is a number" },
    { "choice = \"purple\";", "x.cfg:1: choice of the file must be one of red|green|blue, not 'purple'" },
    { "wait = \"2 weeks\";", "x.cfg:1: wait of the file: " },
    { "wait = \"2h\";", "x.cfg:1: wait of the file must be in 0..3600 seconds" },
    { "room = \"many\";", "x.cfg:1: room of the file: " },
    { "words = \"x\";", "x.cfg:1: words of the file must be a list of texts" },
    { "words = (\"x\", 1);", "x.cfg:1: words of the file must be a list of texts" },
    { "ports = { };", "x.cfg:1: ports of the file must be a list of groups" },
    { "ports = ( 1 );", "x.cfg:1: ports of the file must be a list of groups" },
    { "\nports = ( { number = 1; } );", "x.cfg:2: a port needs the key 'name' (its name)" },
    { "inner = 1;", "x.cfg:1: inner of the file must be a group" },
    { "user = 1;", "x.cfg:1: user of the file must be a group" },
    { "user = { a = \"\xff\"; };", "x.cfg:1: byte 0xff is not UTF-8 text; save the file as UTF-8" },
    { "whole = 1;\n# caf\xe9\n", "x.cfg:2: byte 0xe9 is not UTF-8 text" },
    { "whole = 1;\nwhole = 2;", "x.cfg:2: duplicate setting name" },
    { "whole = ;", "x.cfg:1: syntax error" },
    { "a\"b\"", "x.cfg:1: syntax error" }, /* libconfig leaks here: tests/lsan.supp */
    { "\n  @include \"/etc/passwd\"", "x.cfg:2: @include is not allowed" },
    { "text = \"\n@include \\\"x\\\"\n\";", "x.cfg:2: @include is not allowed" },
    { "text = \"no end", "x.cfg:1: this text has no closing quote" },
    { "text = \"a\x01\"; \x02", "x.cfg:1: unexpected control byte 0x02" },
    { "user = {a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={a={",
      "x.cfg:1: groups nested deeper than 32" },
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct err e = { 0 };
        struct conf *c = conf_parse(&all_table, refused[i][0], "x.cfg", &e);
        if (c || e.kind != ERR_INPUT || strncmp(e.text, refused[i][1], strlen(refused[i][1])) != 0)
            fail_msg("%s\n  wanted %s\n  has    %s", refused[i][0], refused[i][1], e.text);
    }
}

/* Comments and texts may hold what is refused elsewhere. */
static void test_scan_skips(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(conf_destroy) struct conf *c = conf_parse(
        &all_table, "# 99999999999 {{{\n// @include\n/* 99999999999\n ((( */ text = \"99999999999 {\\\"\"; real = 0.123456789012;",
        "x.cfg", &e);
    assert_string_equal(e.text, "");
    assert_true(((const struct all *)conf_values(c))->real == 0.123456789012);
}

static void test_file(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_null(conf_load(&all_table, "/nonexistent/x.cfg", &e));
    assert_int_equal(e.kind, ERR_INPUT);
    assert_string_equal(e.text, "/nonexistent/x.cfg: cannot open: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),     cmocka_unit_test(test_values),  cmocka_unit_test(test_print),
        cmocka_unit_test(test_json_by_role), cmocka_unit_test(test_refused), cmocka_unit_test(test_scan_skips),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
