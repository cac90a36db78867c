/* A shard of features is written in parts, and goes on after the last whole one: an interrupted run computes nothing twice,
 * and its file has the same bytes as that of a run nobody disturbed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "tests/unit/data_files.h"
#include "worker/extract/feature_file.h"

#define ENCODER SOURCE_DIR "/tests/golden/vit/clip224"
#define PREPARED SOURCE_DIR "/tests/golden/extract/clip224/preprocessor_config.json"
#define PICTURE SOURCE_DIR "/tests/golden/images/pictures/61x40.png"
#define PICTURES (2 * FEATURE_PART + 7) /* two whole parts and a short one */

struct bench {
    struct image_set *set;
    struct extractor *x;
    struct feature_job job;
    size_t stop_at; /* pictures after which it is interrupted; 0: never */
};

#define assert_done(call)                      \
    do {                                       \
        if ((call) < 0)                        \
            fail_msg("%s: %s", #call, e.text); \
    } while (0)

static void link_to(const char *target, const char *name)
{
    if (symlink(target, in_scratch(name)) < 0)
        fail_msg("cannot link %s", name);
}

static void make_files(void)
{
    char name[64];
    assert_int_equal(mkdir(in_scratch("encoder"), 0700) | mkdir(in_scratch("pictures"), 0700), 0);
    assert_int_equal(mkdir(in_scratch("parts"), 0700) | mkdir(in_scratch("other"), 0700), 0);
    link_to(ENCODER "/config.json", "encoder/config.json");
    link_to(ENCODER "/model.safetensors", "encoder/model.safetensors");
    link_to(PREPARED, "encoder/preprocessor_config.json");
    for (int i = 0; i < PICTURES; i++) {
        snprintf(name, sizeof name, "pictures/%03d.png", i);
        link_to(PICTURE, name);
    }
}

static int on_progress(void *arg, size_t done, size_t count, struct err *e)
{
    const struct bench *b = arg;
    (void)count;
    return b->stop_at && done == b->stop_at ? FAIL(e, ERR_INTERRUPTED, "stopped here") : 0;
}

static const char *const first_kind[][2] = { { "identity", "one" }, { NULL, NULL } };
static const char *const second_kind[][2] = { { "identity", "two" }, { NULL, NULL } };

static int setup(void **state)
{
    static struct bench b;
    static char parts[512], out[512];
    struct err e = { 0 };
    assert_int_equal(scratch_make(state), 0);
    make_files();
    struct extract_options o = EXTRACT_DEFAULTS;
    o.checkpoint = in_scratch("encoder");
    o.threads = 1;
    b = (struct bench){ .x = extractor_open(&o, &e), .set = image_set_folder(in_scratch("pictures"), &e) };
    if (!b.x || !b.set)
        fail_msg("%s", e.text);
    snprintf(parts, sizeof parts, "%s", in_scratch("parts"));
    snprintf(out, sizeof out, "%s", in_scratch("features.safetensors"));
    b.job = (struct feature_job){ .x = b.x,
                                  .set = b.set,
                                  .count = PICTURES,
                                  .parts = parts,
                                  .out = out,
                                  .metadata = first_kind,
                                  .progress = on_progress,
                                  .arg = &b };
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    extractor_close(b->x);
    image_set_destroy(b->set);
    return scratch_remove(state);
}

/* Computes until the end; pictures that were computed. */
static size_t finish(struct bench *b)
{
    struct err e = { 0 };
    size_t computed = SIZE_MAX;
    b->stop_at = 0;
    assert_done(feature_file_write(&b->job, &computed, &e));
    return computed;
}

static void stop_after(struct bench *b, size_t pictures)
{
    struct err e = { 0 };
    b->stop_at = pictures;
    assert_int_equal(feature_file_write(&b->job, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_INTERRUPTED);
    assert_int_equal(access(b->job.out, F_OK), -1);
}

static void digest_of(const char *path, char hex[DIGEST_HEX_SIZE])
{
    struct err e = { 0 };
    uint64_t bytes;
    assert_done(digest_file(path, hex, &bytes, &e));
}

/* The digest of a run that nobody disturbed, with parts elsewhere. */
static void undisturbed(const struct bench *b, char hex[DIGEST_HEX_SIZE])
{
    struct bench alone = *b;
    char parts[512], out[512];
    snprintf(parts, sizeof parts, "%s", in_scratch("other"));
    snprintf(out, sizeof out, "%s", in_scratch("undisturbed.safetensors"));
    alone.job.parts = parts;
    alone.job.out = out;
    alone.job.arg = &alone;
    assert_int_equal(finish(&alone), PICTURES);
    digest_of(out, hex);
}

static void assert_undisturbed(const struct bench *b)
{
    char want[DIGEST_HEX_SIZE], got[DIGEST_HEX_SIZE];
    undisturbed(b, want);
    digest_of(b->job.out, got);
    assert_string_equal(got, want);
}

static void test_it_goes_on_after_the_last_whole_part(void **state)
{
    struct bench *b = *state;
    stop_after(b, 5); /* no part is whole yet */
    stop_after(b, FEATURE_PART + 3);
    assert_int_equal(finish(b), PICTURES - FEATURE_PART);
    assert_undisturbed(b);
    char before[DIGEST_HEX_SIZE], after[DIGEST_HEX_SIZE];
    digest_of(b->job.out, before);
    assert_int_equal(finish(b), 0);
    digest_of(b->job.out, after);
    assert_string_equal(after, before);
}

static void test_a_damaged_part_is_computed_again(void **state)
{
    struct bench *b = *state;
    stop_after(b, 2 * FEATURE_PART + 1);
    assert_int_equal(truncate(in_scratch("parts/000000.safetensors"), 5000), 0);
    assert_int_equal(finish(b), PICTURES - FEATURE_PART);
    assert_undisturbed(b);
}

static void test_parts_of_another_task_are_not_taken(void **state)
{
    struct bench *b = *state;
    stop_after(b, 2 * FEATURE_PART + 1);
    b->job.metadata = second_kind;
    assert_int_equal(finish(b), PICTURES);
    assert_undisturbed(b);
}

/* Another shard of the same set has other pictures. */
static void test_parts_of_another_range_are_not_taken(void **state)
{
    struct bench *b = *state;
    stop_after(b, FEATURE_PART + 1);
    b->job.first = 1;
    b->job.count = FEATURE_PART;
    assert_int_equal(finish(b), FEATURE_PART);
    struct err e = { 0 };
    AUTO(safetensors_release) struct safetensors *f = safetensors_open(b->job.out, &e);
    assert_string_equal(e.text, "");
    assert_int_equal(safetensors_count(f), FEATURE_PART);
    assert_null(safetensors_find(f, "000.png"));
    assert_non_null(safetensors_find(f, "064.png"));
    assert_string_equal(safetensors_metadata(f, "grid"), "4");
    assert_string_equal(safetensors_metadata(f, "identity"), "one");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    if (!th_available())
        return 77;
    th_set_threads(1);
    const struct CMUnitTest tests[] = {
        TEST(test_it_goes_on_after_the_last_whole_part),
        TEST(test_a_damaged_part_is_computed_again),
        TEST(test_parts_of_another_task_are_not_taken),
        TEST(test_parts_of_another_range_are_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
