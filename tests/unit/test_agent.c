/* acsweep-worker against a scripted coordinator: joining, running, results until acknowledged, the coordinator going away,
 * fencing, leaving, and coming back after kill -9. The worker is the real program; only the coordinator is played. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "common/mono.h"
#include "common/wire.h"
#include "worker/proctree.h"

extern char **environ;

#define PATIENCE_MS 15000

struct world {
    char dir[64], endpoint[256], peer[256];
    size_t peer_len;
    void *zmq, *router;
    pid_t worker;
    uint64_t grace_ms; /* disconnect_grace in our Welcome, 0 = a minute */
};

static void bind_router(struct world *w)
{
    int zero = 0, one = 1;
    w->router = zmq_socket(w->zmq, ZMQ_ROUTER);
    assert_non_null(w->router);
    zmq_setsockopt(w->router, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(w->router, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    zmq_setsockopt(w->router, ZMQ_ROUTER_HANDOVER, &one, sizeof one);
    const char *where = w->endpoint[0] ? w->endpoint : "tcp://127.0.0.1:*";
    int bound = -1;
    for (int i = 0; i < 200 && bound < 0; i++) { /* the old socket lets go of its port a moment after zmq_close */
        bound = zmq_bind(w->router, where);
        if (bound < 0)
            mono_sleep(20 * NS_PER_MS);
    }
    assert_int_equal(bound, 0);
    size_t len = sizeof w->endpoint;
    assert_int_equal(zmq_getsockopt(w->router, ZMQ_LAST_ENDPOINT, w->endpoint, &len), 0);
}

static void start_worker(struct world *w)
{
    char join[300], state[128];
    snprintf(join, sizeof join, "acsweep://%s", w->endpoint + strlen("tcp://"));
    snprintf(state, sizeof state, "%s/state", w->dir);
    char *argv[] = { (char *)BINARY_DIR "/bin/acsweep-worker", (char *)"--coordinator", join, (char *)"--state", state,
                     (char *)"--slots", (char *)"2", (char *)"--resend", (char *)"500ms", (char *)"--drain-grace",
                     (char *)"5s", (char *)"--log-level", (char *)"debug", NULL };
    char log[128];
    snprintf(log, sizeof log, "%s/log", w->dir);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_int_equal(posix_spawn(&w->worker, argv[0], &files, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&files);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/acsweep-agent-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->zmq = zmq_ctx_new();
    bind_router(w);
    start_worker(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char rm[128];
    if (w->worker > 0) {
        kill(w->worker, SIGKILL);
        waitpid(w->worker, NULL, 0);
    }
    zmq_close(w->router);
    zmq_ctx_term(w->zmq);
    snprintf(rm, sizeof rm, "rm -rf '%s'", w->dir);
    int done = system(rm);
    free(w);
    return done;
}

/* The next message of the worker, or NULL after the wait. */
static envelope *receive(struct world *w, long wait_ms)
{
    zmq_pollitem_t item = { .socket = w->router, .events = ZMQ_POLLIN };
    if (zmq_poll(&item, 1, wait_ms) <= 0)
        return NULL;
    int n = zmq_recv(w->router, w->peer, sizeof w->peer, 0);
    assert_true(n > 0);
    w->peer_len = (size_t)n;
    zmq_msg_t m;
    zmq_msg_init(&m);
    assert_true(zmq_msg_recv(&m, w->router, 0) >= 0);
    struct err e = { 0 };
    envelope *out = wire_unpack(zmq_msg_data(&m), zmq_msg_size(&m), &e);
    assert_string_equal(e.text, "");
    zmq_msg_close(&m);
    return out;
}

/* Wait for a body, passing over all others. */
static envelope *expect(struct world *w, Acsweep__Envelope__BodyCase body)
{
    int64_t until = mono_now() + PATIENCE_MS * NS_PER_MS;
    while (mono_now() < until) {
        envelope *m = receive(w, mono_ms_until(until));
        if (m && m->body_case == body)
            return m;
        envelope_free(m);
    }
    fail_msg("no message %d from the worker; see %s/log", body, w->dir);
    return NULL;
}

static void send_body(struct world *w, envelope *m)
{
    struct err e = { 0 };
    uint8_t *bytes;
    size_t len;
    assert_int_equal(wire_pack(m, &bytes, &len, &e), 0);
    assert_int_equal(zmq_send(w->router, w->peer, w->peer_len, ZMQ_SNDMORE), (int)w->peer_len);
    assert_int_equal(zmq_send(w->router, bytes, len, 0), (int)len);
    free(bytes);
}

static void welcome_fencing(struct world *w, Acsweep__Token *fenced)
{
    Acsweep__Welcome x = ACSWEEP__WELCOME__INIT;
    x.version = 1;
    x.epoch = 1;
    x.heartbeat_ms = 200;
    x.lease_ms = 5000;
    x.disconnect_grace_ms = w->grace_ms ? w->grace_ms : 60000;
    x.n_fenced = fenced ? 1 : 0;
    x.fenced = &fenced;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_WELCOME;
    m.welcome = &x;
    send_body(w, &m);
}

static void join_worker(struct world *w)
{
    envelope *hello = expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
    envelope_free(hello);
    welcome_fencing(w, NULL);
}

static Acsweep__Token token_of(uint64_t task, uint32_t attempt)
{
    Acsweep__Token t = ACSWEEP__TOKEN__INIT;
    t.task_id = task;
    t.attempt = attempt;
    t.epoch = 1;
    return t;
}

static void assign(struct world *w, uint64_t task, uint32_t attempt, const char *executor, const char *fake)
{
    char params[512];
    snprintf(params, sizeof params, "{\"identity\":{\"fake\":%s},\"execution\":{}}", fake);
    Acsweep__Token t = token_of(task, attempt);
    Acsweep__TaskSpec spec = ACSWEEP__TASK_SPEC__INIT;
    spec.kind = (char *)"fake";
    spec.executor = (char *)executor;
    spec.params = params;
    Acsweep__Assignment a = ACSWEEP__ASSIGNMENT__INIT, *list = &a;
    a.token = &t;
    a.spec = &spec;
    Acsweep__Assign x = ACSWEEP__ASSIGN__INIT;
    x.n_assignments = 1;
    x.assignments = &list;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_ASSIGN;
    m.assign = &x;
    send_body(w, &m);
}

/* A program of executor `command`, as a JSON list of words, with a time limit (0 = none). */
static void assign_command(struct world *w, uint64_t task, const char *argv, uint64_t limit_ms)
{
    char params[512];
    snprintf(params, sizeof params, "{\"identity\":{},\"execution\":{\"command\":{\"argv\":%s}}}", argv);
    Acsweep__Token t = token_of(task, 1);
    Acsweep__TaskSpec spec = ACSWEEP__TASK_SPEC__INIT;
    spec.kind = (char *)"stage2";
    spec.executor = (char *)"command";
    spec.identity = (char *)"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    spec.params = params;
    spec.time_limit_ms = limit_ms;
    Acsweep__Assignment a = ACSWEEP__ASSIGNMENT__INIT, *list = &a;
    a.token = &t;
    a.spec = &spec;
    Acsweep__Assign x = ACSWEEP__ASSIGN__INIT;
    x.n_assignments = 1;
    x.assignments = &list;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_ASSIGN;
    m.assign = &x;
    send_body(w, &m);
}

static void ack(struct world *w, uint64_t task, uint32_t attempt, Acsweep__Verdict verdict)
{
    Acsweep__Token t = token_of(task, attempt);
    Acsweep__ResultAck a = ACSWEEP__RESULT_ACK__INIT, *list = &a;
    a.token = &t;
    a.verdict = verdict;
    Acsweep__ResultAcks x = ACSWEEP__RESULT_ACKS__INIT;
    x.n_acks = 1;
    x.acks = &list;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_RESULT_ACKS;
    m.result_acks = &x;
    send_body(w, &m);
}

static void cancel(struct world *w, uint64_t task, const char *reason)
{
    Acsweep__Token t = token_of(task, 1);
    Acsweep__Cancel x = ACSWEEP__CANCEL__INIT;
    x.token = &t;
    x.reason = (char *)reason;
    x.grace_ms = 500;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_CANCEL;
    m.cancel = &x;
    send_body(w, &m);
}

/* The result of a task, which must be the only one in its message. */
static Acsweep__Result *expect_result(struct world *w, uint64_t task, envelope **m)
{
    *m = expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
    assert_int_equal((*m)->results->n_results, 1);
    Acsweep__Result *r = (*m)->results->results[0];
    assert_int_equal(r->token->task_id, task);
    return r;
}

static int worker_exit(struct world *w)
{
    int status = -1;
    int64_t until = mono_now() + PATIENCE_MS * NS_PER_MS;
    while (mono_now() < until) {
        if (waitpid(w->worker, &status, WNOHANG) == w->worker) {
            w->worker = 0;
            return status;
        }
        mono_sleep(10 * NS_PER_MS);
    }
    fail_msg("the worker does not end; see %s/log", w->dir);
    return -1;
}

static size_t count_in_history(struct world *w, const char *needle)
{
    char path[128], line[1024];
    snprintf(path, sizeof path, "%s/state/history.jsonl", w->dir);
    FILE *f = fopen(path, "r");
    size_t n = 0;
    while (f && fgets(line, sizeof line, f))
        n += strstr(line, needle) != NULL;
    if (f)
        fclose(f);
    return n;
}

static void test_runs_a_task_and_resends_until_acknowledged(void **state)
{
    struct world *w = *state;
    envelope *hello = expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
    assert_int_equal(hello->hello->slots, 2);
    assert_int_equal(hello->hello->pid, w->worker);
    assert_true(hello->hello->n_executors >= 3);
    assert_string_equal(hello->hello->executors[0], "noop");
    assert_true(strncmp(hello->hello->worker_id, hello->hello->boot_id, 36) == 0);
    envelope_free(hello);
    welcome_fencing(w, NULL);
    assign(w, 7, 1, "fake", "{\"metrics\":{\"a\":0.25}}");
    envelope *m = expect(w, ACSWEEP__ENVELOPE__BODY_STARTED);
    assert_int_equal(m->started->token->task_id, 7);
    envelope_free(m);
    Acsweep__Result *r = expect_result(w, 7, &m);
    assert_int_equal(r->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
    assert_int_equal(r->n_metrics, 1);
    assert_string_equal(r->metrics[0]->name, "a");
    assert_true(r->metrics[0]->value == 0.25);
    envelope_free(m);
    expect_result(w, 7, &m); /* not acknowledged: again */
    envelope_free(m);
    ack(w, 7, 1, ACSWEEP__VERDICT__COMMITTED);
    mono_sleep(300 * NS_PER_MS);
    while ((m = receive(w, 0))) /* what was on the way */
        envelope_free(m);
    for (int64_t until = mono_now() + 1500 * NS_PER_MS; mono_now() < until;)
        if ((m = receive(w, 100))) {
            assert_int_not_equal(m->body_case, ACSWEEP__ENVELOPE__BODY_RESULTS);
            envelope_free(m);
        }
    assert_int_equal(count_in_history(w, "\"event\":\"acked\""), 1);
    assert_int_equal(count_in_history(w, "\"event\":\"started\""), 1);
}

static void test_duplicate_assign_is_ignored(void **state)
{
    struct world *w = *state;
    join_worker(w);
    for (int i = 0; i < 3; i++)
        assign(w, 9, 1, "fake", "{\"sleep_ms\":300}");
    envelope *m;
    expect_result(w, 9, &m);
    envelope_free(m);
    ack(w, 9, 1, ACSWEEP__VERDICT__COMMITTED);
    assign(w, 9, 1, "fake", "{}"); /* replayed long after */
    assign(w, 10, 1, "noop", "{}");
    do
        m = expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
    while (m->results->results[0]->token->task_id == 9 && (envelope_free(m), true));
    assert_int_equal(m->results->results[0]->token->task_id, 10);
    envelope_free(m);
    assert_int_equal(count_in_history(w, "\"event\":\"started\",\"task\":9"), 1);
    assert_int_equal(count_in_history(w, "\"event\":\"duplicate\",\"task\":9"), 3);
}

static void test_coordinator_restart_keeps_tasks(void **state)
{
    struct world *w = *state;
    join_worker(w);
    assign(w, 20, 1, "fake", "{\"sleep_ms\":1500}");
    assign(w, 21, 1, "fake", "{\"sleep_ms\":100}"); /* ends while nobody listens */
    envelope_free(expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    zmq_close(w->router);
    mono_sleep(500 * NS_PER_MS);
    bind_router(w);
    envelope *hello = expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
    bool running[2] = { false, false };
    for (size_t i = 0; i < hello->hello->n_running; i++)
        running[hello->hello->running[i]->task_id - 20] = true;
    assert_true(running[0] && running[1]);
    envelope_free(hello);
    welcome_fencing(w, NULL);
    bool seen[2] = { false, false };
    while (!seen[0] || !seen[1]) {
        envelope *m = expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
        for (size_t i = 0; i < m->results->n_results; i++) {
            assert_int_equal(m->results->results[i]->outcome, ACSWEEP__OUTCOME__SUCCEEDED);
            seen[m->results->results[i]->token->task_id - 20] = true;
        }
        envelope_free(m);
    }
    assert_int_equal(count_in_history(w, "\"event\":\"started\",\"task\":20"), 1);
}

static void test_fenced_token_is_killed(void **state)
{
    struct world *w = *state;
    join_worker(w);
    assign(w, 30, 1, "fake", "{\"outcome\":\"hang\"}");
    envelope_free(expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    zmq_close(w->router);
    mono_sleep(200 * NS_PER_MS);
    bind_router(w);
    envelope_free(expect(w, ACSWEEP__ENVELOPE__BODY_HELLO));
    Acsweep__Token t = token_of(30, 1);
    welcome_fencing(w, &t);
    envelope *m;
    do {
        m = expect(w, ACSWEEP__ENVELOPE__BODY_HEARTBEAT);
    } while (m->heartbeat->n_running && (envelope_free(m), true));
    envelope_free(m);
    assert_int_equal(count_in_history(w, "\"event\":\"killed\",\"task\":30"), 1);
    assign(w, 31, 1, "fake", "{}"); /* the slot has a fresh exec */
    expect_result(w, 31, &m);
    envelope_free(m);
    assert_int_equal(count_in_history(w, "\"event\":\"finished\",\"task\":30"), 0);
}

static void test_cancel_kills_what_does_not_obey(void **state)
{
    struct world *w = *state;
    join_worker(w);
    assign(w, 40, 1, "fake", "{\"outcome\":\"hang\"}");
    envelope_free(expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    cancel(w, 40, "cancelled");
    envelope *m;
    Acsweep__Result *r = expect_result(w, 40, &m);
    assert_int_equal(r->outcome, ACSWEEP__OUTCOME__CANCELLED);
    envelope_free(m);
}

static void test_sigterm_gives_everything_back(void **state)
{
    struct world *w = *state;
    join_worker(w);
    for (uint64_t i = 50; i < 55; i++) /* two run, three wait */
        assign(w, i, 1, "fake", "{\"sleep_ms\":60000}");
    envelope_free(expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    envelope_free(expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    kill(w->worker, SIGTERM);
    size_t preempted = 0;
    envelope *m;
    for (;;) {
        m = receive(w, PATIENCE_MS);
        assert_non_null(m);
        if (m->body_case == ACSWEEP__ENVELOPE__BODY_BYE)
            break;
        for (size_t i = 0; m->body_case == ACSWEEP__ENVELOPE__BODY_RESULTS && i < m->results->n_results; i++) {
            Acsweep__Result *r = m->results->results[i];
            assert_int_equal(r->failure, ACSWEEP__FAILURE_CLASS__PREEMPTED);
            ack(w, r->token->task_id, 1, ACSWEEP__VERDICT__COMMITTED);
            preempted++;
        }
        envelope_free(m);
    }
    assert_int_equal(preempted, 2);
    assert_string_equal(m->bye->reason, "sigterm");
    assert_int_equal(m->bye->n_returned, 3);
    envelope_free(m);
    assert_int_equal(worker_exit(w), 0);
}

static void test_second_sigterm_leaves_at_once(void **state)
{
    struct world *w = *state;
    join_worker(w);
    assign(w, 60, 1, "fake", "{\"outcome\":\"hang\"}");
    envelope_free(expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    kill(w->worker, SIGTERM);
    mono_sleep(200 * NS_PER_MS);
    int64_t from = mono_now();
    kill(w->worker, SIGTERM);
    envelope *m = expect(w, ACSWEEP__ENVELOPE__BODY_BYE);
    assert_int_equal(m->bye->n_returned, 1);
    envelope_free(m);
    assert_int_equal(worker_exit(w), 0);
    assert_true(mono_now() - from < 3 * NS_PER_S);
}

static void test_spool_survives_kill_9(void **state)
{
    struct world *w = *state;
    join_worker(w);
    assign(w, 70, 1, "fake", "{\"metrics\":{\"x\":1}}");
    envelope *m;
    expect_result(w, 70, &m);
    envelope_free(m);
    kill(w->worker, SIGKILL);
    worker_exit(w);
    start_worker(w);
    envelope *hello = expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
    assert_int_equal(hello->hello->n_running, 1);
    envelope_free(hello);
    welcome_fencing(w, NULL);
    Acsweep__Result *r = expect_result(w, 70, &m);
    assert_int_equal(r->n_metrics, 1);
    envelope_free(m);
    ack(w, 70, 1, ACSWEEP__VERDICT__FENCED);
    kill(w->worker, SIGTERM);
    assert_int_equal(worker_exit(w), 0);
    assert_int_equal(count_in_history(w, "\"what\":\"fenced\""), 1);
}

static void test_noop_answers_come_in_batches(void **state)
{
    struct world *w = *state;
    join_worker(w);
    enum { N = 1000 };
    for (uint64_t i = 0; i < N; i++)
        assign(w, 1000 + i, 1, "noop", "{}");
    size_t got = 0, messages = 0;
    while (got < N) {
        envelope *m = expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
        for (size_t i = 0; i < m->results->n_results; i++)
            ack(w, m->results->results[i]->token->task_id, 1, ACSWEEP__VERDICT__COMMITTED);
        got += m->results->n_results;
        messages++;
        envelope_free(m);
    }
    assert_true(messages < N / 2);
}

static void test_two_workers_cannot_share_a_state_directory(void **state)
{
    struct world *w = *state;
    join_worker(w);
    pid_t first = w->worker;
    start_worker(w);
    int status = worker_exit(w);
    w->worker = first;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 4);
}

static void test_cut_off_too_long_stops_the_task_uncharged(void **state)
{
    struct world *w = *state;
    w->grace_ms = 300;
    join_worker(w);
    for (uint64_t i = 90; i < 93; i++) /* two run, one waits */
        assign(w, i, 1, "fake", "{\"outcome\":\"hang\"}");
    envelope_free(expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    envelope_free(expect(w, ACSWEEP__ENVELOPE__BODY_STARTED));
    zmq_close(w->router);
    for (int i = 0; i < 1000 && count_in_history(w, "\"event\":\"finished\"") < 3; i++)
        mono_sleep(10 * NS_PER_MS);
    assert_int_equal(count_in_history(w, "\"event\":\"finished\""), 3);
    bind_router(w);
    join_worker(w);
    bool seen[3] = { false };
    while (!seen[0] || !seen[1] || !seen[2]) {
        envelope *m = expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
        for (size_t i = 0; i < m->results->n_results; i++) {
            const Acsweep__Result *r = m->results->results[i];
            assert_int_equal(r->failure, ACSWEEP__FAILURE_CLASS__PREEMPTED);
            assert_non_null(strstr(r->message, "disconnect_grace"));
            seen[r->token->task_id - 90] = true;
        }
        envelope_free(m);
    }
}

/* Living processes whose command line is exactly `words` (each ended by NUL). */
static int processes_like(const char *words, size_t len)
{
    int n = 0;
    DIR *d = opendir("/proc");
    for (struct dirent *de; (de = readdir(d));) {
        char path[300], bytes[4096];
        snprintf(path, sizeof path, "/proc/%s/cmdline", de->d_name);
        FILE *f = fopen(path, "r");
        size_t got = f ? fread(bytes, 1, sizeof bytes, f) : 0;
        if (f)
            fclose(f);
        n += got == len && memcmp(bytes, words, len) == 0;
    }
    closedir(d);
    return n;
}

static bool comes_to(const char *words, size_t len, int want, int64_t within)
{
    for (int64_t until = mono_now() + within; mono_now() < until; mono_sleep(10 * NS_PER_MS))
        if (processes_like(words, len) == want)
            return true;
    return false;
}

/* SIGKILL the agent and all its execs, the execs first stopped so that they cannot clean up. */
static void kill_agent_and_execs(struct world *w)
{
    pid_t execs[8];
    size_t n = proctree_children(w->worker, execs, ARRAY_LEN(execs));
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++)
        kill(execs[i], SIGSTOP);
    kill(w->worker, SIGKILL);
    for (size_t i = 0; i < n; i++)
        kill(execs[i], SIGKILL);
    worker_exit(w);
}

static void test_program_dies_with_agent_and_exec(void **state)
{
    struct world *w = *state;
    char argv[128], words[64];
    size_t len = (size_t)snprintf(words, sizeof words, "sleep%c7%d", 0, (int)getpid()) + 1;
    snprintf(argv, sizeof argv, "[\"sleep\",\"7%d\"]", (int)getpid());
    join_worker(w);
    assign_command(w, 80, argv, 0);
    assert_true(comes_to(words, len, 1, 10 * NS_PER_S));
    kill_agent_and_execs(w);
    assert_true(comes_to(words, len, 0, 2 * NS_PER_S));
}

static void test_next_agent_ends_what_the_last_one_left(void **state)
{
    struct world *w = *state;
    char argv[128], words[64];
    size_t len = (size_t)snprintf(words, sizeof words, "sleep%c8%d", 0, (int)getpid()) + 1;
    snprintf(argv, sizeof argv, "[\"sh\",\"-c\",\"setsid sleep 8%d & wait\"]", (int)getpid());
    join_worker(w);
    assign_command(w, 81, argv, 0);
    assert_true(comes_to(words, len, 1, 10 * NS_PER_S));
    kill_agent_and_execs(w);
    assert_int_equal(processes_like(words, len), 1); /* a grandchild in a session of its own */
    start_worker(w);
    assert_true(comes_to(words, len, 0, 10 * NS_PER_S));
}

static void test_time_limit_kills_the_programs_tree(void **state)
{
    struct world *w = *state;
    char argv[128], words[64];
    size_t len = (size_t)snprintf(words, sizeof words, "sleep%c9%d", 0, (int)getpid()) + 1;
    snprintf(argv, sizeof argv, "[\"sh\",\"-c\",\"setsid sleep 9%d & wait\"]", (int)getpid());
    join_worker(w);
    assign_command(w, 82, argv, 1000);
    assert_true(comes_to(words, len, 1, 10 * NS_PER_S));
    envelope *m;
    Acsweep__Result *r = expect_result(w, 82, &m);
    assert_int_equal(r->outcome, ACSWEEP__OUTCOME__FAILED);
    assert_int_equal(r->failure, ACSWEEP__FAILURE_CLASS__TIMEOUT);
    envelope_free(m);
    assert_true(comes_to(words, len, 0, 2 * NS_PER_S));
}

static int setup_gpus(void **state)
{
    setenv("ACSWEEP_CUDART", FAKE_CUDART, 1);
    setenv("FAKE_CUDA_DEVICES", "4", 1);
    setenv("FAKE_CUDA_SICK", "1", 1);
    int done = setup(state);
    unsetenv("ACSWEEP_CUDART"); /* the worker has its copy */
    unsetenv("FAKE_CUDA_DEVICES");
    unsetenv("FAKE_CUDA_SICK");
    return done;
}

static void check_devices(const Acsweep__Result *r, const char *uuid)
{
    char saw[80];
    snprintf(saw, sizeof saw, "saw %s.", uuid);
    assert_int_equal(r->n_devices, 1);
    assert_string_equal(r->devices[0], uuid);
    assert_non_null(strstr(r->message, saw));
    assert_true(r->cost->wall_seconds >= 0.2 && r->cost->gpu_seconds == r->cost->wall_seconds);
}

/* Slot 0 has the first healthy device and slot 1 the next one: the sick device between them is reported and skipped. */
static void test_program_sees_the_devices_of_its_slot(void **state)
{
    struct world *w = *state;
    const char *const script = "[\"sh\",\"-c\",\"sleep 0.2; echo saw $CUDA_VISIBLE_DEVICES.; exit 3\"]";
    envelope *m = expect(w, ACSWEEP__ENVELOPE__BODY_HELLO);
    assert_int_equal(m->hello->n_devices, 4);
    assert_string_equal(m->hello->devices[1]->state, "sick");
    assert_string_equal(m->hello->devices[2]->state, "ok");
    envelope_free(m);
    welcome_fencing(w, NULL);
    assign_command(w, 95, script, 0);
    assign_command(w, 96, script, 0);
    bool seen[2] = { false };
    while (!seen[0] || !seen[1]) {
        m = expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
        for (size_t i = 0; i < m->results->n_results; i++) {
            const Acsweep__Result *r = m->results->results[i];
            bool second = r->slot == 1;
            check_devices(r, second ? "GPU-00000000-0000-0000-0000-000000000002" : "GPU-00000000-0000-0000-0000-000000000000");
            seen[second] = true;
        }
        envelope_free(m);
    }
}

/* The exit code of a worker started with this worker.cfg and nothing else; its words go into `said`. */
static int run_with_config(struct world *w, const char *text, char *said, size_t room)
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
    struct world *w = *state;
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
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_runs_a_task_and_resends_until_acknowledged),
        CASE(test_duplicate_assign_is_ignored),
        CASE(test_coordinator_restart_keeps_tasks),
        CASE(test_fenced_token_is_killed),
        CASE(test_cancel_kills_what_does_not_obey),
        CASE(test_sigterm_gives_everything_back),
        CASE(test_second_sigterm_leaves_at_once),
        CASE(test_spool_survives_kill_9),
        CASE(test_noop_answers_come_in_batches),
        CASE(test_two_workers_cannot_share_a_state_directory),
        CASE(test_cut_off_too_long_stops_the_task_uncharged),
        CASE(test_program_dies_with_agent_and_exec),
        CASE(test_next_agent_ends_what_the_last_one_left),
        CASE(test_time_limit_kills_the_programs_tree),
        cmocka_unit_test_setup_teardown(test_program_sees_the_devices_of_its_slot, setup_gpus, teardown),
        CASE(test_config_errors_name_the_line),
    };
    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
