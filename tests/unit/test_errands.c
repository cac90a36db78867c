/* File work beside the loop: in order, without stopping it, and no longer than it lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/mono.h"
#include "worker/errands.h"

struct world {
    struct loop *loop;
    struct errands *errands;
    int gate[2]; /* what waits reads a byte from it */
    int done[16];
    size_t n_done, n_dropped;
    _Atomic int begun;
    bool wrong_thread;
    pthread_t main;
};

struct job {
    struct errand errand;
    struct world *w;
    int number;
    bool waits;
};

static void job_run(struct errand *x)
{
    struct job *j = (struct job *)x;
    char byte;
    j->w->begun++;
    if (pthread_equal(pthread_self(), j->w->main))
        j->w->wrong_thread = true;
    if (j->waits && read(j->w->gate[0], &byte, 1) != 1)
        j->number = -1;
}

static int job_done(struct errand *x, struct err *e)
{
    (void)e;
    struct job *j = (struct job *)x;
    j->w->done[j->w->n_done++] = j->number;
    free(j);
    return 0;
}

static void job_drop(struct errand *x)
{
    ((struct job *)x)->w->n_dropped++;
    free(x);
}

static void put(struct world *w, int number, bool waits)
{
    struct job *j = calloc(1, sizeof *j);
    *j = (struct job){ { .run = job_run, .done = job_done, .drop = job_drop }, w, number, waits };
    errands_put(w->errands, &j->errand);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct err e = { 0 };
    w->main = pthread_self();
    w->loop = loop_create(&e);
    w->errands = errands_create(w->loop, &e);
    *state = w;
    return w->errands && pipe(w->gate) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    errands_destroy(w->errands);
    loop_destroy(w->loop);
    close(w->gate[0]);
    close(w->gate[1]);
    free(w);
    return 0;
}

static void run_until(struct world *w, size_t n)
{
    struct err e = { 0 };
    for (int64_t until = mono_now() + 30 * NS_PER_S; w->n_done < n && mono_now() < until;)
        assert_true(loop_once(w->loop, 50 * NS_PER_MS, &e) >= 0);
    assert_int_equal(w->n_done, n);
}

static void test_in_order_and_beside_the_loop(void **state)
{
    struct world *w = *state;
    put(w, 1, false);
    put(w, 2, true); /* hangs */
    put(w, 3, false);
    run_until(w, 1);
    struct err e = { 0 };
    for (int i = 0; i < 10; i++) /* the loop goes on */
        assert_true(loop_once(w->loop, 10 * NS_PER_MS, &e) >= 0);
    assert_int_equal(w->n_done, 1);
    assert_int_equal(write(w->gate[1], "x", 1), 1);
    run_until(w, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(w->done[i], i + 1);
    assert_false(w->wrong_thread);
}

static void test_what_was_not_begun_is_dropped(void **state)
{
    struct world *w = *state;
    put(w, 1, true);
    put(w, 2, false);
    put(w, 3, false);
    assert_int_equal(write(w->gate[1], "x", 1), 1); /* the first ends while the end is waited for, or before */
    assert_true(errands_destroy(w->errands));
    w->errands = NULL;
    assert_int_equal(w->n_done, 0); /* nobody ran the loop */
    assert_int_equal(w->n_dropped, 3);
}

static struct errands *volatile hanging; /* keeps its memory, on purpose */

static void test_what_hangs_does_not_hang_us(void **state)
{
    struct world *w = *state;
    put(w, 1, true);
    put(w, 2, false);
    while (!w->begun)
        mono_sleep(NS_PER_MS);
    hanging = TAKE(w->errands);
    assert_false(errands_destroy(hanging));
    assert_int_equal(w->n_done + w->n_dropped, 0);
    assert_int_equal(write(w->gate[1], "x", 1), 1); /* the file system is back: the thread ends */
    mono_sleep(200 * NS_PER_MS);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_in_order_and_beside_the_loop),
        CASE(test_what_was_not_begun_is_dropped),
        CASE(test_what_hangs_does_not_hang_us),
    };
    return cmocka_run_group_tests_name("errands", tests, NULL, NULL);
}
