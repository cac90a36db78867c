/* acsweep keygen and keys, as a user runs them, against a database of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <jansson.h>
#include <string.h>
#include <sys/wait.h>

#include "common/digest.h"
#include "common/keys.h"
#include "tests/lib/pgtest.h"

static char output[8192];

/* Run acsweep in the test's directory; its output and errors land in `output`. Returns the exit code. */
static int acsweep(struct pgtest *t, const char *arguments)
{
    char line[2048];
    snprintf(line, sizeof line, "cd '%s' && '%s/bin/acsweep' %s 2>&1", pgtest_dir(t), BINARY_DIR, arguments);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    size_t n = fread(output, 1, sizeof output - 1, f);
    output[n] = '\0';
    int status = pclose(f);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Revoked or not, as `keys list --json` tells; -1 when the key is not there. */
static int revoked(struct pgtest *t, const char *name)
{
    assert_int_equal(acsweep(t, "keys list --json"), 0);
    AUTO(json_decref) json_t *list = json_loads(output, 0, NULL);
    assert_non_null(list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *key = json_array_get(list, i);
        if (strcmp(json_string_value(json_object_get(key, "name")), name) == 0)
            return json_is_string(json_object_get(key, "revoked"));
    }
    return -1;
}

static void test_from_keygen_to_revoked(void **state)
{
    struct pgtest *t = *state;
    assert_int_equal(acsweep(t, "keygen node7"), 0);
    char key[KEY_TEXT_SIZE], path[512];
    struct err e = { 0 };
    struct key_pair pair;
    snprintf(path, sizeof path, "%s/node7.key", pgtest_dir(t));
    assert_int_equal(key_read_secret(path, &pair, &e), 0);
    assert_null(strstr(output, pair.secret_key)); /* never shown */
    assert_non_null(strstr(output, pair.public_key));
    memcpy(key, pair.public_key, sizeof key);
    key_pair_wipe(&pair);
    assert_int_equal(acsweep(t, "keygen node7"), 3);
    assert_non_null(strstr(output, "node7.key exists"));

    assert_int_equal(revoked(t, "node7"), -1);
    assert_int_equal(acsweep(t, "keys allow node7.pub"), 0);
    assert_int_equal(revoked(t, "node7"), 0);
    assert_int_equal(acsweep(t, "keys revoke node7"), 0);
    assert_int_equal(revoked(t, "node7"), 1);
    assert_int_equal(acsweep(t, "keys revoke node7"), 3); /* nothing in force by that name */
    assert_int_equal(acsweep(t, "keys allow --name desk --role control node7.pub"), 0);
    assert_int_equal(revoked(t, "desk"), 0);
    assert_int_equal(acsweep(t, "keys list"), 0);
    assert_non_null(strstr(output, key));
    assert_non_null(strstr(output, "control"));
}

static void test_what_is_refused(void **state)
{
    struct pgtest *t = *state;
    assert_int_equal(acsweep(t, "keygen other"), 0);
    assert_int_equal(acsweep(t, "keys allow other.key"), 3);
    assert_non_null(strstr(output, "this is the secret key"));
    assert_int_equal(acsweep(t, "keys allow absent.pub"), 3);
    assert_non_null(strstr(output, "absent.pub"));
    assert_int_equal(acsweep(t, "keys allow --role root other.pub"), 2);
    assert_int_equal(acsweep(t, "keys revoke nobody"), 3);
    assert_non_null(strstr(output, "acsweep keys list"));
}

static int setup(void **state)
{
    *state = pgtest_start();
    if (!*state)
        return -1;
    return setenv("ACSWEEP_DATABASE", pgtest_database(*state, "keys"), 1);
}

static int teardown(void **state)
{
    pgtest_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_keygen_to_revoked),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
