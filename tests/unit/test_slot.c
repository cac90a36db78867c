/* The pool of slots with the real acsweep-exec: every assignment gets exactly one answer, however its exec ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mono.h"
#include "worker/proctree.h"
#include "worker/slot.h"
#include "worker/token.h"

struct answer {
    uint64_t task;
    Acsweep__Outcome outcome;
    Acsweep__FailureClass failure;
    char message[300];
    uint32_t slot;
};

struct world {
    struct loop *loop;
    struct slots *slots;
    struct answer answers[64];
    size_t n, started, killed;
};

static int on_started(const Acsweep__Started *s, void *arg, struct err *e)
{
    (void)s;
    (void)e;
    ((struct world *)arg)->started++;
    return 0;
}
static int on_progress(const Acsweep__Progress *p, void *arg, struct err *e)
{
    (void)p;
    (void)arg;
    (void)e;
    return 0;
}
static int on_result(const Acsweep__Result *r, void *arg, struct err *e)
{
    (void)e;
    struct world *w = arg;
    assert_true(w->n < ARRAY_LEN(w->answers));
    struct answer *a = &w->answers[w->n++];
    *a = (struct answer){ .task = r->token->task_id, .outcome = r->outcome, .failure = r->failure, .slot = r->slot };
    snprintf(a->message, sizeof a->message, "%s", r->message);
    return 0;
}
static void on_killed(const Acsweep__Token *t, const char *why, void *arg)
{
    (void)t;
    (void)why;
    ((struct world *)arg)->killed++;
}

static void make_slots(struct world *w, size_t n, uint64_t leak_limit, const char *exec_path)
{
    struct err e = { 0 };
    const struct slot_options o = { .loop = w->loop, .exec_path = exec_path, .worker_id = "w", .scratch = "/tmp",
                                    .store = "", .n = n, .devices_per_slot = 1, .leak_limit_bytes = leak_limit,
                                    .on = { on_started, on_progress, on_result, on_killed, w } };
    w->slots = slots_create(&o, &e);
    assert_non_null(w->slots);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct err e = { 0 };
    w->loop = loop_create(&e);
    make_slots(w, 2, 0, BINARY_DIR "/bin/acsweep-exec");
    *state = w;
    return w->loop ? 0 : -1;
}

static int teardown(void **state)
{
    struct world *w = *state;
    pid_t left[4];
    slots_destroy(w->slots);
    loop_destroy(w->loop);
    size_t n = proctree_children(getpid(), left, ARRAY_LEN(left));
    free(w);
    return n == 0 ? 0 : -1; /* no exec outlives its pool */
}

static Acsweep__Token token_of(uint64_t task)
{
    Acsweep__Token t = ACSWEEP__TOKEN__INIT;
    t.task_id = task;
    t.attempt = 1;
    t.epoch = 1;
    return t;
}

/* A real, owned Assignment, as it comes off the wire. */
static void add(struct world *w, uint64_t task, const char *fake, uint64_t limit_ms, uint32_t gpus, uint32_t slot, int want)
{
    char params[300];
    struct err e = { 0 };
    Acsweep__Token t = token_of(task);
    Acsweep__Resources resources = ACSWEEP__RESOURCES__INIT;
    Acsweep__TaskSpec spec = ACSWEEP__TASK_SPEC__INIT;
    Acsweep__Assignment a = ACSWEEP__ASSIGNMENT__INIT;
    snprintf(params, sizeof params, "{\"identity\":{\"fake\":%s}}", fake);
    resources.gpus = gpus;
    spec.kind = spec.executor = (char *)"fake";
    spec.params = params;
    spec.time_limit_ms = limit_ms;
    spec.resources = &resources;
    a.token = &t;
    a.spec = &spec;
    a.slot = slot;
    size_t len = acsweep__assignment__get_packed_size(&a);
    uint8_t *bytes = malloc(len);
    acsweep__assignment__pack(&a, bytes);
    Acsweep__Assignment *owned = acsweep__assignment__unpack(NULL, len, bytes);
    free(bytes);
    assert_int_equal(slots_add(w->slots, &owned, &e), want);
    if (owned)
        acsweep__assignment__free_unpacked(owned, NULL);
}

static void run_until(struct world *w, size_t answers, size_t started)
{
    struct err e = { 0 };
    int64_t until = mono_now() + 20 * NS_PER_S;
    while ((w->n < answers || w->started < started) && mono_now() < until)
        assert_true(loop_once(w->loop, 100 * NS_PER_MS, &e) >= 0);
    assert_true(w->n >= answers && w->started >= started);
}

static void run_for(struct world *w, int64_t ns)
{
    struct err e = { 0 };
    for (int64_t until = mono_now() + ns; mono_now() < until;)
        assert_true(loop_once(w->loop, 20 * NS_PER_MS, &e) >= 0);
}

static const struct answer *answer_to(struct world *w, uint64_t task)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->answers[i].task == task)
            return &w->answers[i];
    fail_msg("no answer for task %llu", (unsigned long long)task);
    return NULL;
}

static void test_queue_runs_through_kept_execs(void **state)
{
    struct world *w = *state;
    pid_t before[8], after[8];
    for (uint64_t i = 1; i <= 4; i++)
        add(w, i, "{\"sleep_ms\":30}", 0, 0, 0, 0);
    add(w, 4, "{}", 0, 0, 0, 1); /* the same token again */
    assert_int_equal(slots_held(w->slots), 4);
    run_until(w, 4, 4);
    size_t n = proctree_children(getpid(), before, ARRAY_LEN(before));
    assert_int_equal(n, 2);
    add(w, 5, "{}", 0, 0, 0, 0);
    add(w, 6, "{}", 0, 0, 0, 0);
    run_until(w, 6, 6);
    assert_int_equal(proctree_children(getpid(), after, ARRAY_LEN(after)), 2);
    assert_memory_equal(before, after, 2 * sizeof *before);
}

static void test_crash_is_infrastructure_and_the_slot_goes_on(void **state)
{
    struct world *w = *state;
    add(w, 1, "{\"outcome\":\"crash\"}", 0, 0, 0, 0);
    run_until(w, 1, 1);
    assert_int_equal(answer_to(w, 1)->outcome, ACSWEEP__OUTCOME__FAILED);
    assert_int_equal(answer_to(w, 1)->failure, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE);
    assert_non_null(strstr(answer_to(w, 1)->message, "signal 6"));
    add(w, 2, "{}", 0, 0, 0, 0);
    run_until(w, 2, 2);
    assert_int_equal(answer_to(w, 2)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
}

static void test_lie_is_caught(void **state)
{
    struct world *w = *state;
    add(w, 1, "{\"outcome\":\"lie\"}", 0, 0, 0, 0);
    run_until(w, 1, 1);
    assert_int_equal(answer_to(w, 1)->failure, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE);
    assert_non_null(strstr(answer_to(w, 1)->message, "which it was not given"));
}

static void test_time_limit(void **state)
{
    struct world *w = *state;
    add(w, 1, "{\"sleep_ms\":60000}", 100, 0, 0, 0);
    run_until(w, 1, 1);
    assert_int_equal(answer_to(w, 1)->failure, ACSWEEP__FAILURE_CLASS__TIMEOUT);
}

static void test_deaf_task_is_killed_after_the_grace(void **state)
{
    struct world *w = *state;
    struct err e = { 0 };
    bool here;
    Acsweep__Token t = token_of(1);
    add(w, 1, "{\"outcome\":\"hang\"}", 0, 0, 0, 0);
    run_until(w, 0, 1);
    assert_int_equal(slots_cancel(w->slots, &t, "drain", 100 * NS_PER_MS, &here, &e), 0);
    assert_true(here);
    run_until(w, 1, 1);
    assert_int_equal(answer_to(w, 1)->failure, ACSWEEP__FAILURE_CLASS__PREEMPTED);
    assert_int_equal(w->killed, 1);
}

static void test_fenced_ends_in_silence(void **state)
{
    struct world *w = *state;
    Acsweep__Token t = token_of(1);
    add(w, 1, "{\"sleep_ms\":60000}", 0, 0, 0, 0);
    run_until(w, 0, 1);
    slots_fence(w->slots, &t);
    assert_false(slots_holds(w->slots, &t));
    run_for(w, 300 * NS_PER_MS);
    assert_int_equal(w->n, 0);
    assert_int_equal(w->killed, 1);
}

static void test_queued_can_be_cancelled_and_given_back(void **state)
{
    struct world *w = *state;
    struct err e = { 0 };
    bool here;
    for (uint64_t i = 1; i <= 5; i++)
        add(w, i, "{\"sleep_ms\":60000}", 0, 0, 0, 0);
    Acsweep__Token t = token_of(5);
    assert_int_equal(slots_cancel(w->slots, &t, "cancelled", 0, &here, &e), 0);
    assert_int_equal(answer_to(w, 5)->outcome, ACSWEEP__OUTCOME__CANCELLED);
    Acsweep__Token *back;
    size_t n;
    assert_int_equal(slots_give_back(w->slots, &back, &n, &e), 0);
    assert_int_equal(n, 2);
    assert_int_equal(back[0].task_id, 3);
    assert_int_equal(slots_held(w->slots), 2);
    free(back);
}

static void test_gpu_task_stays_in_its_slot(void **state)
{
    struct world *w = *state;
    add(w, 1, "{\"sleep_ms\":200}", 0, 1, 1, 0);
    add(w, 2, "{}", 0, 1, 1, 0); /* slot 0 is free, but its devices are others */
    add(w, 3, "{}", 0, 1, 0, 0);
    run_until(w, 3, 3);
    assert_int_equal(answer_to(w, 2)->slot, 1);
    assert_int_equal(answer_to(w, 3)->slot, 0);
    assert_int_equal(w->answers[0].task, 3);
}

static void test_leaking_exec_is_replaced(void **state)
{
    struct world *w = *state;
    pid_t before[4], after[4];
    slots_destroy(w->slots);
    make_slots(w, 1, 16 << 20, BINARY_DIR "/bin/acsweep-exec");
    add(w, 1, "{}", 0, 0, 0, 0);
    run_until(w, 1, 1);
    assert_int_equal(proctree_children(getpid(), before, ARRAY_LEN(before)), 1);
    add(w, 2, "{\"outcome\":\"leak\"}", 0, 0, 0, 0);
    add(w, 3, "{}", 0, 0, 0, 0);
    run_until(w, 3, 3);
    assert_int_equal(proctree_children(getpid(), after, ARRAY_LEN(after)), 1);
    assert_int_not_equal(before[0], after[0]);
    assert_int_equal(answer_to(w, 3)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
}

static void test_missing_exec_answers_with_an_error(void **state)
{
    struct world *w = *state;
    slots_destroy(w->slots);
    make_slots(w, 1, 0, "/nowhere/acsweep-exec");
    add(w, 1, "{}", 0, 0, 0, 0);
    run_until(w, 1, 0);
    assert_int_equal(answer_to(w, 1)->failure, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE);
    assert_non_null(strstr(answer_to(w, 1)->message, "/nowhere/acsweep-exec"));
}

static void test_stopped_exec_does_not_stop_the_loop(void **state)
{
    struct world *w = *state;
    pid_t child;
    add(w, 1, "{\"sleep_ms\":1}", 0, 0, 0, 0);
    run_until(w, 1, 1);
    assert_int_equal(proctree_children(getpid(), &child, 1), 1);
    kill(child, SIGSTOP);
    int64_t from = mono_now();
    add(w, 2, "{}", 0, 0, 0, 0);
    add(w, 3, "{}", 0, 0, 0, 0);
    run_until(w, 2, 2); /* the other slot works */
    assert_true(mono_now() - from < 10 * NS_PER_S);
    kill(child, SIGCONT);
    run_until(w, 3, 3);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_queue_runs_through_kept_execs),
        CASE(test_crash_is_infrastructure_and_the_slot_goes_on),
        CASE(test_lie_is_caught),
        CASE(test_time_limit),
        CASE(test_deaf_task_is_killed_after_the_grace),
        CASE(test_fenced_ends_in_silence),
        CASE(test_queued_can_be_cancelled_and_given_back),
        CASE(test_gpu_task_stays_in_its_slot),
        CASE(test_leaking_exec_is_replaced),
        CASE(test_missing_exec_answers_with_an_error),
        CASE(test_stopped_exec_does_not_stop_the_loop),
    };
    return cmocka_run_group_tests_name("slot", tests, NULL, NULL);
}
