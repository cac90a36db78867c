/* Settings files: command line over environment over file over default, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/mono.h"
#include "common/opts.h"

static const struct opt options[] = {
    { .name = "config", .type = OPT_FILE, .value = "FILE", .help = "settings" },
    { .name = "join", .type = OPT_TEXT, .required = true, .env = "TEST_OPTS_JOIN", .help = "where" },
    { .name = "slots", .type = OPT_INT, .fallback = "1", .lo = 1, .hi = 64, .help = "how many" },
    { .name = "drain-grace", .type = OPT_DURATION, .fallback = "30s", .help = "how long" },
    { .name = "level", .type = OPT_CHOICE, .choices = "low|high", .fallback = "low", .help = "which" },
    { .name = "quiet", .type = OPT_FLAG, .help = "say nothing" },
    { .name = "data-path", .type = OPT_TEXT, .many = true, .help = "again and again" },
    { 0 },
};
static const struct cmd program = { .name = "prog", .summary = "A program", .options = { options } };

static char path[] = "/tmp/test_opts_file.XXXXXX";

static int setup(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

/* Write the file and parse `prog --config FILE EXTRA...`. */
static struct opts *parse(const char *text, const char *extra, struct err *e)
{
    static char words[3][40];
    char *argv[] = { words[0], words[1], path, words[2], NULL };
    snprintf(words[0], sizeof words[0], "prog");
    snprintf(words[1], sizeof words[1], "--config");
    snprintf(words[2], sizeof words[2], "%s", extra ? extra : "");
    AUTO(fclose) FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fflush(f);
    return opts_parse(&program, extra ? 4 : 3, argv, e);
}

static void test_order(void **state)
{
    (void)state;
    struct err e = { 0 };
    const char *text = "join = \"here\"; slots = 8; drain_grace = \"2m\"; quiet = true;";
    AUTO(opts_free) struct opts *o = parse(text, NULL, &e);
    assert_string_equal(e.text, "");
    assert_string_equal(opts_text(o, "join"), "here");
    assert_int_equal(opts_int(o, "slots"), 8);
    assert_true(opts_int(o, "drain-grace") == 120 * NS_PER_S);
    assert_string_equal(opts_text(o, "level"), "low");
    assert_true(opts_flag(o, "quiet"));
    AUTO(opts_free) struct opts *line = parse(text, "--slots=3", &e);
    assert_int_equal(opts_int(line, "slots"), 3);
    setenv("TEST_OPTS_JOIN", "there", 1);
    AUTO(opts_free) struct opts *env = parse(text, NULL, &e);
    unsetenv("TEST_OPTS_JOIN");
    assert_string_equal(opts_text(env, "join"), "there");
    AUTO(opts_free) struct opts *off = parse("join = \"x\"; quiet = false;", NULL, &e);
    assert_false(opts_flag(off, "quiet"));
}

static void expect_list(const char *text, const char *extra, size_t n, const char *first)
{
    struct err e = { 0 };
    const char *const *values;
    AUTO(opts_free) struct opts *o = parse(text, extra, &e);
    assert_string_equal(e.text, "");
    assert_int_equal(opts_list(o, "data-path", &values), n);
    if (n)
        assert_string_equal(values[0], first);
}

static void test_lists(void **state)
{
    (void)state;
    expect_list("join = \"x\"; data_path = [\"a=/1\", \"b=/2\", \"c=/3\"];", NULL, 3, "a=/1");
    expect_list("join = \"x\"; data_path = (\"a=/1\", \"b=/2\");", NULL, 2, "a=/1");
    expect_list("join = \"x\"; data_path = \"a=/1\";", NULL, 1, "a=/1");
    expect_list("join = \"x\"; data_path = [];", NULL, 0, NULL);
    expect_list("join = \"x\"; data_path = [\"a=/1\", \"b=/2\"];", "--data-path=z", 1, "z"); /* instead of the file's */
}

static const char *const refused[][2] = {
    { "slots = 8;", "prog: --join VALUE is missing" },
    { "join = \"x\";\nslot = 8;", ":2: 'slot' is not a setting of prog; did you mean 'slots'?" },
    { "join = \"x\"; slots = 65;", ":1: slots: '65' is not a whole number in 1..64" },
    { "join = \"x\"; level = \"hihg\";", ":1: level: 'hihg' is not one of low|high; did you mean 'high'?" },
    { "join = \"x\"; quiet = 1;", ":1: quiet must be true or false" },
    { "join = \"x\"; slots = [1, 2];", ":1: slots must be a text, a number, or true or false" },
    { "join = \"x\"; slots = { a = 1; };", ":1: slots must be a text, a number, or true or false" },
    { "join = \"x\"; data_path = (\"a\", [\"b\"]);", ":1: data_path must be a list of texts" },
    { "join = \"x\"; data_paht = [\"a\"];", "did you mean 'data-path'?" },
    { "join = \"x\"; config = \"y\";", ":1: 'config' is not a setting of prog" },
    { "join = ", ":1: syntax error" },
    { "join = \"a\"b\"\";", ":1: syntax error" }, /* libconfig leaks here: tests/lsan.supp */
    { "@include \"/etc/passwd\"", ":1: @include is not allowed" },
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct err e = { 0 };
        struct opts *o = parse(refused[i][0], NULL, &e);
        if (o || !strstr(e.text, refused[i][1]))
            fail_msg("%s\n  wanted %s\n  has    %s", refused[i][0], refused[i][1], e.text);
    }
}

static void test_missing(void **state)
{
    (void)state;
    struct err e = { 0 };
    char prog[] = "prog", config[] = "--config=/nonexistent";
    assert_null(opts_parse(&program, 2, (char *[]){ prog, config, NULL }, &e));
    assert_int_equal(e.kind, ERR_INPUT);
    assert_string_equal(e.text, "prog: /nonexistent: cannot open: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_missing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
