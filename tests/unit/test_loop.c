/* Event loop: order of timers, removal during callbacks, sources of every sort, stop and errors. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <zmq.h>

#include "common/loop.h"

struct trace {
    char order[64];
    int count;
    struct loop_timer *other;
    struct loop_source *source;
};

static struct loop *loop_new(void)
{
    struct err e = { 0 };
    struct loop *l = loop_create(&e);
    assert_non_null(l);
    return l;
}

/* Run rounds until `t->count` reaches `want`, for at most five seconds. */
static void run_to_count(struct loop *l, const struct trace *t, int want)
{
    int64_t until = mono_now() + 5 * NS_PER_S;
    struct err e = { 0 };
    while (t->count < want && mono_now() < until)
        assert_true(loop_once(l, 50 * NS_PER_MS, &e) >= 0);
    assert_true(t->count >= want);
}

static struct trace trace;

static int note(char mark)
{
    size_t len = strlen(trace.order);
    if (len + 1 < sizeof trace.order)
        trace.order[len] = mark;
    trace.count++;
    return 0;
}

static int on_letter(struct loop *l, void *arg, struct err *e)
{
    (void)l, (void)e;
    return note(*(const char *)arg);
}

static int reset(void **state)
{
    (void)state;
    trace = (struct trace){ 0 };
    return 0;
}

static void test_timers_fire_in_order_of_time(void **state)
{
    (void)state;
    AUTO(loop_destroy) struct loop *l = loop_new();
    struct err e = { 0 };
    static const int ms[] = { 5, 1, 9, 3, 7, 2, 8, 4, 6 };
    static const char letters[] = "eaicgbhdf";
    struct loop_timer *timers[ARRAY_LEN(ms)];
    for (size_t i = 0; i < ARRAY_LEN(ms); i++) {
        timers[i] = loop_add_timer(l, ms[i] * 5 * NS_PER_MS, 0, on_letter, (void *)(letters + i), &e);
        assert_non_null(timers[i]);
    }
    loop_remove_timer(timers[3]); /* c */
    loop_timer_disarm(timers[8]); /* f */
    run_to_count(l, &trace, 7);
    assert_string_equal(trace.order, "abdeghi");
    assert_false(loop_timer_armed(timers[0]));
    loop_timer_arm(timers[0], 0, 0);
    run_to_count(l, &trace, 8);
    assert_string_equal(trace.order, "abdeghie");
}

static int on_repeat(struct loop *l, void *arg, struct err *e)
{
    (void)l, (void)e;
    struct loop_timer **self = arg;
    if (trace.count == 2) {
        loop_remove_timer(*self);
        loop_remove_timer(trace.other);
    }
    return note('r');
}

static void test_timer_removes_itself_and_another(void **state)
{
    (void)state;
    AUTO(loop_destroy) struct loop *l = loop_new();
    struct err e = { 0 };
    struct loop_timer *self = loop_add_timer(l, 0, NS_PER_MS, on_repeat, &self, &e);
    trace.other = loop_add_timer(l, 3600 * NS_PER_S, 0, on_letter, (char[]){ "x" }, &e);
    run_to_count(l, &trace, 3);
    assert_int_equal(loop_once(l, 20 * NS_PER_MS, &e), 0);
    assert_string_equal(trace.order, "rrr");
}

static int on_rearm(struct loop *l, void *arg, struct err *e)
{
    (void)l, (void)e;
    loop_timer_arm(*(struct loop_timer **)arg, 0, 0);
    return note('t');
}

static int on_pipe(struct loop *l, short events, void *arg, struct err *e)
{
    (void)l, (void)events, (void)e;
    char c;
    assert_int_equal(read(*(int *)arg, &c, 1), 1);
    return note(c);
}

static void test_eager_timer_does_not_starve_descriptors(void **state)
{
    (void)state;
    AUTO(loop_destroy) struct loop *l = loop_new();
    struct err e = { 0 };
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct loop_timer *eager = loop_add_timer(l, 0, 0, on_rearm, &eager, &e);
    assert_non_null(loop_add_fd(l, fds[0], ZMQ_POLLIN, on_pipe, &fds[0], &e));
    assert_int_equal(write(fds[1], "p", 1), 1);
    assert_true(loop_once(l, -1, &e) >= 1);
    assert_true(loop_once(l, -1, &e) >= 1);
    assert_non_null(strchr(trace.order, 'p'));
    close(fds[0]);
    close(fds[1]);
}

/* Two readable sources; whichever comes first removes the other. */
static int on_remove_other(struct loop *l, short events, void *arg, struct err *e)
{
    (void)l, (void)events, (void)e;
    struct loop_source **other = arg;
    loop_remove(*other);
    *other = NULL;
    return note('o');
}

static void test_removed_source_is_not_called(void **state)
{
    (void)state;
    AUTO(loop_destroy) struct loop *l = loop_new();
    struct err e = { 0 };
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "p", 1), 1);
    struct loop_source *a, *b;
    a = loop_add_fd(l, fds[0], ZMQ_POLLIN, on_remove_other, &b, &e);
    b = loop_add_fd(l, fds[0], ZMQ_POLLIN, on_remove_other, &a, &e);
    assert_int_equal(loop_once(l, NS_PER_S, &e), 1);
    assert_int_equal(loop_once(l, NS_PER_S, &e), 1);
    assert_string_equal(trace.order, "oo"); /* the same source twice: the pipe is never read */
    close(fds[0]);
    close(fds[1]);
}

static int on_add_more(struct loop *l, short events, void *arg, struct err *e)
{
    (void)events;
    for (int i = 0; i < 40; i++) /* makes the arrays move */
        if (!loop_add_fd(l, *(int *)arg, ZMQ_POLLOUT, on_pipe, arg, e))
            return -1;
    loop_remove(trace.source);
    return note('m');
}

static void test_sources_added_in_a_callback_wait_for_the_next_round(void **state)
{
    (void)state;
    AUTO(loop_destroy) struct loop *l = loop_new();
    struct err e = { 0 };
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "p", 1), 1);
    trace.source = loop_add_fd(l, fds[0], ZMQ_POLLIN, on_add_more, &fds[0], &e);
    assert_int_equal(loop_once(l, NS_PER_S, &e), 1);
    assert_string_equal(trace.order, "m");
    close(fds[0]);
    close(fds[1]);
}

static int on_signal(struct loop *l, int signo, void *arg, struct err *e)
{
    (void)arg, (void)e;
    note(signo == SIGUSR1 ? '1' : '2');
    if (trace.count == 2)
        loop_stop(l);
    return 0;
}

static void test_signals_reach_their_callbacks(void **state)
{
    (void)state;
    struct err e = { 0 };
    {
        AUTO(loop_destroy) struct loop *l = loop_new();
        assert_int_equal(loop_add_signal(l, SIGUSR1, on_signal, NULL, &e), 0);
        assert_int_equal(loop_add_signal(l, SIGUSR2, on_signal, NULL, &e), 0);
        raise(SIGUSR1);
        raise(SIGUSR2);
        assert_int_equal(loop_run(l, &e), 0);
        assert_string_equal(trace.order, "12");
    }
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    assert_false(sigismember(&now, SIGUSR1)); /* the mask is given back */
}

static void *wake_often(void *arg)
{
    for (int i = 0; i < 1000; i++)
        loop_wake(arg);
    return NULL;
}

static void test_wake_from_another_thread(void **state)
{
    (void)state;
    AUTO(loop_destroy) struct loop *l = loop_new();
    struct err e = { 0 };
    struct loop_source *wake = loop_add_wake(l, on_letter, (char[]){ "w" }, &e);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_often, wake), 0);
    run_to_count(l, &trace, 1);
    pthread_join(thread, NULL);
    while (loop_once(l, 0, &e) > 0)
        ;
    assert_in_range(trace.count, 1, 1000);
}

static int on_fail(struct loop *l, void *arg, struct err *e)
{
    (void)l;
    return FAIL(e, ERR_INPUT, "%s", (const char *)arg);
}

static int on_nest(struct loop *l, void *arg, struct err *e)
{
    (void)arg;
    return loop_once(l, 0, e);
}

static void test_an_error_ends_the_loop(void **state)
{
    (void)state;
    AUTO(loop_destroy) struct loop *l = loop_new();
    struct err e = { 0 };
    assert_non_null(loop_add_timer(l, 0, 0, on_fail, (char[]){ "the reason" }, &e));
    assert_int_equal(loop_run(l, &e), -1);
    assert_string_equal(e.text, "the reason");
    err_clear(&e);
    assert_non_null(loop_add_timer(l, 0, 0, on_nest, NULL, &e));
    assert_int_equal(loop_once(l, 0, &e), -1);
    assert_int_equal(e.kind, ERR_BUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_timers_fire_in_order_of_time, reset),
        cmocka_unit_test_setup(test_timer_removes_itself_and_another, reset),
        cmocka_unit_test_setup(test_eager_timer_does_not_starve_descriptors, reset),
        cmocka_unit_test_setup(test_removed_source_is_not_called, reset),
        cmocka_unit_test_setup(test_sources_added_in_a_callback_wait_for_the_next_round, reset),
        cmocka_unit_test_setup(test_signals_reach_their_callbacks, reset),
        cmocka_unit_test_setup(test_wake_from_another_thread, reset),
        cmocka_unit_test_setup(test_an_error_ends_the_loop, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
