/* Tensor files: what is written comes back, hostile files are refused with the reason, and indices of shards are
 * checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "worker/torch/weights.h"

static char dir[64];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/acsweep-st-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in_dir(const char *name)
{
    static char path[4][128];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(in_dir(name), "we");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

#define assert_done(call)                      \
    do {                                       \
        if ((call) < 0)                        \
            fail_msg("%s: %s", #call, e.text); \
    } while (0)

/* ---- writing and reading back ---------------------------------------------------------------------------------------
 */

static const float weight[6] = { 1, -2, 3.5f, 0, 1e-30f, 7 };
static const int64_t ids[2] = { INT64_MIN, 5 };
static const uint8_t flags[3] = { 1, 0, 1 };

static void write_sample(const char *name, bool other_order)
{
    struct err e = { 0 };
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(in_dir(name), &e);
    assert_non_null(w);
    assert_done(st_writer_metadata(w, "format", "pt", &e));
    if (other_order)
        assert_done(st_writer_declare(w, "flags", TH_BOOL, (int64_t[]){ 3 }, 1, &e));
    assert_done(st_writer_declare(w, "b.weight", TH_F32, (int64_t[]){ 2, 3 }, 2, &e));
    if (!other_order)
        assert_done(st_writer_declare(w, "flags", TH_BOOL, (int64_t[]){ 3 }, 1, &e));
    assert_done(st_writer_declare(w, "ids", TH_I64, (int64_t[]){ 2 }, 1, &e));
    assert_done(st_writer_declare(w, "empty", TH_F16, (int64_t[]){ 0, 4 }, 2, &e));
    assert_done(st_writer_declare(w, "scalar", TH_I8, NULL, 0, &e));
    assert_done(st_writer_put(w, "flags", flags, sizeof flags, &e));
    assert_done(st_writer_put(w, "ids", ids, sizeof ids, &e));
    assert_done(st_writer_put(w, "scalar", "\x07", 1, &e));
    assert_done(st_writer_put(w, "empty", NULL, 0, &e));
    assert_done(st_writer_put(w, "b.weight", weight, sizeof weight, &e));
    assert_done(st_writer_commit(w, &e));
}

static void test_what_is_written_comes_back(void **state)
{
    (void)state;
    struct err e = { 0 };
    char text[64];
    write_sample("a.safetensors", false);
    AUTO(safetensors_release) struct safetensors *f = safetensors_open(in_dir("a.safetensors"), &e);
    assert_string_equal(e.text, "");
    assert_int_equal(safetensors_count(f), 5);
    assert_string_equal(safetensors_metadata(f, "format"), "pt");
    assert_null(safetensors_metadata(f, "other"));
    const struct st_tensor *t = safetensors_find(f, "b.weight");
    assert_string_equal(st_describe(t, text, sizeof text), "F32[2,3]");
    assert_int_equal(t->type, TH_F32);
    assert_int_equal((uintptr_t)t->data % 4, 0);
    assert_memory_equal(t->data, weight, sizeof weight);
    assert_memory_equal(safetensors_find(f, "ids")->data, ids, sizeof ids);
    assert_memory_equal(safetensors_find(f, "flags")->data, flags, sizeof flags);
    assert_int_equal(safetensors_find(f, "empty")->bytes, 0);
    assert_int_equal(safetensors_find(f, "scalar")->rank, 0);
    assert_null(safetensors_find(f, "b.weigh"));
    assert_string_equal(safetensors_at(f, 0)->name, "ids"); /* the widest lies first */
    assert_null(safetensors_at(f, 5));
}

static size_t slurp(const char *name, uint8_t *out, size_t room)
{
    FILE *f = fopen(in_dir(name), "re");
    assert_non_null(f);
    size_t n = fread(out, 1, room, f);
    fclose(f);
    return n;
}

static void test_same_content_same_bytes(void **state)
{
    (void)state;
    uint8_t a[4096], b[4096];
    write_sample("a.safetensors", false);
    write_sample("b.safetensors", true);
    size_t n = slurp("a.safetensors", a, sizeof a);
    assert_int_equal(n, slurp("b.safetensors", b, sizeof b));
    assert_memory_equal(a, b, n);
    uint64_t header;
    memcpy(&header, a, 8);
    assert_int_equal((8 + header) % 64, 0);
}

static int count_files(void)
{
    char command[128];
    int n = -1;
    snprintf(command, sizeof command, "ls -A %s | wc -l", dir);
    FILE *p = popen(command, "re");
    assert_non_null(p);
    assert_int_equal(fscanf(p, "%d", &n), 1);
    pclose(p);
    return n;
}

static void test_without_commit_nothing_is_left(void **state)
{
    (void)state;
    struct err e = { 0 };
    write_file("w.safetensors", "older", 5);
    struct st_writer *w = st_writer_create(in_dir("w.safetensors"), &e);
    assert_done(st_writer_declare(w, "x", TH_U8, (int64_t[]){ 1 }, 1, &e));
    assert_done(st_writer_put(w, "x", "a", 1, &e));
    assert_int_equal(count_files(), 2);
    st_writer_destroy(w);
    uint8_t bytes[16];
    assert_int_equal(count_files(), 1);
    assert_int_equal(slurp("w.safetensors", bytes, sizeof bytes), 5);
}

static void test_writer_finds_mistakes(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(in_dir("w.safetensors"), &e);
    assert_done(st_writer_declare(w, "x", TH_F32, (int64_t[]){ 2 }, 1, &e));
    assert_int_equal(st_writer_declare(w, "x", TH_F32, (int64_t[]){ 2 }, 1, &e), -1);
    assert_int_equal(st_writer_declare(w, "", TH_F32, NULL, 0, NULL), -1);
    assert_int_equal(st_writer_declare(w, "__metadata__", TH_F32, NULL, 0, NULL), -1);
    assert_int_equal(st_writer_declare(w, "y", TH_F32, (int64_t[]){ INT64_MAX, 9 }, 2, NULL), -1);
    assert_int_equal(st_writer_declare(w, "y", TH_F32, (int64_t[]){ -1 }, 1, NULL), -1);
    assert_int_equal(st_writer_metadata(w, "k", "\xff", NULL), -1);
    assert_int_equal(st_writer_put(w, "z", weight, 8, NULL), -1);
    assert_int_equal(st_writer_put(w, "x", weight, 4, NULL), -1);
    assert_int_equal(st_writer_commit(w, NULL), -1);
    err_clear(&e);
    assert_done(st_writer_put(w, "x", weight, 8, &e));
    assert_int_equal(st_writer_put(w, "x", weight, 8, NULL), -1);
    assert_int_equal(st_writer_declare(w, "late", TH_U8, NULL, 0, NULL), -1);
    assert_done(st_writer_commit(w, &e));
    assert_int_equal(st_writer_commit(w, NULL), -1);
    assert_null(st_writer_create("/nowhere/at/all/x.safetensors", &e));
    assert_int_equal(e.kind, ERR_ENV);
}

static void test_names_that_a_file_cannot_have(void **state)
{
    (void)state;
    static const char *const names[] = { "__metadata__", "a\xff.png", "\xc3" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct err e = { 0 };
        AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(in_dir("w.safetensors"), &e);
        assert_int_equal(st_writer_declare(w, names[i], TH_F32, (int64_t[]){ 2 }, 1, &e), -1);
        if (e.kind != ERR_INPUT || !strstr(e.text, "rename it"))
            fail_msg("%s: %s", err_kind_name(e.kind), e.text);
    }
}

static void put_one(struct st_writer *w, const char *content)
{
    struct err e = { 0 };
    assert_done(st_writer_declare(w, "x", TH_U8, (int64_t[]){ 4 }, 1, &e));
    assert_done(st_writer_put(w, "x", content, 4, &e));
}

/* Two at once, as two processes of the same number on two machines are: each has its own file until it is done. */
static void test_writers_of_the_same_file_do_not_meet(void **state)
{
    (void)state;
    struct err e = { 0 };
    AUTO(st_writer_destroy) struct st_writer *one = st_writer_create(in_dir("w.safetensors"), &e);
    AUTO(st_writer_destroy) struct st_writer *two = st_writer_create(in_dir("w.safetensors"), &e);
    assert_true(one && two);
    put_one(one, "1111");
    put_one(two, "2222");
    for (int i = 0; i < 2; i++) {
        assert_done(st_writer_commit(i ? two : one, &e));
        AUTO(safetensors_release) struct safetensors *f = safetensors_open(in_dir("w.safetensors"), &e);
        assert_string_equal(e.text, "");
        assert_memory_equal(safetensors_find(f, "x")->data, i ? "2222" : "1111", 4);
    }
    assert_int_equal(count_files(), 1);
}

static void test_a_directory_is_no_file_to_write(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_null(st_writer_create(dir, &e));
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "it is a directory"));
}

/* ---- hostile files --------------------------------------------------------------------------------------------------
 */

/* A file of that header (its true length before it) and so many bytes of data. */
static void header_file(const char *header, size_t data)
{
    static uint8_t bytes[8192];
    uint64_t n = strlen(header);
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, header, n);
    memset(bytes + 8 + n, 1, data);
    write_file("h.safetensors", bytes, 8 + n + data);
}

static void assert_refused(const char *why)
{
    struct err e = { 0 };
    assert_null(safetensors_open(in_dir("h.safetensors"), &e));
    if (e.kind != ERR_INPUT || !strstr(e.text, why) || strncmp(e.text, dir, strlen(dir)) != 0)
        fail_msg("wanted '%s', got %s: %s", why, err_kind_name(e.kind), e.text);
}

#define X "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
static const struct {
    const char *header;
    size_t data;
    const char *why;
} hostile[] = {
    { "", 16, "does not start with '{'" },
    { "[1]", 0, "does not start with '{'" },
    { "{", 0, "is not JSON" },
    { "{\"x\":1}", 0, "it must have dtype" },
    { "{\"\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, "has no name" },
    { X ","
        "\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      8, "duplicate" },
    { X "}", 7, "beyond the 7 bytes" },
    { X "}", 9, "1 bytes at its end" },
    { X ",\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[7,9]}}", 9, "'y' overlaps" },
    { X ",\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[9,11]}}", 11, "'y' leaves a gap" },
    { X ",\"y\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "'y' overlaps" },
    { "{\"x\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "F32[3] takes 12 bytes" },
    { "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "takes 8 bytes" },
    { "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"z\":1}}", 8, "nothing else" },
    { "{\"x\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,8]}}", 8, "from 0 on" },
    { "{\"x\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "from 0 on" },
    { "{\"x\":{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}}", 8, "from 0 on" },
    { "{\"x\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, "shape is not a list" },
    { "{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}", 8, "too large" },
    { "{\"x\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "too large" },
    { "{\"x\":{\"dtype\":\"U8\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}}", 8, "is not JSON" },
    { "{\"x\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
      "17 dimensions" },
    { "{\"x\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, "dtype 'F4' is unknown" },
    { "{\"x\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,1]}}", 1, "dtype is not a text" },
    { "{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,-2]}}", 2, "from 0 on" },
    { "{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,1,2]}}", 2, "not two numbers" },
    { "{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,9223372036854775807]}}", 2, "is the file cut off?" },
    { "{\"__metadata__\":{\"a\":1}}", 0, "'a' is not a text" },
    { "{\"__metadata__\":[]}", 0, "__metadata__ is not an object" },
    { "{\"\\u0000\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, "is not JSON" },
};

static void test_lying_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        header_file(hostile[i].header, hostile[i].data);
        assert_refused(hostile[i].why);
    }
}

static void test_bad_lengths(void **state)
{
    (void)state;
    uint64_t length = 0;
    write_file("h.safetensors", "", 0);
    assert_refused("it has 0 bytes");
    write_file("h.safetensors", "{}", 2);
    assert_refused("it has 2 bytes");
    write_file("h.safetensors", &length, 8);
    assert_refused("does not start with '{'");
    length = 1000;
    write_file("h.safetensors", &length, 8);
    assert_refused("cut off");
    length = UINT64_MAX;
    write_file("h.safetensors", &length, 8);
    assert_refused("is no safetensors file");
    write_file("h.safetensors", "PK\3\4 this is a zip, not a tensor file", 35);
    assert_refused("is no safetensors file");
}

static void test_deep_header(void **state)
{
    (void)state;
    char header[8000] = "{\"x\":";
    memset(header + 5, '[', sizeof header - 6);
    header_file(header, 0);
    assert_refused("is not JSON");
}

static void test_every_cut_is_refused(void **state)
{
    (void)state;
    uint8_t whole[4096];
    write_sample("a.safetensors", false);
    size_t n = slurp("a.safetensors", whole, sizeof whole);
    for (size_t cut = 0; cut < n; cut++) {
        struct err e = { 0 };
        uint8_t *exact = malloc(cut + 1); /* so that ASan sees a byte too far */
        memcpy(exact, whole, cut);
        assert_null(safetensors_parse(exact, cut, "cut", &e));
        assert_int_equal(e.kind, ERR_INPUT);
        free(exact);
    }
}

static void test_not_a_file(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_null(safetensors_open(dir, &e));
    assert_int_equal(e.kind, ERR_INPUT);
    err_clear(&e);
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    assert_null(safetensors_open(in_dir("fifo"), &e)); /* and does not wait for a writer */
    assert_int_equal(e.kind, ERR_INPUT);
    err_clear(&e);
    assert_null(safetensors_open(in_dir("none"), &e));
    assert_int_equal(e.kind, ERR_ENV);
    assert_non_null(strstr(e.text, "No such file"));
}

static void test_types_without_arithmetic_are_listed(void **state)
{
    (void)state;
    struct err e = { 0 };
    header_file("{\"x\":{\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[0,2]}}   ", 2);
    AUTO(safetensors_release) struct safetensors *f = safetensors_open(in_dir("h.safetensors"), &e);
    assert_string_equal(e.text, "");
    assert_int_equal(safetensors_at(f, 0)->type, TH_DTYPES);
    assert_string_equal(safetensors_at(f, 0)->type_name, "F8_E4M3");
}

/* ---- shards ---------------------------------------------------------------------------------------------------------
 */

static void write_two(const char *file, const char *tensor, const char *other)
{
    struct err e = { 0 };
    AUTO(st_writer_destroy) struct st_writer *w = st_writer_create(in_dir(file), &e);
    assert_done(st_writer_metadata(w, "format", "pt", &e));
    assert_done(st_writer_declare(w, tensor, TH_F32, (int64_t[]){ 6 }, 1, &e));
    if (other)
        assert_done(st_writer_declare(w, other, TH_F32, (int64_t[]){ 6 }, 1, &e));
    assert_done(st_writer_put(w, tensor, weight, sizeof weight, &e));
    if (other)
        assert_done(st_writer_put(w, other, weight, sizeof weight, &e));
    assert_done(st_writer_commit(w, &e));
}

static void write_shard(const char *file, const char *tensor)
{
    write_two(file, tensor, NULL);
}

static void write_index(const char *text)
{
    write_file("model.safetensors.index.json", text, strlen(text));
}

static void assert_no_weights(const char *why)
{
    struct err e = { 0 };
    assert_null(weights_open(dir, &e));
    if (e.kind != ERR_INPUT || !strstr(e.text, why))
        fail_msg("wanted '%s', got %s: %s", why, err_kind_name(e.kind), e.text);
}

static void test_shards_are_one_checkpoint(void **state)
{
    (void)state;
    struct err e = { 0 };
    write_shard("model-1.safetensors", "b");
    write_shard("model-2.safetensors", "a");
    write_index("{\"metadata\":{\"total_size\":48},\"weight_map\":{\"b\":\"model-1.safetensors\",\"a\":\"model-2."
                "safetensors\"}}");
    AUTO(weights_destroy) struct weights *w = weights_open(dir, &e);
    assert_string_equal(e.text, "");
    assert_int_equal(weights_count(w), 2);
    assert_string_equal(weights_at(w, 0)->name, "a");
    assert_non_null(strstr(safetensors_path(weights_file(w, weights_find(w, "b"))), "model-1"));
    assert_null(weights_find(w, "c"));
    assert_string_equal(weights_metadata(w, "format"), "pt");
    assert_null(weights_metadata(w, "none"));
}

/* What no index names is there all the same, once. */
static void test_tensors_that_the_index_leaves_out(void **state)
{
    (void)state;
    struct err e = { 0 };
    write_shard("model-1.safetensors", "b");
    write_shard("model-2.safetensors", "extra");
    write_shard("model-3.safetensors", "extra");
    write_index("{\"weight_map\":{\"b\":\"model-1.safetensors\"}}");
    AUTO(weights_destroy) struct weights *one = weights_open(dir, &e);
    assert_int_equal(weights_count(one), 1); /* a file that nobody names is none of ours */
    write_two("model-1.safetensors", "b", "extra");
    AUTO(weights_destroy) struct weights *two = weights_open(dir, &e);
    assert_string_equal(e.text, "");
    assert_int_equal(weights_count(two), 2);
    assert_non_null(weights_find(two, "extra"));
}

/* transformers takes the one file; an index beside it may be left over from another download. */
static void test_one_file_comes_before_an_index(void **state)
{
    (void)state;
    struct err e = { 0 };
    write_shard("model.safetensors", "whole");
    write_index("{\"weight_map\":{\"b\":\"gone.safetensors\"}}");
    AUTO(weights_destroy) struct weights *w = weights_open(dir, &e);
    assert_string_equal(e.text, "");
    assert_non_null(weights_find(w, "whole"));
}

static void test_pickles_come_with_a_remedy(void **state)
{
    (void)state;
    write_file("pytorch_model.bin", "PK", 2);
    assert_no_weights("only pytorch_model.bin, a format that can run any program when it is read; convert it once");
}

static void test_one_file_without_index(void **state)
{
    (void)state;
    struct err e = { 0 };
    write_shard("diffusion_pytorch_model.safetensors", "x");
    AUTO(weights_destroy) struct weights *a = weights_open(dir, &e);
    assert_int_equal(weights_count(a), 1);
    AUTO(weights_destroy) struct weights *b = weights_open(in_dir("diffusion_pytorch_model.safetensors"), &e);
    assert_non_null(weights_find(b, "x"));
}

static void test_bad_indices(void **state)
{
    (void)state;
    static const struct {
        const char *index, *why;
    } bad[] = {
        { "{", "index.json: line" },
        { "[]", "no weight_map" },
        { "{}", "no weight_map" },
        { "{\"weight_map\":{\"b\":1}}", "'b' does not name a file" },
        { "{\"weight_map\":{\"b\":\"../m.safetensors\"}}", "'b' does not name a file" },
        { "{\"weight_map\":{\"b\":\"/etc/passwd\"}}", "'b' does not name a file" },
        { "{\"weight_map\":{\"b\":\"..\"}}", "'b' does not name a file" },
        { "{\"weight_map\":{\"b\":\"gone.safetensors\"}}", "it is not there" },
        { "{\"weight_map\":{\"c\":\"m.safetensors\"}}", "'c' is in this file, but it is not" },
        { "{\"weight_map\":{\"b\":\"m.safetensors\",\"b\":\"m.safetensors\"}}", "duplicate" },
    };
    assert_no_weights("there is no model.safetensors");
    write_shard("m.safetensors", "b");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        write_index(bad[i].index);
        assert_no_weights(bad[i].why);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_written_comes_back),
        TEST(test_same_content_same_bytes),
        TEST(test_without_commit_nothing_is_left),
        TEST(test_writer_finds_mistakes),
        TEST(test_names_that_a_file_cannot_have),
        TEST(test_writers_of_the_same_file_do_not_meet),
        TEST(test_a_directory_is_no_file_to_write),
        TEST(test_lying_headers),
        TEST(test_bad_lengths),
        TEST(test_deep_header),
        TEST(test_every_cut_is_refused),
        TEST(test_not_a_file),
        TEST(test_types_without_arithmetic_are_listed),
        TEST(test_shards_are_one_checkpoint),
        TEST(test_tensors_that_the_index_leaves_out),
        TEST(test_one_file_comes_before_an_index),
        TEST(test_pickles_come_with_a_remedy),
        TEST(test_one_file_without_index),
        TEST(test_bad_indices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
