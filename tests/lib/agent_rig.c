#include "tests/lib/agent_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
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
#include "worker/proctree.h"

extern char **environ;

/* ---- life -------------------------------------------------------------------------------------------------------- */

void rig_bind(struct rig *w)
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

void rig_unbind(struct rig *w)
{
    zmq_close(w->router);
    w->router = NULL;
}

void rig_start_worker(struct rig *w)
{
    char join[300], state[128], log[128];
    snprintf(join, sizeof join, "acsweep://%s", w->endpoint + strlen("tcp://"));
    snprintf(state, sizeof state, "%s/state", w->dir);
    snprintf(log, sizeof log, "%s/log", w->dir);
    const char *argv[32] = { BINARY_DIR "/bin/acsweep-worker",
                             "--coordinator",
                             join,
                             "--state",
                             state,
                             "--slots",
                             "2",
                             "--resend",
                             "500ms",
                             "--drain-grace",
                             "5s",
                             "--log-level",
                             "debug" };
    size_t n = 13;
    for (size_t i = 0; w->options[i]; i++) /* of two, the last one counts */
        argv[n++] = w->options[i];
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_int_equal(posix_spawn(&w->worker, argv[0], &files, NULL, (char *const *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&files);
}

int rig_setup_idle(void **state)
{
    struct rig *w = calloc(1, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/acsweep-agent-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->zmq = zmq_ctx_new();
    rig_bind(w);
    *state = w;
    return 0;
}

int rig_setup(void **state)
{
    int done = rig_setup_idle(state);
    rig_start_worker(*state);
    return done;
}

int rig_teardown(void **state)
{
    struct rig *w = *state;
    char rm[128];
    if (w->worker > 0) {
        kill(w->worker, SIGKILL);
        waitpid(w->worker, NULL, 0);
    }
    if (w->router)
        zmq_close(w->router);
    zmq_ctx_term(w->zmq);
    snprintf(rm, sizeof rm, "rm -rf '%s'", w->dir);
    int done = system(rm);
    free(w);
    return done;
}

int rig_worker_exit(struct rig *w)
{
    int status = -1;
    int64_t until = mono_now() + RIG_PATIENCE_MS * NS_PER_MS;
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

void rig_kill_all(struct rig *w)
{
    pid_t *execs;
    size_t n = proctree_children(w->worker, &execs);
    assert_true(n > 0);
    kill(w->worker, SIGSTOP); /* it must not see them die, nor they it: each would clear up */
    for (size_t i = 0; i < n; i++)
        kill(execs[i], SIGKILL);
    kill(w->worker, SIGKILL);
    free(execs);
    rig_worker_exit(w);
}

/* ---- hearing ----------------------------------------------------------------------------------------------------- */

envelope *rig_receive(struct rig *w, long wait_ms)
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

envelope *rig_expect(struct rig *w, Acsweep__Envelope__BodyCase body)
{
    int64_t until = mono_now() + RIG_PATIENCE_MS * NS_PER_MS;
    while (mono_now() < until) {
        envelope *m = rig_receive(w, mono_ms_until(until));
        if (m && m->body_case == body)
            return m;
        envelope_free(m);
    }
    fail_msg("no message %d from the worker; see %s/log", body, w->dir);
    return NULL;
}

Acsweep__Result *rig_expect_result(struct rig *w, uint64_t task, envelope **m)
{
    *m = rig_expect(w, ACSWEEP__ENVELOPE__BODY_RESULTS);
    assert_int_equal((*m)->results->n_results, 1);
    Acsweep__Result *r = (*m)->results->results[0];
    assert_int_equal(r->token->task_id, task);
    return r;
}

/* ---- saying ------------------------------------------------------------------------------------------------------ */

static void send_now(envelope *m, void *arg)
{
    struct rig *w = arg;
    struct err e = { 0 };
    uint8_t *bytes;
    size_t len;
    assert_int_equal(wire_pack(m, &bytes, &len, &e), 0);
    assert_int_equal(zmq_send(w->router, w->peer, w->peer_len, ZMQ_SNDMORE), (int)w->peer_len);
    assert_int_equal(zmq_send(w->router, bytes, len, 0), (int)len);
    free(bytes);
}

void rig_send(struct rig *w, envelope *m)
{
    send_now(m, w);
}

static void make_challenge(const struct rig *w)
{
    char path[300];
    mkdir(w->store, 0755);
    snprintf(path, sizeof path, "%s/challenge", w->store);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

void rig_welcome(struct rig *w, Acsweep__Token *fenced)
{
    Acsweep__Welcome x = ACSWEEP__WELCOME__INIT;
    x.version = 1;
    x.epoch = 1;
    x.heartbeat_ms = 200;
    x.lease_ms = 5000;
    x.disconnect_grace_ms = w->grace_ms ? w->grace_ms : 60000;
    x.n_fenced = fenced ? 1 : 0;
    x.fenced = &fenced;
    if (w->store) {
        make_challenge(w);
        x.store = (char *)w->store;
        x.store_challenge = (char *)"challenge";
    }
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_WELCOME;
    m.welcome = &x;
    rig_send(w, &m);
}

void rig_join(struct rig *w)
{
    envelope_free(rig_expect(w, ACSWEEP__ENVELOPE__BODY_HELLO));
    rig_welcome(w, NULL);
}

void rig_assign(struct rig *w, const struct made_task *t)
{
    made_task_send(t, send_now, w);
}

void rig_assign_fake(struct rig *w, uint64_t task, const char *fake)
{
    char params[512];
    snprintf(params, sizeof params, "{\"identity\":{\"fake\":%s},\"execution\":{}}", fake);
    rig_assign(w, &(struct made_task){ .task = task, .params = params });
}

void rig_assign_command(struct rig *w, uint64_t task, const char *argv, uint64_t limit_ms)
{
    char params[1024];
    snprintf(params, sizeof params, "{\"identity\":{},\"execution\":{\"command\":{\"argv\":%s}}}", argv);
    rig_assign(
        w, &(struct made_task){
               .task = task, .executor = "command", .kind = "stage2", .params = params, .time_limit_ms = limit_ms });
}

void rig_ack(struct rig *w, uint64_t task, uint32_t attempt, Acsweep__Verdict verdict)
{
    Acsweep__Token t = made_token(task, attempt);
    Acsweep__ResultAck a = ACSWEEP__RESULT_ACK__INIT, *list = &a;
    a.token = &t;
    a.verdict = verdict;
    Acsweep__ResultAcks x = ACSWEEP__RESULT_ACKS__INIT;
    x.n_acks = 1;
    x.acks = &list;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_RESULT_ACKS;
    m.result_acks = &x;
    rig_send(w, &m);
}

void rig_cancel(struct rig *w, uint64_t task, const char *reason)
{
    Acsweep__Token t = made_token(task, 1);
    Acsweep__Cancel x = ACSWEEP__CANCEL__INIT;
    x.token = &t;
    x.reason = (char *)reason;
    x.grace_ms = 500;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_CANCEL;
    m.cancel = &x;
    rig_send(w, &m);
}

void rig_drain(struct rig *w, uint64_t grace_ms)
{
    Acsweep__Drain x = ACSWEEP__DRAIN__INIT;
    x.grace_ms = grace_ms;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_DRAIN;
    m.drain = &x;
    rig_send(w, &m);
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

size_t rig_history(struct rig *w, const char *needle)
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

bool rig_wait_history(struct rig *w, const char *needle, size_t n)
{
    for (int64_t until = mono_now() + RIG_PATIENCE_MS * NS_PER_MS; mono_now() < until; mono_sleep(10 * NS_PER_MS))
        if (rig_history(w, needle) >= n)
            return true;
    return false;
}

bool rig_wait_path(struct rig *w, const char *path, bool there)
{
    char whole[400];
    snprintf(whole, sizeof whole, "%s/%s", w->dir, path);
    for (int64_t until = mono_now() + RIG_PATIENCE_MS * NS_PER_MS; mono_now() < until; mono_sleep(10 * NS_PER_MS))
        if ((access(whole, F_OK) == 0) == there)
            return true;
    return false;
}

int rig_processes(const char *words, size_t len)
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

bool rig_comes_to(const char *words, size_t len, int want)
{
    for (int64_t until = mono_now() + RIG_PATIENCE_MS * NS_PER_MS; mono_now() < until; mono_sleep(10 * NS_PER_MS))
        if (rig_processes(words, len) == want)
            return true;
    return false;
}
