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
#include "tests/lib/made_task.h"
#include "worker/probe.h"
#include "worker/proctree.h"
#include "worker/slots.h"

struct answer {
    uint64_t task;
    Acsweep__Outcome outcome;
    Acsweep__FailureClass failure;
    char message[300], device[64];
    uint32_t slot, together;
    double wall;
};

struct world {
    struct loop *loop;
    struct devices *devices;
    struct slots *slots;
    struct answer answers[64];
    size_t n, started, killed, debris;
    int64_t keep_idle;
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
static int on_result(const Acsweep__Result *r, const Acsweep__TaskSpec *spec, void *arg, struct err *e)
{
    (void)e;
    struct world *w = arg;
    assert_non_null(spec);
    assert_true(w->n < ARRAY_LEN(w->answers));
    assert_true(r->finished_unix_us >= r->started_unix_us);
    struct answer *a = &w->answers[w->n++];
    *a = (struct answer){ .task = r->token->task_id,
                          .outcome = r->outcome,
                          .failure = r->failure,
                          .slot = r->slot,
                          .together = r->ended_together,
                          .wall = r->cost->wall_seconds };
    snprintf(a->message, sizeof a->message, "%s", r->message);
    snprintf(a->device, sizeof a->device, "%s", r->n_devices ? r->devices[0] : "");
    return 0;
}
static void on_killed(const Acsweep__Token *t, const char *why, void *arg)
{
    (void)t;
    (void)why;
    ((struct world *)arg)->killed++;
}
static void on_debris(const Acsweep__Token *t, const Acsweep__TaskSpec *spec, bool fenced, void *arg)
{
    (void)fenced;
    assert_true(t->task_id > 0);
    assert_string_equal(spec->executor, "fake");
    ((struct world *)arg)->debris++;
}
static int on_devices(void *arg, struct err *e)
{
    struct world *w = arg;
    return w->slots ? slots_dispatch(w->slots, e) : 0;
}

static void make_slots(struct world *w, size_t n, uint64_t leak_limit, const char *exec_path)
{
    struct err e = { 0 };
    const struct slot_options o = { .loop = w->loop,
                                    .exec_path = exec_path,
                                    .worker_id = "w",
                                    .scratch = "/tmp",
                                    .store = "",
                                    .n = n,
                                    .devices = w->devices,
                                    .per_set = 2,
                                    .leak_limit_bytes = leak_limit,
                                    .keep_idle_ns = w->keep_idle,
                                    .on = { on_started, on_progress, on_result, on_killed, on_debris, on_devices, w } };
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

/* `n` GPUs, tasks of at most two of them. */
static void make_gpus(struct world *w, const char *n)
{
    struct gpu_list first;
    struct err e = { 0 };
    char tag[32];
    snprintf(tag, sizeof tag, "%d", (int)getpid());
    setenv("ACSWEEP_CUDART", FAKE_CUDART, 1);
    setenv("FAKE_CUDA_DEVICES", n, 1);
    setenv("FAKE_CUDA_TAG", tag, 1);
    assert_int_equal(probe_now(BINARY_DIR "/bin/acsweep-exec", 30 * NS_PER_S, &first, &e), 0);
    const struct devices_options o = { .loop = w->loop,
                                       .exec_path = BINARY_DIR "/bin/acsweep-exec",
                                       .first = &first,
                                       .per_set = 2,
                                       .leak_bytes = 1 << 20,
                                       .return_ns = 10 * NS_PER_S,
                                       .retry_ns = 100 * NS_PER_MS,
                                       .timeout_ns = 30 * NS_PER_S,
                                       .on_change = on_devices,
                                       .arg = w };
    slots_destroy(TAKE(w->slots));
    w->devices = devices_create(&o, &e);
    assert_non_null(w->devices);
    make_slots(w, 0, 0, BINARY_DIR "/bin/acsweep-exec");
}

static size_t count_children(void)
{
    pid_t *list;
    size_t n = proctree_children(getpid(), &list);
    free(list);
    return n;
}

static pid_t only_child(void)
{
    pid_t *list;
    size_t n = proctree_children(getpid(), &list);
    pid_t one = n == 1 ? list[0] : -1;
    free(list);
    assert_int_equal(n, 1);
    return one;
}

static int teardown(void **state)
{
    struct world *w = *state;
    slots_destroy(w->slots);
    devices_destroy(w->devices);
    loop_destroy(w->loop);
    unsetenv("ACSWEEP_CUDART");
    free(w);
    return count_children() == 0 ? 0 : -1; /* no exec outlives its pool */
}

struct adding {
    struct world *w;
    int want;
};

/* Real, owned Assignments, as they come off the wire. */
static void add_sent(envelope *m, void *arg)
{
    const struct adding *x = arg;
    struct err e = { 0 };
    Acsweep__Assignment *owned[MADE_MOST];
    size_t n = m->assign->n_assignments;
    for (size_t i = 0; i < n; i++) {
        const Acsweep__Assignment *a = m->assign->assignments[i];
        size_t len = acsweep__assignment__get_packed_size(a);
        uint8_t *bytes = malloc(len);
        acsweep__assignment__pack(a, bytes);
        owned[i] = acsweep__assignment__unpack(NULL, len, bytes);
        free(bytes);
    }
    assert_int_equal(slots_add(x->w->slots, owned, n, &e), x->want);
    for (size_t i = 0; i < n; i++)
        if (owned[i])
            acsweep__assignment__free_unpacked(owned[i], NULL);
}

static void add(struct world *w, uint64_t task, const char *fake, uint64_t limit_ms, uint32_t gpus, uint32_t slot,
                int want)
{
    char params[300];
    snprintf(params, sizeof params, "{\"identity\":{\"fake\":%s}}", fake);
    const struct made_task t = {
        .task = task, .params = params, .time_limit_ms = limit_ms, .gpus = gpus, .slot = slot
    };
    made_task_send(&t, add_sent, &(struct adding){ w, want });
}

static void run_until(struct world *w, size_t answers, size_t started)
{
    struct err e = { 0 };
    int64_t until = mono_now() + 60 * NS_PER_S;
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
    pid_t *before, *after;
    for (uint64_t i = 1; i <= 4; i++)
        add(w, i, "{\"sleep_ms\":30}", 0, 0, 0, 0);
    add(w, 4, "{}", 0, 0, 0, 1); /* the same token again */
    assert_int_equal(slots_held(w->slots), 4);
    run_until(w, 4, 4);
    assert_int_equal(proctree_children(getpid(), &before), 2);
    add(w, 5, "{}", 0, 0, 0, 0);
    add(w, 6, "{}", 0, 0, 0, 0);
    run_until(w, 6, 6);
    assert_int_equal(proctree_children(getpid(), &after), 2);
    assert_memory_equal(before, after, 2 * sizeof *before);
    free(before);
    free(after);
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
    Acsweep__Token t = made_token(1, 1);
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
    Acsweep__Token t = made_token(1, 1);
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
    Acsweep__Token t = made_token(5, 1);
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

/* An exec is bound to as many devices as its task asked for. */
static void test_execs_are_kept_by_set_of_devices(void **state)
{
    struct world *w = *state;
    make_gpus(w, "2");
    assert_int_equal(slots_open(w->slots), 1);
    add(w, 1, "{}", 0, 1, 0, 0);
    run_until(w, 1, 1);
    pid_t one = only_child();
    add(w, 2, "{}", 0, 1, 0, 0); /* the same set: the same exec */
    run_until(w, 2, 2);
    assert_int_equal(only_child(), one);
    assert_string_equal(w->answers[0].device, w->answers[1].device);
    add(w, 3, "{}", 0, 0, 0, 0); /* a CPU task gets one that sees no device */
    run_until(w, 3, 3);
    assert_string_equal(w->answers[2].device, "");
    assert_int_equal(count_children(), 2);
    add(w, 4, "{}", 0, 2, 0, 0); /* both: the exec that holds one must go first */
    run_until(w, 4, 4);
    assert_true(w->answers[3].device[0] != '\0');
    assert_int_equal(kill(one, 0), -1);
    assert_int_equal(w->debris, 0);
}

static void test_task_for_devices_that_nobody_has_is_refused(void **state)
{
    struct world *w = *state;
    add(w, 1, "{}", 0, 1, 0, 0);
    assert_int_equal(answer_to(w, 1)->failure, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE);
    make_gpus(w, "4");
    assert_int_equal(slots_open(w->slots), 2);
    add(w, 2, "{}", 0, 3, 0, 0);
    assert_non_null(strstr(answer_to(w, 2)->message, "more GPUs"));
}

static void test_waiting_for_devices_keeps_nobody_back(void **state)
{
    struct world *w = *state;
    make_gpus(w, "4");
    add(w, 1, "{\"sleep_ms\":60000}", 0, 2, 0, 0);
    add(w, 2, "{\"outcome\":\"crash\"}", 0, 2, 1, 0);
    run_until(w, 1, 2); /* the crash: its devices are being looked at */
    add(w, 3, "{}", 0, 2, 1, 0);
    add(w, 4, "{}", 0, 0, 1, 0);
    run_until(w, 3, 4);
    assert_int_equal(answer_to(w, 4)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    assert_int_equal(answer_to(w, 3)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
}

static void test_tasks_that_wait_for_gpus_can_be_turned_away(void **state)
{
    struct world *w = *state;
    struct err e = { 0 };
    make_gpus(w, "2");
    add(w, 1, "{\"sleep_ms\":60000}", 0, 2, 0, 0);
    add(w, 2, "{}", 0, 1, 0, 0);
    add(w, 3, "{}", 0, 0, 0, 0);
    assert_int_equal(slots_turn_away(w->slots, "its GPU is gone", &e), 0);
    assert_int_equal(w->n, 1);
    assert_int_equal(answer_to(w, 2)->failure, ACSWEEP__FAILURE_CLASS__PREEMPTED);
    assert_int_equal(slots_held(w->slots), 2);
}

static void test_a_placed_task_prefers_its_slot(void **state)
{
    struct world *w = *state;
    add(w, 1, "{}", 0, 0, 1, 0);
    run_until(w, 1, 1);
    assert_int_equal(answer_to(w, 1)->slot, 1);
    add(w, 2, "{\"sleep_ms\":500}", 0, 0, 1, 0);
    add(w, 3, "{}", 0, 0, 1, 0); /* taken: another one will do */
    run_until(w, 3, 3);
    assert_int_equal(answer_to(w, 3)->slot, 0);
    assert_int_equal(w->answers[1].task, 3);
}

static void test_execs_that_die_at_once_are_not_started_without_end(void **state)
{
    struct world *w = *state;
    slots_destroy(w->slots);
    make_slots(w, 2, 0, "/bin/false");
    for (uint64_t i = 1; i <= 20; i++)
        add(w, i, "{}", 0, 0, 0, 0);
    run_until(w, 5, 0);
    run_for(w, 300 * NS_PER_MS);
    assert_true(w->n < 10);
    assert_int_equal(w->answers[0].failure, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE);
    run_until(w, 10, 0); /* later it is tried again */
}

static void test_long_idle_exec_gives_its_devices_back(void **state)
{
    struct world *w = *state;
    w->keep_idle = 300 * NS_PER_MS;
    make_gpus(w, "2");
    add(w, 1, "{\"sleep_ms\":900}", 0, 2, 0, 0); /* being busy is not being idle */
    run_until(w, 1, 1);
    assert_int_equal(answer_to(w, 1)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    for (int i = 0; i < 1000 && devices_free(w->devices) < 2; i++)
        run_for(w, 20 * NS_PER_MS);
    assert_int_equal(devices_free(w->devices), 2);
    add(w, 2, "{}", 0, 2, 0, 0);
    run_until(w, 2, 2);
    assert_int_equal(answer_to(w, 2)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
}

static void test_many_execs_end_together(void **state)
{
    struct world *w = *state;
    slots_destroy(w->slots);
    make_slots(w, 60, 0, BINARY_DIR "/bin/acsweep-exec");
    for (uint64_t i = 1; i <= 60; i++)
        add(w, i, "{\"outcome\":\"hang\"}", 0, 0, (uint32_t)i - 1, 0);
    run_until(w, 0, 60);
    assert_int_equal(count_children(), 60);
    slots_fence_all(w->slots);
    assert_int_equal(slots_held(w->slots), 0);
    for (int i = 0; i < 2000 && count_children(); i++)
        run_for(w, 20 * NS_PER_MS);
    assert_int_equal(count_children(), 0);
    assert_int_equal(w->killed, 60);
    assert_int_equal(w->debris, 60);
    assert_int_equal(w->n, 0);
}

static void test_leaking_exec_is_replaced(void **state)
{
    struct world *w = *state;
    slots_destroy(w->slots);
    make_slots(w, 1, 16 << 20, BINARY_DIR "/bin/acsweep-exec");
    add(w, 1, "{}", 0, 0, 0, 0);
    run_until(w, 1, 1);
    pid_t before = only_child();
    add(w, 2, "{\"outcome\":\"leak\"}", 0, 0, 0, 0);
    add(w, 3, "{}", 0, 0, 0, 0);
    run_until(w, 3, 3);
    for (int i = 0; i < 500 && kill(before, 0) == 0; i++)
        run_for(w, 20 * NS_PER_MS);
    assert_int_not_equal(before, only_child());
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
    add(w, 1, "{\"sleep_ms\":1}", 0, 0, 0, 0);
    run_until(w, 1, 1);
    pid_t child = only_child();
    kill(child, SIGSTOP);
    add(w, 2, "{}", 0, 0, 0, 0);
    add(w, 3, "{}", 0, 0, 0, 0);
    run_until(w, 2, 2); /* the other slot works */
    kill(child, SIGCONT);
    run_until(w, 3, 3);
}

/* ---- bundles ------------------------------------------------------------------------------------------------------- */

/* Tasks 1, 2, 3 ... as one bundle, each by its own words. */
static void add_bundle(struct world *w, const char *const *fake, size_t n, uint64_t limit_ms)
{
    struct made_task tasks[MADE_MOST] = { 0 };
    char params[MADE_MOST][200];
    for (size_t i = 0; i < n; i++) {
        snprintf(params[i], sizeof params[i], "{\"identity\":{\"fake\":%s}}", fake[i]);
        tasks[i] = (struct made_task){ .task = i + 1, .params = params[i], .time_limit_ms = limit_ms };
    }
    made_bundle_send(tasks, n, add_sent, &(struct adding){ w, 0 });
}

static void cancel(struct world *w, uint64_t task, const char *reason, int64_t grace_ns)
{
    struct err e = { 0 };
    bool here;
    Acsweep__Token t = made_token(task, 1);
    assert_int_equal(slots_cancel(w->slots, &t, reason, grace_ns, &here, &e), 0);
    assert_true(here);
}

#define SLOW "{\"sleep_ms\":60000}"

static void test_bundle_runs_in_one_exec_and_is_answered_singly(void **state)
{
    struct world *w = *state;
    const char *const fake[] = { "{\"sleep_ms\":100}", "{\"outcome\":\"fail:code\"}", "{}", SLOW };
    Acsweep__Token tokens[8];
    add_bundle(w, fake, 4, 0);
    assert_int_equal(slots_held(w->slots), 4);
    assert_int_equal(slots_tokens(w->slots, tokens, 8), 4);
    assert_int_equal(slots_running(w->slots), 1);
    run_until(w, 3, 4); /* before the last one has ended */
    only_child();
    assert_int_equal(slots_held(w->slots), 1);
    assert_int_equal(slots_tokens(w->slots, tokens, 8), 1);
    assert_int_equal(tokens[0].task_id, 4);
    assert_int_equal(answer_to(w, 1)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    assert_int_equal(answer_to(w, 2)->failure, ACSWEEP__FAILURE_CLASS__CODE);
    assert_int_equal(answer_to(w, 2)->together, 0); /* its own fault */
    assert_int_equal(answer_to(w, 3)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    assert_true(answer_to(w, 3)->wall < 0.09); /* time is not counted twice */
    cancel(w, 4, "cancelled", NS_PER_S);
    run_until(w, 4, 4);
    add(w, 5, "{}", 0, 0, 0, 0);
    run_until(w, 5, 5);
}

static void test_crash_ends_all_of_a_bundle_that_was_not_done(void **state)
{
    struct world *w = *state;
    const char *const fake[] = { "{}", "{\"outcome\":\"crash\"}", "{}", "{}" };
    add_bundle(w, fake, 4, 0);
    run_until(w, 4, 4);
    assert_int_equal(answer_to(w, 1)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    for (uint64_t i = 2; i <= 4; i++) {
        assert_int_equal(answer_to(w, i)->failure, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE);
        assert_int_equal(answer_to(w, i)->together, 3);
    }
    assert_int_equal(w->debris, 3);
    assert_int_equal(slots_held(w->slots), 0);
    add(w, 5, "{}", 0, 0, 0, 0);
    run_until(w, 5, 5);
    assert_int_equal(answer_to(w, 5)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
}

static void test_time_limit_is_the_bundles(void **state)
{
    struct world *w = *state;
    const char *const fake[] = { "{}", SLOW, SLOW };
    add_bundle(w, fake, 3, 300);
    run_until(w, 3, 3);
    assert_int_equal(answer_to(w, 1)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    assert_int_equal(answer_to(w, 3)->failure, ACSWEEP__FAILURE_CLASS__TIMEOUT);
}

static void test_one_of_a_bundle_is_cancelled_and_the_rest_goes_on(void **state)
{
    struct world *w = *state;
    const char *const fake[] = { "{\"sleep_ms\":300}", "{}", "{\"sleep_ms\":300}" };
    add_bundle(w, fake, 3, 0);
    run_until(w, 0, 3);
    cancel(w, 2, "cancelled", NS_PER_S);
    assert_int_equal(answer_to(w, 2)->outcome, ACSWEEP__OUTCOME__CANCELLED); /* at once */
    assert_int_equal(slots_held(w->slots), 2);
    pid_t child = only_child();
    run_until(w, 3, 3);
    assert_int_equal(w->n, 3); /* what its exec said of it was dropped */
    assert_int_equal(w->debris, 1);
    assert_int_equal(answer_to(w, 1)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    assert_int_equal(answer_to(w, 3)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    assert_int_equal(only_child(), child);
}

static void test_last_of_a_bundle_stops_its_exec(void **state)
{
    struct world *w = *state;
    const char *const fake[] = { SLOW, SLOW, SLOW };
    Acsweep__Token t = made_token(3, 1);
    add_bundle(w, fake, 3, 0);
    run_until(w, 0, 3);
    cancel(w, 1, "cancelled", NS_PER_S); /* the one that runs, but nobody is told */
    slots_fence(w->slots, &t);
    run_for(w, 100 * NS_PER_MS);
    assert_int_equal(w->n, 1);
    assert_int_equal(slots_held(w->slots), 1);
    cancel(w, 2, "drain", NS_PER_S);
    run_until(w, 2, 3);
    assert_int_equal(answer_to(w, 2)->failure, ACSWEEP__FAILURE_CLASS__PREEMPTED);
    run_for(w, 300 * NS_PER_MS);
    assert_int_equal(w->n, 2); /* the fenced one ends in silence */
    assert_int_equal(count_children(), 0);
}

static void test_fences_and_drains_of_whole_bundles(void **state)
{
    struct world *w = *state;
    struct err e = { 0 };
    const char *const fake[] = { SLOW, SLOW };
    add_bundle(w, fake, 2, 0);
    run_until(w, 0, 2);
    slots_fence_all(w->slots);
    run_for(w, 300 * NS_PER_MS);
    assert_int_equal(w->n, 0);
    assert_int_equal(w->killed, 2);
    assert_int_equal(slots_held(w->slots), 0);
    add_bundle(w, fake, 2, 0);
    run_until(w, 0, 4);
    assert_int_equal(slots_cancel_all(w->slots, "drain", NS_PER_S, &e), 0);
    run_until(w, 2, 4);
    assert_int_equal(answer_to(w, 1)->failure, ACSWEEP__FAILURE_CLASS__PREEMPTED);
    assert_int_equal(answer_to(w, 2)->failure, ACSWEEP__FAILURE_CLASS__PREEMPTED);
}

static void test_a_waiting_bundle_is_given_back(void **state)
{
    struct world *w = *state;
    struct err e = { 0 };
    const char *const fake[] = { "{}", "{}", "{}" };
    Acsweep__Token *back;
    size_t n;
    add(w, 11, SLOW, 0, 0, 0, 0);
    add(w, 12, SLOW, 0, 0, 0, 0);
    add_bundle(w, fake, 3, 0);
    cancel(w, 1, "cancelled", 0); /* the first, which the bundle goes on without */
    assert_int_equal(answer_to(w, 1)->outcome, ACSWEEP__OUTCOME__CANCELLED);
    assert_int_equal(slots_held(w->slots), 4);
    assert_int_equal(slots_give_back(w->slots, &back, &n, &e), 0);
    assert_int_equal(n, 2);
    assert_int_equal(back[1].task_id, 3);
    free(back);
}

static void test_bundle_for_gpus_that_nobody_has(void **state)
{
    struct world *w = *state;
    const struct made_task tasks[] = { { .task = 1 }, { .task = 2, .gpus = 1 } };
    made_bundle_send(tasks, 2, add_sent, &(struct adding){ w, 0 });
    assert_int_equal(w->n, 2);
    assert_int_equal(answer_to(w, 1)->failure, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE);
    assert_int_equal(slots_held(w->slots), 0);
    const struct made_task twice[] = { { .task = 3 }, { .task = 3 }, { .task = 4 } };
    made_bundle_send(twice, 3, add_sent, &(struct adding){ w, 1 });
    run_until(w, 4, 2);
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
        CASE(test_execs_are_kept_by_set_of_devices),
        CASE(test_task_for_devices_that_nobody_has_is_refused),
        CASE(test_waiting_for_devices_keeps_nobody_back),
        CASE(test_tasks_that_wait_for_gpus_can_be_turned_away),
        CASE(test_a_placed_task_prefers_its_slot),
        CASE(test_execs_that_die_at_once_are_not_started_without_end),
        CASE(test_long_idle_exec_gives_its_devices_back),
        CASE(test_many_execs_end_together),
        CASE(test_leaking_exec_is_replaced),
        CASE(test_missing_exec_answers_with_an_error),
        CASE(test_stopped_exec_does_not_stop_the_loop),
        CASE(test_bundle_runs_in_one_exec_and_is_answered_singly),
        CASE(test_crash_ends_all_of_a_bundle_that_was_not_done),
        CASE(test_time_limit_is_the_bundles),
        CASE(test_one_of_a_bundle_is_cancelled_and_the_rest_goes_on),
        CASE(test_last_of_a_bundle_stops_its_exec),
        CASE(test_fences_and_drains_of_whole_bundles),
        CASE(test_a_waiting_bundle_is_given_back),
        CASE(test_bundle_for_gpus_that_nobody_has),
    };
    return cmocka_run_group_tests_name("slot", tests, NULL, NULL);
}
