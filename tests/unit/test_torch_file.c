/* Files of torch.save, read without it (tests/golden/torch_file, see make.py there), and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/checkpoint_copy.h"
#include "worker/torch/torch_file.h"
#include "worker/torch/weights.h"

#define GOLDEN SOURCE_DIR "/tests/golden/torch_file/"

static struct safetensors *open_golden(const char *name)
{
    struct err e = { 0 };
    char path[400];
    snprintf(path, sizeof path, GOLDEN "%s", name);
    struct safetensors *f = torch_file_open(path, &e);
    if (!f)
        fail_msg("%s", e.text);
    return f;
}

static void assert_tensor(const struct safetensors *f, const char *name, const char *shape, const void *data, size_t n)
{
    char is[100];
    const struct st_tensor *t = safetensors_find(f, name);
    assert_non_null(t);
    assert_string_equal(st_describe(t, is, sizeof is), shape);
    assert_int_equal(t->bytes, n);
    if (data)
        assert_memory_equal(t->data, data, n);
}

static void check_state_dict(const char *name)
{
    AUTO(safetensors_release) struct safetensors *f = open_golden(name);
    assert_int_equal(safetensors_count(f), 14);
    assert_tensor(f, "0.weight", "F32[2,3]", NULL, 24);
    assert_ptr_equal(safetensors_find(f, "0.weight")->data, safetensors_find(f, "again")->data);
    assert_tensor(f, "view", "F32[2,3]", (const float[]){ 4, 5, 6, 7, 8, 9 }, 24);
    assert_tensor(f, "parameter", "F32[2]", (const float[]){ 1.5, -2 }, 8);
    assert_tensor(f, "scalar", "I64[]", &(int64_t){ 7 }, 8);
    assert_tensor(f, "empty", "F32[0,4]", NULL, 0);
    assert_tensor(f, "half", "BF16[2]", (const uint16_t[]){ 0x3f00, 0x3fc0 }, 4);
    assert_tensor(f, "yes", "BOOL[2]", (const uint8_t[]){ 1, 0 }, 2);
    assert_tensor(f, "1.num_batches_tracked", "I64[]", &(int64_t){ 0 }, 8);
    assert_null(safetensors_find(f, "epoch"));
}

static void test_the_tensors_of_a_module_are_found(void **state)
{
    (void)state;
    check_state_dict("state_dict.bin");
    check_state_dict("protocol4.bin");
}

static void test_what_is_not_a_table_of_tensors_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *why;
    } cases[] = {
        { "legacy.bin", "no file of PyTorch 1.6 or later" },
        { "transposed.bin", "tensor 'a': it does not lie row by row" },
        { "evil.bin", "posix.system; only plain tables" },
        { "list.bin", "a list where a dict belongs" },
        { "compressed.bin", "is compressed" },
        { "make.py", "no file of PyTorch" },
        { "nowhere.bin", "cannot open" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = { 0 };
        char path[400];
        snprintf(path, sizeof path, GOLDEN "%s", cases[i].name);
        assert_null(torch_file_open(path, &e));
        assert_int_equal(e.kind, i + 1 < ARRAY_LEN(cases) ? ERR_INPUT : ERR_ENV);
        if (!strstr(e.text, cases[i].why) || !strstr(e.text, path))
            fail_msg("%s: %s", cases[i].name, e.text);
    }
}

static char *read_golden(const char *name, size_t *size)
{
    char path[400];
    struct stat st;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    AUTO(fclose) FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    char *bytes = malloc((size_t)st.st_size);
    *size = fread(bytes, 1, (size_t)st.st_size, f);
    return bytes;
}

static void test_a_file_that_is_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    size_t size;
    AUTO(free) char *bytes = read_golden("state_dict.bin", &size);
    for (size_t n = 0; n < size; n++) {
        struct err e = { 0 };
        AUTO(free) char *part = malloc(n + 1); /* its own block, so that a step beyond it is seen */
        memcpy(part, bytes, n);
        assert_null(torch_file_parse(part, n, "part", &e));
        assert_int_equal(e.kind, ERR_INPUT);
    }
}

/* A member's name in the directory or a local header is changed: what it was is missing now. */
static void test_a_missing_member_is_named(void **state)
{
    (void)state;
    size_t size;
    struct err e = { 0 };
    AUTO(free) char *bytes = read_golden("state_dict.bin", &size);
    static const char wanted[] = "state_dict/data/0";
    for (size_t i = 0; i + sizeof wanted <= size; i++)
        if (memcmp(bytes + i, wanted, sizeof wanted - 1) == 0)
            bytes[i + sizeof wanted - 2] = 'x';
    assert_null(torch_file_parse(bytes, size, "changed", &e));
    assert_non_null(strstr(e.text, "changed: tensor '0.weight': its elements, data/0, are not in the file"));
}

static void test_what_is_written_is_read_again(void **state)
{
    (void)state;
    struct err e = { 0 };
    char dir[64], path[100];
    const float a[] = { 1, 2, 3, 4, 5, 6 };
    const int64_t b = INT64_MIN;
    const struct torch_file_tensor list[] = {
        { .name = "a", .type = TH_F32, .dims = (const int64_t[]){ 3, 2 }, .rank = 2, .data = a, .bytes = sizeof a },
        { .name = "b\xc3\xa4", .type = TH_I64, .data = &b, .bytes = sizeof b },
        { .name = "none", .type = TH_BF16, .dims = (const int64_t[]){ 0 }, .rank = 1, .data = a, .bytes = 0 },
    };
    checkpoint_scratch(dir);
    snprintf(path, sizeof path, "%s/pytorch_model.bin", dir);
    assert_int_equal(torch_file_write(path, list, ARRAY_LEN(list), &e), 0);
    AUTO(weights_destroy) struct weights *w = weights_open(dir, &e);
    assert_non_null(w);
    assert_int_equal(weights_count(w), 3);
    const struct safetensors *f = weights_file(w, weights_find(w, "a"));
    assert_tensor(f, "a", "F32[3,2]", a, sizeof a);
    assert_tensor(f, "b\xc3\xa4", "I64[]", &b, sizeof b);
    assert_tensor(f, "none", "BF16[0]", NULL, 0);
    assert_int_equal((uintptr_t)safetensors_find(f, "a")->data % 64, 0);
    assert_int_equal(torch_file_write("/nowhere/x.bin", list, 1, &e), -1);
    assert_int_equal(e.kind, ERR_ENV);
    checkpoint_scratch_end(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_tensors_of_a_module_are_found),
        cmocka_unit_test(test_what_is_not_a_table_of_tensors_is_refused),
        cmocka_unit_test(test_a_file_that_is_cut_off_anywhere_is_refused),
        cmocka_unit_test(test_a_missing_member_is_named),
        cmocka_unit_test(test_what_is_written_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
