/* The spool: what is committed survives, what is acknowledged goes, and damage is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/spool.h"

static char dir[64], path[96];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/acsweep-spool-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/spool", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static struct spool *open_ok(void)
{
    struct err e = { 0 };
    struct spool *s = spool_open(dir, &e);
    assert_string_equal(e.text, "");
    assert_non_null(s);
    return s;
}

static Acsweep__Token token_of(uint64_t task)
{
    Acsweep__Token t = ACSWEEP__TOKEN__INIT;
    t.task_id = task;
    t.attempt = 1;
    t.epoch = 9;
    return t;
}

static void add(struct spool *s, uint64_t task, const char *message)
{
    struct err e = { 0 };
    Acsweep__Token t = token_of(task);
    Acsweep__Result r = ACSWEEP__RESULT__INIT;
    r.token = &t;
    r.message = (char *)message;
    assert_int_equal(spool_add(s, &r, &e), 0);
}

static bool ack(struct spool *s, uint64_t task)
{
    Acsweep__Token t = token_of(task);
    bool here = spool_find(s, &t) != NULL;
    spool_ack(s, &t);
    return here;
}

/* A disk without room, as far as this process can tell: no file may grow beyond so many bytes. */
static void limit_files(rlim_t bytes)
{
    struct rlimit r;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = bytes < r.rlim_max ? bytes : r.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static off_t size_of(void)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void test_nothing_is_sent_before_commit(void **state)
{
    (void)state;
    struct spool *s = open_ok();
    add(s, 1, "one");
    assert_null(spool_next(s, NULL));
    spool_commit(s);
    assert_non_null(spool_next(s, NULL));
    add(s, 2, "two");
    assert_null(spool_next(s, spool_next(s, NULL)));
    spool_close(s);
}

static void test_reopened_keeps_order_and_content(void **state)
{
    (void)state;
    struct spool *s = open_ok();
    for (uint64_t i = 1; i <= 100; i++)
        add(s, i, "text");
    add(s, 50, "the same token again");
    spool_commit(s);
    for (uint64_t i = 1; i <= 100; i += 2)
        assert_true(ack(s, i));
    assert_false(ack(s, 1));
    spool_close(s); /* as after a kill: closing writes nothing */
    s = open_ok();
    assert_int_equal(spool_count(s), 50);
    uint64_t want = 2;
    for (struct spool_entry *x = spool_next(s, NULL); x; x = spool_next(s, x), want += 2) {
        assert_int_equal(x->token.task_id, want);
        Acsweep__Result *r = acsweep__result__unpack(NULL, x->len, x->bytes);
        assert_string_equal(r->message, "text");
        acsweep__result__free_unpacked(r, NULL);
    }
    assert_int_equal(want, 102);
    Acsweep__Token t = token_of(4);
    assert_non_null(spool_find(s, &t));
    spool_close(s);
}

static void test_torn_end_is_cut_off(void **state)
{
    (void)state;
    struct spool *s = open_ok();
    add(s, 1, "whole");
    spool_commit(s);
    off_t whole = size_of();
    add(s, 2, "torn by a power loss");
    spool_commit(s);
    spool_close(s);
    off_t full = size_of();
    for (off_t cut = full - 1; cut > whole; cut -= 7) {
        assert_int_equal(truncate(path, cut), 0);
        s = open_ok();
        assert_int_equal(spool_count(s), 1);
        assert_int_equal(size_of(), whole);
        add(s, 2, "torn by a power loss");
        spool_commit(s);
        spool_close(s);
    }
}

static void test_flipped_bit_is_found(void **state)
{
    (void)state;
    struct spool *s = open_ok();
    add(s, 1, "first");
    spool_commit(s);
    off_t first = size_of();
    add(s, 2, "second");
    spool_commit(s);
    spool_close(s);
    int fd = open(path, O_RDWR);
    char c;
    assert_int_equal(pread(fd, &c, 1, first + 12), 1);
    c ^= 4;
    assert_int_equal(pwrite(fd, &c, 1, first + 12), 1);
    close(fd);
    s = open_ok();
    assert_int_equal(spool_count(s), 1);
    spool_close(s);
}

static void test_foreign_file_is_refused(void **state)
{
    (void)state;
    FILE *f = fopen(path, "w");
    fputs("this is somebody's shopping list", f);
    fclose(f);
    struct err e = { 0 };
    assert_null(spool_open(dir, &e));
    assert_non_null(strstr(e.text, "no spool of this version"));
}

static void test_file_does_not_grow_for_ever(void **state)
{
    (void)state;
    struct spool *s = open_ok();
    for (uint64_t round = 0; round < 200; round++) {
        for (uint64_t i = 0; i < 20; i++)
            add(s, round * 20 + i, "a result of some length that fills the file bit by bit");
        spool_commit(s);
        for (uint64_t i = 0; i < 20; i++)
            assert_true(ack(s, round * 20 + i));
    }
    assert_true(size_of() < 200000);
    spool_close(s);
}

static void test_large_file_is_rewritten_with_what_lives(void **state)
{
    (void)state;
    struct spool *s = open_ok();
    char *big = malloc(1 << 20);
    memset(big, 'x', (1 << 20) - 1);
    big[(1 << 20) - 1] = '\0';
    add(s, 1, "stays");
    for (uint64_t i = 2; i < 80; i++) {
        add(s, i, big);
        spool_commit(s);
        assert_true(ack(s, i));
    }
    free(big);
    spool_commit(s);
    assert_true(size_of() < 64 << 20);
    spool_close(s);
    s = open_ok();
    assert_int_equal(spool_count(s), 1);
    assert_int_equal(spool_next(s, NULL)->token.task_id, 1);
    spool_close(s);
}

static void test_settled_is_done_with_but_for_a_restart(void **state)
{
    (void)state;
    struct spool *s = open_ok();
    for (uint64_t i = 1; i <= 3; i++)
        add(s, i, "text");
    spool_commit(s);
    Acsweep__Token two = token_of(2), one = token_of(1);
    spool_settle(s, spool_find(s, &two));
    spool_settle(s, spool_find(s, &two));
    spool_settle(s, spool_find(s, &one));
    assert_int_equal(spool_count(s), 1);
    assert_int_equal(spool_next(s, NULL)->token.task_id, 3);
    assert_null(spool_next(s, spool_next(s, NULL)));
    assert_true(spool_find(s, &two)->settled);
    assert_true(ack(s, 1));
    spool_close(s); /* before number 2 was cleared up */
    s = open_ok();
    assert_int_equal(spool_count(s), 2);
    assert_false(spool_find(s, &two)->settled);
    assert_null(spool_find(s, &one));
    spool_close(s);
}

static void test_what_leaves_files_is_marked(void **state)
{
    (void)state;
    struct spool *s = open_ok();
    struct err e = { 0 };
    Acsweep__Token t = token_of(1), plain = token_of(2);
    Acsweep__Result r = ACSWEEP__RESULT__INIT;
    r.token = &t;
    r.identity = (char *)"00112233";
    assert_int_equal(spool_add(s, &r, &e), 0);
    add(s, 2, "plain");
    spool_commit(s);
    assert_true(spool_find(s, &t)->leaves);
    spool_close(s);
    s = open_ok();
    assert_true(spool_find(s, &t)->leaves);
    assert_false(spool_find(s, &plain)->leaves);
    spool_close(s);
}

static void test_full_disk_costs_only_the_disk(void **state)
{
    (void)state;
    struct spool *s = open_ok();
    add(s, 1, "on disk");
    spool_commit(s);
    limit_files((rlim_t)size_of() + 20);
    add(s, 2, "in memory only");
    add(s, 3, "this one, too");
    spool_commit(s);
    assert_int_equal(spool_count(s), 3);
    assert_int_equal(spool_next(s, spool_next(s, NULL))->token.task_id, 2); /* it can be sent */
    assert_true(ack(s, 3));
    assert_true(ack(s, 1)); /* its record does not fit either: at worst it is sent again */
    spool_retry(s);
    limit_files(RLIM_INFINITY);
    spool_retry(s);
    spool_commit(s);
    spool_close(s);
    s = open_ok();
    Acsweep__Token two = token_of(2), three = token_of(3);
    assert_non_null(spool_find(s, &two));
    assert_null(spool_find(s, &three));
    spool_close(s);
}

static void test_rewriting_on_a_full_disk_fails_in_peace(void **state)
{
    (void)state;
    struct spool *s = open_ok();
    char *big = malloc(4 << 20);
    memset(big, 'x', (4 << 20) - 1);
    big[(4 << 20) - 1] = '\0';
    add(s, 1, big);
    for (uint64_t i = 2; i < 20; i++)
        add(s, i, big);
    spool_commit(s);
    limit_files(1 << 20);
    for (uint64_t i = 2; i < 20; i++)
        assert_true(ack(s, i));
    limit_files(RLIM_INFINITY);
    free(big);
    assert_int_equal(spool_count(s), 1);
    add(s, 30, "goes on");
    spool_commit(s);
    spool_close(s);
    s = open_ok();
    Acsweep__Token one = token_of(1), thirty = token_of(30);
    assert_non_null(spool_find(s, &one));
    assert_non_null(spool_find(s, &thirty));
    spool_close(s);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_nothing_is_sent_before_commit),
        CASE(test_reopened_keeps_order_and_content),
        CASE(test_torn_end_is_cut_off),
        CASE(test_flipped_bit_is_found),
        CASE(test_foreign_file_is_refused),
        CASE(test_file_does_not_grow_for_ever),
        CASE(test_large_file_is_rewritten_with_what_lives),
        CASE(test_settled_is_done_with_but_for_a_restart),
        CASE(test_what_leaves_files_is_marked),
        CASE(test_full_disk_costs_only_the_disk),
        CASE(test_rewriting_on_a_full_disk_fails_in_peace),
    };
    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
