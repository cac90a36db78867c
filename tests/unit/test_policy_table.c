/* The CSV parser: what it accepts, and one clear message with place and remedy for everything else. */
#include "tests/unit/policy_golden.h"

static struct policy_table *parse(const char *text, struct err *e)
{
    return policy_table_parse(text, strlen(text), "t.csv", e);
}

static void accepts(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(policy_table_destroy)
    struct policy_table *t =
        parse("\xef\xbb\xbfperf:VQA,representation,\"a:VQA\",c\r\n64.5,\"A, \"\"B\"\"\",,1e1\r\n\r\n,C,-0.5,\r\n", &e);
    if (!t)
        fail_msg("%s", e.text);
    assert_int_equal(policy_table_representations(t), 2);
    assert_string_equal(policy_table_representation(t, 0), "A, \"B\"");
    assert_string_equal(policy_table_benchmark(t, 0), "VQA");
    assert_true(policy_table_perf(t, 0, 0) == 64.5 && policy_table_c(t, 0, 0) == 10 && isnan(policy_table_a(t, 0, 0)));
    assert_true(policy_table_a(t, 1, 0) == -0.5 && isnan(policy_table_c(t, 1, 0)) && isnan(policy_table_perf(t, 1, 0)));
}

/* Benchmarks with a correspondence set of their own. */
static void accepts_own_c(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(policy_table_destroy)
    struct policy_table *t = parse("c:B,representation,a:A,perf:A,a:B,perf:B,c\n7,x,1,2,3,4,5\n,y,1,2,3,4,6\n", &e);
    if (!t)
        fail_msg("%s", e.text);
    assert_true(policy_table_c(t, 0, 0) == 7 && policy_table_c(t, 0, 1) == 5); /* B is the first that is named */
    assert_true(isnan(policy_table_c(t, 1, 0)) && policy_table_c(t, 1, 1) == 6);
    AUTO(policy_table_destroy) struct policy_table *all_own = parse("representation,c:A,a:A,perf:A\nx,1,2,3\n", &e);
    assert_non_null(all_own);
}

#define HEAD "representation,c,a:B,perf:B\n"

static void refuses(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "", "t.csv: the table is empty" },
        { "\n\n", "t.csv: the table is empty" },
        { "representation,c\n", "line 1: no benchmark; add" },
        { "c,a:B,perf:B\n", "line 1: the header lacks the column 'representation'" },
        { "representation,a:B,perf:B\n", "line 1: the header lacks the column 'c'" },
        { "representation,c,a:B\n", "line 1: benchmark 'B' lacks the column 'perf:B'" },
        { "representation,c,perf:B\n", "line 1: benchmark 'B' lacks the column 'a:B'" },
        { "representation,c,c,a:B\n", "line 1, column 3: column 'c' appears twice" },
        { "representation,c,a:B,a:B\n", "line 1, column 4: column 'a:B' appears twice" },
        { "representation,c,a:\n", "line 1, column 3: the benchmark has no name" },
        { "representation,c:A,a:A,perf:A,a:B,perf:B\n", "line 1: the header lacks the column 'c'" },
        { "representation,c,c:B,a:B,perf:B,c:B\n", "line 1, column 6: column 'c:B' appears twice" },
        { "representation,C\n", "line 1, column 2: unknown column 'C'; known are" },
        { HEAD, "has a header but no representation" },
        { HEAD "x,1,2\n", "line 2: 3 cells where the header has 4" },
        { HEAD "x,1,2,3,4\n", "line 2: more cells than the header's 4" },
        { HEAD "x,1,2,3\n,1,2,3\n", "line 3, column 1: the representation has no name" },
        { HEAD "x,1,2,3\nx,1,2,3\n", "representation 'x' appears twice" },
        { HEAD "x,one,2,3\n", "line 2, column 2 (c): 'one' is not a number" },
        { HEAD "x,1,nan,3\n", "line 2, column 3 (B): 'nan' is not a number" },
        { HEAD "x,1,2,inf\n", "line 2, column 4 (B): 'inf' is not a number" },
        { HEAD "x,1,2,1e200\n", "line 2, column 4 (B): '1e200' is not a number" },
        { HEAD "x, 1,2,3\n", "line 2, column 2 (c): ' 1' is not a number" },
        { HEAD "\"x,1,2,3\n", "line 2, column 1: a line break inside quotes" },
        { HEAD "\"x,1,2,3", "line 2, column 1: the quote is never closed" },
        { HEAD "x\"y,1,2,3\n", "line 2, column 1: a quote in the middle" },
        { HEAD "\"x\"y,1,2,3\n", "line 2, column 1: expected a comma" },
        { HEAD "x,1,2,3\ry,1,2,3\n", "line 2, column 4: expected a comma" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        struct policy_table *t = parse(cases[i].text, &e);
        if (t || e.kind != ERR_INPUT || !strstr(e.text, cases[i].message) || strncmp(e.text, "t.csv: ", 7) != 0)
            fail_msg("case %zu: %s: want '%s', got '%s'", i, t ? "accepted" : "refused", cases[i].message, e.text);
    }
}

static void refuses_sizes(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_null(policy_table_parse(HEAD "a\0b,1,2,3\n", strlen(HEAD) + 9, "t.csv", &e));
    assert_non_null(strstr(e.text, "line 2, column 1: a NUL byte"));
    err_clear(&e);
    assert_null(policy_table_parse("", (size_t)POLICY_MAX_CSV + 1, "t.csv", &e));
    assert_non_null(strstr(e.text, "over 16777216 bytes"));
    err_clear(&e);
    char text[1024] = HEAD;
    memset(text + strlen(text), 'x', 400);
    assert_null(parse(text, &e));
    assert_non_null(strstr(e.text, "longer than 255 bytes"));
    err_clear(&e);
    /* One row too many. */
    size_t rows = POLICY_MAX_REPRESENTATIONS + 1, len = strlen(HEAD);
    char *many = malloc(len + 16 * rows);
    memcpy(many, HEAD, len);
    for (size_t i = 0; i < rows; i++)
        len += (size_t)sprintf(many + len, "r%zu,,,\n", i);
    assert_null(policy_table_parse(many, len, "t.csv", &e));
    assert_non_null(strstr(e.text, "line 4098: more than 4096 representations"));
    free(many);
}

static void finds_names(void **state)
{
    (void)state;
    AUTO(policy_table_destroy) struct policy_table *t = load_paper();
    struct err e = { 0 };
    size_t i;
    assert_int_equal(policy_table_find_representation(t, "C+D@336", &i, &e), 0);
    assert_int_equal(i, 12);
    assert_int_equal(policy_table_find_benchmark(t, "MMBnch", &i, &e), -1);
    assert_non_null(strstr(e.text, "did you mean 'MMBench'?"));
}

/* ---- a line for each value ---- */

static struct policy_table *two_by_two(void)
{
    struct err e = { 0 };
    struct policy_table *t = policy_table_create((const char *const[]){ "CLIP@336", "A,B" }, 2,
                                                 (const char *const[]){ "MME", "VQA" }, 2, &e);
    assert_non_null(t);
    return t;
}

static void accepts_values(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(policy_table_destroy) struct policy_table *t = two_by_two();
    static const char text[] = "value,benchmark,c,representation\r\n1502.7,MME,15,CLIP@336\n2,VQA,,\"A,B\"\n3,MME,4,\"A,B\"\n"
                               "\n-1e2,VQA,15,CLIP@336";
    if (policy_table_read_values(t, text, sizeof text - 1, "t.csv", &e) < 0)
        fail_msg("%s", e.text);
    assert_true(policy_table_perf(t, 0, 0) == 1502.7 && policy_table_perf(t, 0, 1) == -100);
    assert_true(policy_table_perf(t, 1, 0) == 3 && policy_table_perf(t, 1, 1) == 2);
    assert_true(policy_table_c(t, 0, 0) == 15 && isnan(policy_table_c(t, 1, 1)) && isnan(policy_table_a(t, 0, 0)));
}

static void refuses_values(void **state)
{
    (void)state;
#define THREE "representation,benchmark,value\nCLIP@336,MME,1\nCLIP@336,VQA,2\n\"A,B\",MME,3\n"
    static const char *const cases[][2] = {
        { "", "t.csv: the table is empty; its first line must be representation,benchmark,value" },
        { "representation,benchmark\n", "t.csv: line 1: the header lacks the column 'value'; add it" },
        { "representation,benchmark,value,perf\n", "t.csv: line 1, column 4: unknown column 'perf'; known are" },
        { "representation,value,value\n", "t.csv: line 1, column 3: this column appears twice" },
        { "representation,benchmark,value\nCLIP@337,MME,1\n",
          "t.csv: line 2, column 1: there is no representation 'CLIP@337'; did you mean 'CLIP@336'?" },
        { "representation,benchmark,value\nCLIP@336,SEED,1\n", "t.csv: line 2, column 2: there is no benchmark 'SEED'" },
        { THREE, "t.csv: 1 of 4 values are missing, the first that of 'A,B' on 'VQA'; add a line for each" },
        { THREE "CLIP@336,VQA,2\n", "t.csv: line 5: 'CLIP@336' on 'VQA' was given before, in line 3; keep one of them" },
        { THREE "\"A,B\",VQA,\n", "t.csv: line 5, column 3: the value is missing" },
        { THREE "\"A,B\",VQA,good\n", "t.csv: line 5, column 3 (value): 'good' is not a number" },
        { THREE "\"A,B\",VQA,nan\n", "t.csv: line 5, column 3 (value): 'nan' is not a number" },
        { THREE "\"A,B\",VQA\n", "t.csv: line 5: 2 cells where the header has 3" },
        { THREE "\"A,B\",VQA,1,2\n", "t.csv: line 5: more cells than the header's 3" },
        { THREE "\"A,B", "t.csv: line 5, column 1: the quote is never closed" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        AUTO(policy_table_destroy) struct policy_table *t = two_by_two();
        assert_int_equal(policy_table_read_values(t, cases[i][0], strlen(cases[i][0]), "t.csv", &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        if (!strstr(e.text, cases[i][1]))
            fail_msg("'%s' instead of '%s'", e.text, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(accepts), cmocka_unit_test(accepts_own_c),
                                        cmocka_unit_test(refuses), cmocka_unit_test(refuses_sizes),
                                        cmocka_unit_test(finds_names), cmocka_unit_test(accepts_values),
                                        cmocka_unit_test(refuses_values) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
