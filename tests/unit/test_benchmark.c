/* Questions, prompts, answers and what they are worth: against an independent implementation (tests/golden/benchmarks),
 * and what bad files are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "worker/benchmark/judge.h"
#include "worker/benchmark/metric.h"
#include "worker/benchmark/py_random.h"
#include "worker/benchmark/sample.h"

#define GOLDEN SOURCE_DIR "/tests/golden/benchmarks/"
#define NEAR 1e-9

static json_t *expected;

static int load_expected(void **state)
{
    (void)state;
    expected = json_load_file(GOLDEN "expected.json", 0, NULL);
    return expected ? 0 : -1;
}

static int drop_expected(void **state)
{
    (void)state;
    json_decref(expected);
    return 0;
}

static struct question_set *load(const char *name)
{
    char path[400];
    struct err e = { 0 };
    snprintf(path, sizeof path, GOLDEN "%s.jsonl", name);
    struct question_set *s = question_set_load(path, &e);
    if (!s)
        fail_msg("%s", e.text);
    return s;
}

static struct answer_set *load_answers(const char *name, const struct question_set *s)
{
    char path[400];
    struct err e = { 0 };
    snprintf(path, sizeof path, GOLDEN "%s.answers.jsonl", name);
    struct answer_set *a = answer_set_load(path, s, &e);
    if (!a)
        fail_msg("%s", e.text);
    return a;
}

static const char *text_at(const json_t *list, size_t i)
{
    const char *s = json_string_value(json_array_get(list, i));
    assert_non_null(s);
    return s;
}

static size_t encode(uint32_t c, char s[4])
{
    if (c < 0x80)
        return s[0] = (char)c, 1;
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        s[i] = (char)(0x80 | (c & 0x3F));
    s[0] = (char)((n == 2 ? 0xC0 : n == 3 ? 0xE0 : 0xF0) | c);
    return n;
}

/* ---- the golden benchmarks ------------------------------------------------------------------------------------------
 */

static void prompts(void **state)
{
    (void)state;
    const char *name;
    json_t *b;
    size_t seen = 0;
    json_object_foreach(json_object_get(expected, "benchmarks"), name, b)
    {
        AUTO(question_set_destroy) struct question_set *s = load(name);
        const json_t *want = json_object_get(b, "prompts");
        assert_int_equal(json_array_size(want), question_set_count(s));
        for (size_t i = 0; i < question_set_count(s); i++, seen++) {
            AUTO(buf_free) struct buf got = BUF_INIT(1 << 20);
            benchmark_prompt(question_set_family(s), question_set_at(s, i), &got);
            assert_string_equal(buf_text(&got), text_at(want, i));
        }
    }
    assert_true(seen > 150);
}

/* A place of MMMU's names its picture; other families have one place, and some texts look like one. */
static void pictures_of_places(void **state)
{
    (void)state;
    static const char text[] =
        "{\"benchmark\":\"mmmu\",\"id\":\"a\",\"image\":[\"1.png\",\"2.png\"],\"question\":\"Is <image 2> <image or <image 1>?\","
        "\"options\":[\"<image 2>\",\"<image 3>\"],\"answer\":\"A\"}\n"
        "{\"benchmark\":\"mmmu\",\"id\":\"b\",\"image\":[\"1.png\",\"2.png\"],\"question\":\"<image 8>?\",\"answer\":\"A\"}\n"
        "{\"benchmark\":\"mmmu\",\"id\":\"c\",\"question\":\"What?\",\"answer\":\"A\"}\n";
    static const struct {
        size_t n, pictures[4];
    } want[] = { { 4, { 1, 0, 1, 2 } }, { 1, { 0 } }, { 0, { 0 } } };
    struct err e = { 0 };
    AUTO(question_set_destroy) struct question_set *s = question_set_parse(text, sizeof text - 1, "x", &e);
    if (!s)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        size_t got[4] = { 0 };
        assert_int_equal(benchmark_prompt_pictures(question_set_family(s), question_set_at(s, i), got, 4), want[i].n);
        assert_memory_equal(got, want[i].pictures, sizeof got);
    }
}

static judge_fn judge_of(const char *name)
{
    static const struct {
        const char *name;
        judge_fn judge;
    } judges[] = {
        { "mmbench", judge_mmbench }, { "mme", judge_mme },   { "mmmu", judge_mmmu },
        { "okvqa", judge_vqa },       { "seed", judge_seed }, { "scienceqa", judge_scienceqa },
    };
    for (size_t i = 0; i < ARRAY_LEN(judges); i++)
        if (strcmp(judges[i].name, name) == 0)
            return judges[i].judge;
    fail_msg("no judge for %s", name);
    return NULL;
}

static void check_case(const char *name, const struct question *q, const json_t *want)
{
    const json_t *said = json_object_get(expected, "said"), *scores = json_object_get(want, "scores");
    const char *parsed = json_string_value(json_object_get(want, "parsed"));
    const char *letters = json_string_value(json_object_get(want, "letters"));
    for (size_t i = 0; i < json_array_size(said); i++) {
        struct verdict v = { 0 };
        struct err e = { 0 };
        assert_int_equal(judge_of(name)(q, text_of(text_at(said, i)), &v, &e), 0);
        double score = json_number_value(json_array_get(scores, i));
        char letter = (char)(v.letter == LETTER_NONE ? '-' : 'A' + v.letter);
        if (fabs(v.score - score) > NEAR || v.parsed != (parsed[i] == '1') || letter != letters[i])
            fail_msg("%s, question %s: '%.200s' gives %g, %d, %c; wanted %g, %c, %c", name, q->id, text_at(said, i),
                     v.score, v.parsed, letter, score, parsed[i], letters[i]);
    }
}

/* Every kind of malformed answer to a few questions of each family. */
static void judges(void **state)
{
    (void)state;
    const char *name;
    json_t *b, *one;
    size_t i, seen = 0;
    json_object_foreach(json_object_get(expected, "benchmarks"), name, b)
    {
        AUTO(question_set_destroy) struct question_set *s = load(name);
        json_array_foreach(json_object_get(b, "cases"), i, one)
        {
            size_t q = (size_t)json_integer_value(json_object_get(one, "question"));
            check_case(name, question_set_at(s, q), one);
            seen++;
        }
    }
    assert_true(seen >= 20);
}

static void the_vqa_normalisation(void **state)
{
    (void)state;
    const json_t *said = json_object_get(expected, "said"), *want = json_object_get(expected, "normal");
    for (size_t i = 0; i < json_array_size(said); i++) {
        AUTO(buf_free) struct buf got = BUF_INIT(1 << 20);
        struct err e = { 0 };
        assert_int_equal(vqa_normalise(text_of(text_at(said, i)), &got, &e), 0);
        assert_string_equal(buf_text(&got), text_at(want, i));
    }
}

static void compare(const char *name, const struct metric_result *got, const json_t *want)
{
    const char *key;
    json_t *v;
    assert_int_equal(got->n_values, json_object_size(want));
    json_object_foreach((json_t *)want, key, v)
    {
        size_t i = 0;
        while (i < got->n_values && strcmp(got->values[i].name, key) != 0)
            i++;
        if (i == got->n_values || fabs(got->values[i].value - json_number_value(v)) > NEAR)
            fail_msg("%s: %s is %g, wanted %g", name, key, i < got->n_values ? got->values[i].value : NAN,
                     json_number_value(v));
    }
}

static void totals(void **state)
{
    (void)state;
    const char *name;
    json_t *b;
    json_object_foreach(json_object_get(expected, "benchmarks"), name, b)
    {
        AUTO(question_set_destroy) struct question_set *s = load(name);
        AUTO(answer_set_destroy) struct answer_set *a = load_answers(name, s);
        struct err e = { 0 };
        struct metric_options random = { .unparsed = METRIC_RANDOM };
        AUTO(metric_result_destroy)
        struct metric_result *r = metric_compute(s, answer_set_texts(a), NULL, &e),
                             *drawn = metric_compute(s, answer_set_texts(a), &random, &e);
        if (!r || !drawn)
            fail_msg("%s: %s", name, e.text);
        compare(name, r, json_object_get(b, "totals"));
        compare(name, drawn, json_object_get(b, "random"));
        assert_true(r->performance >= 0 && r->standard_error >= 0 && r->chance >= 0 && r->constant);
        AUTO(json_decref) json_t *j = metric_result_json(r, s, &e);
        assert_string_equal(json_string_value(json_object_get(j, "benchmark")), name);
        double performance = json_number_value(json_object_get(j, "performance"));
        assert_true(performance == json_number_value(json_object_get(json_object_get(j, "values"), r->metric)));
    }
}

/* Bootstrap and Wilson as tests/golden/benchmarks/interval.py says them. */
static void intervals(void **state)
{
    (void)state;
    const char *name, *metric;
    json_t *b, *want;
    size_t seen = 0;
    json_object_foreach(json_object_get(expected, "benchmarks"), name, b)
    {
        AUTO(question_set_destroy) struct question_set *s = load(name);
        AUTO(answer_set_destroy) struct answer_set *a = load_answers(name, s);
        json_object_foreach(json_object_get(b, "intervals"), metric, want)
        {
            struct err e = { 0 };
            struct metric_options o = { .metric = metric };
            AUTO(metric_result_destroy) struct metric_result *r = metric_compute(s, answer_set_texts(a), &o, &e);
            if (!r)
                fail_msg("%s: %s", name, e.text);
            const double got[] = { r->interval.low, r->interval.high, r->guess };
            for (size_t i = 0; i < ARRAY_LEN(got); i++, seen++) {
                const json_t *v = json_array_get(want, i);
                if (json_is_null(v) ? !isnan(got[i]) : !(fabs(got[i] - json_number_value(v)) < NEAR))
                    fail_msg("%s, %s, number %zu: %.12g, wanted %.12g", name, metric, i, got[i], json_number_value(v));
            }
            assert_true(r->chance == (isnan(r->guess) || r->constant_performance > r->guess ? r->constant_performance
                                                                                           : r->guess));
            AUTO(json_decref) json_t *j = metric_result_json(r, s, &e);
            assert_true(json_number_value(json_object_get(j, "ci_low")) == r->interval.low);
            assert_true(json_number_value(json_object_get(j, "ci_high")) == r->interval.high);
            assert_int_equal(json_is_true(json_object_get(j, "above_chance")), r->interval.low > r->chance);
        }
    }
    assert_int_equal(seen, 3 * 15);
}

/* lower(), \\w and isspace() of every character there is, in one digest. */
static void all_characters(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf all = BUF_INIT(1 << 24);
    char digest[DIGEST_HEX_SIZE];
    for (uint32_t c = 1; c < 0x110000; c++) {
        char s[5] = { 0 };
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        size_t n = encode(c, s), bytes;
        assert_int_equal(text_first((struct text){ s, n }, &bytes), c);
        assert_int_equal(bytes, n);
        text_lower((struct text){ s, n }, &all);
        buf_printf(&all, "%d%d\n", text_is_word(c), text_is_space(c));
    }
    assert_false(all.failed);
    digest_bytes(all.data, all.len, digest);
    assert_string_equal(digest, json_string_value(json_object_get(expected, "characters")));
}

/* Bytes that are no UTF-8 stay as they are, one by one. */
static void broken_characters(void **state)
{
    (void)state;
    static const char *const texts[] = { "\x80", "A\xc3", "\xe2\x82", "\xff\xfe", "\xc0\xaf", "\xf0\x9f\x98", "\xc3(" };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO(buf_free) struct buf low = BUF_INIT(100);
        size_t n = strlen(texts[i]);
        text_lower(text_of(texts[i]), &low);
        assert_int_equal(low.len, n);
        assert_int_equal(text_count(text_of(texts[i])), n);
        assert_int_equal(text_strip(text_of(texts[i])).len, n);
    }
}

static void pythons_generator(void **state)
{
    (void)state;
    const json_t *want = json_object_get(expected, "choices");
    struct py_random r;
    py_random_seed(&r, 2680);
    assert_int_equal(json_array_size(want), 2000);
    for (size_t i = 0; i < 2000; i++)
        assert_int_equal(py_random_choice(&r, (uint32_t)(1 + i % 30)), json_integer_value(json_array_get(want, i)));
}

/* ---- numbers by hand ------------------------------------------------------------------------------------------------
 */

static struct question_set *parse(const char *text)
{
    struct err e = { 0 };
    struct question_set *s = question_set_parse(text, strlen(text), "x.jsonl", &e);
    if (!s)
        fail_msg("%s", e.text);
    return s;
}

static struct metric_result *compute(const struct question_set *s, const char *const *answers, const char *metric)
{
    struct err e = { 0 };
    struct metric_options o = { .metric = metric };
    struct metric_result *r = metric_compute(s, answers, &o, &e);
    if (!r)
        fail_msg("%s", e.text);
    return r;
}

static void soft_accuracy(void **state)
{
    (void)state;
    static const double want[] = { 0, 0.3, 0.6, 0.9, 1, 1, 1, 1, 1, 1, 1 };
    for (size_t n = 0; n < ARRAY_LEN(want); n++)
        assert_true(fabs(vqa_accuracy(n, 10) - want[n]) < 1e-12);
    assert_true(vqa_accuracy(1, 1) == 0); /* nobody else to agree with */
}

#define ROW(id, group, answer)                                        \
    "{\"benchmark\":\"mmbench\",\"id\":\"" id "\",\"group\":\"" group \
    "\",\"question\":\"q\",\"options\":[\"up\",\"down\"],\"category\":\"c\",\"answer\":\"" answer "\"}\n"

static void circles_count_whole(void **state)
{
    (void)state;
    AUTO(question_set_destroy)
    struct question_set *s =
        parse(ROW("1", "1", "A") ROW("1000001", "1", "B") ROW("2", "2", "A") ROW("1000002", "2", "B"));
    const char *const answers[] = { "A", "B", "A", "A" };
    AUTO(metric_result_destroy) struct metric_result *r = compute(s, answers, NULL);
    assert_string_equal(r->metric, "circular_accuracy");
    assert_true(r->performance == 50 && r->questions == 2 && r->unparsed == 0);
    assert_true(r->constant_performance == 0); /* no letter is right in all rotations */
    assert_true(r->guess == 25 && r->chance == 25); /* both of two, twice in a row */
    AUTO(metric_result_destroy) struct metric_result *rows = compute(s, answers, "accuracy");
    assert_true(rows->performance == 75 && rows->questions == 4 && rows->constant_performance == 50 && rows->guess == 50);
    const char *const none[] = { NULL, "", "left", "?" };
    AUTO(metric_result_destroy) struct metric_result *nothing = compute(s, none, NULL);
    assert_true(nothing->performance == 0 && nothing->unparsed == 4);
}

#define YN(id, group, category, answer)                                                                            \
    "{\"benchmark\":\"mme\",\"id\":\"" id "\",\"group\":\"" group "\",\"question\":\"q\",\"category\":\"" category \
    "\",\"answer\":\"" answer "\"}\n"

static void pictures_of_mme(void **state)
{
    (void)state;
    AUTO(question_set_destroy)
    struct question_set *s = parse(YN("1", "a", "OCR", "Yes") YN("2", "a", "OCR", "No") YN("3", "b", "OCR", "Yes") YN(
        "4", "b", "OCR", "No") YN("5", "c", "code_reasoning", "Yes") YN("6", "c", "code_reasoning", "No"));
    const char *const answers[] = { "Yes", "No.", "yes", "yes", "no", "no" };
    AUTO(metric_result_destroy) struct metric_result *r = compute(s, answers, NULL);
    assert_string_equal(r->unit, "points");
    assert_true(r->performance == (200 + 50) / 2.0 && r->questions == 2 && r->constant_performance == 50);
    assert_true(r->guess == 75 && r->chance == 75); /* one right: 50; both right, once in four: 100 more */
    assert_true(fabs(r->standard_error - 75) < NEAR);
    AUTO(metric_result_destroy) struct metric_result *cognition = compute(s, answers, "cognition");
    assert_true(cognition->performance == 50 && isnan(cognition->standard_error));
}

/* The same answer to everything: nothing varies, and nothing is certain. */
static void described(void **state)
{
    (void)state;
    AUTO(question_set_destroy)
    struct question_set *s = parse(YN("1", "a", "OCR", "Yes") YN("2", "a", "OCR", "No") YN("3", "b", "OCR", "Yes") YN(
        "4", "b", "OCR", "No"));
    const char *const right[] = { "Yes", "No", "Yes", "No" }, *const wrong[] = { "no", "yes", "no", "yes" };
    AUTO(buf_free) struct buf text = BUF_INIT(1000);
    AUTO(metric_result_destroy) struct metric_result *r = compute(s, right, NULL), *w = compute(s, wrong, NULL);
    metric_result_describe(r, &text);
    /* Wilson's lower end of 2 of 2 is 2 / (2 + 1.96^2). */
    assert_string_equal(buf_text(&text), "perception 200.00 points, 95 % interval 68.48 to 200.00, over 2\n"
                                         "chance 75.00 points (by lot; the best constant answer, 'Yes': 50.00): not told "
                                         "apart from chance\n");
    assert_true(w->interval.low == 0 && fabs(w->interval.high - (200 - 68.4769)) < 1e-3);
    buf_clear(&text);
    AUTO(metric_result_destroy) struct metric_result *rows = compute(s, wrong, "accuracy");
    metric_result_describe(rows, &text);
    assert_non_null(strstr(buf_text(&text), "accuracy 0.00%, 95 % interval 0.00 to 65.76, over 4\nchance 50.00% (the best "
                                            "constant answer, 'Yes'): not told"));
}

static void metrics_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        const char *text, *metric, *part;
    } cases[] = {
        { YN("1", "a", "OCR", "Yes"), NULL, "x.jsonl: the picture (group) 'a' has 1 questions; MME has two" },
        { YN("1", "a", "OCR", "Yes") YN("2", "a", "count", "No"), NULL, "are of different categories" },
        { YN("1", "a", "ocr", "Yes") YN("2", "a", "ocr", "No"), NULL,
          "question '1': the category 'ocr' is no subtask" },
        { YN("1", "a", "OCR", "Yes") YN("2", "a", "OCR", "No"), "cognition",
          "x.jsonl: no question counts towards 'cognition'" },
        { ROW("1", "1", "A"), "vqa", "MMBench has no metric 'vqa'; it has circular_accuracy, accuracy" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(question_set_destroy) struct question_set *s = parse(cases[i].text);
        const char *answers[4] = { "Yes", "No", "A", "B" };
        struct err e = { 0 };
        struct metric_options o = { .metric = cases[i].metric };
        assert_null(metric_compute(s, answers, &o, &e));
        assert_int_equal(e.kind, ERR_INPUT);
        if (!strstr(e.text, cases[i].part))
            fail_msg("'%s' has no '%s'", e.text, cases[i].part);
    }
}

/* ---- files ----------------------------------------------------------------------------------------------------------
 */

#define SEED_ROW(more) "{\"benchmark\":\"seed\",\"id\":\"1\",\"question\":\"q\",\"options\":[\"x\",\"y\"]" more "}"

static void bad_questions(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "", "x.jsonl:1: no question there" },
        { "[]", "x.jsonl:1: no question there" },
        { "{}", "x.jsonl:1: field 'benchmark': is missing; it must be one of mmbench, mme" },
        { "{\"benchmark\":\"gqa\"}", "field 'benchmark': 'gqa' is unknown" },
        { "{\"benchmark\":\"seed\"}", "field 'id': is missing" },
        { "{\"benchmark\":\"seed\",\"id\":7}", "field 'id': must be a text that is not empty" },
        { "{\"benchmark\":\"seed\",\"id\":\"1\",\"text\":\"?\"}",
          "field 'text' is unknown; published files go through" },
        { SEED_ROW(""), "x.jsonl:1: field 'answer': is missing" },
        { SEED_ROW(",\"answer\":\"C\""), "field 'answer': there is no option C among the 2" },
        { SEED_ROW(",\"answer\":\"a\""), "must be the letter of an option" },
        { SEED_ROW(",\"answer\":\"AB\""), "must be the letter of an option" },
        { SEED_ROW(",\"answer\":\"A\",\"answers\":[\"A\"]"), "not both" },
        { SEED_ROW(",\"answers\":[\"A\",\"B\"]"), "must be the letter of an option" },
        { SEED_ROW(",\"answer\":\"A\",\"media\":\"audio\""), "field 'media': must be" },
        { SEED_ROW(",\"answer\":\"A\",\"image\":\"../a.jpg\""),
          "field 'image': the picture's path '../a.jpg' leads up" },
        { SEED_ROW(",\"answer\":\"A\",\"image\":[\"a.jpg\",7]"), "field 'image': must be a path" },
        { SEED_ROW(",\"answer\":\"A\"") "\n" SEED_ROW(",\"answer\":\"A\""), "x.jsonl:2: field 'id': '1' came before" },
        { SEED_ROW(",\"answer\":\"A\"") "\n{\"benchmark\":\"mme\"}", "x.jsonl:2: field 'benchmark': mme, but" },
        { "{\"benchmark\":\"seed\",\"id\":\"1\",\"question\":\"q\"}", "field 'options': is missing" },
        { "{\"benchmark\":\"seed\",\"id\":\"1\",\"question\":\"q\",\"options\":\"xy\"}", "must be a list of 1 to 26" },
        { "{\"benchmark\":\"seed\",\"id\":\"1\",\"question\":\"q\",\"options\":[1]}", "item 1 is not a text" },
        { "{\"benchmark\":\"okvqa\",\"id\":\"1\",\"question\":\"q\",\"options\":[\"x\"]}", "have none; remove it" },
        { "{\"benchmark\":\"okvqa\",\"id\":\"1\",\"question\":\"q\",\"answers\":[]}", "must be a list of 1 to 64" },
        { "{\"benchmark\":\"mme\",\"id\":\"1\",\"question\":\"q\",\"answer\":\"maybe\"}", "must be Yes or No" },
        { "{\"benchmark\":\"mme\",\"id\":\"1\",\"question\":\"q\",\"answer\":\"Yes\"}", "field 'group': is missing" },
        { "{\"benchmark\":\"mmmu\",\"id\":\"1\",\"question\":\"q\",\"answers\":[\"\"]}",
          "would be found in every text" },
        { "{\"benchmark\":\"mmmu\"", "x.jsonl:1: not JSON" },
        { "id,question\n", "x.jsonl:1: a JSON object" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        assert_null(question_set_parse(cases[i].text, strlen(cases[i].text), "x.jsonl", &e));
        assert_int_equal(e.kind, ERR_INPUT);
        if (!strstr(e.text, cases[i].part))
            fail_msg("'%s' has no '%s'", e.text, cases[i].part);
    }
    struct err e = { 0 };
    assert_null(question_set_load("/nowhere/q.jsonl", &e));
    assert_non_null(strstr(e.text, "/nowhere/q.jsonl: cannot open"));
}

static void bad_answers(void **state)
{
    (void)state;
    AUTO(question_set_destroy) struct question_set *s = parse(ROW("1", "1", "A") ROW("2", "1", "B"));
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "", "a.jsonl: 2 of 2 questions have no answer, the first is '1'" },
        { "{\"id\":\"2\",\"answer\":\"\"}", "a.jsonl: 1 of 2 questions have no answer, the first is '1'" },
        { "{\"id\":\"3\",\"answer\":\"\"}", "a.jsonl:1: field 'id': '3' is no question of x.jsonl" },
        { "{\"id\":\"1\"}", "a.jsonl:1: field 'answer': is missing" },
        { "{\"answer\":\"1\"}", "a.jsonl:1: field 'id': is missing" },
        { "{\"id\":\"1\",\"answer\":7}", "field 'answer': is missing or not a text" },
        { "{\"id\":\"1\",\"answer\":\"\"}\n{\"id\":\"1\",\"answer\":\"\"}",
          "a.jsonl:2: field 'id': '1' was answered before" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        assert_null(answer_set_parse(cases[i].text, strlen(cases[i].text), "a.jsonl", s, &e));
        assert_int_equal(e.kind, ERR_INPUT);
        if (!strstr(e.text, cases[i].part))
            fail_msg("'%s' has no '%s'", e.text, cases[i].part);
    }
}

/* What a run writes is what is read again, whatever the model said. */
static void answers_come_back(void **state)
{
    (void)state;
    AUTO(question_set_destroy) struct question_set *s = parse(ROW("1", "1", "A") ROW("2", "1", "B"));
    AUTO(buf_free) struct buf lines = BUF_INIT(1000);
    struct err e = { 0 };
    assert_int_equal(answer_append(&lines, "2", "line\n\"two\" \xc3\xa4", &e), 0);
    assert_int_equal(answer_append(&lines, "1", "cut \xc3(", &e), 0);
    AUTO(answer_set_destroy) struct answer_set *a = answer_set_parse(lines.data, lines.len, "a", s, &e);
    assert_non_null(a);
    assert_string_equal(answer_set_texts(a)[1], "line\n\"two\" \xc3\xa4");
    assert_string_equal(answer_set_texts(a)[0], "cut ?(");
}

/* ---- samples --------------------------------------------------------------------------------------------------------
 */

static void samples(void **state)
{
    (void)state;
    AUTO(question_set_destroy) struct question_set *s = load("okvqa"); /* 7 questions, two to a picture */
    size_t out[7], again[7], n, lengths[7] = { 5, 9, 5, 9, 9, 1, 2 };
    const char *const prompts_of[7] = { "a", "z", "b", "b", "c", "d", "e" };
    struct err e = { 0 };
    assert_int_equal(sample_random(s, 100, 42, out, &n, &e), 0);
    assert_int_equal(n, 4);
    unsigned seen = 0;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(out[i] % 2, 0); /* the first that shows its picture */
        seen |= 1u << out[i];
    }
    assert_int_equal(seen, 0x55);
    assert_int_equal(sample_random(s, 3, 42, again, &n, &e), 0);
    assert_int_equal(n, 3);
    assert_memory_equal(out, again, 3 * sizeof *out);
    assert_int_equal(sample_longest(s, lengths, prompts_of, 5, out, &n, &e), 0);
    const size_t want[] = { 3, 4, 1, 0, 2 };
    assert_int_equal(n, 5);
    assert_memory_equal(out, want, sizeof want);
    AUTO(question_set_destroy) struct question_set *blind = parse(ROW("1", "1", "A"));
    assert_int_equal(sample_random(blind, 1, 42, out, &n, &e), -1);
    assert_non_null(strstr(e.text, "no question has a picture"));
}

/* The documented generator: values of seed 42 for ten pictures, from the definition in Python. */
static void the_sample_is_the_same_everywhere(void **state)
{
    (void)state;
    AUTO(buf_free) struct buf text = BUF_INIT(10000);
    for (int i = 0; i < 10; i++)
        buf_printf(
            &text,
            "{\"benchmark\":\"textvqa\",\"id\":\"%d\",\"image\":\"%d.jpg\",\"question\":\"q\",\"answer\":\"x\"}\n", i,
            i);
    AUTO(question_set_destroy) struct question_set *s = parse(text.data);
    size_t out[10], n;
    struct err e = { 0 };
    assert_int_equal(sample_random(s, 10, 42, out, &n, &e), 0);
    const size_t want[10] = { 3, 2, 4, 5, 8, 7, 0, 9, 6, 1 };
    assert_memory_equal(out, want, sizeof want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts),
        cmocka_unit_test(pictures_of_places),
        cmocka_unit_test(judges),
        cmocka_unit_test(the_vqa_normalisation),
        cmocka_unit_test(totals),
        cmocka_unit_test(intervals),
        cmocka_unit_test(all_characters),
        cmocka_unit_test(broken_characters),
        cmocka_unit_test(pythons_generator),
        cmocka_unit_test(soft_accuracy),
        cmocka_unit_test(circles_count_whole),
        cmocka_unit_test(pictures_of_mme),
        cmocka_unit_test(described),
        cmocka_unit_test(metrics_that_cannot_be),
        cmocka_unit_test(bad_questions),
        cmocka_unit_test(bad_answers),
        cmocka_unit_test(answers_come_back),
        cmocka_unit_test(samples),
        cmocka_unit_test(the_sample_is_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, load_expected, drop_expected);
}
