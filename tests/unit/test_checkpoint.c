/* Checkpoints: whole or not there, the newest that is whole, the last two kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "worker/layout.h"
#include "worker/train/checkpoint.h"

static char room[] = "/tmp/acsweep-checkpoint-XXXXXX";
static char root[100];

static int setup(void **state)
{
    (void)state;
    remove_tree(root);
    return 0;
}

static void put_file(const char *dir, const char *name, const char *text)
{
    char path[CHECKPOINT_PATH + 100];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void save(int64_t step)
{
    struct err e = { 0 };
    char dir[CHECKPOINT_PATH], text[40];
    AUTO(json_decref) json_t *state = json_pack("{s:s}", "config", "c");
    assert_int_equal(checkpoint_begin(root, dir, &e), 0);
    snprintf(text, sizeof text, "weights of %lld", (long long)step);
    put_file(dir, "trained", text);
    put_file(dir, "optimizer-0", "");
    if (checkpoint_commit(root, step, state, &e) < 0)
        fail_msg("%s", e.text);
}

/* The step that is found, -1 for none. */
static int64_t found(void)
{
    struct err e = { 0 };
    char dir[CHECKPOINT_PATH], at[CHECKPOINT_PATH];
    AUTO(json_decref) json_t *state = NULL;
    int rc = checkpoint_find(root, dir, &state, &e);
    assert_true(rc >= 0);
    if (rc == 0)
        return -1;
    int64_t step = json_integer_value(json_object_get(state, "step"));
    assert_int_equal(checkpoint_at(root, step, at, &e), 0);
    assert_string_equal(dir, at);
    assert_string_equal(json_string_value(json_object_get(state, "config")), "c");
    return step;
}

static bool there(int64_t step)
{
    struct err e = { 0 };
    struct stat st;
    char dir[CHECKPOINT_PATH];
    assert_int_equal(checkpoint_at(root, step, dir, &e), 0);
    return stat(dir, &st) == 0;
}

static void in_checkpoint(int64_t step, const char *name, const char *text)
{
    struct err e = { 0 };
    char dir[CHECKPOINT_PATH];
    assert_int_equal(checkpoint_at(root, step, dir, &e), 0);
    put_file(dir, name, text);
}

static void test_the_last_two_are_kept(void **state)
{
    (void)state;
    assert_int_equal(found(), -1);
    for (int64_t step = 1; step <= 4; step++) {
        save(step);
        assert_int_equal(found(), step);
    }
    assert_false(there(1) || there(2));
    assert_true(there(3) && there(4));
}

static void test_broken_ones_are_passed_over(void **state)
{
    (void)state;
    save(10);
    save(20);
    in_checkpoint(20, "trained", "weights of 21");
    assert_int_equal(found(), 10);
    in_checkpoint(10, "state.json", "{\"step\": 10, \"fil");
    assert_int_equal(found(), -1);
    save(15); /* what is broken goes, also where it says that it is newer */
    assert_int_equal(found(), 15);
    assert_false(there(20));
}

static void test_states_that_lie(void **state)
{
    (void)state;
    static const char *const lies[] = {
        "{}", "[]", "{\"step\": 5}", "{\"step\": 6, \"files\": {}}", "{\"step\": 5, \"files\": {\"../x\": {\"sha256\": \"0\"}}}",
        "{\"step\": 5, \"files\": {\"trained\": {}}}", "{\"step\": 5, \"files\": {\"trained\": {\"sha256\": \"00\"}}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        save(5);
        in_checkpoint(5, "state.json", lies[i]);
        assert_int_equal(found(), -1);
    }
}

/* What another program left there is none of ours. */
static void test_other_names_are_left_alone(void **state)
{
    (void)state;
    struct err e = { 0 };
    char path[200];
    static const char *const names[] = { "step-12", "step-00000000012", "step--000000012", "step-000000001x", "steps" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        assert_int_equal(make_dirs(path, &e), 0);
    }
    assert_int_equal(found(), -1);
    save(7);
    save(8);
    save(9);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        assert_int_equal(access(path, F_OK), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_last_two_are_kept, setup),
        cmocka_unit_test_setup(test_broken_ones_are_passed_over, setup),
        cmocka_unit_test_setup(test_states_that_lie, setup),
        cmocka_unit_test_setup(test_other_names_are_left_alone, setup),
    };
    log_setup("test_checkpoint", LOG_ERROR, LOG_LOGFMT);
    if (!mkdtemp(room))
        return 1;
    snprintf(root, sizeof root, "%s/checkpoints", room);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    remove_tree(room);
    return rc;
}
