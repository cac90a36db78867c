/* Image sets: the same list on every machine, each picture once, nothing outside its directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/data_files.h"
#include "worker/data/image_set.h"

static void expect_paths(const struct image_set *s, const char *want)
{
    char got[2000] = "";
    size_t at = 0;
    for (size_t i = 0; i < image_set_count(s); i++) {
        at += (size_t)snprintf(got + at, sizeof got - at, "%s ", image_set_path(s, i));
        assert_int_equal(image_set_find(s, image_set_path(s, i)), i);
    }
    assert_string_equal(got, want);
}

static void expect_refusal(struct image_set *s, const struct err *e, const char *part)
{
    if (s)
        fail_msg("taken, instead of refused with '%s'", part);
    assert_int_equal(e->kind, ERR_INPUT);
    if (!strstr(e->text, part))
        fail_msg("'%s' has no '%s'", e->text, part);
}

/* ---- directories ---------------------------------------------------------------------------------------------------
 */

static void a_folder(void **state)
{
    (void)state;
    static const char *const files[] = { "f/b.JPG",    "f/a/z.png",    "f/a/y.webp",
                                         "f/a-b.jpeg", "f/Z.jpg",      "f/notes.txt",
                                         "f/.b.jpg",   "f/.git/c.jpg", "f/deep/er/\xc3\xa4.png" };
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        put_text(files[i], "x");
    assert_int_equal(symlink("../b.JPG", in_scratch("f/a/linked.jpg")), 0);
    struct err e = { 0 };
    AUTO(image_set_destroy) struct image_set *s = image_set_folder(in_scratch("f//"), &e);
    assert_non_null(s);
    expect_paths(s, "Z.jpg a-b.jpeg a/linked.jpg a/y.webp a/z.png b.JPG deep/er/\xc3\xa4.png ");
    struct image_set_counts c = image_set_counts(s);
    assert_int_equal(c.entries, 8);
    assert_int_equal(c.without, 1);
    assert_int_equal(image_set_find(s, "b.jpg"), -1);
    char path[512];
    assert_int_equal(image_set_full_path(s, 3, path, sizeof path, &e), 0);
    assert_string_equal(path, in_scratch("f/a/y.webp"));
    assert_int_equal(image_set_full_path(s, 3, path, 10, &e), -1);
}

static void an_spair_directory(void **state)
{
    (void)state;
    put_text("sp/JPEGImages/dog/2.jpg", "x");
    put_text("sp/JPEGImages/cat/9.jpg", "x");
    put_text("sp/JPEGImages/dog/1.jpg", "x");
    put_text("sp/Segmentation/dog/1.png", "x");
    struct err e = { 0 };
    AUTO(image_set_destroy) struct image_set *s = image_set_spair(in_scratch("sp"), &e);
    assert_non_null(s);
    expect_paths(s, "JPEGImages/cat/9.jpg JPEGImages/dog/1.jpg JPEGImages/dog/2.jpg ");
    expect_refusal(image_set_spair(in_scratch("sp/JPEGImages"), &e), &e, "sp/JPEGImages/JPEGImages: no such directory");
}

/* Files as a user names them: in that order, each once, wherever they lie, and not looked for. */
static void a_list_of_files(void **state)
{
    (void)state;
    struct err e = { 0 };
    char path[512];
    const char *const files[] = { "z.png", "/abs/a.jpg", "../up/b.webp", "z.png" };
    AUTO(image_set_destroy) struct image_set *s = image_set_files(NULL, files, ARRAY_LEN(files), &e);
    assert_non_null(s);
    expect_paths(s, "z.png /abs/a.jpg ../up/b.webp ");
    assert_int_equal(image_set_counts(s).duplicates, 1);
    assert_int_equal(image_set_full_path(s, 1, path, sizeof path, &e), 0);
    assert_string_equal(path, "/abs/a.jpg");
    AUTO(image_set_destroy) struct image_set *below = image_set_files(in_scratch(""), files, 1, &e);
    assert_int_equal(image_set_full_path(below, 0, path, sizeof path, &e), 0);
    assert_string_equal(path, in_scratch("z.png"));
    assert_int_equal(image_set_check(s, "the list", &e), -1);
    assert_string_equal(e.text, "the list: 3 of 3 pictures are not there, or no files: z.png, /abs/a.jpg, ../up/b.webp");
    err_clear(&e);
    assert_int_equal(image_set_check(below, "set", &e), -1);
    assert_non_null(strstr(e.text, "set: 1 of 1 pictures are not in "));
    put_text("z.png", "x");
    assert_int_equal(image_set_check(below, "set", NULL), 0);
    err_clear(&e);
    expect_refusal(image_set_files(NULL, NULL, 0, &e), &e, "no picture there");
    err_clear(&e);
    expect_refusal(image_set_files(in_scratch("none"), files, 1, &e), &e, "none: cannot open");
}

static void bad_directories(void **state)
{
    (void)state;
    struct err e = { 0 };
    expect_refusal(image_set_folder(in_scratch("none"), &e), &e, "none: cannot open");
    err_clear(&e);
    put_text("file.jpg", "x");
    expect_refusal(image_set_folder(in_scratch("file.jpg"), &e), &e, "file.jpg: not a directory");
    err_clear(&e);
    put_text("dry/a.txt", "x");
    expect_refusal(image_set_folder(in_scratch("dry"), &e), &e, "dry: no picture there");
    err_clear(&e);
    put_text("loop/a/b/x.jpg", "x");
    assert_int_equal(symlink("..", in_scratch("loop/a/b/up")), 0);
    expect_refusal(image_set_folder(in_scratch("loop"), &e), &e, "loop/a/b/up: a link to a directory that it lies in");
    err_clear(&e);
    put_text("dangling/x.jpg", "x");
    assert_int_equal(symlink("gone.png", in_scratch("dangling/y.png")), 0);
    expect_refusal(image_set_folder(in_scratch("dangling"), &e), &e, "dangling/y.png: cannot open");
}

/* ---- data files ----------------------------------------------------------------------------------------------------
 */

#define LLAVA                                                                                             \
    "[{\"id\":\"1\",\"image\":\"b/2.jpg\",\"conversations\":[]},\n{\"id\":\"2\",\"conversations\":[]},\n" \
    "{\"id\":\"3\",\"image\":\"a/1.jpg\"},{\"id\":\"4\",\"image\":\"./b//2.jpg\"},{\"id\":\"5\",\"image\":null}]"

static void llava_json(void **state)
{
    (void)state;
    put_text("l.json", LLAVA);
    put_text("img/a/1.jpg", "x");
    struct err e = { 0 };
    char wanted[300];
    snprintf(wanted, sizeof wanted, "l.json: 1 of 2 pictures are not in %s: b/2.jpg", in_scratch("img"));
    expect_refusal(image_set_json(in_scratch("l.json"), in_scratch("img"), &e), &e, wanted);
    put_text("img/b/2.jpg", "x");
    err_clear(&e);
    AUTO(image_set_destroy) struct image_set *s = image_set_json(in_scratch("l.json"), in_scratch("img"), &e);
    assert_non_null(s);
    expect_paths(s, "b/2.jpg a/1.jpg ");
    struct image_set_counts c = image_set_counts(s);
    assert_int_equal(c.entries, 5);
    assert_int_equal(c.without, 2);
    assert_int_equal(c.duplicates, 1);
}

static void benchmark_jsonl(void **state)
{
    (void)state;
    const char *text = "{\"id\":1,\"image\":\"q.png\",\"question\":\"?\"}\n{\"id\":2,\"image\":[\"r.png\",\"q.png\"]}\n"
                       "{\"id\":3,\"image\":[]}\n";
    struct err e = { 0 };
    AUTO(image_set_destroy) struct image_set *s = image_set_parse(text, strlen(text), "b.jsonl", "/tmp", &e);
    assert_non_null(s);
    expect_paths(s, "q.png r.png ");
    assert_int_equal(image_set_counts(s).without, 1);
}

static void missing_files_are_named(void **state)
{
    (void)state;
    put_text("m.jsonl", "{\"image\":\"1.jpg\"}\n{\"image\":\"2.jpg\"}\n{\"image\":\"3.jpg\"}\n{\"image\":\"4.jpg\"}\n");
    put_text("few/2.jpg", "x");
    struct err e = { 0 };
    expect_refusal(image_set_json(in_scratch("m.jsonl"), in_scratch("few"), &e), &e, "few: 1.jpg, 3.jpg, 4.jpg");
    err_clear(&e);
    unlink(in_scratch("few/2.jpg"));
    expect_refusal(image_set_json(in_scratch("m.jsonl"), in_scratch("few"), &e), &e, "few: 1.jpg, 2.jpg, 3.jpg, ...");
}

static void bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "[]", "x.json: no picture there" },
        { "[{\"id\":1}]", "x.json: no picture there" },
        { "[{\"image\":7}]", "x.json:1: 'image' must be a path" },
        { "[{\"image\":[\"a.jpg\",7]}]", "x.json:1: 'image' must be a path" },
        { "[{\"image\":\"a.jpg\"},\n{\"image\":\"\"}]", "x.json:2: the picture's path '' must be relative" },
        { "[{\"image\":\"/etc/passwd\"}]", "x.json:1: the picture's path '/etc/passwd' must be relative" },
        { "[{\"image\":\"a/../../b.jpg\"}]", "x.json:1: the picture's path 'a/../../b.jpg' leads up" },
        { "[{\"image\":\"..\"}]", "leads up" },
        { "[{\"image\":\"./\"}]", "names no file" },
        { "[{\"image\":\"a.jpg\"}", "x.json:1: the list is not closed" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        expect_refusal(image_set_parse(cases[i].text, strlen(cases[i].text), "x.json", "/tmp", &e), &e, cases[i].part);
    }
    struct err e = { 0 };
    char *path = calloc(1, 10000), out[4096];
    memset(path, 'a', 300);
    assert_int_equal(image_set_clean_path(path, out, sizeof out, &e), -1);
    for (size_t i = 0; i < 9000; i++)
        path[i] = i % 100 == 99 ? '/' : 'a';
    err_clear(&e);
    assert_int_equal(image_set_clean_path(path, out, sizeof out, &e), -1);
    assert_non_null(strstr(e.text, "is too long"));
    free(path);
}

/* ---- shards, digest ------------------------------------------------------------------------------------------------
 */

static struct image_set *numbered(size_t n, const char *more)
{
    char *text = malloc(n * 40 + 100);
    size_t at = 0;
    struct err e = { 0 };
    for (size_t i = 0; i < n; i++)
        at += (size_t)sprintf(text + at, "{\"image\":\"%05zu.jpg\"}\n", i);
    at += (size_t)sprintf(text + at, "%s", more);
    struct image_set *s = image_set_parse(text, at, "n.jsonl", "/tmp", &e);
    assert_non_null(s);
    free(text);
    return s;
}

static void shards(void **state)
{
    (void)state;
    AUTO(image_set_destroy) struct image_set *s = numbered(10000, "");
    assert_int_equal(image_set_shards(s, IMAGE_SET_SHARD), 3);
    assert_int_equal(image_set_shards(s, 5000), 2);
    assert_int_equal(image_set_shards(s, 1), 10000);
    size_t next = 0;
    for (size_t k = 0; k < 3; k++) {
        struct image_range r = image_set_shard(s, IMAGE_SET_SHARD, k);
        assert_int_equal(r.first, next);
        next += r.count;
    }
    assert_int_equal(next, 10000);
    assert_int_equal(image_set_shard(s, IMAGE_SET_SHARD, 2).count, 10000 - 2 * 4096);
    assert_int_equal(image_set_shard(s, IMAGE_SET_SHARD, 3).count, 0);
}

static void the_digest_is_of_the_list(void **state)
{
    (void)state;
    AUTO(image_set_destroy)
    struct image_set *a = numbered(3, ""),
                     *b = numbered(3, "{\"image\":\"00001.jpg\"}"), *c = numbered(3, "{\"image\":\"x.jpg\"}");
    char want[DIGEST_HEX_SIZE];
    digest_bytes("00000.jpg\0"
                 "00001.jpg\0"
                 "00002.jpg\0",
                 30, want);
    assert_string_equal(image_set_digest(a), want);
    assert_string_equal(image_set_digest(b), want);
    assert_string_not_equal(image_set_digest(c), want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder),
        cmocka_unit_test(an_spair_directory),
        cmocka_unit_test(a_list_of_files),
        cmocka_unit_test(bad_directories),
        cmocka_unit_test(llava_json),
        cmocka_unit_test(benchmark_jsonl),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(shards),
        cmocka_unit_test(the_digest_is_of_the_list),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
