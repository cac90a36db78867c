/* The command line parser: what it accepts, what it says when it does not, and the texts made from the tables. */
#include "common/opts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int run_nothing(const struct opts *o, struct err *e)
{
    (void)o;
    (void)e;
    return 0;
}

static int run_fails(const struct opts *o, struct err *e)
{
    (void)o;
    return FAIL(e, ERR_INPUT, "sweep.cfg:3: no such key");
}

static const struct opt options[] = {
    { .name = "state", .letter = 's', .type = OPT_DIR, .value = "DIR", .fallback = "./x", .env = "TEST_STATE", .help = "where" },
    { .name = "workers", .letter = 'n', .type = OPT_INT, .value = "N", .fallback = "4", .lo = 1, .hi = 64, .help = "how many" },
    { .name = "grace", .type = OPT_DURATION, .value = "TIME", .fallback = "1.5s", .help = "how long" },
    { .name = "memory", .type = OPT_SIZE, .value = "SIZE", .help = "how much" },
    { .name = "ratio", .type = OPT_REAL, .value = "X", .lo = 0, .hi = 1, .help = "part" },
    { .name = "mode", .type = OPT_CHOICE, .choices = "paper|default", .fallback = "default", .help = "which" },
    { .name = "group", .letter = 'g', .type = OPT_TEXT, .many = true, .value = "NAME", .help = "groups" },
    { .name = "json", .letter = 'j', .type = OPT_FLAG, .env = "TEST_JSON", .help = "for programs" },
    { .name = "quiet", .letter = 'q', .type = OPT_FLAG, .help = "say less" },
    { 0 },
};
static const struct opt needs[] = {
    { .name = "data", .type = OPT_FILE, .value = "FILE", .required = true, .help = "table" },
    { 0 },
};
static const struct cmd cmd_run = { .name = "run", .summary = "Run it", .args = "SWEEP.CFG [DIR]", .options = { options }, .run = run_nothing };
static const struct cmd cmd_retry = { .name = "retry", .summary = "Again", .args = "TASK...", .run = run_nothing };
static const struct cmd cmd_bad = { .name = "bad", .summary = "Fail", .run = run_fails };
static const struct cmd cmd_fit = { .name = "fit", .summary = "Fit it", .options = { options, needs }, .run = run_nothing };
static const struct cmd cmd_policy = { .name = "policy", .summary = "Rules", .sub = (const struct cmd *const[]){ &cmd_fit, NULL } };
static const struct cmd root = {
    .name = "prog",
    .summary = "Test",
    .sub = (const struct cmd *const[]){ &cmd_run, &cmd_retry, &cmd_bad, &cmd_policy, NULL },
};

#define PARSE(e, ...)                                                                                                  \
    opts_parse(&root, (int)ARRAY_LEN(((const char *[]){ "prog", __VA_ARGS__ })),                                       \
               (char *const *)(const char *[]){ "prog", __VA_ARGS__, NULL }, (e))

/* The line must be refused as a usage error with exactly this text. */
#define assert_refused(want, ...)                                                                                      \
    do {                                                                                                               \
        struct err refused_ = { 0 };                                                                                   \
        assert_null(PARSE(&refused_, __VA_ARGS__));                                                                    \
        assert_int_equal(refused_.kind, ERR_USAGE);                                                                    \
        assert_string_equal(refused_.text, want);                                                                      \
    } while (0)

static void test_values(void **s)
{
    (void)s;
    struct err e = { 0 };
    AUTO(opts_free) struct opts *o = PARSE(&e, "run", "--workers=7", "a.cfg", "--grace", "2s", "--memory", "1MiB", "-qj",
                                           "--ratio", "0.5", "-gone", "-g", "two", "-s", "/tmp/d", "--", "--dir");
    assert_string_equal(e.text, "");
    assert_non_null(o);
    assert_string_equal(opts_path(o), "prog run");
    assert_ptr_equal(opts_cmd(o), &cmd_run);
    assert_int_equal(opts_int(o, "workers"), 7);
    assert_int_equal(opts_int(o, "grace"), INT64_C(2000000000));
    assert_int_equal(opts_int(o, "memory"), 1 << 20);
    assert_true(opts_real(o, "ratio") == 0.5);
    assert_string_equal(opts_text(o, "state"), "/tmp/d");
    assert_true(opts_flag(o, "json") && opts_flag(o, "quiet"));
    const char *const *groups;
    assert_int_equal(opts_list(o, "group", &groups), 2);
    assert_string_equal(groups[0], "one");
    assert_string_equal(groups[1], "two");
    assert_int_equal(opts_n_args(o), 2);
    assert_string_equal(opts_arg(o, 0), "a.cfg");
    assert_string_equal(opts_arg(o, 1), "--dir");
    assert_null(opts_arg(o, 2));
}

static void test_defaults_and_environment(void **s)
{
    (void)s;
    struct err e = { 0 };
    setenv("TEST_STATE", "/from/env", 1);
    setenv("TEST_JSON", "0", 1);
    AUTO(opts_free) struct opts *o = PARSE(&e, "run", "a.cfg");
    assert_non_null(o);
    assert_int_equal(opts_int(o, "workers"), 4);
    assert_false(opts_given(o, "workers"));
    assert_int_equal(opts_int(o, "grace"), INT64_C(1500000000));
    assert_string_equal(opts_text(o, "state"), "/from/env");
    assert_true(opts_given(o, "state"));
    assert_string_equal(opts_text(o, "mode"), "default");
    assert_null(opts_text(o, "group"));
    assert_false(opts_flag(o, "json"));
    assert_false(opts_has(o, "data"));
    AUTO(opts_free) struct opts *over = PARSE(&e, "run", "a.cfg", "--state", "one", "--state", "two", "--json");
    assert_string_equal(opts_text(over, "state"), "two");
    assert_true(opts_flag(over, "json"));
    unsetenv("TEST_STATE");
    unsetenv("TEST_JSON");
}

static void assert_words(char *const *got, const char *const *want)
{
    size_t i = 0;
    for (; want[i]; i++) {
        assert_non_null(got[i]);
        assert_string_equal(got[i], want[i]);
    }
    assert_null(got[i]);
}

/* Words made of a parsed line, and of those words parsed again, are the same. */
static void test_argv(void **s)
{
    (void)s;
    struct err e = { 0 };
    setenv("TEST_STATE", "/from/env", 1);
    setenv("TEST_JSON", "0", 1);
    AUTO(opts_free) struct opts *o = PARSE(&e, "policy", "fit", "-g", "--one", "-qn7", "--data", "a b", "--group=", "--group",
                                           "two=2", "--ratio", "0.50");
    const char *const want[] = { "/bin/other",    "policy", "fit",         "--state=/from/env", "--workers=7", "--ratio=0.50",
                                 "--group=--one", "--group=", "--group=two=2", "--quiet",         "--data=a b", NULL };
    AUTO(opts_argv_free) char **words = opts_argv(o, "/bin/other", &e);
    assert_words(words, want);
    AUTO(opts_free) struct opts *again = opts_parse(&root, (int)ARRAY_LEN(want) - 1, words, &e);
    AUTO(opts_argv_free) char **twice = opts_argv(again, "/bin/other", &e);
    assert_words(twice, want);
    unsetenv("TEST_STATE");
    unsetenv("TEST_JSON");
    AUTO(opts_free) struct opts *args = PARSE(&e, "retry", "one", "--", "--two", "");
    AUTO(opts_argv_free) char **rest = opts_argv(args, "x", &e);
    assert_words(rest, (const char *const[]){ "x", "retry", "--", "one", "--two", "", NULL });
}

static void test_refusals(void **s)
{
    (void)s;
    assert_refused("prog: unknown command 'rnu'; did you mean 'run'?", "rnu");
    assert_refused("prog: unknown command 'zzzzzzz'", "zzzzzzz");
    assert_refused("prog: 'prog' must be followed by a command, not by --json", "--json");
    assert_refused("prog policy: a command is missing after 'prog policy'", "policy");
    assert_refused("prog run: argument SWEEP.CFG is missing", "run");
    assert_refused("prog run: unexpected argument 'c'", "run", "a", "b", "c");
    assert_refused("prog retry: argument TASK... is missing", "retry");
    assert_refused("prog run: unknown option --stat; did you mean --state?", "run", "a", "--stat=3");
    assert_refused("prog run: unknown option --zzzzzz", "run", "a", "--zzzzzz");
    assert_refused("prog run: unknown option -z", "run", "a", "-jz");
    assert_refused("prog run: --state needs a value: DIR", "run", "a", "--state");
    assert_refused("prog run: --state: must not be empty", "run", "a", "--state=");
    assert_refused("prog run: --json takes no value", "run", "a", "--json=1");
    assert_refused("prog run: --workers: '0' is not a whole number in 1..64", "run", "a", "--workers", "0");
    assert_refused("prog run: -n: '4x' is not a whole number in 1..64", "run", "a", "-n4x");
    assert_refused("prog run: --ratio: 1.5 is not within 0 and 1", "run", "a", "--ratio", "1.5");
    assert_refused("prog run: --mode: 'papper' is not one of paper|default; did you mean 'paper'?", "run", "a", "--mode",
                   "papper");
    assert_refused("prog policy fit: --data FILE is missing", "policy", "fit");
    assert_refused("prog policy: unknown command 'fot'; did you mean 'fit'?", "policy", "fot");
    setenv("TEST_STATE", "", 1); /* an empty variable counts as unset */
    struct err e = { 0 };
    AUTO(opts_free) struct opts *o = PARSE(&e, "run", "a");
    assert_non_null(o);
    unsetenv("TEST_STATE");
}

static char *print_to_text(void (*print)(FILE *))
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    assert_non_null(f);
    print(f);
    fclose(f);
    return text;
}

static void print_fit(FILE *f)
{
    opts_print_help(f, &root, &cmd_fit, "prog policy fit", 80);
}

static void print_narrow(FILE *f)
{
    opts_print_help(f, &root, &cmd_fit, "prog policy fit", 44);
}

static void print_completion(FILE *f)
{
    opts_print_completion(f, &root);
}

static void assert_within(const char *text, size_t width)
{
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        assert_true(len <= width);
        line += len + (line[len] == '\n');
    }
}

static void test_help(void **s)
{
    (void)s;
    AUTO(free) char *text = print_to_text(print_fit);
    assert_non_null(strstr(text, "Usage: prog policy fit [OPTION...]\n"));
    assert_non_null(strstr(text, "  -s, --state DIR         where (default ./x) [$TEST_STATE]\n"));
    assert_non_null(strstr(text, "      --mode paper|default\n"));
    assert_non_null(strstr(text, "  -g, --group NAME        groups (may be given again)\n"));
    assert_non_null(strstr(text, "      --data FILE         table (required)\n"));
    assert_within(text, 80);
    AUTO(free) char *narrow = print_to_text(print_narrow);
    assert_within(narrow, 44);
    struct err e = { 0 };
    /* --help works in spite of other mistakes, and at every level. */
    AUTO(opts_free) struct opts *o = PARSE(&e, "policy", "fit", "--help");
    assert_true(o && opts_help_wanted(o));
    AUTO(opts_free) struct opts *top = PARSE(&e, "-h");
    assert_true(top && opts_help_wanted(top));
}

static void test_completion(void **s)
{
    (void)s;
    AUTO(free) char *text = print_to_text(print_completion);
    char path[] = "/tmp/test_opts_XXXXXX", command[256];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    static const struct {
        const char *words, *expected;
    } cases[] = {
        { "prog re", "retry" },
        { "prog policy f", "fit" },
        { "prog policy fit --da", "--data" },
        { "prog run --mode p", "paper" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(command, sizeof command,
                 "cd / && bash -c 'source %s; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _prog; echo "
                 "\"${COMPREPLY[*]}\"'",
                 path, cases[i].words);
        FILE *p = popen(command, "r");
        char line[256] = "";
        assert_non_null(fgets(line, sizeof line, p));
        pclose(p);
        line[strcspn(line, "\n")] = '\0';
        assert_string_equal(line, cases[i].expected);
    }
    unlink(path);
}

static void test_main_codes(void **s)
{
    (void)s;
    assert_int_equal(opts_main(&root, 3, (char *[]){ (char[]){ "prog" }, (char[]){ "run" }, (char[]){ "a" }, NULL }), 0);
    assert_int_equal(opts_main(&root, 2, (char *[]){ (char[]){ "prog" }, (char[]){ "run" }, NULL }), 2);
    assert_int_equal(opts_main(&root, 2, (char *[]){ (char[]){ "prog" }, (char[]){ "bad" }, NULL }), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),     cmocka_unit_test(test_defaults_and_environment),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_help),
        cmocka_unit_test(test_completion), cmocka_unit_test(test_main_codes),
        cmocka_unit_test(test_argv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
