/* What is cleared up after attempts, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/loop.h"
#include "common/mono.h"
#include "tests/lib/made_task.h"
#include "worker/layout.h"
#include "worker/leftovers.h"

struct world {
    char dir[64], scratch[96], store[96];
    struct loop *loop;
    struct leftovers *l;
    size_t cleared;
    uint64_t last;
};

static int on_cleared(const Acsweep__Token *t, void *arg, struct err *e)
{
    (void)e;
    struct world *w = arg;
    w->cleared++;
    w->last = t->task_id;
    return 0;
}

static void start(struct world *w)
{
    struct err e = { 0 };
    const struct leftovers_options o = { w->loop, w->scratch, on_cleared, w };
    w->l = leftovers_create(&o, &e);
    assert_non_null(w->l);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct err e = { 0 };
    snprintf(w->dir, sizeof w->dir, "/tmp/acsweep-left-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->scratch, sizeof w->scratch, "%s/scratch", w->dir);
    snprintf(w->store, sizeof w->store, "%s/store", w->dir);
    assert_int_equal(make_dirs(w->scratch, &e), 0);
    w->loop = loop_create(&e);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    leftovers_destroy(w->l);
    loop_destroy(w->loop);
    remove_tree(w->dir);
    free(w);
    return 0;
}

/* A directory with a file and a directory in it. Takes the path. */
static void make(char *path)
{
    struct err e = { 0 };
    char below[600];
    snprintf(below, sizeof below, "%s/deep/er", path);
    assert_int_equal(make_dirs(below, &e), 0);
    snprintf(below, sizeof below, "%s/deep/file", path);
    FILE *f = fopen(below, "w");
    assert_non_null(f);
    fclose(f);
    free(path);
}

static bool there(char *path)
{
    bool yes = access(path, F_OK) == 0;
    free(path);
    return yes;
}

static void make_all(struct world *w, uint64_t task, uint32_t attempt)
{
    Acsweep__Token t = made_token(task, attempt);
    make(layout_attempt(w->scratch, &t));
    make(layout_checkpoint(w->store, w->scratch, MADE_IDENTITY, &t));
}

/* Which of them are there: 1 = work place, 2 = checkpoint. */
static int what_is_left(struct world *w, uint64_t task, uint32_t attempt)
{
    Acsweep__Token t = made_token(task, attempt);
    return there(layout_attempt(w->scratch, &t)) +
           2 * there(layout_checkpoint(w->store, w->scratch, MADE_IDENTITY, &t));
}

static void acknowledge(struct world *w, uint64_t task, uint32_t attempt, Acsweep__Outcome outcome, bool committed)
{
    struct err e = { 0 };
    Acsweep__Token t = made_token(task, attempt);
    Acsweep__Result r = ACSWEEP__RESULT__INIT;
    r.token = &t;
    r.outcome = outcome;
    r.identity = (char *)MADE_IDENTITY;
    size_t before = w->cleared;
    assert_int_equal(leftovers_acknowledged(w->l, &r, committed, w->store, &e), 0);
    for (int64_t until = mono_now() + 30 * NS_PER_S; w->cleared == before && mono_now() < until;)
        assert_true(loop_once(w->loop, 50 * NS_PER_MS, &e) >= 0);
    assert_int_equal(w->cleared, before + 1);
    assert_int_equal(w->last, task);
}

static void test_success_that_counts_leaves_nothing(void **state)
{
    struct world *w = *state;
    start(w);
    make_all(w, 1, 1); /* of an attempt that was fenced while it saved */
    make_all(w, 1, 2);
    make_all(w, 1, 3); /* a newer one, whatever it is about */
    acknowledge(w, 1, 2, ACSWEEP__OUTCOME__SUCCEEDED, true);
    assert_int_equal(what_is_left(w, 1, 1), 1);
    assert_int_equal(what_is_left(w, 1, 2), 0);
    assert_int_equal(what_is_left(w, 1, 3), 3);
}

static void test_checkpoint_stays_for_whoever_goes_on(void **state)
{
    struct world *w = *state;
    start(w);
    const struct {
        Acsweep__Outcome outcome;
        bool committed;
        int left;
    } cases[] = {
        { ACSWEEP__OUTCOME__SUCCEEDED, false, 2 },    { ACSWEEP__OUTCOME__CHECKPOINTED, true, 2 },
        { ACSWEEP__OUTCOME__CHECKPOINTED, false, 2 }, { ACSWEEP__OUTCOME__CANCELLED, true, 2 },
        { ACSWEEP__OUTCOME__FAILED, true, 3 },
    };
    for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
        make_all(w, 10, i + 1);
        acknowledge(w, 10, i + 1, cases[i].outcome, cases[i].committed);
        assert_int_equal(what_is_left(w, 10, i + 1), cases[i].left);
    }
}

static size_t work_places(struct world *w)
{
    size_t n = 0;
    for (uint64_t task = 1; task <= 2 * LEFTOVERS_KEPT; task++) {
        Acsweep__Token t = made_token(task, 1);
        n += there(layout_attempt(w->scratch, &t));
    }
    return n;
}

static void test_logs_of_failures_do_not_fill_the_disk(void **state)
{
    struct world *w = *state;
    for (uint64_t task = 1; task <= LEFTOVERS_KEPT + 6; task++) {
        Acsweep__Token t = made_token(task, 1);
        make(layout_attempt(w->scratch, &t));
    }
    start(w); /* what a former agent left is kept to the same number */
    make_all(w, 100, 1);
    acknowledge(w, 100, 1, ACSWEEP__OUTCOME__FAILED, true);
    assert_int_equal(work_places(w), LEFTOVERS_KEPT);
    make_all(w, 101, 1);
    acknowledge(w, 101, 1, ACSWEEP__OUTCOME__FAILED, true);
    assert_int_equal(work_places(w), LEFTOVERS_KEPT);
    assert_int_equal(what_is_left(w, 100, 1), 3);
    assert_int_equal(what_is_left(w, 101, 1), 3);
}

static void test_debris_goes_and_nothing_else(void **state)
{
    struct world *w = *state;
    struct err e = { 0 };
    Acsweep__Token t = made_token(1, 1), other = made_token(1, 2);
    start(w);
    make_all(w, 1, 1);
    make(layout_temp(w->store, w->scratch, MADE_IDENTITY, &t));
    make(layout_temp(w->store, w->scratch, MADE_IDENTITY, &other));
    assert_int_equal(leftovers_debris(w->l, &t, MADE_IDENTITY, false, w->store, &e), 0);
    assert_int_equal(leftovers_debris(w->l, &t, "../../..", true, w->store, &e),
                     0); /* no identity: nothing is touched */
    for (int i = 0; i < 1000 && there(layout_temp(w->store, w->scratch, MADE_IDENTITY, &t)); i++)
        mono_sleep(10 * NS_PER_MS);
    assert_false(there(layout_temp(w->store, w->scratch, MADE_IDENTITY, &t)));
    assert_true(there(layout_temp(w->store, w->scratch, MADE_IDENTITY, &other)));
    assert_int_equal(what_is_left(w, 1, 1), 3);
}

static void test_fenced_attempt_leaves_its_checkpoint_only(void **state)
{
    struct world *w = *state;
    struct err e = { 0 };
    Acsweep__Token t = made_token(1, 1);
    start(w);
    make_all(w, 1, 1);
    assert_int_equal(leftovers_debris(w->l, &t, MADE_IDENTITY, true, w->store, &e), 0);
    for (int i = 0; i < 1000 && what_is_left(w, 1, 1) != 2; i++)
        mono_sleep(10 * NS_PER_MS);
    assert_int_equal(what_is_left(w, 1, 1), 2);
}

/* Another agent works in the same scratch directory: what is there may be running. */
static void test_shared_scratch_is_not_swept(void **state)
{
    struct world *w = *state;
    start(w);
    for (uint64_t task = 1; task <= LEFTOVERS_KEPT + 6; task++) {
        Acsweep__Token t = made_token(task, 1);
        make(layout_attempt(w->scratch, &t));
    }
    struct leftovers *first = TAKE(w->l);
    start(w);
    make_all(w, 100, 1);
    acknowledge(w, 100, 1, ACSWEEP__OUTCOME__SUCCEEDED, true); /* the thread is at work */
    assert_int_equal(work_places(w), LEFTOVERS_KEPT + 6);
    leftovers_destroy(first);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_success_that_counts_leaves_nothing),        CASE(test_checkpoint_stays_for_whoever_goes_on),
        CASE(test_logs_of_failures_do_not_fill_the_disk),     CASE(test_debris_goes_and_nothing_else),
        CASE(test_fenced_attempt_leaves_its_checkpoint_only), CASE(test_shared_scratch_is_not_swept),
    };
    return cmocka_run_group_tests_name("leftovers", tests, NULL, NULL);
}
