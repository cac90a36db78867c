/* The private cluster: start, stop, attach, owners killed, stale files, interrupted creation, bad surroundings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/mono.h"
#include "sql/cluster.h"
#include "sql/cluster_env.h"
#include "sql/db.h"
#include "tests/lib/pgtest.h"

struct place {
    char dir[64];
};

static struct cluster *start(const char *dir)
{
    struct err e = { 0 };
    struct cluster *c = cluster_start(dir, &e);
    if (!c)
        print_error("%s\n", e.text);
    return c;
}

static int64_t ask(const struct cluster *c, const char *query)
{
    AUTO(db_close) struct db *d = pgtest_open(cluster_conninfo(c), DB_ADMIN);
    return pgtest_number(d, query);
}

static void run(const struct cluster *c, const char *script)
{
    AUTO(db_close) struct db *d = pgtest_open(cluster_conninfo(c), DB_ADMIN);
    pgtest_script(d, script);
}

static bool exists(const char *dir, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void put_file(const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    AUTO(fclose) FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
}

static void data_survives_a_restart(void **state)
{
    const char *dir = ((struct place *)*state)->dir;
    AUTO(cluster_stop) struct cluster *c = start(dir);
    assert_non_null(c);
    assert_true(cluster_owned(c));
    assert_true(cluster_pid(c) > 0);
    run(c, "CREATE TABLE public.kept AS SELECT 42 AS x");
    pid_t pid = cluster_pid(c);
    cluster_stop(TAKE(c));
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    assert_false(exists(dir, "postgres.socket"));

    c = start(dir);
    assert_non_null(c);
    assert_int_equal(ask(c, "SELECT x FROM public.kept"), 42);
    assert_int_equal(ask(c, "SELECT (current_setting('listen_addresses') = '')::int"), 1);
    assert_int_equal(ask(c, "SELECT (current_setting('fsync') = 'on')::int"), 1);
}

/* Another process starts the cluster; `fd` tells when it stands. It then waits for its end. */
static pid_t owner_elsewhere(const char *dir)
{
    int ready[2];
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct cluster *c = start(dir);
        if (!c || write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void second_process_attaches(void **state)
{
    const char *dir = ((struct place *)*state)->dir;
    pid_t owner = owner_elsewhere(dir);
    struct cluster *c = start(dir);
    assert_non_null(c);
    assert_false(cluster_owned(c));
    assert_int_equal(cluster_pid(c), 0);
    assert_int_equal(ask(c, "SELECT 1"), 1);
    cluster_stop(c); /* must leave the owner's server alone */
    assert_true(exists(dir, "postgres.socket"));
    c = start(dir);
    assert_non_null(c);
    assert_int_equal(ask(c, "SELECT 1"), 1);
    cluster_stop(c);
    kill(owner, SIGKILL);
    waitpid(owner, NULL, 0);
}

static void killed_owner_takes_its_server_along(void **state)
{
    const char *dir = ((struct place *)*state)->dir;
    pid_t owner = owner_elsewhere(dir);
    AUTO(cluster_stop) struct cluster *attached = start(dir);
    assert_non_null(attached);
    run(attached, "CREATE TABLE IF NOT EXISTS public.survives (x int); INSERT INTO public.survives VALUES (1)");
    int64_t postmaster = ask(attached, "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int");
    kill(owner, SIGKILL);
    waitpid(owner, NULL, 0);
    AUTO(cluster_stop) struct cluster *c = start(dir); /* at once: waits for the dying server */
    assert_non_null(c);
    assert_true(cluster_owned(c));
    assert_true(cluster_pid(c) != (pid_t)postmaster);
    assert_int_equal(ask(c, "SELECT count(*) FROM public.survives"), 1);
}

static void stale_pid_file_of_a_living_stranger(void **state)
{
    const char *dir = ((struct place *)*state)->dir;
    char text[256];
    snprintf(text, sizeof text, "%d\n%s/postgres\n0\n5432\n%s/socket\n\n  1  1\nready\n", (int)getppid(), dir, dir);
    put_file(dir, "postgres/postmaster.pid", text);
    AUTO(cluster_stop) struct cluster *c = start(dir);
    assert_non_null(c);
    assert_int_equal(ask(c, "SELECT 1"), 1);
}

static void killed_server_recovers(void **state)
{
    const char *dir = ((struct place *)*state)->dir;
    AUTO(cluster_stop) struct cluster *c = start(dir);
    assert_non_null(c);
    run(c, "CREATE TABLE public.crash AS SELECT 7 AS x");
    kill(cluster_pid(c), SIGKILL);
    cluster_stop(TAKE(c));
    c = start(dir);
    assert_non_null(c);
    assert_int_equal(ask(c, "SELECT x FROM public.crash"), 7);
}

static void interrupted_creation_is_cleaned_up(void **state)
{
    (void)state;
    char dir[] = "/tmp/acsweep-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0711), 0);
    char part[128];
    snprintf(part, sizeof part, "%s/postgres.new", dir);
    assert_int_equal(mkdir(part, 0700), 0);
    put_file(dir, "postgres.new/PG_VERSION", "15\n");
    AUTO(cluster_stop) struct cluster *c = start(dir);
    assert_non_null(c);
    assert_false(exists(dir, "postgres.new"));
    assert_int_equal(ask(c, "SELECT 1"), 1);
    cluster_stop(TAKE(c));
    remove_tree(dir, NULL);
}

static void foreign_directory_is_refused(void **state)
{
    (void)state;
    char dir[] = "/tmp/acsweep-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char data[128];
    snprintf(data, sizeof data, "%s/postgres", dir);
    assert_int_equal(mkdir(data, 0700), 0);
    put_file(dir, "postgres/thesis.txt", "mine");
    struct err e = { 0 };
    assert_null(cluster_start(dir, &e));
    assert_int_equal(e.kind, ERR_ENV);
    assert_non_null(strstr(e.text, "is no PostgreSQL data directory"));
    assert_true(exists(dir, "postgres/thesis.txt"));

    put_file(dir, "postgres/PG_VERSION", "9\n"); /* a version whose programs are not here */
    err_clear(&e);
    assert_null(cluster_start(dir, &e));
    assert_int_equal(e.kind, ERR_ENV);
    remove_tree(dir, NULL);
}

static void missing_programs_are_named(void **state)
{
    (void)state;
    char dir[] = "/tmp/acsweep-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    setenv("ACSWEEP_PG_BINDIR", "/nonexistent", 1);
    struct err e = { 0 };
    assert_null(cluster_start(dir, &e));
    unsetenv("ACSWEEP_PG_BINDIR");
    assert_int_equal(e.kind, ERR_ENV);
    assert_non_null(strstr(e.text, "initdb"));
    remove_tree(dir, NULL);
}

static void long_path_falls_back_to_a_short_socket(void **state)
{
    (void)state;
    char base[] = "/tmp/acsweep-test-XXXXXX", dir[256];
    assert_non_null(mkdtemp(base));
    assert_int_equal(chmod(base, 0711), 0);
    snprintf(dir, sizeof dir, "%s/%0120d", base, 0);
    AUTO(cluster_stop) struct cluster *c = start(dir);
    assert_non_null(c);
    assert_int_equal(ask(c, "SELECT 1"), 1);
    char host[256];
    assert_int_equal(sscanf(cluster_conninfo(c), "host=%255s", host), 1);
    assert_null(strstr(host, base));
    cluster_stop(TAKE(c));
    assert_int_equal(access(host, F_OK), -1); /* the short directory is gone again */
    remove_tree(base, NULL);
}

static void environment_does_not_lead_astray(void **state)
{
    const char *dir = ((struct place *)*state)->dir;
    static const char *const vars[][2] = { { "PGHOSTADDR", "192.0.2.1" }, { "PGPORT", "1" }, { "PGDATABASE", "x" },
                                           { "PGOPTIONS", "-c nonsense=1" }, { "PGSSLMODE", "require" } };
    for (size_t i = 0; i < ARRAY_LEN(vars); i++)
        setenv(vars[i][0], vars[i][1], 1);
    AUTO(cluster_stop) struct cluster *c = start(dir);
    assert_non_null(c);
    assert_int_equal(ask(c, "SELECT 1"), 1);
    for (size_t i = 0; i < ARRAY_LEN(vars); i++)
        unsetenv(vars[i][0]);
}

static void state_directory_rule(void **state)
{
    (void)state;
    char base[] = "/tmp/acsweep-test-XXXXXX", inside[128], again[128];
    assert_non_null(mkdtemp(base));
    assert_int_equal(chmod(base, 0711), 0);
    struct err e = { 0 };
    snprintf(inside, sizeof inside, "%s/a/.acsweep", base);
    AUTO(free) char *plain = cluster_state_dir(inside, &e);
    assert_non_null(plain);
    assert_string_equal(plain, inside);
    struct stat st;
    assert_int_equal(stat(plain, &st), 0);
    assert_int_equal(st.st_mode & 0066, 0); /* nobody else lists or writes */
    snprintf(again, sizeof again, "%s/a/../a/.acsweep/", base);
    AUTO(free) char *same = cluster_state_dir(again, &e);
    assert_non_null(same);
    assert_string_equal(same, inside);

    if (geteuid() != 0) {
        remove_tree(base, NULL);
        print_message("not root: the rule for directories that only root enters is not tested here\n");
        return;
    }
    assert_int_equal(chmod(base, 0700), 0);
    AUTO(free) char *elsewhere = cluster_state_dir(inside, &e);
    assert_non_null(elsewhere);
    assert_int_equal(strncmp(elsewhere, "/var/lib/acsweep/", 17), 0);
    assert_int_equal(strlen(elsewhere), 17 + 16);
    AUTO(free) char *stable = cluster_state_dir(inside, &e);
    assert_string_equal(stable, elsewhere);
    char name[160], line[64] = "";
    snprintf(name, sizeof name, "%s/postgres.path", inside);
    AUTO(fclose) FILE *f = fopen(name, "re");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    line[strcspn(line, "\n")] = '\0';
    assert_string_equal(line, elsewhere);
    AUTO(cluster_stop) struct cluster *c = start(elsewhere);
    assert_non_null(c);
    assert_int_equal(ask(c, "SELECT 1"), 1);
    cluster_stop(TAKE(c));
    remove_tree(elsewhere, NULL);
    remove_tree(base, NULL);
}

static int setup(void **state)
{
    static struct place p;
    snprintf(p.dir, sizeof p.dir, "/tmp/acsweep-test-XXXXXX");
    *state = &p;
    return mkdtemp(p.dir) && chmod(p.dir, 0711) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    return remove_tree(((struct place *)*state)->dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_survives_a_restart),
        cmocka_unit_test(second_process_attaches),
        cmocka_unit_test(killed_owner_takes_its_server_along),
        cmocka_unit_test(stale_pid_file_of_a_living_stranger),
        cmocka_unit_test(killed_server_recovers),
        cmocka_unit_test(interrupted_creation_is_cleaned_up),
        cmocka_unit_test(foreign_directory_is_refused),
        cmocka_unit_test(missing_programs_are_named),
        cmocka_unit_test(long_path_falls_back_to_a_short_socket),
        cmocka_unit_test(environment_does_not_lead_astray),
        cmocka_unit_test(state_directory_rule),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
