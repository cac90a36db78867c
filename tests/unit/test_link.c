/* The client's link against a scripted coordinator: a ROUTER in another thread that answers as the case says. */
#include "cli/link.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include <cmocka.h>

enum answer { ANSWER_OK, ANSWER_ERROR, ANSWER_REFUSE, ANSWER_NOTHING, ANSWER_WRONG_BODY, ANSWER_SNAPSHOTS };

struct peer {
    enum answer answer;
    char endpoint[128], dir[64];
    atomic_bool stop;
    pthread_t thread;
    pthread_barrier_t ready;
    unsigned requests;
};

static void fill_answer(const struct peer *p, const envelope *m, envelope *a, Acsweep__ControlReply *reply,
                        Acsweep__Refused *refused, Acsweep__Snapshot *snapshot)
{
    a->answers = m->message_id;
    switch (p->answer) {
    case ANSWER_REFUSE:
        refused->code = (char *)"schema";
        refused->reason = (char *)"the database is newer than this program";
        a->body_case = ACSWEEP__ENVELOPE__BODY_REFUSED;
        a->refused = refused;
        return;
    case ANSWER_WRONG_BODY:
    case ANSWER_SNAPSHOTS:
        snapshot->sweep = m->body_case == ACSWEEP__ENVELOPE__BODY_WATCH ? m->watch->sweep : (char *)"?";
        snapshot->state = (char *)"running";
        a->answers = p->answer == ANSWER_SNAPSHOTS ? 0 : a->answers;
        a->body_case = ACSWEEP__ENVELOPE__BODY_SNAPSHOT;
        a->snapshot = snapshot;
        return;
    default:
        reply->ok = p->answer == ANSWER_OK;
        reply->text = (char *)(reply->ok ? "done" : "there is no sweep 'x'");
        reply->error_kind = (char *)(reply->ok ? "" : "input");
        reply->json = (char *)"{\"n\": 1}";
        a->body_case = ACSWEEP__ENVELOPE__BODY_CONTROL_REPLY;
        a->control_reply = reply;
    }
}

static int on_message(struct chan *c, const struct peer_id *from, const char *user, envelope **m, void *arg, struct err *e)
{
    struct peer *p = arg;
    (void)user;
    p->requests++;
    if (p->answer == ANSWER_NOTHING)
        return 0;
    envelope a = ACSWEEP__ENVELOPE__INIT;
    Acsweep__ControlReply reply = ACSWEEP__CONTROL_REPLY__INIT;
    Acsweep__Refused refused = ACSWEEP__REFUSED__INIT;
    Acsweep__Snapshot snapshot = ACSWEEP__SNAPSHOT__INIT;
    fill_answer(p, *m, &a, &reply, &refused, &snapshot);
    return chan_send(c, from, &a, e) < 0 ? -1 : 0;
}

static void *peer_main(void *arg)
{
    struct peer *p = arg;
    struct err e = { 0 };
    void *zmq = zmq_ctx_new();
    struct loop *l = loop_create(&e);
    struct chan_options o = { .zmq = zmq, .name = "test", .endpoint = p->endpoint, .on = { .on_message = on_message, .arg = p } };
    struct chan *c = l ? chan_bind(l, &o, &e) : NULL;
    pthread_barrier_wait(&p->ready);
    while (c && !p->stop && loop_once(l, 20 * NS_PER_MS, &e) >= 0)
        ;
    if (e.kind)
        fprintf(stderr, "peer: %s\n", e.text);
    chan_destroy(c);
    loop_destroy(l);
    zmq_ctx_term(zmq);
    return NULL;
}

static void peer_start(struct peer *p, enum answer answer)
{
    *p = (struct peer){ .answer = answer };
    strcpy(p->dir, "/tmp/test_link_XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->endpoint, sizeof p->endpoint, "ipc://%s/c", p->dir);
    pthread_barrier_init(&p->ready, NULL, 2);
    assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
    pthread_barrier_wait(&p->ready);
}

static void peer_stop(struct peer *p)
{
    char path[128];
    p->stop = true;
    pthread_join(p->thread, NULL);
    pthread_barrier_destroy(&p->ready);
    snprintf(path, sizeof path, "%s/c", p->dir);
    unlink(path);
    rmdir(p->dir);
}

static int request(const char *endpoint, int64_t timeout_ns, char **json, char **text, struct err *e)
{
    AUTO(loop_destroy) struct loop *l = loop_create(e);
    AUTO(link_close) struct link *k = link_connect(l, endpoint, NULL, e);
    if (!k)
        return -1;
    Acsweep__SweepRef ref = ACSWEEP__SWEEP_REF__INIT;
    Acsweep__ControlRequest r = ACSWEEP__CONTROL_REQUEST__INIT;
    r.op_case = ACSWEEP__CONTROL_REQUEST__OP_STATUS;
    r.status = &ref;
    return link_request(k, &r, timeout_ns, json, text, e);
}

static void test_answers(void **s)
{
    (void)s;
    static const struct {
        enum answer answer;
        enum err_kind kind;
        const char *text;
    } cases[] = {
        { ANSWER_ERROR, ERR_INPUT, "there is no sweep 'x'" },
        { ANSWER_REFUSE, ERR_ENV, "the coordinator refused: the database is newer than this program" },
        { ANSWER_NOTHING, ERR_ENV, "took the request but gave no answer within 0 s" },
        { ANSWER_WRONG_BODY, ERR_PEER, "message of another kind" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct peer p;
        struct err e = { 0 };
        peer_start(&p, cases[i].answer);
        assert_int_equal(request(p.endpoint, 400 * NS_PER_MS, NULL, NULL, &e), -1);
        assert_int_equal(e.kind, cases[i].kind);
        assert_non_null(strstr(e.text, cases[i].text));
        assert_int_equal(p.requests, 1);
        peer_stop(&p);
    }
    struct peer p;
    struct err e = { 0 };
    AUTO(free) char *json = NULL, *text = NULL;
    peer_start(&p, ANSWER_OK);
    assert_int_equal(request(p.endpoint, 5 * NS_PER_S, &json, &text, &e), 0);
    assert_string_equal(json, "{\"n\": 1}");
    assert_string_equal(text, "done");
    peer_stop(&p);
}

static void test_nobody(void **s)
{
    (void)s;
    struct err e = { 0 };
    assert_int_equal(request("ipc:///tmp/test_link_nobody", 300 * NS_PER_MS, NULL, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_ENV);
    assert_non_null(strstr(e.text, "no coordinator answers at ipc:///tmp/test_link_nobody"));
    err_clear(&e);
    assert_int_equal(request("acsweep://", 300 * NS_PER_MS, NULL, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
}

static void count_snapshot(const Acsweep__Snapshot *snapshot, void *arg)
{
    assert_string_equal(snapshot->sweep, "paper");
    ++*(unsigned *)arg;
}

static void test_watch(void **s)
{
    (void)s;
    struct peer p;
    struct err e = { 0 };
    unsigned seen = 0;
    peer_start(&p, ANSWER_SNAPSHOTS);
    struct loop *l = loop_create(&e);
    struct link *k = link_connect(l, p.endpoint, NULL, &e);
    assert_non_null(k);
    assert_int_equal(link_watch(k, "paper", 100, count_snapshot, &seen, &e), 0);
    for (int64_t deadline = mono_now() + 5 * NS_PER_S; seen == 0 && mono_now() < deadline;)
        assert_true(loop_once(l, 50 * NS_PER_MS, &e) >= 0);
    assert_int_equal(seen, 1);
    link_close(k);
    loop_destroy(l);
    peer_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
