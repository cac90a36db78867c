/* Channels with keys: allowed, denied, revoked, wrong server key, one side without keys, and what people are told. */
#include "tests/unit/net_rig.h"

#include "common/log.h"

struct keyed {
    struct rig g;
    struct zap *zap;
    struct key_pair server_keys, client_keys, other_keys;
    struct record at_server, at_client;
    struct chan *server;
};

static int setup(void **state)
{
    struct err e = { 0 };
    struct keyed *k = calloc(1, sizeof *k);
    assert_non_null(k);
    rig_start(&k->g);
    k->zap = zap_start(k->g.zmq, &e);
    assert_non_null(k->zap);
    assert_int_equal(key_generate(&k->server_keys, &e), 0);
    assert_int_equal(key_generate(&k->client_keys, &e), 0);
    assert_int_equal(key_generate(&k->other_keys, &e), 0);
    k->at_server.echo = true;
    struct chan_options o = { .zmq = k->g.zmq,
                              .name = "workers",
                              .endpoint = "tcp://127.0.0.1:*",
                              .keys = &k->server_keys,
                              .zap = k->zap,
                              .zap_domain = "worker",
                              .on = rig_handlers(&k->at_server) };
    k->server = chan_bind(k->g.l, &o, &e);
    assert_non_null(k->server);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    struct keyed *k = *state;
    chan_destroy(k->server);
    zap_stop(k->zap);
    rig_stop(&k->g);
    key_pair_wipe(&k->server_keys);
    free(k);
    return 0;
}

static void allow(struct keyed *k, const char *key)
{
    struct err e = { 0 };
    const char *keys[] = { k->other_keys.public_key, key };
    assert_int_equal(zap_allow_set(k->zap, "worker", keys, key ? 2 : 1, &e), 0);
}

static struct chan *connect_with(struct keyed *k, const struct key_pair *own, const char *server_key)
{
    struct err e = { 0 };
    struct chan_options o = { .zmq = k->g.zmq,
                              .name = "coordinator",
                              .endpoint = chan_endpoint(k->server),
                              .keys = own,
                              .server_key = server_key,
                              .identity = "w",
                              .on = rig_handlers(&k->at_client) };
    struct chan *c = chan_connect(k->g.l, &o, &e);
    assert_non_null(c);
    return c;
}

static void test_allowed_key_is_known_by_its_message(void **state)
{
    struct keyed *k = *state;
    struct err e = { 0 };
    allow(k, k->client_keys.public_key);
    AUTO(chan_destroy) struct chan *c = connect_with(k, &k->client_keys, k->server_keys.public_key);
    assert_true(rig_until(&k->g, &k->at_client.links[CHAN_UP], 1));
    assert_int_equal(rig_send_heartbeat(c, NULL, &e), 0);
    assert_true(rig_until(&k->g, &k->at_client.messages, 1));
    assert_string_equal(k->at_server.user, k->client_keys.public_key);
}

static void test_denied_key_is_told_why(void **state)
{
    struct keyed *k = *state;
    struct err e = { 0 };
    allow(k, NULL);
    AUTO(chan_destroy) struct chan *c = connect_with(k, &k->client_keys, k->server_keys.public_key);
    assert_true(rig_until(&k->g, &k->at_client.links[CHAN_REFUSED], 1));
    assert_non_null(strstr(k->at_client.why, "does not allow our public key"));
    assert_int_equal(rig_send_heartbeat(c, NULL, &e), 1);
    rig_run_for(&k->g, 300 * NS_PER_MS);
    assert_int_equal(k->at_client.links[CHAN_UP] + k->at_server.messages, 0);
}

static void test_domain_without_a_list_lets_nobody_in(void **state)
{
    struct keyed *k = *state;
    AUTO(chan_destroy) UNUSED struct chan *c = connect_with(k, &k->client_keys, k->server_keys.public_key);
    assert_true(rig_until(&k->g, &k->at_client.links[CHAN_REFUSED], 1));
    assert_int_equal(k->at_client.links[CHAN_UP], 0);
}

static void test_revoked_key_is_refused_on_its_standing_connection(void **state)
{
    struct keyed *k = *state;
    struct err e = { 0 };
    allow(k, k->client_keys.public_key);
    AUTO(chan_destroy) struct chan *c = connect_with(k, &k->client_keys, k->server_keys.public_key);
    assert_true(rig_until(&k->g, &k->at_client.links[CHAN_UP], 1));
    assert_int_equal(rig_send_heartbeat(c, NULL, &e), 0);
    assert_true(rig_until(&k->g, &k->at_server.messages, 1));
    allow(k, NULL);
    assert_int_equal(rig_send_heartbeat(c, NULL, &e), 0);
    assert_true(rig_until(&k->g, &k->at_server.bad, 1));
    assert_non_null(strstr(k->at_server.bad_text, "not on the allow-list"));
    assert_int_equal(k->at_server.messages, 1);
    allow(k, k->client_keys.public_key);
    assert_int_equal(rig_send_heartbeat(c, NULL, &e), 0);
    assert_true(rig_until(&k->g, &k->at_server.messages, 2));
}

static void test_wrong_server_key_is_told(void **state)
{
    struct keyed *k = *state;
    allow(k, k->client_keys.public_key);
    AUTO(chan_destroy) UNUSED struct chan *c = connect_with(k, &k->client_keys, k->other_keys.public_key);
    assert_true(rig_until(&k->g, &k->at_client.links[CHAN_REFUSED], 1));
    assert_non_null(strstr(k->at_client.why, "server key"));
    assert_true(rig_until(&k->g, &k->at_server.links[CHAN_REFUSED], 1));
    assert_int_equal(k->at_client.links[CHAN_UP] + k->at_server.links[CHAN_UP], 0);
}

static void test_client_without_keys_is_told(void **state)
{
    struct keyed *k = *state;
    AUTO(chan_destroy) UNUSED struct chan *c = connect_with(k, NULL, NULL);
    assert_true(rig_until(&k->g, &k->at_client.links[CHAN_REFUSED], 1));
    assert_non_null(strstr(k->at_client.why, "key"));
    assert_int_equal(k->at_client.links[CHAN_UP] + k->at_server.messages, 0);
}

static void test_lists_are_kept_apart(void **state)
{
    struct keyed *k = *state;
    assert_false(zap_is_allowed(k->zap, "worker", ""));
    assert_false(zap_is_allowed(k->zap, "worker", k->client_keys.public_key));
    allow(k, k->client_keys.public_key);
    assert_true(zap_is_allowed(k->zap, "worker", k->client_keys.public_key));
    assert_false(zap_is_allowed(k->zap, "control", k->client_keys.public_key));
}

static void test_bad_allow_list_changes_nothing(void **state)
{
    struct keyed *k = *state;
    struct err e = { 0 };
    allow(k, k->client_keys.public_key);
    const char *keys[] = { k->other_keys.public_key, "not a key" };
    assert_int_equal(zap_allow_set(k->zap, "worker", keys, 2, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.text, "entry 2"));
    assert_true(zap_is_allowed(k->zap, "worker", k->client_keys.public_key));
}

static void test_keys_that_cannot_work_are_refused_before_connecting(void **state)
{
    struct keyed *k = *state;
    struct err e = { 0 };
    struct chan_options o = {
        .zmq = k->g.zmq, .endpoint = chan_endpoint(k->server), .server_key = "short", .keys = &k->client_keys
    };
    assert_null(chan_connect(k->g.l, &o, &e));
    assert_int_equal(e.kind, ERR_INPUT);
    err_clear(&e);
    o.keys = NULL;
    assert_null(chan_connect(k->g.l, &o, &e));
    assert_non_null(strstr(e.text, "acsweep keygen"));
    err_clear(&e);
    struct chan_options open = { .zmq = k->g.zmq, .endpoint = "tcp://127.0.0.1:*", .keys = &k->server_keys };
    assert_null(chan_bind(k->g.l, &open, &e)); /* keys without an allow-list */
    assert_int_equal(e.kind, ERR_BUG);
    err_clear(&e);
    assert_null(zap_start(k->g.zmq, &e)); /* one per context */
    assert_int_equal(e.kind, ERR_BUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_allowed_key_is_known_by_its_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_denied_key_is_told_why, setup, teardown),
        cmocka_unit_test_setup_teardown(test_domain_without_a_list_lets_nobody_in, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revoked_key_is_refused_on_its_standing_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_server_key_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_without_keys_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists_are_kept_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_allow_list_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_that_cannot_work_are_refused_before_connecting, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
