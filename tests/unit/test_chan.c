/* Channels without keys: exchange over tcp and ipc, many peers, peers that go, bad and oversized bytes, back-pressure.
 */
#include "tests/unit/net_rig.h"

#include <sys/stat.h>

static struct rig rig;

static int setup(void **state)
{
    (void)state;
    rig_start(&rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

static struct chan *open_server(struct record *r, const char *endpoint)
{
    struct err e = { 0 };
    struct chan_options o = { .zmq = rig.zmq, .name = "server", .endpoint = endpoint, .on = rig_handlers(r) };
    struct chan *c = chan_bind(rig.l, &o, &e);
    if (!c)
        fail_msg("bind: %s", e.text);
    return c;
}

static struct chan *open_client(struct record *r, const char *endpoint, const char *identity)
{
    struct err e = { 0 };
    struct chan_options o = {
        .zmq = rig.zmq, .name = "client", .endpoint = endpoint, .identity = identity, .on = rig_handlers(r)
    };
    struct chan *c = chan_connect(rig.l, &o, &e);
    if (!c)
        fail_msg("connect: %s", e.text);
    return c;
}

static void exchange(const char *endpoint)
{
    struct record at_server = { .echo = true }, at_client = { 0 };
    struct err e = { 0 };
    AUTO(chan_destroy) struct chan *server = open_server(&at_server, endpoint);
    AUTO(chan_destroy) struct chan *client = open_client(&at_client, chan_endpoint(server), "worker-1");
    assert_true(rig_until(&rig, &at_client.links[CHAN_UP], 1));
    for (int i = 1; i <= 1000; i++) {
        assert_int_equal(rig_send_heartbeat(client, NULL, &e), 0);
        if (i % 100 == 0) /* fewer under way than the high-water mark */
            assert_true(rig_until(&rig, &at_client.messages, i));
    }
    assert_int_equal(at_server.unanswered, 0);
    char who[PEER_ID_TEXT_SIZE];
    assert_string_equal(peer_id_text(&at_server.from, who), "worker-1");
    assert_string_equal(at_server.user, "");
    assert_int_equal(at_client.last_answers, 1000);
    assert_int_equal(at_server.bad + at_client.bad, 0);
}

static void test_exchange_over_tcp(void **state)
{
    (void)state;
    exchange("tcp://127.0.0.1:*");
}

static void test_exchange_over_ipv6(void **state)
{
    (void)state;
    struct err e = { 0 };
    struct record r = { 0 };
    struct chan_options o = { .zmq = rig.zmq, .endpoint = "tcp://[::1]:*", .on = rig_handlers(&r) };
    struct chan *probe = chan_bind(rig.l, &o, &e);
    if (!probe) {
        print_message("no IPv6 loopback here (%s)\n", e.text);
        skip();
    }
    chan_destroy(probe);
    exchange("tcp://[::1]:*");
}

static void test_exchange_over_ipc(void **state)
{
    (void)state;
    char dir[] = "/tmp/acsweep-chan-XXXXXX", path[64], endpoint[80];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    exchange(endpoint);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
}

enum { PEERS = 200 };

static void test_two_hundred_peers(void **state)
{
    (void)state;
    struct record at_server = { .echo = true }, at_client[PEERS] = { 0 };
    struct err e = { 0 };
    struct chan *clients[PEERS];
    chan_raise_file_limit(4096);
    AUTO(chan_destroy) struct chan *server = open_server(&at_server, "tcp://127.0.0.1:*");
    for (int i = 0; i < PEERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        clients[i] = open_client(&at_client[i], chan_endpoint(server), name);
    }
    for (int i = 0; i < PEERS; i++) {
        assert_true(rig_until(&rig, &at_client[i].links[CHAN_UP], 1));
        for (int k = 0; k < 3; k++)
            assert_int_equal(rig_send_heartbeat(clients[i], NULL, &e), 0);
    }
    assert_true(rig_until(&rig, &at_server.messages, 3 * PEERS));
    for (int i = 0; i < PEERS; i++) {
        assert_true(rig_until(&rig, &at_client[i].messages, 3));
        assert_int_equal(at_client[i].messages, 3);
        chan_destroy(clients[i]);
    }
}

static void test_send_to_a_peer_that_is_gone(void **state)
{
    (void)state;
    struct record at_server = { 0 }, at_client = { 0 };
    struct err e = { 0 };
    AUTO(chan_destroy) struct chan *server = open_server(&at_server, "tcp://127.0.0.1:*");
    struct peer_id stranger = peer_id_of("nobody"), peer = peer_id_of("w");
    assert_int_equal(rig_send_heartbeat(server, &stranger, &e), -1);
    assert_int_equal(e.kind, ERR_PEER);
    assert_string_equal(e.text, "peer nobody is gone");

    struct chan *client = open_client(&at_client, chan_endpoint(server), "w");
    assert_true(rig_until(&rig, &at_client.links[CHAN_UP], 1));
    assert_int_equal(rig_send_heartbeat(client, NULL, &e), 0);
    assert_true(rig_until(&rig, &at_server.messages, 1));
    err_clear(&e);
    assert_int_equal(rig_send_heartbeat(server, &peer, &e), 0);
    assert_true(rig_until(&rig, &at_client.messages, 1));
    chan_destroy(client);
    assert_true(rig_until(&rig, &at_server.links[CHAN_DOWN], 1));
    int rc = 0; /* the monitor can be a moment ahead of the socket itself */
    for (int i = 0; i < 100 && rc == 0; i++) {
        rc = rig_send_heartbeat(server, &peer, &e);
        rig_run_for(&rig, 10 * NS_PER_MS);
    }
    assert_int_equal(rc, -1);
    assert_int_equal(e.kind, ERR_PEER);
}

static void test_a_restarted_peer_takes_its_identity_over(void **state)
{
    (void)state;
    struct record at_server = { .echo = true }, first = { 0 }, second = { 0 };
    struct err e = { 0 };
    AUTO(chan_destroy) struct chan *server = open_server(&at_server, "tcp://127.0.0.1:*");
    AUTO(chan_destroy) struct chan *a = open_client(&first, chan_endpoint(server), "same");
    assert_true(rig_until(&rig, &first.links[CHAN_UP], 1));
    assert_int_equal(rig_send_heartbeat(a, NULL, &e), 0);
    assert_true(rig_until(&rig, &first.messages, 1));
    AUTO(chan_destroy) struct chan *b = open_client(&second, chan_endpoint(server), "same");
    assert_true(rig_until(&rig, &second.links[CHAN_UP], 1));
    assert_int_equal(rig_send_heartbeat(b, NULL, &e), 0);
    assert_true(rig_until(&rig, &second.messages, 1));
    assert_int_equal(first.messages, 1);
}

static void raw_send(void *raw, const char *bytes, size_t len, int flags)
{
    assert_int_equal(zmq_send(raw, bytes, len, flags), len);
}

static void test_malformed_bytes_are_reported_and_survived(void **state)
{
    (void)state;
    struct record at_server = { 0 };
    AUTO(chan_destroy) struct chan *server = open_server(&at_server, "tcp://127.0.0.1:*");
    void *raw = zmq_socket(rig.zmq, ZMQ_DEALER);
    int linger = 0;
    zmq_setsockopt(raw, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(raw, ZMQ_ROUTING_ID, "evil", 4);
    assert_int_equal(zmq_connect(raw, chan_endpoint(server)), 0);
    raw_send(raw, "\xff\xff\xff\xff garbage", 12, 0);
    assert_true(rig_until(&rig, &at_server.bad, 1));
    raw_send(raw, "", 0, 0);
    assert_true(rig_until(&rig, &at_server.bad, 2));
    for (int i = 0; i < 5; i++)
        raw_send(raw, "part", 4, i < 4 ? ZMQ_SNDMORE : 0);
    assert_true(rig_until(&rig, &at_server.bad, 3));
    assert_non_null(strstr(at_server.bad_text, "more than one part"));
    char who[PEER_ID_TEXT_SIZE];
    assert_string_equal(peer_id_text(&at_server.from, who), "evil");
    raw_send(raw, "\x08\x01\x10\x07\x5a\x00", 6, 0); /* version 1, message_id 7, an empty Heartbeat */
    assert_true(rig_until(&rig, &at_server.messages, 1));
    assert_int_equal(at_server.last_id, 7);
    assert_int_equal(at_server.bad, 3);
    zmq_close(raw);
}

static void test_oversized_message_ends_the_connection(void **state)
{
    (void)state;
    struct record at_server = { 0 }, at_client = { 0 };
    struct err e = { 0 };
    AUTO(chan_destroy) struct chan *server = open_server(&at_server, "tcp://127.0.0.1:*");
    AUTO(chan_destroy) struct chan *client = open_client(&at_client, chan_endpoint(server), "good");
    assert_true(rig_until(&rig, &at_client.links[CHAN_UP], 1));
    void *raw = zmq_socket(rig.zmq, ZMQ_DEALER);
    int linger = 0;
    zmq_setsockopt(raw, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal(zmq_connect(raw, chan_endpoint(server)), 0);
    size_t size = WIRE_MAX_BYTES + 1;
    AUTO(free) char *big = calloc(1, size);
    assert_non_null(big);
    raw_send(raw, big, size, 0);
    assert_true(rig_until(&rig, &at_server.links[CHAN_DOWN], 1));
    assert_int_equal(at_server.messages, 0);
    assert_int_equal(rig_send_heartbeat(client, NULL, &e), 0); /* others are not disturbed */
    assert_true(rig_until(&rig, &at_server.messages, 1));
    zmq_close(raw);
}

static void test_unreachable_then_writable(void **state)
{
    (void)state;
    char dir[] = "/tmp/acsweep-chan-XXXXXX", endpoint[64];
    assert_non_null(mkdtemp(dir));
    snprintf(endpoint, sizeof endpoint, "ipc://%s/s", dir);
    struct record at_server = { 0 }, at_client = { 0 };
    struct err e = { 0 };
    AUTO(chan_destroy) struct chan *client = open_client(&at_client, endpoint, "w");
    assert_int_equal(rig_send_heartbeat(client, NULL, &e), 1); /* no link, nothing queued */
    assert_true(rig_until(&rig, &at_client.links[CHAN_UNREACHABLE], 1));
    assert_non_null(strstr(at_client.why, "nobody listens"));
    assert_int_equal(at_client.writable, 0);

    AUTO(chan_destroy) UNUSED struct chan *server = open_server(&at_server, endpoint);
    assert_true(rig_until(&rig, &at_client.writable, 1));
    assert_int_equal(rig_send_heartbeat(client, NULL, &e), 0);
    assert_true(rig_until(&rig, &at_server.messages, 1));
    unlink(endpoint + strlen("ipc://"));
    assert_int_equal(rmdir(dir), 0);
}

/* A peer that does not read fills its queue; the sender is told, and the message after the jam is the one it kept. */
static void test_router_says_would_block_for_a_peer_that_does_not_read(void **state)
{
    (void)state;
    struct record at_server = { 0 };
    struct err e = { 0 };
    struct chan_options o = {
        .zmq = rig.zmq, .endpoint = "tcp://127.0.0.1:*", .hwm = 8, .on = rig_handlers(&at_server)
    };
    AUTO(chan_destroy) struct chan *server = chan_bind(rig.l, &o, &e);
    assert_non_null(server);
    void *raw = zmq_socket(rig.zmq, ZMQ_DEALER);
    int linger = 0, hwm = 1;
    zmq_setsockopt(raw, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(raw, ZMQ_RCVHWM, &hwm, sizeof hwm);
    zmq_setsockopt(raw, ZMQ_ROUTING_ID, "deaf", 4);
    assert_int_equal(zmq_connect(raw, chan_endpoint(server)), 0);
    raw_send(raw, "\x08\x01\x5a\x00", 4, 0);
    assert_true(rig_until(&rig, &at_server.messages, 1));
    Acsweep__Progress progress = ACSWEEP__PROGRESS__INIT;
    progress.log.len = 1u << 20;
    AUTO(free) uint8_t *log = progress.log.data = calloc(1, progress.log.len);
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_PROGRESS;
    m.progress = &progress;
    struct peer_id deaf = peer_id_of("deaf");
    int sent = 0, rc;
    while ((rc = (m.message_id = 0, chan_send(server, &deaf, &m, &e))) == 0 && sent < 1000)
        sent++;
    assert_int_equal(rc, 1);
    assert_in_range(sent, 8, 999);
    for (int i = 0; i < sent; i++)
        assert_true(zmq_recv(raw, log, 0, 0) > 0);
    zmq_close(raw);
}

static int destroy_in_callback(struct chan *c, const struct peer_id *from, const char *user, envelope **m, void *arg,
                               struct err *e)
{
    (void)from, (void)user, (void)e;
    envelope_free(TAKE(*m));
    ++*(int *)arg;
    chan_destroy(c);
    return 0;
}

static void test_channel_destroyed_by_its_own_callback(void **state)
{
    (void)state;
    int called = 0;
    struct record at_client = { 0 };
    struct err e = { 0 };
    struct chan_options o = { .zmq = rig.zmq,
                              .endpoint = "tcp://127.0.0.1:*",
                              .on = { .on_message = destroy_in_callback, .arg = &called } };
    struct chan *server = chan_bind(rig.l, &o, &e);
    assert_non_null(server);
    AUTO(chan_destroy) struct chan *client = open_client(&at_client, chan_endpoint(server), "w");
    assert_true(rig_until(&rig, &at_client.links[CHAN_UP], 1));
    for (int i = 0; i < 3; i++)
        assert_int_equal(rig_send_heartbeat(client, NULL, &e), 0);
    assert_true(rig_until(&rig, &called, 1));
    assert_true(rig_until(&rig, &at_client.links[CHAN_DOWN], 1));
    assert_int_equal(called, 1);
}

static void test_refused_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint, *says;
        enum err_kind kind;
    } cases[] = {
        { "tcp://0.0.0.0:*", "acsweep keygen", ERR_INPUT }, { "tcp://*:*", "acsweep keygen", ERR_INPUT },
        { "tcp://[::]:*", "acsweep keygen", ERR_INPUT },    { "tcp://127.0.0.1", "no port", ERR_INPUT },
        { "tcp://::1:80", "brackets", ERR_INPUT },          { "tcp://127.0.0.1:99999", "port", ERR_INPUT },
        { "udp://127.0.0.1:1", "no address", ERR_INPUT },   { "ipc:///no/such/directory/s", "cannot listen", ERR_ENV },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct record r = { 0 };
        struct err e = { 0 };
        struct chan_options o = { .zmq = rig.zmq, .endpoint = cases[i].endpoint, .on = rig_handlers(&r) };
        assert_null(chan_bind(rig.l, &o, &e));
        assert_int_equal(e.kind, cases[i].kind);
        if (!strstr(e.text, cases[i].says))
            fail_msg("%s: '%s' does not say '%s'", cases[i].endpoint, e.text, cases[i].says);
    }
    struct err e = { 0 };
    struct chan_options far = { .zmq = rig.zmq, .endpoint = "tcp://192.0.2.1:7400" };
    assert_null(chan_connect(rig.l, &far, &e));
    assert_non_null(strstr(e.text, "join string"));
}

static void test_address_in_use(void **state)
{
    (void)state;
    struct record r = { 0 };
    struct err e = { 0 };
    AUTO(chan_destroy) struct chan *first = open_server(&r, "tcp://127.0.0.1:*");
    struct chan_options o = { .zmq = rig.zmq, .endpoint = chan_endpoint(first), .on = rig_handlers(&r) };
    assert_null(chan_bind(rig.l, &o, &e));
    assert_int_equal(e.kind, ERR_ENV);
    assert_non_null(strstr(e.text, "in use"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_exchange_over_tcp, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exchange_over_ipv6, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exchange_over_ipc, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_hundred_peers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_send_to_a_peer_that_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_restarted_peer_takes_its_identity_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed_bytes_are_reported_and_survived, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oversized_message_ends_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreachable_then_writable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_router_says_would_block_for_a_peer_that_does_not_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_channel_destroyed_by_its_own_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_address_in_use, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
