/* acsweep-coordinator against scripted workers and clients: the program is the real one with a real database; what
 * speaks to it is played, message by message, so that every order of events can be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "common/mono.h"
#include "common/wire.h"
#include "tests/lib/pgtest.h"

extern char **environ;

#define PATIENCE_MS 60000
#define LEASE "3s" /* the workers here beat only when they are told to, and the machine has more to do */
#define BEAT "500ms"

static struct pgtest *server;

/* ---- the program ---- */

struct world {
    const char *conninfo;
    char endpoint[128], log[128];
    pid_t coordinator;
    void *zmq;
    struct db *db;
    void *sockets[8];
    size_t n;
};

static pid_t start(const char *conninfo, const char *endpoint, const char *log)
{
    posix_spawn_file_actions_t files;
    pid_t pid = 0;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    const char *const argv[] = { BINARY_DIR "/bin/acsweep-coordinator",
                                 "--database",
                                 conninfo,
                                 "--listen",
                                 endpoint,
                                 "--lease",
                                 LEASE,
                                 "--heartbeat",
                                 BEAT,
                                 "--drain-grace",
                                 "1s",
                                 "--strikes",
                                 "0",
                                 "--die-with-parent",
                                 NULL };
    assert_int_equal(posix_spawn(&pid, argv[0], &files, NULL, (char *const *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&files);
    return pid;
}

static int stop(pid_t pid, int signo)
{
    int status = 0;
    kill(pid, signo);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int world_begin(void **state)
{
    static int number;
    char name[32];
    struct world *w = calloc(1, sizeof *w);
    snprintf(name, sizeof name, "world_%d", number++);
    w->conninfo = pgtest_database(server, name);
    w->db = pgtest_open(w->conninfo, DB_ADMIN);
    snprintf(w->endpoint, sizeof w->endpoint, "ipc://%s/%s.sock", pgtest_dir(server), name);
    snprintf(w->log, sizeof w->log, "%s/%s.log", pgtest_dir(server), name);
    w->zmq = zmq_ctx_new();
    w->coordinator = start(w->conninfo, w->endpoint, w->log);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < w->n; i++)
        zmq_close(w->sockets[i]);
    zmq_ctx_term(w->zmq);
    int status = w->coordinator ? stop(w->coordinator, SIGTERM) : 0;
    db_close(w->db);
    free(w);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1; /* a clean end belongs to every test */
}

static int64_t number(struct world *w, const char *query)
{
    return pgtest_number(w->db, query);
}

/* Wait until the query says `want`. */
static void eventually(struct world *w, const char *query, int64_t want)
{
    int64_t got = -1;
    for (int i = 0; i < PATIENCE_MS / 20; i++) {
        if ((got = number(w, query)) == want)
            return;
        mono_sleep(20 * NS_PER_MS);
    }
    fail_msg("%s: %lld, expected %lld", query, (long long)got, (long long)want);
}

/* ---- peers ---- */

static void *peer(struct world *w, const char *id)
{
    int zero = 0, patience = 100;
    void *s = zmq_socket(w->zmq, ZMQ_DEALER);
    assert_non_null(s);
    zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(s, ZMQ_RECONNECT_IVL, &patience, sizeof patience);
    zmq_setsockopt(s, ZMQ_ROUTING_ID, id, strlen(id));
    assert_int_equal(zmq_connect(s, w->endpoint), 0);
    assert_true(w->n < 8);
    return w->sockets[w->n++] = s;
}

static void say(void *s, envelope *m)
{
    struct err e = { 0 };
    uint8_t *bytes;
    size_t len;
    static uint64_t id;
    m->message_id = ++id;
    if (wire_pack(m, &bytes, &len, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(zmq_send(s, bytes, len, 0), (int)len);
    free(bytes);
}

/* The next message with this body; what comes before it is passed over. NULL when none comes in time. */
static envelope *hear_within(void *s, int body, int ms)
{
    for (int64_t until = mono_now() + ms * NS_PER_MS; mono_now() < until;) {
        zmq_pollitem_t item = { s, 0, ZMQ_POLLIN, 0 };
        if (zmq_poll(&item, 1, 20) <= 0)
            continue;
        zmq_msg_t frame;
        struct err e = { 0 };
        zmq_msg_init(&frame);
        assert_true(zmq_msg_recv(&frame, s, 0) >= 0);
        envelope *m = wire_unpack(zmq_msg_data(&frame), zmq_msg_size(&frame), &e);
        zmq_msg_close(&frame);
        if (!m)
            fail_msg("%s", e.text);
        if ((int)m->body_case == body)
            return m;
        envelope_free(m);
    }
    return NULL;
}

static envelope *hear(void *s, int body)
{
    envelope *m = hear_within(s, body, PATIENCE_MS);
    if (!m)
        fail_msg("no message with body %d came", body);
    return m;
}

#define HEAR(s, what) AUTO(envelope_free) UNUSED envelope *what = hear((s), ACSWEEP__ENVELOPE__BODY_##what)
#define BODY(m, BODY_NAME, field, value)               \
    envelope m = ACSWEEP__ENVELOPE__INIT;              \
    m.body_case = ACSWEEP__ENVELOPE__BODY_##BODY_NAME; \
    m.field = (value)

static Acsweep__Hello a_hello(const char *id)
{
    static const char *const executors[] = { "noop", "fake", "replay" };
    Acsweep__Hello h = ACSWEEP__HELLO__INIT;
    h.worker_id = (char *)id;
    h.node = (char *)"node";
    h.boot_id = (char *)"boot";
    h.version = (char *)"test";
    h.protocol_min = h.protocol_max = WIRE_VERSION;
    h.cpus = 4;
    h.memory_bytes = UINT64_C(8) << 30;
    h.slots = 1;
    h.credits = 1;
    h.n_executors = 3;
    h.executors = (char **)executors;
    return h;
}

static envelope *greet(void *s, Acsweep__Hello *h)
{
    BODY(m, HELLO, hello, h);
    say(s, &m);
    return hear(s, ACSWEEP__ENVELOPE__BODY_WELCOME);
}

static void *join(struct world *w, const char *id)
{
    void *s = peer(w, id);
    Acsweep__Hello h = a_hello(id);
    envelope_free(greet(s, &h));
    return s;
}

static Acsweep__Token assigned(void *s)
{
    HEAR(s, ASSIGN);
    assert_int_equal(ASSIGN->assign->n_assignments, 1);
    Acsweep__Token k = ACSWEEP__TOKEN__INIT;
    const Acsweep__Token *from = ASSIGN->assign->assignments[0]->token;
    k.task_id = from->task_id;
    k.attempt = from->attempt;
    k.epoch = from->epoch;
    return k;
}

static void beat(void *s, Acsweep__Token *k)
{
    Acsweep__Heartbeat h = ACSWEEP__HEARTBEAT__INIT;
    h.n_running = k != NULL;
    h.running = &k;
    BODY(m, HEARTBEAT, heartbeat, &h);
    say(s, &m);
}

static Acsweep__Result a_result(Acsweep__Token *k, Acsweep__Outcome outcome, Acsweep__FailureClass failure)
{
    Acsweep__Result r = ACSWEEP__RESULT__INIT;
    r.token = k;
    r.outcome = outcome;
    r.failure = failure;
    r.message = (char *)"as scripted";
    return r;
}

static void send_result(void *s, Acsweep__Result *r)
{
    Acsweep__Results list = ACSWEEP__RESULTS__INIT;
    list.n_results = 1;
    list.results = &r;
    BODY(m, RESULTS, results, &list);
    say(s, &m);
}

static int verdict(void *s, const Acsweep__Token *k)
{
    HEAR(s, RESULT_ACKS);
    assert_int_equal(RESULT_ACKS->result_acks->n_acks, 1);
    const Acsweep__ResultAck *ack = RESULT_ACKS->result_acks->acks[0];
    assert_int_equal(ack->token->task_id, k->task_id);
    assert_int_equal(ack->token->attempt, k->attempt);
    return (int)ack->verdict;
}

static int finish(void *s, Acsweep__Token *k)
{
    Acsweep__Result r = a_result(k, ACSWEEP__OUTCOME__SUCCEEDED, ACSWEEP__FAILURE_CLASS__FAILURE_NONE);
    send_result(s, &r);
    return verdict(s, k);
}

static void fail_with(void *s, Acsweep__Token *k, Acsweep__FailureClass failure)
{
    Acsweep__Result r = a_result(k, ACSWEEP__OUTCOME__FAILED, failure);
    send_result(s, &r);
    assert_int_equal(verdict(s, k), ACSWEEP__VERDICT__COMMITTED);
}

/* ---- a client ---- */

struct reply {
    bool ok;
    char kind[32], text[1200];
};

static struct reply ask(void *s, Acsweep__ControlRequest *r)
{
    BODY(m, CONTROL_REQUEST, control_request, r);
    say(s, &m);
    HEAR(s, CONTROL_REPLY);
    const Acsweep__ControlReply *from = CONTROL_REPLY->control_reply;
    struct reply out = { .ok = from->ok };
    snprintf(out.kind, sizeof out.kind, "%s", from->error_kind);
    snprintf(out.text, sizeof out.text, "%s%s", from->text, from->json);
    return out;
}

#define ASK(s, OP_NAME, field, value)                                \
    __extension__({                                                  \
        Acsweep__ControlRequest r_ = ACSWEEP__CONTROL_REQUEST__INIT; \
        r_.op_case = ACSWEEP__CONTROL_REQUEST__OP_##OP_NAME;         \
        r_.field = (value);                                          \
        ask((s), &r_);                                               \
    })

static struct reply submit(void *s, const char *config)
{
    Acsweep__Submit body = ACSWEEP__SUBMIT__INIT;
    body.name = (char *)"test.cfg";
    body.config = (char *)config;
    return ASK(s, SUBMIT, submit, &body);
}

static void load(void *s, const char *name, int tasks, int depth)
{
    char text[400];
    snprintf(text, sizeof text,
             "name = \"%s\"; load = { tasks = %d; depth = %d; executor = \"noop\"; };\n"
             "retries = { code = 1; preempted = -1; backoff = \"100ms\"; backoff_max = \"200ms\"; };\n",
             name, tasks, depth);
    struct reply r = submit(s, text);
    if (!r.ok)
        fail_msg("%s", r.text);
}

static struct reply explain(void *s, uint64_t task)
{
    Acsweep__ExplainTask body = ACSWEEP__EXPLAIN_TASK__INIT;
    body.task_id = task;
    return ASK(s, EXPLAIN, explain, &body);
}

static struct reply cancel_sweep(void *s, const char *name)
{
    Acsweep__SweepRef body = ACSWEEP__SWEEP_REF__INIT;
    body.name = (char *)name;
    return ASK(s, CANCEL_SWEEP, cancel_sweep, &body);
}

static struct reply cancel_task(void *s, uint64_t task)
{
    Acsweep__CancelTask body = ACSWEEP__CANCEL_TASK__INIT;
    body.task_id = task;
    return ASK(s, CANCEL_TASK, cancel_task, &body);
}

static struct reply retry_task(void *s, uint64_t task)
{
    Acsweep__Retry body = ACSWEEP__RETRY__INIT;
    body.task_id = task;
    return ASK(s, RETRY, retry, &body);
}

/* ---- the life of a task ---- */

static void a_result_is_committed_once(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    load(client, "once", 2, 2);
    Acsweep__Token first = assigned(worker);
    assert_int_equal(first.attempt, 1);
    assert_int_equal(finish(worker, &first), ACSWEEP__VERDICT__COMMITTED);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.attempt WHERE outcome = 'succeeded'"), 1);
    Acsweep__Token second = assigned(worker); /* unlocked by the first */
    assert_int_not_equal(second.task_id, first.task_id);
    assert_int_equal(finish(worker, &first), ACSWEEP__VERDICT__COMMITTED); /* the acknowledgement was lost */
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.attempt"), 1);
    Acsweep__Token stale = second;
    stale.attempt = UINT32_C(0x7fffffff);
    assert_int_equal(finish(worker, &stale), ACSWEEP__VERDICT__FENCED);
    eventually(w, "SELECT count(*) FROM acsweep.event WHERE kind = 'result.fenced'", 1);
    assert_int_equal(finish(worker, &second), ACSWEEP__VERDICT__COMMITTED);
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
}

static void a_lost_lease_is_given_to_another(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *silent = join(w, "silent");
    load(client, "lost", 1, 1);
    Acsweep__Token old = assigned(silent);
    eventually(w, "SELECT count(*) FROM acsweep.attempt WHERE outcome = 'lost' AND NOT charged", 1);
    void *other = join(w, "other");
    Acsweep__Token now = assigned(other);
    assert_int_equal(now.task_id, old.task_id);
    assert_int_equal(now.attempt, 2);
    assert_int_equal(finish(silent, &old), ACSWEEP__VERDICT__FENCED);
    beat(silent, &old);
    HEAR(silent, CANCEL);
    assert_string_equal(CANCEL->cancel->reason, "fenced");
    assert_int_equal(finish(other, &now), ACSWEEP__VERDICT__COMMITTED);
    assert_int_equal(number(w, "SELECT charged FROM acsweep.task"), 0);
}

static void a_heartbeat_renews_the_lease(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    load(client, "beats", 1, 1);
    Acsweep__Token k = assigned(worker);
    for (int i = 0; i < 35; i++) { /* more than two leases */
        mono_sleep(200 * NS_PER_MS);
        beat(worker, &k);
    }
    assert_int_equal(finish(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.attempt WHERE outcome <> 'succeeded'"), 0);
}

/* What a worker sends behind its Bye, while its socket is emptied: results count, and nothing makes it join again. */
static void who_said_bye_gets_nothing_more(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = peer(w, "w1");
    Acsweep__Hello h = a_hello("w1");
    h.slots = 2;
    envelope_free(greet(worker, &h));
    load(client, "bye", 1, 1);
    Acsweep__Token kept = assigned(worker);
    load(client, "more", 2, 1); /* shares that one */
    Acsweep__Token back = assigned(worker), *returned = &back;
    Acsweep__Bye bye = ACSWEEP__BYE__INIT;
    bye.reason = (char *)"sigterm";
    bye.n_returned = 1;
    bye.returned = &returned;
    BODY(m, BYE, bye, &bye);
    say(worker, &m);
    eventually(w, "SELECT count(*) FROM acsweep.worker WHERE state = 'left'", 1);
    beat(worker, &kept);
    envelope *none = hear_within(worker, ACSWEEP__ENVELOPE__BODY_REFUSED, 300);
    assert_null(none);
    assert_int_equal(finish(worker, &kept), ACSWEEP__VERDICT__COMMITTED);
    envelope_free(greet(worker, &h));
    none = hear_within(worker, ACSWEEP__ENVELOPE__BODY_ASSIGN, 300);
    assert_null(none);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.task WHERE state = 'pending' AND attempt = 1"), 1);
    void *other = join(w, "w2");
    back = assigned(other);
    assert_int_equal(back.attempt, 2);
    assert_int_equal(finish(other, &back), ACSWEEP__VERDICT__COMMITTED);
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 2);
}

/* ---- what outsiders may say ---- */

static void refused(void *s, const char *code)
{
    HEAR(s, REFUSED);
    assert_string_equal(REFUSED->refused->code, code);
    assert_true(strlen(REFUSED->refused->reason) > 10);
    assert_null(strchr(REFUSED->refused->reason, '\n'));
}

/* It is refused, ends its attempt for good, and is acknowledged, so that the worker does not send it for ever. */
static void broken(void *s, Acsweep__Result *r, Acsweep__Token *k)
{
    send_result(s, r);
    refused(s, "result");
    assert_int_equal(verdict(s, k), ACSWEEP__VERDICT__COMMITTED);
    *k = assigned(s);
}

static void hostile_results_are_refused(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    load(client, "hostile", 7, 1);
    Acsweep__Token k = assigned(worker);
    char long_name[3000];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    Acsweep__Metric one = ACSWEEP__METRIC__INIT, *two[] = { &one, &one };
    one.name = (char *)"a";
    Acsweep__ArtifactRef art = ACSWEEP__ARTIFACT_REF__INIT, *arts[] = { &art, &art };
    art.name = (char *)"x";
    art.store = (char *)"shared";
    Acsweep__Result good = a_result(&k, ACSWEEP__OUTCOME__SUCCEEDED, 0), r;

    r = good;
    r.token = NULL;
    send_result(worker, &r);
    refused(worker, "result");
    r = good;
    r.n_metrics = 2; /* the same name twice */
    r.metrics = two;
    broken(worker, &r, &k);
    r.n_metrics = 1;
    one.value = NAN;
    broken(worker, &r, &k);
    one.value = 1;
    one.name = long_name;
    broken(worker, &r, &k);
    r = good;
    r.n_artifacts = 2;
    r.artifacts = arts;
    broken(worker, &r, &k);
    r.n_artifacts = 1;
    art.store = (char *)"elsewhere";
    broken(worker, &r, &k);
    art.store = (char *)"inline"; /* says more bytes than it brings */
    art.bytes = 1 << 20;
    broken(worker, &r, &k);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.attempt"), 6);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.attempt WHERE failure = 'data' AND charged"), 6);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.task WHERE state = 'failed' AND reason <> ''"), 6);
    assert_int_equal(
        number(w, "SELECT count(*) FROM acsweep.metric") + number(w, "SELECT count(*) FROM acsweep.artifact"), 0);

    Acsweep__Cost cost = ACSWEEP__COST__INIT;
    cost.wall_seconds = NAN;
    cost.gpu_seconds = -1;
    cost.cpu_seconds = 5e-324;
    cost.max_rss_bytes = UINT64_MAX;
    r = good;
    r.cost = &cost;
    r.slot = UINT32_MAX;
    r.started_unix_us = INT64_MIN;
    r.finished_unix_us = INT64_MAX;
    send_result(worker, &r); /* what is only told to people is kept as unknown */
    assert_int_equal(verdict(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.attempt WHERE outcome = 'succeeded' AND started_at IS "
                               "NULL AND gpu_seconds = 0"),
                     1);
    assert_int_equal(number(w, "SELECT epoch FROM acsweep.leader"), 1);
}

static void odd_messages_are_refused(void **state)
{
    struct world *w = *state;
    void *s = peer(w, "odd");
    Acsweep__Hello h = a_hello("odd");
    BODY(hello, HELLO, hello, &h);
    beat(s, NULL);
    refused(s, "state");
    h.protocol_min = h.protocol_max = 9;
    say(s, &hello);
    refused(s, "version");
    h = a_hello("odd");
    h.cpus = UINT32_MAX;
    say(s, &hello);
    refused(s, "state");
    h = a_hello("odd");
    h.slots = 0;
    say(s, &hello);
    refused(s, "state");
    static const uint8_t unknown[] = { 0x08, 1, 0x9a, 0x06, 0 }; /* version 1, field 99 */
    assert_int_equal(zmq_send(s, unknown, sizeof unknown, 0), (int)sizeof unknown);
    refused(s, "unknown_body");
    assert_int_equal(zmq_send(s, "nonsense", 8, 0), 8);
    refused(s, "malformed");
    Acsweep__Token stale = ACSWEEP__TOKEN__INIT;
    stale.task_id = stale.epoch = UINT64_MAX;
    stale.attempt = UINT32_MAX;
    h = a_hello("odd");
    envelope_free(greet(s, &h));
    Acsweep__Result r = a_result(&stale, ACSWEEP__OUTCOME__SUCCEEDED, 0);
    send_result(s, &r);
    refused(s, "result");
    struct reply bad = submit(s, "name = \"x\"; encoders = 7;");
    assert_false(bad.ok);
    assert_string_equal(bad.kind, "input");
    assert_non_null(strstr(bad.text, "test.cfg"));
    assert_int_equal(number(w, "SELECT epoch FROM acsweep.leader"), 1);
}

/* What a worker says of itself becomes jsonb, whose numbers have other limits than those of JSON. */
static void odd_labels_end_no_leader(void **state)
{
    struct world *w = *state;
    static const char *const odd[] = { "{\"x\":1e-100000}", "{\"x\":", "[1]", "{\"\":{\"a\":[null,\"\\u00e4\"]}}" };
    Acsweep__Hello h = a_hello("odd");
    void *s = peer(w, "odd");
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        h.labels = (char *)odd[i];
        envelope_free(greet(s, &h));
    }
    eventually(w, "SELECT count(*) FROM acsweep.worker WHERE labels #>> '{\"\",a,1}' = '\u00e4'", 1);
    assert_int_equal(number(w, "SELECT epoch FROM acsweep.leader"), 1);
}

enum { MANY_RESULTS = 6, MANY_ARTIFACTS = 1000 };

/* As many as a result may have, of several results that meet in one batch. */
static void many_artifacts_are_committed_together(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = peer(w, "w1");
    Acsweep__Hello h = a_hello("w1");
    h.slots = MANY_RESULTS;
    envelope_free(greet(worker, &h));
    load(client, "many", MANY_RESULTS, 1);
    static char names[MANY_ARTIFACTS][8];
    static Acsweep__ArtifactRef art[MANY_ARTIFACTS], *arts[MANY_ARTIFACTS];
    for (size_t i = 0; i < MANY_ARTIFACTS; i++) {
        snprintf(names[i], sizeof names[i], "%zu", i);
        arts[i] = &art[i];
        art[i] = (Acsweep__ArtifactRef)ACSWEEP__ARTIFACT_REF__INIT;
        art[i].name = names[i];
        art[i].store = (char *)"shared";
        art[i].path = names[i];
    }
    Acsweep__Token tokens[MANY_RESULTS];
    Acsweep__Result results[MANY_RESULTS], *list[MANY_RESULTS];
    for (size_t n = 0; n < MANY_RESULTS;) {
        HEAR(worker, ASSIGN);
        for (size_t i = 0; i < ASSIGN->assign->n_assignments; i++, n++) {
            const Acsweep__Token *from = ASSIGN->assign->assignments[i]->token;
            tokens[n] = (Acsweep__Token)ACSWEEP__TOKEN__INIT;
            tokens[n].task_id = from->task_id;
            tokens[n].attempt = from->attempt;
            tokens[n].epoch = from->epoch;
            results[n] = a_result(&tokens[n], ACSWEEP__OUTCOME__SUCCEEDED, ACSWEEP__FAILURE_CLASS__FAILURE_NONE);
            results[n].n_artifacts = MANY_ARTIFACTS;
            results[n].artifacts = arts;
            list[n] = &results[n];
        }
    }
    Acsweep__Results body = ACSWEEP__RESULTS__INIT;
    body.n_results = MANY_RESULTS;
    body.results = list;
    BODY(m, RESULTS, results, &body);
    say(worker, &m);
    HEAR(worker, RESULT_ACKS);
    assert_int_equal(RESULT_ACKS->result_acks->n_acks, MANY_RESULTS);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.artifact"), MANY_RESULTS * MANY_ARTIFACTS);
    assert_int_equal(number(w, "SELECT epoch FROM acsweep.leader"), 1);
}

/* ---- failures ---- */

static void failures_have_budgets(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    load(client, "fails", 3, 3);
    Acsweep__Token k = assigned(worker);
    Acsweep__Token first = k;
    fail_with(worker, &k, ACSWEEP__FAILURE_CLASS__PREEMPTED);
    k = assigned(worker);
    assert_int_equal(number(w, "SELECT charged FROM acsweep.task WHERE state = 'leased'"), 0);
    int64_t then = mono_now(); /* before the coordinator can know, so that the wait is never seen shorter than it was */
    fail_with(worker, &k, ACSWEEP__FAILURE_CLASS__CODE);
    k = assigned(worker);
    assert_true(mono_now() - then > 45 * NS_PER_MS); /* 100 ms with jitter of half */
    assert_int_equal(k.task_id, first.task_id);
    assert_int_equal(k.attempt, 3);
    fail_with(worker, &k, ACSWEEP__FAILURE_CLASS__CODE);
    eventually(w, "SELECT count(*) FROM acsweep.task WHERE state = 'failed'", 3);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.task WHERE reason LIKE 'its input, task %'"), 2);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.attempt WHERE charged AND failure = 'code'"), 2);
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'failed'", 1);
    load(client, "fails", 3, 3); /* submitted again: all of it is tried again */
    for (int i = 0; i < 3; i++) {
        k = assigned(worker);
        assert_int_equal(finish(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    }
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
}

static void two_sweeps_share_a_task_that_failed(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    load(client, "one", 2, 1);
    Acsweep__Token k = assigned(worker);
    fail_with(worker, &k, ACSWEEP__FAILURE_CLASS__DATA);
    Acsweep__Token second = assigned(worker);
    load(client, "two", 2, 1); /* revives the failed one under the feet of the first */
    beat(worker, &second);
    assert_int_equal(finish(worker, &second), ACSWEEP__VERDICT__COMMITTED);
    k = assigned(worker);
    assert_int_equal(finish(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 2);
}

/* ---- cancel and retry ---- */

static void a_cancelled_sweep_comes_back(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    load(client, "back", 2, 2);
    Acsweep__Token k = assigned(worker);
    assert_true(cancel_sweep(client, "back").ok);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'cancelled'"), 1);
    assert_false(cancel_sweep(client, "back").ok); /* not twice */
    HEAR(worker, CANCEL);
    assert_string_equal(CANCEL->cancel->reason, "cancelled");
    load(client, "back", 2, 2); /* while the first attempt is still being stopped */
    Acsweep__Result r = a_result(&k, ACSWEEP__OUTCOME__CANCELLED, 0);
    send_result(worker, &r);
    assert_int_equal(verdict(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    for (int i = 0; i < 2; i++) {
        k = assigned(worker);
        assert_int_equal(finish(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    }
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    assert_int_equal(number(w, "SELECT epoch FROM acsweep.leader"), 1);
}

static void another_config_stops_what_only_the_old_one_wanted(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    load(client, "changed", 3, 1);
    Acsweep__Token k = assigned(worker);
    char config[] = "name = \"changed\"; seed = 5; load = { tasks = 1; };";
    assert_true(submit(client, config).ok);
    HEAR(worker, CANCEL);
    Acsweep__Result r = a_result(&k, ACSWEEP__OUTCOME__CANCELLED, 0);
    send_result(worker, &r);
    assert_int_equal(verdict(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    k = assigned(worker);
    assert_int_equal(finish(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.task WHERE state = 'cancelled'"), 3);
}

/* Both are on their way together: the coordinator takes the submission first, so the cancel means it. */
static void a_cancel_right_after_a_submission(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    static const char config[] = "name = \"race\"; load = { tasks = 3; };";
    assert_true(submit(client, config).ok);
    Acsweep__Token k = assigned(worker);
    Acsweep__Submit again = ACSWEEP__SUBMIT__INIT;
    again.name = (char *)"test.cfg";
    again.config = (char *)config;
    Acsweep__ControlRequest r = ACSWEEP__CONTROL_REQUEST__INIT;
    r.op_case = ACSWEEP__CONTROL_REQUEST__OP_SUBMIT;
    r.submit = &again;
    BODY(m, CONTROL_REQUEST, control_request, &r);
    say(client, &m);
    struct reply first = cancel_sweep(client, "race");
    HEAR(client, CONTROL_REPLY);
    if (!first.ok || !CONTROL_REPLY->control_reply->ok)
        fail_msg("%s; %s", first.text, CONTROL_REPLY->control_reply->text);
    HEAR(worker, CANCEL);
    Acsweep__Result stopped = a_result(&k, ACSWEEP__OUTCOME__CANCELLED, 0);
    send_result(worker, &stopped);
    assert_int_equal(verdict(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    eventually(w, "SELECT count(*) FROM acsweep.task WHERE state = 'cancelled'", 3);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'cancelled'"), 1);
    Acsweep__SweepRef any = ACSWEEP__SWEEP_REF__INIT;
    assert_string_equal(ASK(client, STATUS, status, &any).text, "[]"); /* nothing goes on in secret */
}

/* A leader that runs for months must not remember every task there ever was; what it forgot, the database knows. */
static void tasks_of_ended_sweeps_are_forgotten(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    load(client, "first", 2, 2);
    Acsweep__Token one = assigned(worker);
    assert_int_equal(finish(worker, &one), ACSWEEP__VERDICT__COMMITTED);
    Acsweep__Token two = assigned(worker);
    fail_with(worker, &two, ACSWEEP__FAILURE_CLASS__DATA);
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'failed'", 1);
    for (int i = 0; explain(client, one.task_id).ok || explain(client, two.task_id).ok; i++) {
        assert_true(i < PATIENCE_MS / 20);
        mono_sleep(20 * NS_PER_MS);
        beat(worker, NULL);
    }
    assert_int_equal(finish(worker, &one), ACSWEEP__VERDICT__COMMITTED); /* the acknowledgement was lost */
    two.attempt++;
    assert_int_equal(finish(worker, &two), ACSWEEP__VERDICT__FENCED);
    load(client, "second", 3, 3); /* shares both of them: one is found, the other tried again */
    two = assigned(worker);
    assert_int_equal(two.attempt, 2);
    assert_int_equal(finish(worker, &two), ACSWEEP__VERDICT__COMMITTED);
    Acsweep__Token three = assigned(worker);
    assert_int_equal(finish(worker, &three), ACSWEEP__VERDICT__COMMITTED);
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.task WHERE state = 'done'"), 3);
    assert_int_equal(number(w, "SELECT epoch FROM acsweep.leader"), 1);
}

static void cancel_and_retry_in_one_batch(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client");
    load(client, "both", 3, 1); /* the others keep the sweep open */
    uint64_t task = (uint64_t)number(w, "SELECT min(task_id) FROM acsweep.task");
    for (int i = 0; i < 20; i++) { /* without a pause, so that some of them meet in one batch */
        assert_true(cancel_task(client, task).ok);
        assert_true(retry_task(client, task).ok);
    }
    void *worker = join(w, "w1");
    for (int i = 0; i < 3; i++) {
        Acsweep__Token k = assigned(worker);
        assert_int_equal(finish(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    }
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    assert_int_equal(number(w, "SELECT epoch FROM acsweep.leader"), 1);
}

/* ---- bundles ---- */

static void load_bundles(void *s, const char *name, int tasks, int bundle)
{
    char text[400];
    snprintf(text, sizeof text,
             "name = \"%s\"; load = { tasks = %d; executor = \"fake\"; bundle = %d; };\n"
             "retries = { infrastructure = 0; backoff = \"200ms\"; backoff_max = \"200ms\"; };\n",
             name, tasks, bundle);
    struct reply r = submit(s, text);
    if (!r.ok)
        fail_msg("%s", r.text);
}

/* The next assignment: its tokens; one bundle when they are several. */
static size_t bundled(void *s, Acsweep__Token k[8])
{
    HEAR(s, ASSIGN);
    const Acsweep__Assign *a = ASSIGN->assign;
    assert_true(a->n_assignments <= 8);
    for (size_t i = 0; i < a->n_assignments; i++) {
        assert_int_equal(a->assignments[i]->bundle != 0, a->n_assignments > 1);
        assert_int_equal(a->assignments[i]->bundle, a->assignments[0]->bundle);
        assert_int_equal(a->assignments[i]->slot, a->assignments[0]->slot);
        k[i] = (Acsweep__Token)ACSWEEP__TOKEN__INIT;
        k[i].task_id = a->assignments[i]->token->task_id;
        k[i].attempt = a->assignments[i]->token->attempt;
        k[i].epoch = a->assignments[i]->token->epoch;
    }
    return a->n_assignments;
}

/* The results of one event, in one message, and their acknowledgements. */
static void end_together(void *s, Acsweep__Token *k, size_t n, Acsweep__FailureClass failure)
{
    Acsweep__Result r[8], *list[8];
    Acsweep__Results all = ACSWEEP__RESULTS__INIT;
    for (size_t i = 0; i < n; i++) {
        r[i] = a_result(&k[i], ACSWEEP__OUTCOME__FAILED, failure);
        r[i].ended_together = n > 1 ? (uint32_t)n : 0;
        list[i] = &r[i];
    }
    all.n_results = n;
    all.results = list;
    BODY(m, RESULTS, results, &all);
    say(s, &m);
    HEAR(s, RESULT_ACKS);
    assert_int_equal(RESULT_ACKS->result_acks->n_acks, n);
}

/* Each is committed by itself; and when the bundle's process dies, the rest is tried in ever smaller ones, at no
 * charge, until the one that kills it is alone. */
static void a_bundle_that_crashed_is_split(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    Acsweep__Token k[8];
    load_bundles(client, "bundle", 5, 5);
    assert_int_equal(bundled(worker, k), 5);
    assert_int_equal(finish(worker, &k[3]), ACSWEEP__VERDICT__COMMITTED);
    eventually(w, "SELECT count(*) FROM acsweep.task WHERE state = 'done'", 1);
    const uint64_t bad = k[0].task_id;
    k[3] = k[4];
    end_together(worker, k, 4, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE);
    assert_int_equal(number(w, "SELECT sum(charged) FROM acsweep.task"), 0);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.attempt WHERE outcome = 'failed' AND NOT charged"), 4);
    for (size_t left = 4, n; left; left -= n) {
        bool bad_is_in = false;
        n = bundled(worker, k);
        assert_true(n <= 2);
        for (size_t i = 0; i < n; i++)
            bad_is_in |= k[i].task_id == bad;
        if (bad_is_in)
            end_together(worker, k, n, ACSWEEP__FAILURE_CLASS__INFRASTRUCTURE);
        for (size_t i = 0; i < n && !bad_is_in; i++)
            assert_int_equal(finish(worker, &k[i]), ACSWEEP__VERDICT__COMMITTED);
        if (bad_is_in && n > 1)
            n = 0; /* all of them come again */
    }
    eventually(w, "SELECT count(*) FROM acsweep.task WHERE state = 'done'", 4);
    eventually(w, "SELECT count(*) FROM acsweep.task WHERE state = 'failed' AND charged = 1", 1);
    assert_int_equal(number(w, "SELECT sum(charged) FROM acsweep.task"), 1);
}

static void one_of_a_bundle_is_cancelled(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    Acsweep__Token k[8];
    load_bundles(client, "bundle", 3, 3);
    assert_int_equal(bundled(worker, k), 3);
    assert_true(cancel_task(client, k[1].task_id).ok);
    HEAR(worker, CANCEL);
    assert_int_equal(CANCEL->cancel->token->task_id, k[1].task_id);
    Acsweep__Result r = a_result(&k[1], ACSWEEP__OUTCOME__CANCELLED, ACSWEEP__FAILURE_CLASS__FAILURE_NONE);
    send_result(worker, &r);
    assert_int_equal(verdict(worker, &k[1]), ACSWEEP__VERDICT__COMMITTED);
    assert_int_equal(finish(worker, &k[0]), ACSWEEP__VERDICT__COMMITTED);
    assert_int_equal(finish(worker, &k[2]), ACSWEEP__VERDICT__COMMITTED);
    eventually(w, "SELECT count(*) FROM acsweep.task WHERE state = 'done'", 2);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.task WHERE state = 'cancelled'"), 1);
}

/* The next leader knows nothing of bundles that run, and needs not to: the worker says how many ended together. */
static void a_bundle_outlives_its_leader(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    Acsweep__Token k[8], *held[8];
    load_bundles(client, "bundle", 4, 4);
    assert_int_equal(bundled(worker, k), 4);
    stop(w->coordinator, SIGKILL);
    w->coordinator = start(w->conninfo, w->endpoint, w->log);
    eventually(w, "SELECT epoch FROM acsweep.leader", 2);
    Acsweep__Hello h = a_hello("w1");
    for (size_t i = 0; i < 4; i++)
        held[i] = &k[i];
    h.n_running = 4;
    h.running = held;
    AUTO(envelope_free) envelope *welcome = greet(worker, &h);
    assert_int_equal(welcome->welcome->n_keep, 4);
    assert_int_equal(finish(worker, &k[0]), ACSWEEP__VERDICT__COMMITTED);
    end_together(worker, &k[1], 3, ACSWEEP__FAILURE_CLASS__HOST_OOM);
    assert_int_equal(number(w, "SELECT sum(charged) FROM acsweep.task"), 0);
    size_t n = bundled(worker, k);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(finish(worker, &k[i]), ACSWEEP__VERDICT__COMMITTED);
    assert_int_equal(bundled(worker, k), 1);
    assert_int_equal(finish(worker, &k[0]), ACSWEEP__VERDICT__COMMITTED);
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
}

/* It may have taken its worker down: the rest of it must not be given up for that. */
static void a_lost_bundle_is_split(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *silent = join(w, "silent");
    Acsweep__Token k[8];
    load_bundles(client, "bundle", 4, 4);
    assert_int_equal(bundled(silent, k), 4);
    eventually(w, "SELECT count(*) FROM acsweep.attempt WHERE outcome = 'lost' AND NOT charged", 4);
    void *other = join(w, "other");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bundled(other, k), 2);
        assert_int_equal(finish(other, &k[0]), ACSWEEP__VERDICT__COMMITTED);
        assert_int_equal(finish(other, &k[1]), ACSWEEP__VERDICT__COMMITTED);
    }
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
}

/* ---- content ---- */

#define DIGEST_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* Its native tasks read a checkpoint and an image set that nobody has stated a digest of. */
static const char looks[] =
    "name = \"looks\"; checkpoints = ( { name = \"m\"; } );\n"
    "encoders = ( { name = \"A\"; checkpoint = \"m\"; resolution = 224; } );\n"
    "representations = { generate = { max_size = 1; }; }; image_sets = ( { name = \"i\"; images = 8; } );\n"
    "correspondence_sets = ( { name = \"s\"; image_set = \"i\"; } ); benchmarks = ( { name = \"X\"; } );\n"
    "scores = { a = { references = [\"A\"]; }; };\n"
    "executors = { extract = { gpus = 0; }; score_c = { gpus = 0; }; stage1 = { use = \"noop\"; };\n"
    "              score_a = { use = \"noop\"; }; stage2 = { use = \"noop\"; }; evaluate = { use = \"noop\"; }; };\n";

static Acsweep__Hello a_native_hello(const char *id)
{
    static const char *const executors[] = { "noop", "native" };
    Acsweep__Hello h = a_hello(id);
    h.n_executors = 2;
    h.executors = (char **)executors;
    h.shared_store = true;
    return h;
}

static void *join_native(struct world *w, const char *id)
{
    void *s = peer(w, id);
    Acsweep__Hello h = a_native_hello(id);
    envelope_free(greet(s, &h));
    return s;
}

/* The next task, which must be one with this label. */
static Acsweep__Token assigned_as(void *s, const char *label)
{
    HEAR(s, ASSIGN);
    Acsweep__Token k = ACSWEEP__TOKEN__INIT;
    const Acsweep__Assignment *a = ASSIGN->assign->assignments[0];
    assert_string_equal(a->spec->label, label);
    k.task_id = a->token->task_id;
    k.attempt = a->token->attempt;
    k.epoch = a->token->epoch;
    return k;
}

static void identified(void *s, const char *name, const char *digest)
{
    char label[80], text[200];
    snprintf(label, sizeof label, "identify %s", name);
    Acsweep__Token k = assigned_as(s, label);
    snprintf(text, sizeof text, "{\"bytes\":1,\"digest\":\"%s\",\"files\":1}", digest);
    Acsweep__ArtifactRef a = ACSWEEP__ARTIFACT_REF__INIT, *list = &a;
    a.name = (char *)"content";
    a.digest = (char *)DIGEST_A;
    a.store = (char *)"inline";
    a.bytes = a.content.len = strlen(text);
    a.content.data = (uint8_t *)text;
    Acsweep__Result r = a_result(&k, ACSWEEP__OUTCOME__SUCCEEDED, ACSWEEP__FAILURE_CLASS__FAILURE_NONE);
    r.n_artifacts = 1;
    r.artifacts = &list;
    send_result(s, &r);
    assert_int_equal(verdict(s, &k), ACSWEEP__VERDICT__COMMITTED);
}

#define DIGEST_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

#define TASKS(where) "SELECT count(*) FROM acsweep.task WHERE " where
#define ABOUT(m, i) " params #>> '{identity,encoder,checkpoint,digest}' = '" m "' AND "                                 \
                    " params #>> '{identity,image_set,digest}' = '" i "' AND "                                          \
                    " params #>> '{execution,content,m,digest}' = '" m "'"

static void content_is_identified_before_the_rest(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join_native(w, "w1");
    struct reply r = submit(client, looks);
    if (!r.ok || !strstr(r.text, "looks at the content of 2"))
        fail_msg("%s", r.text);
    assert_int_equal(number(w, TASKS("true")), 2);
    identified(worker, "m", DIGEST_A);
    stop(w->coordinator, SIGKILL); /* the next leader goes on with the same look */
    w->coordinator = start(w->conninfo, w->endpoint, w->log);
    eventually(w, "SELECT epoch FROM acsweep.leader", 2);
    Acsweep__Hello h = a_native_hello("w1");
    envelope_free(greet(worker, &h));
    assert_true(submit(client, looks).ok); /* and so does the same submission */
    identified(worker, "i", DIGEST_B);
    Acsweep__Token extract = assigned_as(worker, "extract A i 0");
    assert_int_equal(number(w, TASKS("kind = 'extract' AND " ABOUT(DIGEST_A, DIGEST_B))), 1);
    assert_int_equal(number(w, TASKS("kind = 'identify'")), 2);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.checkpoint WHERE digest = '" DIGEST_A "'"), 1);
    assert_true(submit(client, looks).ok); /* it runs: nothing is looked at again */
    assert_int_equal(number(w, TASKS("kind = 'identify'")), 2);
    stop(w->coordinator, SIGKILL); /* a leader plans the same again */
    w->coordinator = start(w->conninfo, w->endpoint, w->log);
    eventually(w, "SELECT epoch FROM acsweep.leader", 3);
    Acsweep__Token *held = &extract;
    h.n_running = 1;
    h.running = &held;
    AUTO(envelope_free) envelope *welcome = greet(worker, &h);
    assert_int_equal(welcome->welcome->n_keep, 1);
    assert_int_equal(finish(worker, &extract), ACSWEEP__VERDICT__COMMITTED);
    assert_int_equal(number(w, TASKS("kind = 'extract'")), 1);
}

static void begin_anew(void *client, void *worker, Acsweep__Token *running)
{
    assert_true(cancel_sweep(client, "looks").ok);
    HEAR(worker, CANCEL);
    Acsweep__Result r = a_result(running, ACSWEEP__OUTCOME__CANCELLED, 0);
    send_result(worker, &r);
    assert_int_equal(verdict(worker, running), ACSWEEP__VERDICT__COMMITTED);
    assert_true(submit(client, looks).ok);
}

/* A sweep that is begun anew looks again; what the same content gave is found, other content is computed. */
static void content_that_changed_is_computed_anew(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join_native(w, "w1");
    assert_true(submit(client, looks).ok);
    identified(worker, "m", DIGEST_A);
    identified(worker, "i", DIGEST_A);
    Acsweep__Token k = assigned_as(worker, "extract A i 0");
    assert_int_equal(finish(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    k = assigned_as(worker, "score_c A s");
    begin_anew(client, worker, &k);
    identified(worker, "m", DIGEST_A);
    identified(worker, "i", DIGEST_A);
    k = assigned_as(worker, "score_c A s"); /* its input was found */
    begin_anew(client, worker, &k);
    identified(worker, "m", DIGEST_B);
    identified(worker, "i", DIGEST_A);
    k = assigned_as(worker, "extract A i 0");
    assert_int_equal(number(w, TASKS("kind = 'extract' AND " ABOUT(DIGEST_A, DIGEST_A))), 1);
    assert_int_equal(number(w, TASKS("kind = 'extract' AND " ABOUT(DIGEST_B, DIGEST_A))), 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.sweep_task JOIN acsweep.task USING (task_id) "
                               "WHERE kind = 'identify'"), 2); /* those of the newest look */
}

/* What runs goes on while the content of a changed config is looked at: that may want it, too. */
static void a_look_stops_nothing_that_runs(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join_native(w, "w1"), *other = peer(w, "w2");
    char changed[2][sizeof looks + 100];
    for (size_t i = 0; i < ARRAY_LEN(changed); i++)
        snprintf(changed[i], sizeof changed[i], "%sretries = { code = %zu; };", looks, i + 3);
    assert_true(submit(client, looks).ok);
    identified(worker, "m", DIGEST_A);
    identified(worker, "i", DIGEST_B);
    Acsweep__Token k = assigned_as(worker, "extract A i 0");
    Acsweep__Hello h = a_native_hello("w2");
    h.n_executors = 1; /* not those of the connectors */
    h.executors++;
    envelope_free(greet(other, &h));
    assert_true(submit(client, changed[0]).ok);
    identified(other, "m", DIGEST_A);
    beat(worker, &k);
    identified(other, "i", DIGEST_B);
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE NOT plan ? 'before'", 1); /* planned */
    assert_int_equal(finish(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    assert_int_equal(number(w, TASKS("kind = 'extract' AND attempt = 1 AND state = 'done'")), 1);
    /* And a cancel during the look means both. */
    HEAR(other, ASSIGN);
    assert_string_equal(ASSIGN->assign->assignments[0]->spec->label, "score_c A s");
    assert_true(submit(client, changed[1]).ok);
    assert_true(cancel_sweep(client, "looks").ok);
    HEAR(other, CANCEL);
    Acsweep__SweepRef any = ACSWEEP__SWEEP_REF__INIT;
    assert_string_equal(ASK(client, STATUS, status, &any).text, "[]");
}

/* ---- features in files ---- */

#define STATED "digest = \"" DIGEST_A "\";"

/* One representation, two passes in each stage: the pictures are read again, so a budget keeps their features. */
static void submit_kept(void *client, const char *budget)
{
    static const char native[] = "{ gpus = 0; }";
    char text[3000];
    snprintf(text, sizeof text,
             "name = \"kept\"; checkpoints = ( { name = \"m\"; " STATED " } );\n"
             "encoders = ( { name = \"A\"; checkpoint = \"m\"; resolution = 224; grid = 2; channels = 4; } );\n"
             "representations = { generate = { max_size = 1; }; };\n"
             "image_sets = ( { name = \"i\"; images = 8; " STATED " }, { name = \"t\"; images = 8; digest = \"" DIGEST_C "\"; },\n"
             "               { name = \"u\"; images = 8; digest = \"" DIGEST_B "\"; } );\n"
             "correspondence_sets = ( { name = \"s\"; image_set = \"i\"; } ); benchmarks = ( { name = \"X\"; } );\n"
             "scores = { a = { references = [\"A\"]; }; }; features = { cache_bytes = \"%s\"; };\n"
             "stage1 = { image_set = \"t\"; epochs = 2.0; }; stage2 = { image_set = \"u\"; epochs = 2.0; };\n"
             "executors = { extract = %s; score_c = %s; stage1 = %s; score_a = %s; stage2 = %s; evaluate = %s; };\n"
             "policy = { budget = { fine_tunes = 1; }; };\n",
             budget, native, native, native, native, native, native);
    struct reply r = submit(client, text);
    if (!r.ok)
        fail_msg("%s", r.text);
}

static bool needs(const Acsweep__TaskSpec *t, const char *input)
{
    for (size_t i = 0; i < t->n_inputs; i++)
        if (strcmp(t->inputs[i]->name, input) == 0)
            return true;
    return false;
}

/* Do the next task, with the number that its kind is for; its label goes behind those in `order`, with a star if it reads
 * features from files. */
static void do_next(void *s, char *order, size_t size)
{
    HEAR(s, ASSIGN);
    Acsweep__Assignment *a = ASSIGN->assign->assignments[0];
    const char *kind = a->spec->kind;
    Acsweep__Metric m = ACSWEEP__METRIC__INIT, *list = &m;
    m.name = (char *)(strcmp(kind, "score_a") == 0 ? "a" : strcmp(kind, "score_c") == 0 ? "c" : "performance");
    m.value = 0.5;
    size_t n = strlen(order);
    snprintf(order + n, size - n, "%s%s%s", n ? ", " : "", a->spec->label, needs(a->spec, "cache:0:0") ? "*" : "");
    Acsweep__Result r = a_result(a->token, ACSWEEP__OUTCOME__SUCCEEDED, ACSWEEP__FAILURE_CLASS__FAILURE_NONE);
    r.n_metrics = 1;
    r.metrics = &list;
    send_result(s, &r);
    assert_int_equal(verdict(s, a->token), ACSWEEP__VERDICT__COMMITTED);
}

static void expect_order(void *s, size_t n, const char *want)
{
    char order[600] = "";
    for (size_t i = 0; i < n; i++)
        do_next(s, order, sizeof order);
    assert_string_equal(order, want);
}

static void kept_features_are_waited_for(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join_native(w, "w1");
    submit_kept(client, "1GiB");
    expect_order(worker, 8, "extract A i 0, extract A t 0 for training, score_c A s, stage1 A*, score_a A X, "
                            "extract A u 0 for training, stage2 A*, evaluate A X");
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    submit_kept(client, "0"); /* the same numbers, so nothing is left to do */
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.attempt"), 8);
}

/* A smaller budget while a connector waits for its files: it waits no longer, and they are not made. */
static void a_smaller_budget_waits_for_nothing(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join_native(w, "w1");
    submit_kept(client, "1GiB");
    Acsweep__Token k = assigned_as(worker, "extract A i 0");
    submit_kept(client, "0");
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.task_input WHERE name LIKE 'cache:%'"), 0);
    eventually(w, TASKS("label = 'extract A t 0 for training' AND state = 'cancelled'"), 1);
    assert_int_equal(finish(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    expect_order(worker, 5, "score_c A s, stage1 A, score_a A X, stage2 A, evaluate A X");
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    assert_int_equal(number(w, TASKS("label = 'stage1 A' AND params #>> '{execution,features,members,0,cached}' = 'false'")), 1);
}

/* ---- floors ---- */

/* Two representations, of which one may be fine-tuned, and a floor; `more` stands in `representations`. */
static void submit_floors(void *client, const char *more)
{
    static const char native[] = "{ gpus = 0; }";
    char text[3000];
    snprintf(text, sizeof text,
             "name = \"floors\"; checkpoints = ( { name = \"m\"; " STATED " } );\n"
             "encoders = ( { name = \"A\"; checkpoint = \"m\"; resolution = 224; },\n"
             "             { name = \"B\"; checkpoint = \"m\"; resolution = 336; },\n"
             "             { name = \"R\"; checkpoint = \"m\"; resolution = 448; } );\n"
             "representations = { generate = { max_size = 1; }; floors = ( { members = [\"R\"]; } ); %s };\n"
             "image_sets = ( { name = \"i\"; images = 8; " STATED " } );\n"
             "correspondence_sets = ( { name = \"s\"; image_set = \"i\"; } ); benchmarks = ( { name = \"X\"; } );\n"
             "scores = { a = { references = [\"A\"]; }; };\n"
             "executors = { extract = %s; score_c = { gpus = 0; bundle = 1; }; stage1 = %s; score_a = %s; stage2 = %s; "
             "evaluate = %s; };\npolicy = { budget = { fine_tunes = 1; }; };\n",
             more, native, native, native, native, native);
    struct reply r = submit(client, text);
    if (!r.ok)
        fail_msg("%s", r.text);
}

#define SCORED "extract A i 0, extract B i 0, extract R i 0, score_c A s, score_c B s, score_c R s, stage1 A, score_a A X, " \
               "stage1 B, score_a B X"

/* A floor's training holds no round up, and the sweep ends when it has its scores. */
static void floors_come_last(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join_native(w, "w1");
    submit_floors(client, "");
    expect_order(worker, 10, SCORED);
    char order[600] = "";
    Acsweep__Token k = assigned_as(worker, "stage1 R"); /* nothing else was ready when it was given away */
    eventually(w, "SELECT count(*) FROM acsweep.policy_choice", 1);
    assert_int_equal(finish(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    for (int i = 0; i < 3; i++)
        do_next(worker, order, sizeof order);
    if (strcmp(order, "stage2 A, evaluate A X, score_a R X") != 0 && strcmp(order, "stage2 B, evaluate B X, score_a R X") != 0)
        fail_msg("%s", order);
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.policy_choice"), 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.policy_prediction p JOIN acsweep.representation r USING "
                               "(representation_id) WHERE r.name = 'R'"), 0);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.floors WHERE floor = 'R' AND score IN ('a', 'c')"), 2);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.scores WHERE representation = 'R'"), 0);
}

/* They are fine-tuned when the search has its final ranking, also by the next leader, and the sweep ends after them. */
static void floors_are_fine_tuned_after_the_search(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join_native(w, "w1");
    char order[600] = "";
    submit_floors(client, "fine_tune_floors = true;");
    expect_order(worker, 10, SCORED);
    for (int i = 0; i < 4; i++)
        do_next(worker, order, sizeof order); /* stage1 and score_a of R, stage2 and evaluation of the chosen one */
    Acsweep__Token k = assigned_as(worker, "stage2 R"), *held = &k;
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.policy_round WHERE state = 'final'"), 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'running'"), 1);
    stop(w->coordinator, SIGKILL);
    w->coordinator = start(w->conninfo, w->endpoint, w->log);
    eventually(w, "SELECT epoch FROM acsweep.leader", 2);
    Acsweep__Hello h = a_native_hello("w1");
    h.n_running = 1;
    h.running = &held;
    envelope_free(greet(worker, &h));
    assert_int_equal(finish(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    expect_order(worker, 1, "evaluate R X");
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.policy_round WHERE state = 'final'"), 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.floors WHERE floor = 'R' AND score = 'performance'"), 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.performances WHERE representation = 'R'"), 0);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.attempt"), 10 + 4 + 2);
    submit_floors(client, "fine_tune_floors = true;"); /* everything is found */
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    submit_floors(client, ""); /* and so are the scores of those that were there before */
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.attempt"), 10 + 4 + 2);
}

/* One that fails is a gap, no failure of the search; submitted again, it is tried again. */
static void a_floor_that_fails_is_a_gap(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join_native(w, "w1");
    char order[600] = "";
    submit_floors(client, "fine_tune_floors = true;");
    expect_order(worker, 10, SCORED);
    for (int i = 0; i < 4; i++)
        do_next(worker, order, sizeof order);
    for (int i = 0; i < 2; i++) {
        Acsweep__Token k = assigned_as(worker, "stage2 R");
        fail_with(worker, &k, ACSWEEP__FAILURE_CLASS__DATA);
        eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
        submit_floors(client, "fine_tune_floors = true;");
    }
    expect_order(worker, 2, "stage2 R, evaluate R X");
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.policy_choice"), 1);
}

/* ---- leaders ---- */

static void a_restart_keeps_running_tasks(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    load(client, "restart", 1, 1);
    Acsweep__Token k = assigned(worker), *held = &k;
    stop(w->coordinator, SIGKILL);
    w->coordinator = start(w->conninfo, w->endpoint, w->log);
    eventually(w, "SELECT epoch FROM acsweep.leader", 2);
    Acsweep__Hello h = a_hello("w1");
    h.n_running = 1;
    h.running = &held;
    AUTO(envelope_free) envelope *welcome = greet(worker, &h);
    assert_int_equal(welcome->welcome->epoch, 2);
    assert_int_equal(welcome->welcome->n_keep, 1);
    assert_int_equal(welcome->welcome->n_fenced, 0);
    assert_int_equal(finish(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    eventually(w, "SELECT count(*) FROM acsweep.sweep WHERE state = 'done'", 1);
    assert_int_equal(number(w, "SELECT count(*) FROM acsweep.attempt"), 1);
}

/* Asked to stop while it ran, and the leader died before the worker heard of it. */
static void a_cancel_outlives_its_leader(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client"), *worker = join(w, "w1");
    load(client, "stopping", 2, 1);
    Acsweep__Token k = assigned(worker), *held = &k;
    assert_true(cancel_task(client, k.task_id).ok);
    eventually(w, "SELECT count(*) FROM acsweep.task WHERE cancel_wanted AND state = 'leased'", 1);
    stop(w->coordinator, SIGKILL);
    w->coordinator = start(w->conninfo, w->endpoint, w->log);
    eventually(w, "SELECT epoch FROM acsweep.leader", 2);
    Acsweep__Hello h = a_hello("w1");
    h.n_running = 1;
    h.running = &held;
    AUTO(envelope_free) envelope *welcome = greet(worker, &h);
    assert_int_equal(welcome->welcome->n_keep, 1);
    HEAR(worker, CANCEL);
    assert_int_equal(CANCEL->cancel->token->task_id, k.task_id);
    Acsweep__Result r = a_result(&k, ACSWEEP__OUTCOME__CANCELLED, ACSWEEP__FAILURE_CLASS__FAILURE_NONE);
    send_result(worker, &r);
    assert_int_equal(verdict(worker, &k), ACSWEEP__VERDICT__COMMITTED);
    eventually(w, "SELECT count(*) FROM acsweep.task WHERE state = 'cancelled' AND NOT cancel_wanted", 1);
}

static void a_standby_takes_over(void **state)
{
    struct world *w = *state;
    void *first = join(w, "w1");
    char endpoint[160];
    snprintf(endpoint, sizeof endpoint, "%s2", w->endpoint);
    pid_t standby = start(w->conninfo, endpoint, w->log);
    snprintf(w->endpoint, sizeof w->endpoint, "%.120s", endpoint);
    void *second = peer(w, "w1");
    eventually(w, "SELECT count(*) FROM acsweep.coordinator", 2);
    Acsweep__Hello again = a_hello("w1");
    bool told = false;
    for (int i = 0; i < 50 && !told; i++) { /* the leader looks every other second */
        mono_sleep(200 * NS_PER_MS);
        AUTO(envelope_free) envelope *welcome = greet(first, &again);
        for (size_t k = 0; k < welcome->welcome->n_coordinators; k++)
            told |= strcmp(welcome->welcome->coordinators[k]->address, endpoint) == 0;
    }
    assert_true(told);
    Acsweep__Hello h = a_hello("w1");
    BODY(hello, HELLO, hello, &h);
    say(second, &hello);
    envelope *early = hear_within(second, ACSWEEP__ENVELOPE__BODY_WELCOME, 1000);
    assert_null(early); /* one leader at a time */
    beat(first, NULL);
    stop(w->coordinator, SIGKILL);
    w->coordinator = standby;
    HEAR(second, WELCOME);
    assert_int_equal(WELCOME->welcome->epoch, 2);
}

/* A coordinator on a database of another version ends at once, and says what to do. */
static void told_and_gone(const char *conninfo, const char *name, const char *remedy)
{
    char log[160], endpoint[200], text[2000] = "";
    snprintf(log, sizeof log, "%s/%s.log", pgtest_dir(server), name);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/%s.sock", pgtest_dir(server), name);
    pid_t pid = start(conninfo, endpoint, log);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 4);
    AUTO(fclose) FILE *f = fopen(log, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    assert_non_null(strstr(text, remedy));
}

static void a_foreign_schema_is_told(void **state)
{
    (void)state;
    told_and_gone(pgtest_conninfo(server), "empty", "acsweep db migrate");
    const char *conninfo = pgtest_database(server, "newer");
    struct db *d = pgtest_open(conninfo, DB_ADMIN);
    pgtest_script(d, "INSERT INTO acsweep.schema_migration (version, name, checksum) VALUES (9999, 'later', 'x')");
    db_close(d);
    told_and_gone(conninfo, "newer", "use the newer program");
}

/* ---- GPUs ---- */

static char *read_source(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", SOURCE_DIR, name);
    AUTO(fclose) FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 16);
    if (!f || !text || !fread(text, 1, (1 << 16) - 1, f))
        fail_msg("%s cannot be read", path);
    return text;
}

/* The paper's sweep, whose extraction of features now asks for a GPU. */
static void submit_gpus(void *client)
{
    static const char plain[] = "extract  = { use = \"replay\"; };",
                      gpu[] =
                          "extract = { use = \"replay\"; gpus = 1; gpu_memory = \"24GiB\"; compute_capability = 80; };";
    AUTO(free) char *config = read_source("examples/paper/sweep.cfg");
    AUTO(free) char *table = read_source("examples/paper/law.csv");
    char *at = strstr(config, plain);
    assert_non_null(at);
    memmove(at + sizeof gpu - 1, at + sizeof plain - 1, strlen(at + sizeof plain - 1) + 1);
    memcpy(at, gpu, sizeof gpu - 1);
    Acsweep__Submit__FilesEntry file = ACSWEEP__SUBMIT__FILES_ENTRY__INIT, *files[] = { &file };
    file.key = (char *)"law.csv";
    file.value = table;
    Acsweep__Submit body = ACSWEEP__SUBMIT__INIT;
    body.name = (char *)"gpus.cfg";
    body.config = config;
    body.n_files = 1;
    body.files = files;
    struct reply r = ASK(client, SUBMIT, submit, &body);
    if (!r.ok)
        fail_msg("%s", r.text);
}

static void explained(void *client, uint64_t task, const char *why)
{
    struct reply r = { 0 };
    for (int i = 0; i < 100; i++) { /* the reason is that of the next placement */
        r = explain(client, task);
        assert_true(r.ok);
        if (strstr(r.text, why))
            return;
        mono_sleep(20 * NS_PER_MS);
    }
    fail_msg("expected '%s' in %s", why, r.text);
}

/* The memory that `task` asks for when it is assigned; whatever comes before it is failed. */
static uint64_t asked_memory(void *s, uint64_t task, Acsweep__Token *k)
{
    for (;;) {
        beat(s, NULL);
        AUTO(envelope_free) envelope *m = hear_within(s, ACSWEEP__ENVELOPE__BODY_ASSIGN, 200);
        if (!m)
            continue; /* the test's own time limit ends it */
        const Acsweep__Assignment *a = m->assign->assignments[0];
        k->task_id = a->token->task_id;
        k->attempt = a->token->attempt;
        k->epoch = a->token->epoch;
        if (k->task_id == task)
            return a->spec->resources->gpu_memory_bytes;
        fail_with(s, k, ACSWEEP__FAILURE_CLASS__DATA);
    }
}

static void gpus_are_placed_and_explained(void **state)
{
    struct world *w = *state;
    void *client = peer(w, "client");
    submit_gpus(client);
    uint64_t task = (uint64_t)number(w, "SELECT min(task_id) FROM acsweep.task WHERE kind = 'extract'");
    explained(client, task, "no worker has joined");
    Acsweep__Device gpu = ACSWEEP__DEVICE__INIT, *gpus[] = { &gpu };
    gpu.uuid = (char *)"GPU-1";
    gpu.state = (char *)"ok";
    gpu.memory_bytes = UINT64_C(16) << 30;
    gpu.compute_capability = 90;
    Acsweep__Hello h = a_hello("w1");
    void *worker = peer(w, "w1");
    envelope_free(greet(worker, &h));
    explained(client, task, "no slot has 1 GPU");
    h.n_devices = 1;
    h.devices = gpus;
    envelope_free(greet(worker, &h));
    explained(client, task, "no GPU has 24.0 GiB");
    gpu.memory_bytes = UINT64_C(80) << 30;
    gpu.compute_capability = 70;
    envelope_free(greet(worker, &h));
    explained(client, task, "no GPU has compute capability 8.0");
    gpu.compute_capability = 90;
    gpu.memory_bytes = UINT64_C(40) << 30;
    envelope_free(greet(worker, &h));
    Acsweep__Token k = ACSWEEP__TOKEN__INIT;
    assert_int_equal(asked_memory(worker, task, &k), UINT64_C(24) << 30);
    fail_with(worker, &k, ACSWEEP__FAILURE_CLASS__GPU_OOM);
    assert_int_equal(asked_memory(worker, task, &k), UINT64_C(36) << 30);
    assert_int_equal(k.attempt, 2);
    fail_with(worker, &k, ACSWEEP__FAILURE_CLASS__GPU_OOM);
    assert_int_equal(asked_memory(worker, task, &k), UINT64_C(40) << 30); /* all that the largest GPU has */
    eventually(w, "SELECT count(*) FROM acsweep.device", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_A_WORLD(fn) cmocka_unit_test_setup_teardown(fn, world_begin, world_end)
        IN_A_WORLD(a_result_is_committed_once),
        IN_A_WORLD(a_lost_lease_is_given_to_another),
        IN_A_WORLD(a_heartbeat_renews_the_lease),
        IN_A_WORLD(who_said_bye_gets_nothing_more),
        IN_A_WORLD(hostile_results_are_refused),
        IN_A_WORLD(odd_messages_are_refused),
        IN_A_WORLD(odd_labels_end_no_leader),
        IN_A_WORLD(many_artifacts_are_committed_together),
        IN_A_WORLD(failures_have_budgets),
        IN_A_WORLD(two_sweeps_share_a_task_that_failed),
        IN_A_WORLD(a_cancelled_sweep_comes_back),
        IN_A_WORLD(another_config_stops_what_only_the_old_one_wanted),
        IN_A_WORLD(a_cancel_right_after_a_submission),
        IN_A_WORLD(tasks_of_ended_sweeps_are_forgotten),
        IN_A_WORLD(cancel_and_retry_in_one_batch),
        IN_A_WORLD(gpus_are_placed_and_explained),
        IN_A_WORLD(a_bundle_that_crashed_is_split),
        IN_A_WORLD(one_of_a_bundle_is_cancelled),
        IN_A_WORLD(a_bundle_outlives_its_leader),
        IN_A_WORLD(a_lost_bundle_is_split),
        IN_A_WORLD(content_is_identified_before_the_rest),
        IN_A_WORLD(content_that_changed_is_computed_anew),
        IN_A_WORLD(a_look_stops_nothing_that_runs),
        IN_A_WORLD(kept_features_are_waited_for),
        IN_A_WORLD(a_smaller_budget_waits_for_nothing),
        IN_A_WORLD(floors_come_last),
        IN_A_WORLD(floors_are_fine_tuned_after_the_search),
        IN_A_WORLD(a_floor_that_fails_is_a_gap),
        IN_A_WORLD(a_restart_keeps_running_tasks),
        IN_A_WORLD(a_cancel_outlives_its_leader),
        IN_A_WORLD(a_standby_takes_over),
        cmocka_unit_test(a_foreign_schema_is_told),
    };
    if (!(server = pgtest_start()))
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    pgtest_stop(server);
    return rc;
}
