/* Answers that come one by one: what an interrupted evaluation finds again, and what it does not trust. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/data_files.h"
#include "worker/evaluate/answer_log.h"

static const char questions[] =
    "{\"benchmark\":\"scienceqa\",\"id\":\"a\",\"question\":\"1?\",\"options\":[\"x\",\"y\"],\"answer\":\"A\"}\n"
    "{\"benchmark\":\"scienceqa\",\"id\":\"b\",\"question\":\"2?\",\"options\":[\"x\",\"y\"],\"answer\":\"B\"}\n"
    "{\"benchmark\":\"scienceqa\",\"id\":\"c\",\"question\":\"3?\",\"options\":[\"x\",\"y\"],\"answer\":\"A\"}\n";

static int setup(void **state)
{
    return scratch_make(state);
}

static struct question_set *three(void)
{
    struct err e = { 0 };
    struct question_set *s = question_set_parse(questions, sizeof questions - 1, "three", &e);
    if (!s)
        fail_msg("%s", e.text);
    return s;
}

static struct answer_log *open_log(const char *run, const struct question_set *s)
{
    struct err e = { 0 };
    struct answer_log *l = answer_log_open(in_scratch("log"), run, s, &e);
    if (!l)
        fail_msg("%s", e.text);
    return l;
}

static void put(struct answer_log *l, size_t i, const char *answer)
{
    struct err e = { 0 };
    if (answer_log_put(l, i, answer, &e) < 0 || answer_log_sync(l, &e) < 0)
        fail_msg("%s", e.text);
}

static void expect_text(const char *file, const char *text)
{
    char have[4096];
    FILE *f = fopen(in_scratch(file), "r");
    assert_non_null(f);
    size_t n = fread(have, 1, sizeof have - 1, f);
    fclose(f);
    have[n] = '\0';
    assert_string_equal(have, text);
}

static void goes_on_where_it_was(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(question_set_destroy) struct question_set *s = three();
    struct answer_log *l = open_log("run 1", s);
    put(l, 2, "A \"quoted\"\nline");
    put(l, 0, "");
    answer_log_close(l);
    l = open_log("run 1", s);
    assert_string_equal(answer_log_get(l, 2), "A \"quoted\"\nline");
    assert_string_equal(answer_log_get(l, 0), ""); /* an answer, though empty */
    assert_null(answer_log_get(l, 1));
    assert_int_equal(answer_log_finish(l, in_scratch("answers.jsonl"), &e), -1); /* one is missing */
    assert_int_equal(e.kind, ERR_BUG);
    put(l, 1, "B");
    err_clear(&e);
    assert_int_equal(answer_log_finish(l, in_scratch("answers.jsonl"), &e), 0);
    expect_text("answers.jsonl", "{\"id\":\"a\",\"answer\":\"\"}\n{\"id\":\"b\",\"answer\":\"B\"}\n"
                                 "{\"id\":\"c\",\"answer\":\"A \\\"quoted\\\"\\nline\"}\n");
    answer_log_close(l);
}

/* Killed in the middle of a line, or a line that is none: that and what follows is answered again. */
static void a_broken_end_is_cut_off(void **state)
{
    (void)state;
    AUTO(question_set_destroy) struct question_set *s = three();
    static const char *const ends[] = { "{\"id\":\"b\",\"ans", "{\"id\":\"b\",\"answer\":\"B\"}", "rubbish\n{\"id\":\"b\",\"answer\":\"B\"}\n",
                                        "{\"id\":\"a\",\"answer\":\"twice\"}\n", "{\"id\":\"z\",\"answer\":\"whose?\"}\n" };
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char text[300];
        snprintf(text, sizeof text, "{\"run\":\"r\"}\n{\"id\":\"a\",\"answer\":\"A\"}\n%s", ends[i]);
        put_text("log", text);
        struct answer_log *l = open_log("r", s);
        assert_string_equal(answer_log_get(l, 0), "A");
        assert_null(answer_log_get(l, 1));
        put(l, 1, "C");
        answer_log_close(l);
        expect_text("log", "{\"run\":\"r\"}\n{\"id\":\"a\",\"answer\":\"A\"}\n{\"id\":\"b\",\"answer\":\"C\"}\n");
    }
}

static void another_run_begins_anew(void **state)
{
    (void)state;
    AUTO(question_set_destroy) struct question_set *s = three();
    static const char *const others[] = { "", "{\"run\":\"other\"}\n{\"id\":\"a\",\"answer\":\"A\"}\n",
                                          "{\"id\":\"a\",\"answer\":\"A\"}\n", "{\"run\":\"r" };
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        put_text("log", others[i]);
        struct answer_log *l = open_log("r", s);
        assert_null(answer_log_get(l, 0));
        answer_log_close(l);
        expect_text("log", "{\"run\":\"r\"}\n");
    }
}

/* A node that was given up goes on writing while another one has the task. */
static void a_given_up_attempt_does_no_harm(void **state)
{
    (void)state;
    AUTO(question_set_destroy) struct question_set *s = three();
    put_text("log", "");
    struct answer_log *old = open_log("r", s);
    put(old, 0, "A");
    struct answer_log *now = open_log("r", s);
    assert_string_equal(answer_log_get(now, 0), "A");
    put(old, 1, "of the old one, and long");
    put(now, 2, "C");
    put(old, 2, "D");
    expect_text("log", "{\"run\":\"r\"}\n{\"id\":\"a\",\"answer\":\"A\"}\n{\"id\":\"c\",\"answer\":\"C\"}\n");
    answer_log_close(old);
    answer_log_close(now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_where_it_was),
        cmocka_unit_test(a_broken_end_is_cut_off),
        cmocka_unit_test(another_run_begins_anew),
        cmocka_unit_test(a_given_up_attempt_does_no_harm),
    };
    return cmocka_run_group_tests(tests, setup, scratch_remove);
}
