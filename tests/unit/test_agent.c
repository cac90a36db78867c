/* acsweep-worker against a scripted coordinator: joining, running, results until acknowledged, the coordinator going away,
 * fencing, leaving, and coming back after kill -9. The worker is the real program; only the coordinator is played. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mono.h"
#include "tests/lib/agent_rig.h"
#include "worker/proctree.h"

static void test_runs_a_task_and_resends_until_acknowledged(void **state)
{
    struct rig *w = *state;
    envelope *hello = rig_expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
    assert_int_equal(hello->hello->slots, 2);
    assert_int_equal(hello->hello->pid, w->worker);
    assert_true(hello->hello->n_executors >= 3);
    assert_string_equal(hello->hello->executors[0], "noop");
    assert_true(strncmp(hello->hello->worker_id, hello->hello->boot_id, 36) == 0);
    envelope_free(hello);
    rig_welcome(w, NULL);
    rig_assign_fake(w, 7, "{\"metrics\":{\"a\":0.25}}");
    envelope *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_STARTED);
    assert_int_equal(m->started->token->task_id, 7);
    envelope_free(m);
    Acsweep__Result *r = rig_expect_result(w, 7, &m);
    assert_int_equal(r->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    assert_int_equal(r->n_metrics, 1);
    assert_string_equal(r->metrics[0]->name, "a");
    assert_true(r->metrics[0]->value == 0.25);
    envelope_free(m);
    rig_expect_result(w, 7, &m); /* not acknowledged: again */
    envelope_free(m);
    rig_ack(w, 7, 1, ACSWEEP__VERDICT__COMMITTED);
    mono_sleep(300 * NS_PER_MS);
    while ((m = rig_receive(w, 0))) /* what was on the way */
        envelope_free(m);
    for (int64_t until = mono_now() + 1500 * NS_PER_MS; mono_now() < until;)
        if ((m = rig_receive(w, 100))) {
            assert_int_not_equal(m->body_case, ACSWEEP__ENVELOPE__BODY_RESULTS);
            envelope_free(m);
        }
    assert_int_equal(rig_history(w, "\"event\":\"acked\""), 1);
    assert_int_equal(rig_history(w, "\"event\":\"started\""), 1);
}

static void test_duplicate_assign_is_ignored(void **state)
{
    struct rig *w = *state;
    rig_join(w);
    for (int i = 0; i < 3; i++)
        rig_assign_fake(w, 9, "{\"sleep_ms\":300}");
    envelope *m;
    rig_expect_result(w, 9, &m);
    envelope_free(m);
    rig_ack(w, 9, 1, ACSWEEP__VERDICT__COMMITTED);
    rig_assign_fake(w, 9, "{}"); /* replayed long after */
    rig_assign(w, &(struct made_task){ .task = 10, .executor = "noop" });
    do
        m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
    while (m->results->results[0]->token->task_id == 9 && (envelope_free(m), true));
    assert_int_equal(m->results->results[0]->token->task_id, 10);
    envelope_free(m);
    assert_int_equal(rig_history(w, "\"event\":\"started\",\"task\":9"), 1);
    assert_int_equal(rig_history(w, "\"event\":\"duplicate\",\"task\":9"), 3);
}

static void test_coordinator_restart_keeps_tasks(void **state)
{
    struct rig *w = *state;
    rig_join(w);
    rig_assign_fake(w, 20, "{\"sleep_ms\":1500}");
    rig_assign_fake(w, 21, "{\"sleep_ms\":100}"); /* ends while nobody listens */
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    rig_unbind(w);
    mono_sleep(500 * NS_PER_MS);
    rig_bind(w);
    envelope *hello = rig_expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
    bool running[2] = { false, false };
    for (size_t i = 0; i < hello->hello->n_running; i++)
        running[hello->hello->running[i]->task_id - 20] = true;
    assert_true(running[0] && running[1]);
    envelope_free(hello);
    rig_welcome(w, NULL);
    bool seen[2] = { false, false };
    while (!seen[0] || !seen[1]) {
        envelope *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
        for (size_t i = 0; i < m->results->n_results; i++) {
            assert_int_equal(m->results->results[i]->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
            seen[m->results->results[i]->token->task_id - 20] = true;
        }
        envelope_free(m);
    }
    assert_int_equal(rig_history(w, "\"event\":\"started\",\"task\":20"), 1);
}

static void test_fenced_token_is_killed(void **state)
{
    struct rig *w = *state;
    rig_join(w);
    rig_assign_fake(w, 30, "{\"outcome\":\"hang\"}");
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    rig_unbind(w);
    mono_sleep(200 * NS_PER_MS);
    rig_bind(w);
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_HELLO));
    Acsweep__Token t = made_token(30, 1);
    rig_welcome(w, &t);
    envelope *m;
    do {
        m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_HEARTBEAT);
    } while (m->heartbeat->n_running && (envelope_free(m), true));
    envelope_free(m);
    assert_int_equal(rig_history(w, "\"event\":\"killed\",\"task\":30"), 1);
    rig_assign_fake(w, 31, "{}"); /* the slot has a fresh exec */
    rig_expect_result(w, 31, &m);
    envelope_free(m);
    assert_int_equal(rig_history(w, "\"event\":\"finished\",\"task\":30"), 0);
}

static void send_to(envelope *m, void *arg)
{
    rig_send(arg, m);
}

/* A bundle is nothing that the coordinator must keep in mind: each attempt is answered, listed and fenced by itself. */
static void test_bundle_is_single_attempts_to_the_coordinator(void **state)
{
    struct rig *w = *state;
    const struct made_task tasks[] = {
        { .task = 90, .params = "{\"identity\":{\"fake\":{\"metrics\":{\"x\":1}}}}" },
        { .task = 91, .params = "{\"identity\":{\"fake\":{\"sleep_ms\":60000}}}" },
        { .task = 92 },
        { .task = 93, .executor = "noop" }, /* answered by the agent itself */
        { .task = 94 },
    };
    rig_join(w);
    made_bundle_send(tasks, 5, send_to, w);
    bool seen[2] = { false, false };
    while (!seen[0] || !seen[1]) {
        envelope *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
        for (size_t i = 0; i < m->results->n_results; i++) {
            assert_int_equal(m->results->results[i]->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
            assert_true(m->results->results[i]->token->task_id % 3 == 0); /* 90 and 93 */
            seen[m->results->results[i]->token->task_id == 93] = true;
        }
        envelope_free(m);
    }
    rig_ack(w, 90, 1, ACSWEEP__VERDICT__COMMITTED);
    rig_ack(w, 93, 1, ACSWEEP__VERDICT__COMMITTED);
    assert_true(rig_wait_history(w, "\"event\":\"acked\"", 2));
    rig_unbind(w);
    mono_sleep(200 * NS_PER_MS);
    rig_bind(w);
    envelope *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
    assert_int_equal(m->hello->n_running, 3); /* 91, which runs, 92 and 94 behind it */
    envelope_free(m);
    Acsweep__Token fenced = made_token(92, 1);
    rig_welcome(w, &fenced);
    assert_true(rig_wait_history(w, "\"event\":\"killed\",\"task\":92", 1));
    const struct made_task again[] = { tasks[0], tasks[1], tasks[3], tasks[4] };
    made_bundle_send(again, 4, send_to, w); /* what is held, or done, is known */
    assert_true(rig_wait_history(w, "\"event\":\"duplicate\",\"task\":94", 1));
    assert_int_equal(rig_history(w, "\"event\":\"duplicate\",\"task\":90"), 1);
    rig_cancel(w, 91, "cancelled");
    Acsweep__Result *r = rig_expect_result(w, 91, &m);
    assert_int_equal(r->outcome, ACSWEEP__OUTCOME__CANCELLED);
    envelope_free(m);
    assert_int_equal(rig_history(w, "\"event\":\"finished\",\"task\":94"), 0); /* it waits for 91, whose exec goes on */
}

static void test_cancel_kills_what_does_not_obey(void **state)
{
    struct rig *w = *state;
    rig_join(w);
    rig_assign_fake(w, 40, "{\"outcome\":\"hang\"}");
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    rig_cancel(w, 40, "cancelled");
    envelope *m;
    Acsweep__Result *r = rig_expect_result(w, 40, &m);
    assert_int_equal(r->outcome, ACSWEEP__OUTCOME__CANCELLED);
    envelope_free(m);
}

static void test_sigterm_gives_everything_back(void **state)
{
    struct rig *w = *state;
    rig_join(w);
    for (uint64_t i = 50; i < 55; i++) /* two run, three wait */
        rig_assign_fake(w, i, "{\"sleep_ms\":60000}");
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    kill(w->worker, SIGTERM);
    size_t preempted = 0;
    envelope *m;
    for (;;) {
        m = rig_receive(w, RIG_PATIENCE_MS);
        assert_non_null(m);
        if (m->body_case == ACSWEEP__ENVELOPE__BODY_BYE)
            break;
        for (size_t i = 0; m->body_case == ACSWEEP__ENVELOPE__BODY_RESULTS && i < m->results->n_results; i++) {
            Acsweep__Result *r = m->results->results[i];
            assert_int_equal(r->failure, ACSWEEP__FAILURE_CLASS__PREEMPTED);
            rig_ack(w, r->token->task_id, 1, ACSWEEP__VERDICT__COMMITTED);
            preempted++;
        }
        envelope_free(m);
    }
    assert_int_equal(preempted, 2);
    assert_string_equal(m->bye->reason, "sigterm");
    assert_int_equal(m->bye->n_returned, 3);
    envelope_free(m);
    assert_int_equal(rig_worker_exit(w), 0);
}

/* The grace is a minute, so what comes at once comes of the second signal. */
static void test_second_sigterm_leaves_at_once(void **state)
{
    struct rig *w = *state;
    rig_join(w);
    rig_assign_fake(w, 60, "{\"outcome\":\"hang\"}");
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    kill(w->worker, SIGTERM);
    mono_sleep(100 * NS_PER_MS);
    kill(w->worker, SIGTERM); /* scancel and srun both send one: that is one signal */
    mono_sleep(1500 * NS_PER_MS);
    assert_int_equal(waitpid(w->worker, NULL, WNOHANG), 0);
    assert_int_equal(rig_history(w, "\"event\":\"returned\""), 0);
    kill(w->worker, SIGTERM);
    envelope *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_BYE);
    assert_int_equal(m->bye->n_returned, 1);
    envelope_free(m);
    assert_int_equal(rig_worker_exit(w), 0);
}

static int setup_patient(void **state)
{
    rig_setup_idle(state);
    struct rig *w = *state;
    w->options[0] = "--drain-grace";
    w->options[1] = "60s";
    rig_start_worker(w);
    return 0;
}

/* An operator lets tasks finish; then Slurm's walltime ends: they are asked for a checkpoint, not killed. */
static void test_sigterm_after_drain_asks_for_a_checkpoint(void **state)
{
    struct rig *w = *state;
    rig_join(w);
    rig_assign_command(w, 61, "[\"sh\",\"-c\",\"trap 'exit 85' TERM; echo ready; sleep 1000 & wait\"]", 0);
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_PROGRESS));
    rig_drain(w, 0);
    rig_assign_fake(w, 62, "{}"); /* too late: comes back with the Bye */
    assert_true(rig_wait_history(w, "\"event\":\"returned\",\"task\":62", 1));
    kill(w->worker, SIGTERM);
    envelope *m;
    assert_int_equal(rig_expect_result(w, 61, &m)->outcome, ACSWEEP__OUTCOME__CHECKPOINTED);
    envelope_free(m);
    rig_ack(w, 61, 1, ACSWEEP__VERDICT__COMMITTED);
    m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_BYE);
    assert_int_equal(m->bye->n_returned, 1);
    assert_int_equal(m->bye->returned[0]->task_id, 62);
    envelope_free(m);
    assert_int_equal(rig_worker_exit(w), 0);
}

/* scancel reaches all processes of a job at once: an exec that died of it would take its program along. */
static void test_exec_leaves_sigterm_to_the_agent(void **state)
{
    struct rig *w = *state;
    pid_t *execs;
    rig_join(w);
    rig_assign_command(w, 63, "[\"sh\",\"-c\",\"trap 'exit 85' TERM; echo ready; sleep 1000 & wait\"]", 0);
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_PROGRESS));
    size_t n = proctree_children(w->worker, &execs);
    for (size_t i = 0; i < n; i++)
        kill(execs[i], SIGTERM);
    free(execs);
    kill(w->worker, SIGTERM);
    envelope *m;
    assert_int_equal(rig_expect_result(w, 63, &m)->outcome, ACSWEEP__OUTCOME__CHECKPOINTED);
    envelope_free(m);
    rig_ack(w, 63, 1, ACSWEEP__VERDICT__COMMITTED);
    assert_int_equal(rig_worker_exit(w), 0);
}

static void test_spool_survives_kill_9(void **state)
{
    struct rig *w = *state;
    rig_join(w);
    rig_assign_fake(w, 70, "{\"metrics\":{\"x\":1}}");
    envelope *m;
    rig_expect_result(w, 70, &m);
    envelope_free(m);
    kill(w->worker, SIGKILL);
    rig_worker_exit(w);
    rig_start_worker(w);
    envelope *hello = rig_expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
    assert_int_equal(hello->hello->n_running, 1);
    envelope_free(hello);
    rig_welcome(w, NULL);
    Acsweep__Result *r = rig_expect_result(w, 70, &m);
    assert_int_equal(r->n_metrics, 1);
    envelope_free(m);
    rig_ack(w, 70, 1, ACSWEEP__VERDICT__FENCED);
    kill(w->worker, SIGTERM);
    assert_int_equal(rig_worker_exit(w), 0);
    assert_int_equal(rig_history(w, "\"what\":\"fenced\""), 1);
}

static void test_noop_answers_come_in_batches(void **state)
{
    struct rig *w = *state;
    rig_join(w);
    enum { N = 1000 };
    for (uint64_t i = 0; i < N; i++)
        rig_assign(w, &(struct made_task){ .task = 1000 + i, .executor = "noop" });
    size_t got = 0, messages = 0;
    while (got < N) {
        envelope *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
        for (size_t i = 0; i < m->results->n_results; i++)
            rig_ack(w, m->results->results[i]->token->task_id, 1, ACSWEEP__VERDICT__COMMITTED);
        got += m->results->n_results;
        messages++;
        envelope_free(m);
    }
    assert_true(messages < N / 2);
}

static void test_two_workers_cannot_share_a_state_directory(void **state)
{
    struct rig *w = *state;
    rig_join(w);
    pid_t first = w->worker;
    rig_start_worker(w);
    int status = rig_worker_exit(w);
    w->worker = first;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 4);
}

static void test_cut_off_too_long_stops_the_task_uncharged(void **state)
{
    struct rig *w = *state;
    w->grace_ms = 300;
    rig_join(w);
    for (uint64_t i = 90; i < 93; i++) /* two run, one waits */
        rig_assign_fake(w, i, "{\"outcome\":\"hang\"}");
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    rig_unbind(w);
    for (int i = 0; i < 1000 && rig_history(w, "\"event\":\"finished\"") < 3; i++)
        mono_sleep(10 * NS_PER_MS);
    assert_int_equal(rig_history(w, "\"event\":\"finished\""), 3);
    rig_bind(w);
    rig_join(w);
    bool seen[3] = { false };
    while (!seen[0] || !seen[1] || !seen[2]) {
        envelope *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
        for (size_t i = 0; i < m->results->n_results; i++) {
            const Acsweep__Result *r = m->results->results[i];
            assert_int_equal(r->failure, ACSWEEP__FAILURE_CLASS__PREEMPTED);
            assert_non_null(strstr(r->message, "disconnect_grace"));
            seen[r->token->task_id - 90] = true;
        }
        envelope_free(m);
    }
}

/* A program that sleeps, or one that leaves that to a grandchild in a session of its own; wait until it does. Only this test's
 * own process has just this command line, which is in words[] with its length. */
static size_t start_sleeper(struct rig *w, uint64_t task, bool grandchild, uint64_t limit_ms, char words[64])
{
    char argv[128];
    int seconds = 1000000 * (int)task + (int)getpid() % 1000000;
    size_t len = (size_t)snprintf(words, 64, "sleep%c%d", 0, seconds) + 1;
    if (grandchild)
        snprintf(argv, sizeof argv, "[\"sh\",\"-c\",\"setsid sleep %d & wait\"]", seconds);
    else
        snprintf(argv, sizeof argv, "[\"sleep\",\"%d\"]", seconds);
    rig_join(w);
    rig_assign_command(w, task, argv, limit_ms);
    assert_true(rig_comes_to(words, len, 1));
    return len;
}

static void test_program_dies_with_agent_and_exec(void **state)
{
    struct rig *w = *state;
    char words[64];
    size_t len = start_sleeper(w, 80, false, 0, words);
    rig_kill_all(w);
    assert_true(rig_comes_to(words, len, 0));
}

static void test_next_agent_ends_what_the_last_one_left(void **state)
{
    struct rig *w = *state;
    char words[64];
    size_t len = start_sleeper(w, 81, true, 0, words);
    rig_kill_all(w);
    assert_int_equal(rig_processes(words, len), 1); /* nobody was left to end it */
    rig_start_worker(w);
    assert_true(rig_comes_to(words, len, 0));
}

static void test_time_limit_kills_the_programs_tree(void **state)
{
    struct rig *w = *state;
    char words[64];
    size_t len = start_sleeper(w, 82, true, 1000, words);
    envelope *m;
    Acsweep__Result *r = rig_expect_result(w, 82, &m);
    assert_int_equal(r->outcome, ACSWEEP__OUTCOME__FAILED);
    assert_int_equal(r->failure, ACSWEEP__FAILURE_CLASS__TIMEOUT);
    envelope_free(m);
    assert_true(rig_comes_to(words, len, 0));
}

#define CHECKPOINT "store/checkpoints/" MADE_IDENTITY ".1-1"

static int setup_store(void **state)
{
    static char store[96];
    rig_setup_idle(state);
    struct rig *w = *state;
    snprintf(store, sizeof store, "%s/store", w->dir);
    w->store = store;
    rig_start_worker(w);
    return 0;
}

static void join_with_store(struct rig *w)
{
    envelope *m;
    rig_join(w);
    do { /* the second Hello says that it sees the store */
        m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
        rig_welcome(w, NULL);
    } while (!m->hello->shared_store && (envelope_free(m), true));
    envelope_free(m);
}

static const char *const saving =
    "[\"sh\",\"-c\",\"echo step > $ACSWEEP_CHECKPOINT_DIR/s; echo {} > $ACSWEEP_RESULT\"]";

/* A success that turns out not to count must be repeated, and from its checkpoint. */
static void test_checkpoint_is_kept_until_the_acknowledgement(void **state)
{
    struct rig *w = *state;
    envelope *m;
    join_with_store(w);
    rig_assign_command(w, 1, saving, 0);
    assert_int_equal(rig_expect_result(w, 1, &m)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    envelope_free(m);
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS)); /* sent again: half a second has passed */
    assert_true(rig_wait_path(w, CHECKPOINT, true));
    assert_true(rig_wait_path(w, "state/scratch/attempts/1.1-1/log.txt", true));
    rig_ack(w, 1, 1, ACSWEEP__VERDICT__COMMITTED);
    assert_true(rig_wait_path(w, CHECKPOINT, false));
    assert_true(rig_wait_path(w, "state/scratch/attempts/1.1-1", false));
}

static void test_restarted_agent_clears_up_after_its_predecessor(void **state)
{
    struct rig *w = *state;
    envelope *m;
    join_with_store(w);
    rig_assign_command(w, 1, saving, 0);
    rig_expect_result(w, 1, &m);
    envelope_free(m);
    kill(w->worker, SIGKILL);
    rig_worker_exit(w);
    rig_start_worker(w);
    join_with_store(w);
    rig_expect_result(w, 1, &m);
    envelope_free(m);
    assert_true(rig_wait_path(w, CHECKPOINT "/s", true));
    rig_ack(w, 1, 1, ACSWEEP__VERDICT__COMMITTED);
    assert_true(rig_wait_path(w, CHECKPOINT, false));
}

static void test_fenced_success_leaves_its_checkpoint(void **state)
{
    struct rig *w = *state;
    envelope *m;
    join_with_store(w);
    rig_assign_command(w, 1, saving, 0);
    rig_expect_result(w, 1, &m);
    envelope_free(m);
    rig_ack(w, 1, 1, ACSWEEP__VERDICT__FENCED);
    assert_true(rig_wait_path(w, "state/scratch/attempts/1.1-1", false));
    assert_true(rig_wait_path(w, CHECKPOINT "/s", true));
}

/* What a killed exec was writing into the store goes. */
static void test_half_made_artifacts_go_with_their_exec(void **state)
{
    struct rig *w = *state;
    envelope *m;
    join_with_store(w);
    rig_assign_command(w, 1, "[\"sh\",\"-c\",\"echo x > $ACSWEEP_OUT/big; echo up; sleep 600\"]", 0);
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_PROGRESS));
    assert_true(rig_wait_path(w, "store/tmp/" MADE_IDENTITY ".1-1/big", true));
    pid_t *execs;
    size_t n = proctree_children(w->worker, &execs);
    for (size_t i = 0; i < n; i++)
        kill(execs[i], SIGKILL);
    free(execs);
    assert_int_equal(rig_expect_result(w, 1, &m)->failure, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE);
    envelope_free(m);
    assert_true(rig_wait_path(w, "store/tmp/" MADE_IDENTITY ".1-1", false));
}

/* This node has the store elsewhere than the coordinator says. */
static int setup_store_elsewhere(void **state)
{
    static char here[96];
    rig_setup_idle(state);
    struct rig *w = *state;
    snprintf(here, sizeof here, "%s/store", w->dir);
    w->store = here;
    const char *const options[] = { "--store", here, "--path", "clip=/models/clip", "--path", "mix=/data/mix", NULL };
    memcpy(w->options, options, sizeof options);
    rig_start_worker(w);
    return 0;
}

static void test_store_and_data_are_where_this_node_has_them(void **state)
{
    struct rig *w = *state;
    const char *const here = w->store;
    char challenge[200], script[600];
    rig_join(w); /* makes the challenge file */
    snprintf(challenge, sizeof challenge, "%s/challenge", here);
    assert_int_equal(access(challenge, R_OK), 0);
    w->store = "/nowhere/acsweep-store"; /* from now on the coordinator says so */
    envelope *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
    assert_true(m->hello->shared_store);
    envelope_free(m);
    Acsweep__Welcome x = ACSWEEP__WELCOME__INIT;
    x.version = 1;
    x.heartbeat_ms = 200;
    x.store = (char *)w->store;
    x.store_challenge = (char *)"challenge";
    envelope welcome = ACSWEEP__ENVELOPE__INIT;
    welcome.body_case = ACSWEEP__ENVELOPE__BODY_WELCOME;
    welcome.welcome = &x;
    rig_send(w, &welcome);
    snprintf(script, sizeof script,
             "[\"sh\",\"-c\",\"test $ACSWEEP_STORE = %s; test $0 = /models/clip; test $1 = /data/mix; "
             "echo {} > $ACSWEEP_RESULT\",\"{path:clip}\",\"{path:mix}\"]",
             here);
    rig_assign_command(w, 1, script, 0);
    assert_int_equal(rig_expect_result(w, 1, &m)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    envelope_free(m);
}

static void refuse(struct rig *w, uint64_t message_id)
{
    Acsweep__Refused x = ACSWEEP__REFUSED__INIT;
    x.code = (char *)"result";
    x.reason = (char *)"the metric 'x' comes twice";
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.answers = message_id;
    m.body_case = ACSWEEP__ENVELOPE__BODY_REFUSED;
    m.refused = &x;
    rig_send(w, &m);
}

/* A result that the coordinator will never take must not be sent for ever, nor keep others back. */
static void test_refused_result_becomes_a_failure(void **state)
{
    struct rig *w = *state;
    envelope *m;
    rig_join(w);
    for (uint64_t i = 1; i <= 2; i++) /* in one message */
        rig_assign(w, &(struct made_task){ .task = i, .executor = "noop" });
    bool failed = false, other = false;
    while (!failed || !other) {
        m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
        for (size_t i = 0; i < m->results->n_results; i++) {
            const Acsweep__Result *r = m->results->results[i];
            bool bad = r->token->task_id == 2;
            if (bad && r->outcome == ACSWEEP__OUTCOME__FAILED) {
                assert_int_equal(r->failure, ACSWEEP__FAILURE_CLASS__CODE);
                assert_non_null(strstr(r->message, "'x' comes twice"));
                failed = true;
            } else if (bad) {
                refuse(w, m->message_id);
            } else {
                other = true;
                if (m->results->n_results == 1)
                    rig_ack(w, 1, 1, ACSWEEP__VERDICT__COMMITTED);
            }
        }
        envelope_free(m);
    }
}

/* An exec takes two descriptors; the limit that a login gives is not enough for many. */
static int setup_many(void **state)
{
    struct rlimit r, before;
    rig_setup_idle(state);
    struct rig *w = *state;
    const char *const options[] = { "--slots", "60", "--credits", "4096", NULL };
    memcpy(w->options, options, sizeof options);
    getrlimit(RLIMIT_NOFILE, &before);
    r = before;
    r.rlim_cur = 80;
    setrlimit(RLIMIT_NOFILE, &r);
    rig_start_worker(w);
    return setrlimit(RLIMIT_NOFILE, &before);
}

static void test_many_slots(void **state)
{
    struct rig *w = *state;
    envelope *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
    assert_int_equal(m->hello->slots, 60);
    assert_int_equal(m->hello->credits, 65536 / 60); /* no more than a queue holds */
    envelope_free(m);
    rig_welcome(w, NULL);
    for (uint64_t i = 1; i <= 60; i++)
        rig_assign_fake(w, i, "{\"sleep_ms\":600000}");
    assert_true(rig_wait_history(w, "\"event\":\"started\"", 60));
    kill(w->worker, SIGTERM); /* all are asked at once, and all answer */
    size_t preempted = 0;
    while ((m = rig_receive(w, RIG_PATIENCE_MS)) && m->body_case != ACSWEEP__ENVELOPE__BODY_BYE) {
        for (size_t i = 0; m->body_case == ACSWEEP__ENVELOPE__BODY_RESULTS && i < m->results->n_results; i++) {
            const Acsweep__Result *r = m->results->results[i];
            assert_int_equal(r->failure, ACSWEEP__FAILURE_CLASS__PREEMPTED);
            rig_ack(w, r->token->task_id, 1, ACSWEEP__VERDICT__COMMITTED);
            preempted++;
        }
        envelope_free(m);
    }
    envelope_free(m);
    assert_true(preempted >= 60);
    assert_int_equal(rig_worker_exit(w), 0);
}

/* No file may grow: neither spool nor history nor log. Results arrive all the same. */
static int setup_full_disk(void **state)
{
    struct rlimit before, r;
    rig_setup_idle(state);
    getrlimit(RLIMIT_FSIZE, &before);
    r = before;
    r.rlim_cur = 300;         /* the spool's first bytes, the lock */
    signal(SIGXFSZ, SIG_IGN); /* a full disk sends no signal */
    setrlimit(RLIMIT_FSIZE, &r);
    rig_start_worker(*state);
    return setrlimit(RLIMIT_FSIZE, &before);
}

static void test_full_disk_stops_nothing(void **state)
{
    struct rig *w = *state;
    envelope *m;
    rig_join(w);
    for (uint64_t i = 1; i <= 20; i++) {
        rig_assign_fake(w, i, "{\"metrics\":{\"a\":1}}");
        assert_int_equal(rig_expect_result(w, i, &m)->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
        envelope_free(m);
        rig_ack(w, i, 1, ACSWEEP__VERDICT__COMMITTED);
    }
    kill(w->worker, SIGTERM);
    assert_int_equal(rig_worker_exit(w), 0);
}

/* The exit code of a worker started with this worker.cfg and nothing else; its words go into `said`. */
static int run_with_config(struct rig *w, const char *text, char *said, size_t room)
{
    char path[128], command[512];
    snprintf(path, sizeof path, "%s/worker.cfg", w->dir);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    snprintf(command, sizeof command, "'%s/bin/acsweep-worker' --config '%s' --state '%s/other' 2>&1", BINARY_DIR, path,
             w->dir);
    f = popen(command, "r");
    size_t n = fread(said, 1, room - 1, f);
    said[n] = '\0';
    int status = pclose(f);
    return WEXITSTATUS(status);
}

static void test_config_errors_name_the_line(void **state)
{
    struct rig *w = *state;
    char said[4096];
    assert_int_equal(run_with_config(w, "slots = 2;\nslotz = 3;\n", said, sizeof said), 3);
    assert_non_null(strstr(said, "worker.cfg:2"));
    assert_non_null(strstr(said, "slots"));
    assert_int_equal(run_with_config(w, "name = \"a\"b\"\";\n", said, sizeof said), 3); /* not 1: tests/lsan.supp */
    assert_int_equal(run_with_config(w, "slots = 2;\n", said, sizeof said), 2);
    assert_non_null(strstr(said, "--coordinator"));
    assert_int_equal(run_with_config(w, "coordinator = \"acsweep://10.0.0.1:5\";\n", said, sizeof said), 3);
    assert_int_equal(run_with_config(w, "coordinator = \"acsweep://127.0.0.1:5\"; exec = \"/nowhere/x\";\n", said, sizeof said), 4);
    assert_non_null(strstr(said, "/nowhere/x"));
    assert_int_equal(run_with_config(w, "coordinator = \"acsweep://127.0.0.1:5\"; path = [\"clip=/a\", \"clip=/b\"];\n",
                                     said, sizeof said),
                     2);
    assert_non_null(strstr(said, "has a path already, /a"));
    assert_int_equal(run_with_config(w, "slots = [1, 2];\n", said, sizeof said), 3);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_runs_a_task_and_resends_until_acknowledged),
        CASE(test_duplicate_assign_is_ignored),
        CASE(test_coordinator_restart_keeps_tasks),
        CASE(test_fenced_token_is_killed),
        CASE(test_bundle_is_single_attempts_to_the_coordinator),
        CASE(test_cancel_kills_what_does_not_obey),
        CASE(test_sigterm_gives_everything_back),
        cmocka_unit_test_setup_teardown(test_second_sigterm_leaves_at_once, setup_patient, rig_teardown),
        cmocka_unit_test_setup_teardown(test_sigterm_after_drain_asks_for_a_checkpoint, setup_patient, rig_teardown),
        CASE(test_exec_leaves_sigterm_to_the_agent),
        CASE(test_spool_survives_kill_9),
        CASE(test_noop_answers_come_in_batches),
        CASE(test_two_workers_cannot_share_a_state_directory),
        CASE(test_cut_off_too_long_stops_the_task_uncharged),
        CASE(test_program_dies_with_agent_and_exec),
        CASE(test_next_agent_ends_what_the_last_one_left),
        CASE(test_time_limit_kills_the_programs_tree),
        cmocka_unit_test_setup_teardown(test_checkpoint_is_kept_until_the_acknowledgement, setup_store, rig_teardown),
        cmocka_unit_test_setup_teardown(test_restarted_agent_clears_up_after_its_predecessor, setup_store,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_fenced_success_leaves_its_checkpoint, setup_store, rig_teardown),
        cmocka_unit_test_setup_teardown(test_half_made_artifacts_go_with_their_exec, setup_store, rig_teardown),
        cmocka_unit_test_setup_teardown(test_store_and_data_are_where_this_node_has_them, setup_store_elsewhere,
                                        rig_teardown),
        CASE(test_refused_result_becomes_a_failure),
        cmocka_unit_test_setup_teardown(test_many_slots, setup_many, rig_teardown),
        cmocka_unit_test_setup_teardown(test_full_disk_stops_nothing, setup_full_disk, rig_teardown),
        CASE(test_config_errors_name_the_line),
    };
    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
