/* Content digests: those of sha256sum, the same whatever the order and the place, read once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>

#include "tests/unit/data_files.h"
#include "worker/data/content.h"

/* As if it had not changed for long: only then is it remembered. */
static void set_time(const char *name, time_t seconds)
{
    const struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };
    assert_int_equal(utimensat(AT_FDCWD, in_scratch(name), times, 0), 0);
}

static struct content digest(const char *name, const char *cache)
{
    struct err e = { 0 };
    struct content c;
    const struct content_options o = { .cache = cache };
    if (content_digest(in_scratch(name), &o, &c, &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

static void expect_refusal(const char *name, enum err_kind kind, const char *part)
{
    struct err e = { 0 };
    struct content c;
    assert_int_equal(content_digest(in_scratch(name), &(struct content_options){ 0 }, &c, &e), -1);
    assert_int_equal(e.kind, kind);
    if (!strstr(e.text, part))
        fail_msg("'%s' has no '%s'", e.text, part);
}

/* The first word that a shell command prints, run in the directory `name`. */
static void ask_shell(const char *name, const char *command, char hex[DIGEST_HEX_SIZE])
{
    char line[1024];
    snprintf(line, sizeof line, "cd '%s' && %s", in_scratch(name), command);
    FILE *out = popen(line, "r");
    assert_non_null(out);
    assert_int_equal(fscanf(out, "%64s", hex), 1);
    assert_int_equal(pclose(out), 0);
}

static const char by_hand[] = "find -L . -name '.?*' -prune -o -type f -printf '%P\\0' | LC_ALL=C sort -z | "
                              "xargs -0 sha256sum | sha256sum";

static void is_what_sha256sum_says(void **state)
{
    (void)state;
    char hex[DIGEST_HEX_SIZE];
    put_text("d/model.safetensors", "weights");
    put_text("d/config.json", "{}");
    put_text("d/Z", "");
    put_text("d/a/b/c", "deep");
    put_text("d/a b", "blank");
    put_text("d/a\\b", "backslash");
    put_text("d/a\nb", "newline");
    put_text("d/\xc3\xa4", "not ASCII");
    ask_shell("d", "sha256sum model.safetensors", hex);
    assert_string_equal(digest("d/model.safetensors", NULL).digest, hex);
    ask_shell("d", by_hand, hex);
    struct content c = digest("d", NULL);
    assert_string_equal(c.digest, hex);
    assert_int_equal(c.files, 8);
    assert_int_equal(c.bytes, 7 + 2 + 0 + 4 + 5 + 9 + 7 + 9);
    assert_int_equal(c.bytes_read, c.bytes);
}

static void hidden_names_do_not_count(void **state)
{
    (void)state;
    char hex[DIGEST_HEX_SIZE];
    put_text("h/file", "x");
    struct content before = digest("h", NULL);
    put_text("h/.git/objects", "x");
    put_text("h/.DS_Store", "x");
    put_text("h/sub/.cache", "x"); /* a directory without anything else */
    assert_string_equal(digest("h", NULL).digest, before.digest);
    ask_shell("h", by_hand, hex);
    assert_string_equal(before.digest, hex);
    put_text("h/sub/file", "x");
    assert_string_not_equal(digest("h", NULL).digest, before.digest);
}

/* A checkpoint as a cache of downloads has it is the same as a copy. */
static void links_are_followed(void **state)
{
    (void)state;
    put_text("copy/model", "weights");
    put_text("copy/sub/config", "{}");
    put_text("blobs/1234", "weights");
    put_text("blobs/sub/config", "{}");
    put_text("linked/x", "");
    assert_int_equal(unlink(in_scratch("linked/x")), 0);
    assert_int_equal(symlink("../blobs/1234", in_scratch("linked/model")), 0);
    assert_int_equal(symlink("../blobs/sub", in_scratch("linked/sub")), 0);
    assert_string_equal(digest("linked", NULL).digest, digest("copy", NULL).digest);
    assert_int_equal(symlink("linked", in_scratch("other")), 0);
    assert_string_equal(digest("other", NULL).digest, digest("copy", NULL).digest);
    assert_int_equal(symlink("..", in_scratch("linked/up")), 0);
    expect_refusal("linked", ERR_INPUT, "leads back into a directory that it lies in");
    assert_int_equal(unlink(in_scratch("linked/up")), 0);
    assert_int_equal(symlink("nowhere", in_scratch("linked/gone")), 0);
    expect_refusal("linked", ERR_INPUT, "linked/gone: a link to a file that is not there");
}

static void what_has_none(void **state)
{
    (void)state;
    put_text("fifo/file", "x");
    assert_int_equal(mkfifo(in_scratch("fifo/pipe"), 0600), 0);
    expect_refusal("fifo", ERR_INPUT, "fifo/pipe is no regular file");
    expect_refusal("fifo/pipe", ERR_INPUT, "is no regular file");
    assert_int_equal(mkdir(in_scratch("empty"), 0700), 0);
    expect_refusal("empty", ERR_INPUT, "without files");
    expect_refusal("missing", ERR_ENV, "No such file");
}

static void named_files(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct content c;
    const struct content_options o = { 0 };
    put_text("n/list.json", "[]");
    put_text("n/pictures/1.png", "one");
    put_text("n/unrelated", "other data of the directory");
    put_text("same/list.json", "[]");
    put_text("same/pictures/1.png", "one");
    static const char *const names[] = { "pictures/1.png", "list.json", "pictures/1.png" };
    assert_int_equal(content_digest_files(in_scratch("n"), names, 3, &o, &c, &e), 0);
    assert_string_equal(c.digest, digest("same", NULL).digest);
    assert_int_equal(c.files, 2);
    assert_int_equal(c.bytes, 5);
}

/* ---- the cache ----------------------------------------------------------------------------------------------------
 */

static void reads_only_what_is_new(void **state)
{
    (void)state;
    const char *cache = strdup(in_scratch("cache"));
    put_text("c/a", "first");
    put_text("c/b%\n c", "second one");
    put_text("c/d", "3");
    set_time("c/a", 1000);
    set_time("c/b%\n c", 1000);
    struct content first = digest("c", cache);
    assert_int_equal(first.bytes_read, 16);
    struct content again = digest("c", cache);
    assert_string_equal(again.digest, first.digest);
    assert_int_equal(again.bytes_read, 1); /* "d" had just been written: it may still change within its time stamp */
    set_time("c/d", 1000);
    assert_int_equal(digest("c", cache).bytes_read, 1);
    assert_int_equal(digest("c", cache).bytes_read, 0);
    put_text("c/a", "FIRST"); /* as large, but at another time */
    set_time("c/a", 2000);
    struct content changed = digest("c", cache);
    assert_int_equal(changed.bytes_read, 5);
    assert_string_not_equal(changed.digest, first.digest);
    assert_string_equal(changed.digest, digest("c", NULL).digest);
    put_text("c/new", "x");
    set_time("c/new", 1000);
    assert_int_equal(unlink(in_scratch("c/d")), 0);
    assert_int_equal(digest("c", cache).bytes_read, 1);
    free((char *)cache);
}

static void a_spoilt_cache_knows_nothing(void **state)
{
    (void)state;
    static const char *const spoilt[] = {
        "",
        "acsweep content 2\n0000000000000000000000000000000000000000000000000000000000000000 1 1000000000000 1 f\n",
        "acsweep content 1\nnonsense\n\n%\n",
        "acsweep content 1\n00 1 1000000000000 1 f\n",
        "acsweep content 1\n0000000000000000000000000000000000000000000000000000000000000000 1 1000000000000 1 %0\n",
        "acsweep content 1\n0000000000000000000000000000000000000000000000000000000000000000 1 1000000000000",
    };
    char *cache = strdup(in_scratch("spoilt"));
    put_text("s/f", "x");
    set_time("s/f", 1000);
    for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
        put_text("spoilt", spoilt[i]);
        assert_string_equal(digest("s", cache).digest, digest("s", NULL).digest);
        assert_int_equal(digest("s", cache).bytes_read, 0); /* and was mended */
    }
    free(cache);
}

static int stop_in_the_second(void *arg, uint64_t done, uint64_t bytes, struct err *e)
{
    *(uint64_t *)arg = bytes;
    return done > 5 ? FAIL(e, ERR_INTERRUPTED, "told to stop") : 0;
}

/* 64 GiB of nothing would take minutes. */
static void an_interrupted_reading_goes_on(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct content c;
    uint64_t seen = 0;
    char *cache = strdup(in_scratch("interrupted"));
    struct content_options o = { .cache = cache, .threads = 1, .progress = stop_in_the_second, .arg = &seen };
    put_text("i/a", "small");
    put_text("i/huge", "");
    assert_int_equal(truncate(in_scratch("i/huge"), (off_t)1 << 36), 0);
    set_time("i/a", 1000);
    set_time("i/huge", 1000);
    assert_int_equal(content_digest(in_scratch("i"), &o, &c, &e), -1);
    assert_int_equal(e.kind, ERR_INTERRUPTED);
    assert_int_equal(seen, ((uint64_t)1 << 36) + 5);
    assert_int_equal(unlink(in_scratch("i/huge")), 0);
    assert_int_equal(digest("i", cache).bytes_read, 0);
    free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_sha256sum_says),
        cmocka_unit_test(hidden_names_do_not_count),
        cmocka_unit_test(links_are_followed),
        cmocka_unit_test(what_has_none),
        cmocka_unit_test(named_files),
        cmocka_unit_test(reads_only_what_is_new),
        cmocka_unit_test(a_spoilt_cache_knows_nothing),
        cmocka_unit_test(an_interrupted_reading_goes_on),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
