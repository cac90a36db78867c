/* Key files: made once with the right modes, read back, and refused with a reason when anything is off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>

#include "common/keys.h"

struct files {
    char dir[64], prefix[128], secret[160], public[160];
    char public_key[KEY_TEXT_SIZE];
};

static int setup(void **state)
{
    struct files *f = calloc(1, sizeof *f);
    struct err e = { 0 };
    assert_non_null(f);
    strcpy(f->dir, "/tmp/acsweep-keys-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->prefix, sizeof f->prefix, "%s/node", f->dir);
    snprintf(f->secret, sizeof f->secret, "%s.key", f->prefix);
    snprintf(f->public, sizeof f->public, "%s.pub", f->prefix);
    umask(0); /* the mode must not hang on it */
    assert_int_equal(key_write_files(f->prefix, f->public_key, &e), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct files *f = *state;
    unlink(f->secret);
    unlink(f->public);
    assert_int_equal(rmdir(f->dir), 0); /* nothing else was left there */
    free(f);
    return 0;
}

static void put(const char *path, const char *text)
{
    AUTO(fclose) FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
}

static void test_pair_is_read_back(void **state)
{
    struct files *f = *state;
    struct err e = { 0 };
    AUTO(key_pair_wipe) struct key_pair k = { 0 };
    char public_key[KEY_TEXT_SIZE];
    struct stat st;
    assert_int_equal(stat(f->secret, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(key_read_secret(f->secret, &k, &e), 0);
    assert_int_equal(key_read_public(f->public, public_key, &e), 0);
    assert_string_equal(k.public_key, f->public_key);
    assert_string_equal(public_key, f->public_key);
    assert_true(key_is_valid(k.secret_key));
    assert_string_not_equal(k.secret_key, k.public_key);
    key_pair_wipe(&k);
    for (size_t i = 0; i < sizeof k; i++)
        assert_int_equal(((const char *)&k)[i], 0);
}

static void test_an_old_pair_is_never_overwritten(void **state)
{
    struct files *f = *state;
    struct err e = { 0 };
    char again[KEY_TEXT_SIZE], kept[KEY_TEXT_SIZE];
    assert_int_equal(key_write_files(f->prefix, again, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "node.key exists"));
    err_clear(&e);
    assert_int_equal(unlink(f->secret), 0); /* only the public one left: still no */
    assert_int_equal(key_write_files(f->prefix, again, &e), -1);
    assert_non_null(strstr(e.text, "node.pub exists"));
    assert_int_equal(access(f->secret, F_OK), -1);
    err_clear(&e);
    assert_int_equal(key_read_public(f->public, kept, &e), 0);
    assert_string_equal(kept, f->public_key);
}

static void test_secret_that_others_can_read_is_refused(void **state)
{
    struct files *f = *state;
    static const mode_t modes[] = { 0640, 0604, 0660, 0644, 0601 };
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct err e = { 0 };
        struct key_pair k = { 0 };
        assert_int_equal(chmod(f->secret, modes[i]), 0);
        assert_int_equal(key_read_secret(f->secret, &k, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_non_null(strstr(e.text, "chmod 600"));
    }
}

static void test_wrong_files_are_named(void **state)
{
    struct files *f = *state;
    struct err e = { 0 };
    char key[KEY_TEXT_SIZE];
    struct key_pair k;
    assert_int_equal(key_read_public(f->secret, key, &e), -1);
    assert_non_null(strstr(e.text, "this is the secret key"));
    err_clear(&e);
    assert_int_equal(chmod(f->public, 0600), 0);
    assert_int_equal(key_read_secret(f->public, &k, &e), -1);
    assert_non_null(strstr(e.text, "this is the public key"));
    err_clear(&e);
    assert_int_equal(key_read_public("/no/such.pub", key, &e), -1);
    assert_non_null(strstr(e.text, "/no/such.pub"));
}

static void test_damaged_files_are_refused(void **state)
{
    struct files *f = *state;
    char huge[2048];
    memset(huge, '#', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    const char *const texts[] = {
        "",
        "# only a comment",
        "acsweep-public-key-1",
        "acsweep-public-key-1 ",
        "acsweep-public-key-1 tooshort\n",
        "acsweep-public-key-1 0123456789012345678901234567890123456789 more\n",
        "acsweep-public-key-1 ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n",
        "acsweep-public-key-1 ########################################\n", /* each 5 overflow 32 bits */
        "0123456789012345678901234567890123456789\n",
        huge,
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = { 0 };
        char key[KEY_TEXT_SIZE];
        put(f->public, texts[i]);
        if (key_read_public(f->public, key, &e) != -1)
            fail_msg("taken: %.40s", texts[i]);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_non_null(strstr(e.text, f->public));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pair_is_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_old_pair_is_never_overwritten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_secret_that_others_can_read_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_files_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_files_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
