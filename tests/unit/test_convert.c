/* Published files -> questions: every layout, and files that are broken or made to harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <string.h>
#include <cmocka.h>

#include "common/digest.h" /* json_decref_cleanup */
#include "tests/unit/data_files.h"
#include "worker/benchmark/convert.h"
#include "worker/benchmark/convert_images.h"
#include "worker/benchmark/py_list.h"
#include "worker/benchmark/tsv.h"

/* A PNG of one pixel, and the same with another byte at its end. */
#define PNG "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
#define PNG2 "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJgggA="

static int convert(const char *family, const char *from, const char *annotations, const char *split,
                   struct convert_counts *n, struct err *e)
{
    char paths[3][300];
    snprintf(paths[0], sizeof paths[0], "%s", in_scratch(from));
    snprintf(paths[1], sizeof paths[1], "%s", in_scratch("out/q.jsonl"));
    snprintf(paths[2], sizeof paths[2], "%s", annotations ? in_scratch(annotations) : "");
    put_text("out/.keep", "");
    unlink(paths[1]);
    struct convert_options o = { .family = benchmark_family_find(family),
                                 .from = paths[0],
                                 .annotations = annotations ? paths[2] : NULL,
                                 .out = paths[1],
                                 .split = split };
    return convert_benchmark(&o, n, e);
}

static struct question_set *converted(const char *family, const char *from, const char *annotations, const char *split,
                                      struct convert_counts *n)
{
    struct err e = { 0 };
    if (convert(family, from, annotations, split, n, &e) < 0)
        fail_msg("%s", e.text);
    struct question_set *s = question_set_load(in_scratch("out/q.jsonl"), &e);
    if (!s)
        fail_msg("%s", e.text);
    assert_int_equal(question_set_count(s), n->questions);
    return s;
}

/* ---- layouts --------------------------------------------------------------------------------------------------------
 */

static void mmbench_tables(void **state)
{
    (void)state;
    put_text("m.tsv", "index\tquestion\thint\tA\tB\tC\tD\tanswer\tcategory\timage\tsplit\r\n"
                      "7\t\"a \"\"quoted\"\"\tquestion\nof two lines\"\tnan\tx\ty\t\t\tB\tocr\t" PNG "\tdev\r\n"
                      "8\tother\tlook\tx\ty\tz\tnan\tC\tocr\t" PNG2 "\tdev\n"
                      "1000007\t\"a question\"\t\ty\tx\t\t\tA\tocr\t7\tdev\n"
                      "9\tsame picture\t\ty\tx\t\t\tA\tocr\t" PNG "\tdev\n"
                      "10\ttest\t\ty\tx\t\t\t\tocr\t" PNG "\ttest\n");
    struct convert_counts n;
    AUTO(question_set_destroy) struct question_set *s = converted("mmbench", "m.tsv", NULL, "dev", &n);
    assert_int_equal(n.questions, 4);
    assert_int_equal(n.left_out, 1);
    assert_int_equal(n.pictures, 2);
    const struct question *q = question_set_at(s, 0);
    assert_string_equal(q->question, "a \"quoted\"\tquestion\nof two lines");
    assert_null(q->hint);
    assert_int_equal(q->n_options, 2);
    assert_string_equal(q->images[0], "images/7.png");
    q = question_set_at(s, 2);
    assert_string_equal(q->id, "1000007");
    assert_string_equal(q->group, "7");
    assert_string_equal(q->images[0], "images/7.png");
    assert_string_equal(question_set_at(s, 1)->hint, "look");
    assert_string_equal(question_set_at(s, 1)->images[0], "images/8.png");
    assert_string_equal(question_set_at(s, 3)->images[0], "images/7.png");
    struct stat st;
    assert_int_equal(stat(in_scratch("out/images/7.png"), &st), 0);
    assert_int_equal(st.st_size, 70);
    assert_int_equal(stat(in_scratch("out/images/8.png"), &st), 0);
    assert_int_equal(st.st_size, 71);
}

static void mme_rows(void **state)
{
    (void)state;
    put_text("e.jsonl", "{\"question_id\":\"OCR/1.jpg\",\"question\":\"q?\",\"answer\":\"Yes\",\"category\":\"OCR\"}\n"
                        "{\"question_id\":\"OCR/1.jpg\",\"question\":\"p?\",\"answer\":\"No\",\"category\":\"OCR\","
                        "\"image\":\"" PNG "\"}\n");
    struct convert_counts n;
    AUTO(question_set_destroy) struct question_set *s = converted("mme", "e.jsonl", NULL, NULL, &n);
    const struct question *q = question_set_at(s, 0), *p = question_set_at(s, 1);
    assert_string_equal(q->id, "OCR/1.jpg:1");
    assert_string_equal(p->id, "OCR/1.jpg:2");
    assert_string_equal(q->group, p->group);
    assert_string_equal(q->images[0], "images/OCR/1.jpg");
    assert_string_equal(p->images[0], "images/OCR_1.png");
}

/* A table without names of pictures: those with the same picture belong together. */
static void mme_tables(void **state)
{
    (void)state;
    put_text("e.tsv", "index\timage\tquestion\tcategory\tanswer\n0\t" PNG "\tq\tOCR\tYes\n1\t" PNG "\tp\tOCR\tNo\n"
                      "2\t" PNG2 "\tq\tOCR\tYes\n3\t" PNG2 "\tp\tOCR\tNo\n");
    struct convert_counts n;
    AUTO(question_set_destroy) struct question_set *s = converted("mme", "e.tsv", NULL, NULL, &n);
    assert_int_equal(n.pictures, 2);
    assert_string_equal(question_set_at(s, 1)->id, "images/mme.png:2");
    assert_string_equal(question_set_at(s, 3)->group, "images/mme-2.png");
}

static void mmmu_rows(void **state)
{
    (void)state;
    put_text("u.json",
             "[{\"id\":\"validation_Art_Theory_3\",\"question\":\"<image 1> or <image 2>?\",\"question_type\":"
             "\"multiple-choice\",\"options\":\"['it\\\\'s', \\\"2\\\", 3.5]\",\"answer\":\"C\",\"image_1\":\"a.png\","
             "\"image_2\":{\"bytes\":\"" PNG "\",\"path\":null},\"image_3\":null},\n"
             "{\"id\":\"validation_Math_1\",\"question\":\"how many?\",\"question_type\":\"open\",\"options\":\"[]\","
             "\"answer\":\"['1', 'one']\",\"image_1\":\"b.png\"},"
             "{\"id\":\"validation_Math_2\",\"question\":\"how many?\",\"question_type\":\"open\",\"options\":\"[]\","
             "\"answer\":\"7\"}]");
    struct convert_counts n;
    AUTO(question_set_destroy) struct question_set *s = converted("mmmu", "u.json", NULL, NULL, &n);
    const struct question *q = question_set_at(s, 0);
    assert_string_equal(q->category, "Art_Theory");
    assert_string_equal(q->options[0], "it's");
    assert_string_equal(q->options[2], "3.5");
    assert_int_equal(q->n_images, 2);
    assert_string_equal(q->images[1], "images/validation_Art_Theory_3.png");
    assert_int_equal(question_set_at(s, 1)->n_answers, 2);
    assert_string_equal(question_set_at(s, 2)->answers[0], "7");
}

static void vqa_files(void **state)
{
    (void)state;
    struct convert_counts n;
    put_text("ok_q.json",
             "{\"info\":{},\"questions\":[{\"image_id\":297147,\"question\":\"q\",\"question_id\":2971475}]}");
    put_text("ok_a.json", "{\"annotations\":[{\"image_id\":297147,\"question_type\":\"four\",\"answer_type\":\"other\","
                          "\"question_id\":2971475,\"answers\":[{\"answer_id\":1,\"answer\":\"race\",\"raw_answer\":"
                          "\"racing\"},{\"answer\":\"motocross\"}]}]}");
    AUTO(question_set_destroy) struct question_set *ok = converted("okvqa", "ok_q.json", "ok_a.json", NULL, &n);
    assert_string_equal(question_set_at(ok, 0)->images[0], "images/COCO_val2014_000000297147.jpg");
    assert_string_equal(question_set_at(ok, 0)->answers[1], "motocross");
    assert_string_equal(question_set_at(ok, 0)->category, "four");

    put_text("t.json", "{\"dataset_type\":\"val\",\"data\":[{\"question_id\":34602,\"question\":\"what?\",\"image_id\":"
                       "\"003a8ae2ef43b901\",\"answers\":[\"nous les gosses\",\"dakota\"]}]}");
    AUTO(question_set_destroy) struct question_set *text = converted("textvqa", "t.json", NULL, NULL, &n);
    assert_string_equal(question_set_at(text, 0)->images[0], "images/003a8ae2ef43b901.jpg");
    assert_int_equal(question_set_at(text, 0)->n_answers, 2);

    put_text("v.json",
             "[{\"image\":\"VizWiz_val_00000000.jpg\",\"question\":\"Ok?\",\"answers\":[{\"answer\":\"yes\","
             "\"answer_confidence\":\"yes\"},{\"answer\":\"\"}],\"answer_type\":\"other\",\"answerable\":1}]");
    AUTO(question_set_destroy) struct question_set *viz = converted("vizwiz", "v.json", NULL, NULL, &n);
    assert_string_equal(question_set_at(viz, 0)->images[0], "images/VizWiz_val_00000000.jpg");
    assert_string_equal(question_set_at(viz, 0)->category, "other");
}

static void scienceqa_problems(void **state)
{
    (void)state;
    put_text("p.json",
             "{\"1\":{\"question\":\"q\",\"choices\":[\"x\",\"y\"],\"answer\":1,\"hint\":\"\",\"image\":"
             "\"image.png\",\"subject\":\"natural science\",\"split\":\"test\"},"
             "\"2\":{\"question\":\"q\",\"choices\":[\"x\",\"y\"],\"answer\":0,\"image\":null,\"split\":\"train\"},"
             "\"3\":{\"question\":\"q\",\"choices\":[\"x\",\"y\"],\"answer\":0,\"hint\":\"h\",\"image\":null,"
             "\"split\":\"test\"}}");
    struct convert_counts n;
    AUTO(question_set_destroy) struct question_set *s = converted("scienceqa", "p.json", NULL, NULL, &n);
    assert_int_equal(n.left_out, 1);
    assert_string_equal(question_set_at(s, 0)->id, "1");
    assert_string_equal(question_set_at(s, 0)->answers[0], "B");
    assert_string_equal(question_set_at(s, 0)->images[0], "images/test/1/image.png");
    assert_null(question_set_at(s, 0)->hint);
    assert_string_equal(question_set_at(s, 1)->hint, "h");
    assert_int_equal(question_set_at(s, 1)->n_images, 0);
}

#define CHOICES "\"choice_a\":\"x\",\"choice_b\":\"y\",\"choice_c\":\"z\",\"choice_d\":\"w\",\"answer\":\"B\""

static void seed_questions(void **state)
{
    (void)state;
    put_text("s.json",
             "{\"questions\":[{" CHOICES ",\"data_id\":\"1_2\",\"data_type\":\"image\",\"question\":\"q\","
             "\"question_id\":\"7\",\"question_type_id\":3},"
             "{" CHOICES ",\"data_id\":\"v.mp4\",\"data_type\":\"video\",\"question\":\"q\",\"question_id\":\"8\"},"
             "{" CHOICES ",\"data_id\":\"w\",\"data_type\":\"video\",\"question\":\"q\",\"question_id\":\"9\","
             "\"image\":[\"w/0.jpg\",\"w/1.jpg\"]}],\"question_type\":{\"Scene\":1}}");
    struct convert_counts n;
    AUTO(question_set_destroy) struct question_set *s = converted("seed", "s.json", NULL, NULL, &n);
    assert_int_equal(n.questions, 2);
    assert_int_equal(n.left_out, 1);
    assert_string_equal(question_set_at(s, 0)->images[0], "images/1_2");
    assert_string_equal(question_set_at(s, 0)->category, "3");
    assert_true(question_set_at(s, 1)->video && question_set_at(s, 1)->n_images == 2);
}

/* ---- broken, or made to harm ----------------------------------------------------------------------------------------
 */

#define HEAD "index\tquestion\tA\tB\tanswer\timage\n"
#define MME_ROW(more) "{\"question_id\":\"1\",\"question\":\"q\",\"answer\":\"Yes\",\"category\":\"OCR\"" more "}"

/* What lies in out/, but for its own dot file and directories. */
static size_t left_behind(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(in_scratch(dir));
    for (struct dirent *entry; d && (entry = readdir(d));)
        n += entry->d_name[0] != '.' && entry->d_type == DT_REG;
    if (d)
        closedir(d);
    return n;
}

static void bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *family, *text, *part;
    } cases[] = {
        { "mmbench", "", "bad: empty" },
        { "mmbench", "PAR1\x15", "bad: a Parquet file; tools/parquet_to_jsonl.py" },
        { "mmbench", "no table\n", "bad:1: one column only" },
        { "mmbench", "a\t\tb\n", "bad:1: the first line is no header" },
        { "mmbench", HEAD, "no question there" },
        { "mmbench", HEAD "1\tq\tx\ty\tA\n", "bad:2: 5 fields, but the header has 6 columns" },
        { "mmbench", HEAD "1\tq\tx\ty\tA\tb\tc\n", "bad:2: more fields than the 6 columns" },
        { "mmbench", HEAD "1\t\"q\tx\ty\n\tA\t\n", "bad:2: a quote that is opened here is never closed" },
        { "mmbench", HEAD "1\t\"q\"x\tx\ty\tA\tb\n", "bad:2: a tab or the end of the line is wanted" },
        { "mmbench", HEAD "1\tq\xff\tx\ty\tA\tb\n", "bad:2: field 'question' is no UTF-8" },
        { "mmbench", HEAD "x\tq\tx\ty\tA\t" PNG "\n", "bad:2: field 'index': 'x' is not" },
        { "mmbench", HEAD "-1\tq\tx\ty\tA\t" PNG "\n", "bad:2: field 'index'" },
        { "mmbench", HEAD "1\tq\tx\ty\tA\t\n", "bad:2: field 'image': is missing" },
        { "mmbench", HEAD "1\tq\tx\ty\tA\t7\n", "bad:2: field 'image': row 7, which it refers to" },
        { "mmbench", HEAD "1\tq\tx\ty\tnan\t" PNG "\n", "bad:2: field 'answer': is missing" },
        { "mmbench", HEAD "1\tq\t\t\tA\t" PNG "\n", "bad:2: no options" },
        { "mmbench", HEAD "1\tq\tx\ty\tA\tiVBORw0KGgo!!!!\n", "bad:2: field 'image': the picture is no base64" },
        { "mmbench", HEAD "1\tq\tx\ty\tA\tdata:image/gif;base64,R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs=\n",
          "bad:2: field 'image': the picture in base64 is no JPEG" },
        { "mmbench", HEAD "1\tq\tx\ty\tA\t../../etc/passwd\n", "leads up by '..'" },
        { "mmbench", HEAD "1\tq\tx\ty\tA\t/etc/passwd\n", "must be relative" },
        { "mmbench", HEAD "1\tq\tx\ty\tC\ta.jpg\n", "would not be in order: " },
        { "mme", MME_ROW(",\"image\":7"), "bad:1: field 'image': the picture must be a path" },
        { "mme", MME_ROW(",\"image\":\"a/../../b\""), "bad:1: field 'image': the picture's path 'a/../../b' leads up" },
        { "mme", "{\"question\":\"q\"}", "bad:1: field 'question_id': is missing" },
        { "mmmu", "{\"id\":\"1\",\"question\":\"q\",\"options\":\"['a', 'b'\",\"answer\":\"A\"}",
          "field 'options': a comma or ]" },
        { "mmmu", "{\"id\":\"1\",\"question\":\"q\",\"options\":\"__import__('os')\",\"answer\":\"A\"}",
          "a list [...] is wanted" },
        { "okvqa", "{\"question_id\":1,\"question\":\"q\"}", "bad:1: field 'answers': is missing or no list" },
        { "textvqa", "{\"data\":[{\"question_id\":1,\"question\":\"q\",\"answers\":[1]}]}",
          "bad, record 1: field 'answers': item 1" },
        { "scienceqa", "{\"1\":{\"question\":\"q\",\"choices\":[\"x\"],\"answer\":1}}",
          "bad, record 1: field 'answer': is not the number" },
        { "scienceqa",
          "{\"../1\":{\"question\":\"q\",\"choices\":[\"x\"],\"answer\":0,\"image\":\"image.png\",\"split\":\"test\"}}",
          "leads up" },
        { "seed", "{\"questions\":[{" CHOICES "},7]}", "field 'question_id': is missing" },
        { "vizwiz", "[{\"image\":\"a.jpg\"", "bad:1: not JSON" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        struct convert_counts n;
        put_text("bad", cases[i].text);
        if (convert(cases[i].family, "bad", NULL, NULL, &n, &e) == 0)
            fail_msg("%zu: taken, instead of refused with '%s'", i, cases[i].part);
        assert_int_equal(e.kind, ERR_INPUT);
        if (!strstr(e.text, cases[i].part))
            fail_msg("'%s' has no '%s'", e.text, cases[i].part);
        assert_int_equal(left_behind("out"), 0);
    }
}

static void bad_places(void **state)
{
    (void)state;
    struct convert_counts n;
    struct err e = { 0 };
    put_text("one.jsonl", MME_ROW(",\"image\":\"a.jpg\""));
    struct convert_options o = { .family = benchmark_family_find("mme"), .from = "/nowhere/x", .out = "/nowhere/y" };
    assert_int_equal(convert_benchmark(&o, &n, &e), -1);
    assert_non_null(strstr(e.text, "/nowhere/x: cannot open"));
    err_clear(&e);
    o.from = in_scratch("one.jsonl");
    assert_int_equal(convert_benchmark(&o, &n, &e), -1);
    assert_int_equal(e.kind, ERR_ENV);
    err_clear(&e);
    o.images = "../out";
    assert_int_equal(convert_benchmark(&o, &n, &e), -1);
    assert_non_null(strstr(e.text, "--images: "));
    err_clear(&e);
    put_text("q.json", "{\"questions\":[{\"question_id\":1,\"question\":\"q\",\"image_id\":2}]}");
    put_text("a.json", "{\"annotations\":[{\"question_id\":3,\"answers\":[\"x\"]}]}");
    assert_int_equal(convert("okvqa", "q.json", "a.json", NULL, &n, &e), -1);
    assert_non_null(strstr(e.text, "q.json, record 1: question 1 has no answers in "));
}

/* Names from outside become names of files. */
static void names_of_pictures(void **state)
{
    (void)state;
    AUTO(pictures_free) struct pictures p = { .beside = in_scratch("names"), .below = "images" };
    put_text("names/.keep", "");
    AUTO(json_decref) json_t *one = json_string(PNG), *two = json_string("data:image/png;base64," PNG2);
    struct err e = { 0 };
    assert_string_equal(pictures_take(&p, one, "../../.bashrc", &e), "images/_._.._.bashrc.png");
    assert_string_equal(pictures_take(&p, one, "other", &e), "images/_._.._.bashrc.png"); /* the same bytes */
    assert_string_equal(pictures_take(&p, two, "../../.bashrc.jpg", &e), "images/_._.._.bashrc-2.png");
    char stem[5000];
    memset(stem, 'x', sizeof stem - 1);
    stem[sizeof stem - 1] = '\0';
    AUTO(pictures_free) struct pictures fresh = { .beside = in_scratch("names"), .below = "deep/er" };
    const char *path = pictures_take(&fresh, one, stem, &e);
    assert_int_equal(strlen(path), strlen("deep/er/") + 100 + strlen(".png"));
    assert_int_equal(left_behind("names/deep/er"), 1);
}

static void base64(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes;
    } cases[] = {
        { "", "" }, { "Zg==", "f" }, { "Zg", "f" }, { "Zm9v\r\nYmFy", "foobar" }, { "data:x;base64,Zm8=", "fo" }
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free) uint8_t *bytes = NULL;
        size_t n = 0;
        struct err e = { 0 };
        assert_int_equal(base64_decode(cases[i].text, &bytes, &n, &e), 0);
        assert_int_equal(n, strlen(cases[i].bytes));
        assert_memory_equal(bytes, cases[i].bytes, n);
    }
    static const char *const bad[] = { "Z", "Zg=", "Z===", "Zm9v!", "Zm9v=Zm9v", "data:x" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(free) uint8_t *bytes = NULL;
        size_t n;
        struct err e = { 0 };
        assert_int_equal(base64_decode(bad[i], &bytes, &n, &e), -1);
    }
}

static void python_lists(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(json_decref)
    json_t *l = py_list_parse(" [ 'a\\'b\\n', \"it's\" , -1.5e3,'\\xe4\\u20ac\\U0001F600', '\\\\', '\\d',\n] ", &e);
    static const char *const want[] = {
        "a'b\n", "it's", "-1.5e3", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\\", "\\d"
    };
    assert_int_equal(json_array_size(l), ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(json_string_value(json_array_get(l, i)), want[i]);
    static const char *const bad[] = { "",        "[",      "['a",      "['a'",      "['a' 'b']",   "['a']x",
                                       "[a]",     "('a')",  "['\\x4']", "['\\x00']", "['\\ud800']", "[None]",
                                       "[['a']]", "['a\n']" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err why = { 0 };
        json_t *none = py_list_parse(bad[i], &why);
        if (none || why.kind != ERR_INPUT)
            fail_msg("'%s' was taken", bad[i]);
    }
}

/* A row of a hundred megabytes is refused before it takes as much memory. */
static void huge_fields(void **state)
{
    (void)state;
    size_t n = (size_t)65 << 20;
    char *text = malloc(n + 20);
    assert_non_null(text);
    memcpy(text, "a\tb\n1\t", 6);
    memset(text + 6, 'x', n);
    struct err e = { 0 };
    json_t *row = NULL;
    AUTO(tsv_close) struct tsv *t = tsv_from(text, n + 6, "big.tsv", &e);
    assert_int_equal(tsv_next(t, &row, &e), -1);
    assert_non_null(strstr(e.text, "big.tsv:2: a field of more than 64 MiB"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mmbench_tables),    cmocka_unit_test(mme_rows),  cmocka_unit_test(mme_tables),
        cmocka_unit_test(mmmu_rows),         cmocka_unit_test(vqa_files), cmocka_unit_test(scienceqa_problems),
        cmocka_unit_test(seed_questions),    cmocka_unit_test(bad_files), cmocka_unit_test(bad_places),
        cmocka_unit_test(names_of_pictures), cmocka_unit_test(base64),    cmocka_unit_test(python_lists),
        cmocka_unit_test(huge_fields),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
