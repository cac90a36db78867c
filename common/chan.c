/* Envelope over ROUTER or DEALER. The socket's options are a table; receiving drains the socket up to a fairness cap
 * (the loop is level-triggered and calls again); the link's life comes from the libzmq monitor (chan_monitor.c). */
#include "common/chan.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

#include "common/chan_monitor.h"
#include "common/endpoint.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/zap.h"

enum {
    DEFAULT_HWM = 256,
    DRAIN_MAX = 256, /* messages per call-back, then others have their turn */
    BACKLOG = 1024,  /* a whole cluster reconnects at once after a restart */
    HANDSHAKE_MS = 10000,
    CONNECT_MS = 10000,
    RECONNECT_MS = 100,
    RECONNECT_MAX_MS = 5000,
    TCP_SILENCE_MS = 60000, /* unacknowledged data: the other node is off */
};
#define DEFAULT_HEARTBEAT (10 * NS_PER_S)
#define DEFAULT_LINGER (500 * NS_PER_MS)
#define BAD_LOG_EVERY NS_PER_S

struct chan {
    struct loop *l;
    void *socket;
    struct loop_source *source;
    struct chan_monitor *monitor;
    struct chan_handlers on;
    struct zap *zap; /* CURVE server only */
    char zap_domain[ZAP_DOMAIN_SIZE];
    char name[32];
    char endpoint[ENDPOINT_SIZE];
    uint64_t next_id, bad_unlogged;
    int64_t bad_logged_at;
    bool router;
    bool busy, dead; /* in a callback; destroyed there */
};

/* ---- peer identities --------------------------------------------------------------------------------------------- */

struct peer_id peer_id_of(const char *text)
{
    struct peer_id p = { .len = (uint8_t)strnlen(text, PEER_ID_MAX) };
    memcpy(p.bytes, text, p.len);
    return p;
}

bool peer_id_equal(const struct peer_id *a, const struct peer_id *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

const char *peer_id_text(const struct peer_id *p, char text[PEER_ID_TEXT_SIZE])
{
    bool plain = true;
    for (size_t i = 0; i < p->len; i++)
        plain = plain && isgraph(p->bytes[i]);
    if (!plain) {
        hex_encode(p->bytes, p->len, text);
        return text;
    }
    memcpy(text, p->bytes, p->len);
    text[p->len] = '\0';
    return text;
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

struct int_option {
    int option, value;
    const char *name;
};

static int set_ints(void *socket, const struct int_option *options, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (zmq_setsockopt(socket, options[i].option, &options[i].value, sizeof options[i].value) < 0)
            return FAIL(e, ERR_ENV, "%s: %s", options[i].name, zmq_strerror(zmq_errno()));
    return 0;
}

static int to_ms(int64_t ns)
{
    return ns / NS_PER_MS > 1000000 ? 1000000 : (int)(ns / NS_PER_MS);
}

static int set_limits(const struct chan *c, const struct chan_options *o, bool ipv6, struct err *e)
{
    int hwm = o->hwm > 0 ? o->hwm : DEFAULT_HWM;
    int beat = to_ms(o->heartbeat_ns > 0 ? o->heartbeat_ns : DEFAULT_HEARTBEAT);
    const struct int_option both[] = {
        { ZMQ_SNDHWM, hwm, "ZMQ_SNDHWM" },
        { ZMQ_RCVHWM, hwm, "ZMQ_RCVHWM" },
        { ZMQ_LINGER, to_ms(o->linger_ns > 0 ? o->linger_ns : DEFAULT_LINGER), "ZMQ_LINGER" },
        { ZMQ_HEARTBEAT_IVL, beat, "ZMQ_HEARTBEAT_IVL" },
        { ZMQ_HEARTBEAT_TIMEOUT, 3 * beat, "ZMQ_HEARTBEAT_TIMEOUT" },
        { ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS, "ZMQ_HANDSHAKE_IVL" },
        { ZMQ_TCP_KEEPALIVE, 1, "ZMQ_TCP_KEEPALIVE" },
        { ZMQ_TCP_KEEPALIVE_IDLE, 30, "ZMQ_TCP_KEEPALIVE_IDLE" },
        { ZMQ_TCP_KEEPALIVE_INTVL, 10, "ZMQ_TCP_KEEPALIVE_INTVL" },
        { ZMQ_TCP_KEEPALIVE_CNT, 3, "ZMQ_TCP_KEEPALIVE_CNT" },
        { ZMQ_TCP_MAXRT, TCP_SILENCE_MS, "ZMQ_TCP_MAXRT" },
        { ZMQ_IPV6, ipv6, "ZMQ_IPV6" },
    };
    const struct int_option router[] = {
        { ZMQ_ROUTER_MANDATORY, 1, "ZMQ_ROUTER_MANDATORY" }, /* an error instead of a silent drop */
        { ZMQ_ROUTER_HANDOVER, 1, "ZMQ_ROUTER_HANDOVER" }, /* a worker may be back before its old link is known dead */
        { ZMQ_BACKLOG, BACKLOG, "ZMQ_BACKLOG" },
    };
    const struct int_option dealer[] = {
        { ZMQ_IMMEDIATE, 1, "ZMQ_IMMEDIATE" }, /* queue only on a finished connection */
        { ZMQ_CONNECT_TIMEOUT, CONNECT_MS, "ZMQ_CONNECT_TIMEOUT" },
        { ZMQ_RECONNECT_IVL, RECONNECT_MS, "ZMQ_RECONNECT_IVL" },
        { ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS, "ZMQ_RECONNECT_IVL_MAX" },
    };
    TRY(set_ints(c->socket, both, ARRAY_LEN(both), e));
    TRY(c->router ? set_ints(c->socket, router, ARRAY_LEN(router), e)
                  : set_ints(c->socket, dealer, ARRAY_LEN(dealer), e));
    int64_t max = (int64_t)(o->max_bytes ? o->max_bytes : WIRE_MAX_BYTES);
    if (zmq_setsockopt(c->socket, ZMQ_MAXMSGSIZE, &max, sizeof max) < 0)
        return FAIL(e, ERR_BUG, "ZMQ_MAXMSGSIZE: %s", zmq_strerror(zmq_errno()));
    return 0;
}

static int set_text(void *socket, int option, const char *name, const char *text, size_t len, struct err *e)
{
    if (zmq_setsockopt(socket, option, text, len) < 0)
        return FAIL(e, ERR_INPUT, "%s: %s", name, zmq_strerror(zmq_errno()));
    return 0;
}

/* Without a ZAP handler libzmq lets every client in, so a missing one is our own mistake; and should the handler end
 * before the socket, messages come without a proved user and are refused one by one (deliver). */
static int set_server_keys(void *socket, const struct chan_options *o, struct err *e)
{
    if (!o->zap || !o->zap_domain)
        return FAIL(e, ERR_BUG, "a CURVE server needs a ZAP handler and a domain");
    const struct int_option on = { ZMQ_CURVE_SERVER, 1, "ZMQ_CURVE_SERVER" };
    TRY(set_ints(socket, &on, 1, e));
    TRY(set_text(socket, ZMQ_ZAP_DOMAIN, "ZMQ_ZAP_DOMAIN", o->zap_domain, strlen(o->zap_domain), e));
    return set_text(socket, ZMQ_CURVE_SECRETKEY, "own secret key", o->keys->secret_key, KEY_TEXT_SIZE, e);
}

static int set_client_keys(void *socket, const struct chan_options *o, struct err *e)
{
    if (!o->keys)
        return FAIL(e, ERR_INPUT, "a server key needs an own key pair beside it; make one with: acsweep keygen worker");
    if (!key_is_valid(o->server_key))
        return FAIL(e, ERR_INPUT, "the server key is not a public key (40 characters of Z85)");
    TRY(set_text(socket, ZMQ_CURVE_SERVERKEY, "server key", o->server_key, KEY_TEXT_SIZE, e));
    TRY(set_text(socket, ZMQ_CURVE_PUBLICKEY, "own public key", o->keys->public_key, KEY_TEXT_SIZE, e));
    return set_text(socket, ZMQ_CURVE_SECRETKEY, "own secret key", o->keys->secret_key, KEY_TEXT_SIZE, e);
}

static int set_keys(const struct chan *c, const struct chan_options *o, const struct endpoint *at, struct err *e)
{
    if (c->router && o->keys)
        return set_server_keys(c->socket, o, e);
    if (!c->router && o->server_key && o->server_key[0])
        return set_client_keys(c->socket, o, e);
    if (at->loopback)
        return 0;
    if (c->router)
        return FAIL(e, ERR_INPUT,
                    "%s can be reached from other machines and has no keys; make a pair with: acsweep "
                    "keygen coordinator; or bind to tcp://127.0.0.1:PORT",
                    at->text);
    return FAIL(e, ERR_INPUT,
                "%s is on another machine and no server key is given; use the join string that the "
                "coordinator prints (acsweep://HOST:PORT?key=...)",
                at->text);
}

static int set_identity(const struct chan *c, const struct chan_options *o, struct err *e)
{
    if (c->router || !o->identity)
        return 0;
    size_t len = strlen(o->identity);
    if (len == 0 || len > PEER_ID_MAX)
        return FAIL(e, ERR_BUG, "identity of %zu bytes; 1 to %d", len, PEER_ID_MAX);
    return set_text(c->socket, ZMQ_ROUTING_ID, "identity", o->identity, len, e);
}

/* ---- receiving --------------------------------------------------------------------------------------------------- */

static void zmq_msg_t_cleanup(zmq_msg_t *m)
{
    zmq_msg_close(m);
}

static void skip_parts(struct chan *c)
{
    int more = 1;
    while (more) {
        AUTO(zmq_msg_t) zmq_msg_t rest;
        zmq_msg_init(&rest);
        if (zmq_msg_recv(&rest, c->socket, ZMQ_DONTWAIT) < 0)
            return;
        more = zmq_msg_more(&rest);
    }
}

static int say_bad(struct chan *c, const struct peer_id *from, const char *user, const struct err *why, struct err *e)
{
    char who[PEER_ID_TEXT_SIZE];
    int64_t now = mono_now();
    if (c->bad_logged_at && now - c->bad_logged_at < BAD_LOG_EVERY) { /* a flood of them must not fill the disk */
        c->bad_unlogged++;
    } else {
        log_warn("chan.bad_message", KV_STR("chan", c->name), KV_STR("peer", peer_id_text(from, who)), KV_ERR(why),
                 KV_I64("unlogged", c->bad_unlogged));
        c->bad_logged_at = now;
        c->bad_unlogged = 0;
    }
    return c->on.on_bad ? c->on.on_bad(c, from, user, why, c->on.arg, e) : 0;
}

static int deliver(struct chan *c, const struct peer_id *from, zmq_msg_t *body, struct err *e)
{
    const char *proved = zmq_msg_gets(body, "User-Id");
    char user[KEY_TEXT_SIZE] = "";
    if (proved)
        memcpy(user, proved, strnlen(proved, sizeof user - 1));
    struct err why = { 0 };
    if (zmq_msg_more(body)) {
        skip_parts(c);
        FAIL(&why, ERR_PEER, "a message of more than one part");
        return say_bad(c, from, user, &why, e);
    }
    if (c->zap && !zap_is_allowed(c->zap, c->zap_domain, user)) {
        FAIL(&why, ERR_PEER, "key %s is not on the allow-list any more", user[0] ? user : "(none)");
        return say_bad(c, from, user, &why, e);
    }
    AUTO(envelope_free) envelope *m = wire_unpack(zmq_msg_data(body), zmq_msg_size(body), &why);
    return m ? c->on.on_message(c, from, user, &m, c->on.arg, e) : say_bad(c, from, user, &why, e);
}

/* The sender's identity, the first part on a ROUTER: 1 = taken, 0 = nothing there, or only that part. */
static int take_identity(struct chan *c, struct peer_id *from, struct err *e)
{
    AUTO(zmq_msg_t) zmq_msg_t part;
    zmq_msg_init(&part);
    if (zmq_msg_recv(&part, c->socket, ZMQ_DONTWAIT) < 0)
        return zmq_errno() == EAGAIN || zmq_errno() == EINTR
                   ? 0
                   : FAIL(e, ERR_BUG, "zmq_msg_recv: %s", zmq_strerror(zmq_errno()));
    from->len = (uint8_t)zmq_msg_size(&part);
    memcpy(from->bytes, zmq_msg_data(&part), from->len);
    return zmq_msg_more(&part);
}

/* One message: 1 = taken, 0 = nothing there. */
static int receive_one(struct chan *c, struct err *e)
{
    struct peer_id from = { 0 };
    if (c->router) {
        int rc = take_identity(c, &from, e);
        if (rc <= 0)
            return rc;
    }
    AUTO(zmq_msg_t) zmq_msg_t body;
    zmq_msg_init(&body);
    if (zmq_msg_recv(&body, c->socket, ZMQ_DONTWAIT) < 0)
        return zmq_errno() == EAGAIN || zmq_errno() == EINTR
                   ? 0
                   : FAIL(e, ERR_BUG, "zmq_msg_recv: %s", zmq_strerror(zmq_errno()));
    TRY(deliver(c, &from, &body, e));
    return 1;
}

static void chan_free(struct chan *c)
{
    chan_monitor_destroy(c->monitor);
    loop_remove(c->source);
    if (c->socket)
        zmq_close(c->socket);
    free(c);
}

/* Run one callback so that chan_destroy inside it is put off until it is over. */
static int guarded(struct chan *c, int (*step)(struct chan *c, short events, struct err *e), short events,
                   struct err *e)
{
    c->busy = true;
    int rc = step(c, events, e);
    c->busy = false;
    if (c->dead)
        chan_free(c);
    return rc;
}

static int step_socket(struct chan *c, short events, struct err *e)
{
    if (events & ZMQ_POLLOUT) {
        loop_set_events(c->source, ZMQ_POLLIN);
        if (c->on.on_writable)
            TRY(c->on.on_writable(c, c->on.arg, e));
    }
    for (int i = 0; i < DRAIN_MAX && !c->dead; i++) {
        int rc = receive_one(c, e);
        if (rc <= 0)
            return rc;
    }
    return 0;
}

static int on_socket(struct loop *l, short events, void *arg, struct err *e)
{
    (void)l;
    return guarded(arg, step_socket, events, e);
}

static int on_link(enum chan_link link, const char *why, void *arg, struct err *e)
{
    struct chan *c = arg;
    if (c->dead) /* destroyed by an earlier piece of news */
        return 0;
    int events; /* asking makes the socket take the new connection in now, so that on_link can send at once */
    size_t size = sizeof events;
    zmq_getsockopt(c->socket, ZMQ_EVENTS, &events, &size);
    return c->on.on_link ? c->on.on_link(c, link, why, c->on.arg, e) : 0;
}

static int step_monitor(struct chan *c, short events, struct err *e)
{
    (void)events;
    return chan_monitor_drain(c->monitor, e);
}

static int on_monitor(struct loop *l, short events, void *arg, struct err *e)
{
    (void)l;
    return guarded(arg, step_monitor, events, e);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static int chan_setup(struct chan *c, const struct chan_options *o, const struct endpoint *at, struct err *e)
{
    c->socket = zmq_socket(o->zmq, c->router ? ZMQ_ROUTER : ZMQ_DEALER);
    if (!c->socket)
        return FAIL(e, ERR_ENV, "zmq_socket: %s", zmq_strerror(zmq_errno()));
    bool numeric4 = at->host[strspn(at->host, "0123456789.")] == '\0';
    TRY(set_limits(c, o, at->ipv6 || (!c->router && !numeric4), e));
    TRY(set_identity(c, o, e));
    TRY(set_keys(c, o, at, e));
    c->monitor = chan_monitor_create(c->l, o->zmq, c->socket, c->name, c->router, on_monitor, on_link, c, e);
    return c->monitor ? 0 : -1;
}

static int chan_attach(struct chan *c, const struct endpoint *at, struct err *e)
{
    if ((c->router ? zmq_bind : zmq_connect)(c->socket, at->text) < 0)
        return FAIL(e, ERR_ENV, "cannot %s %s: %s", c->router ? "listen on" : "connect to", at->text,
                    zmq_strerror(zmq_errno()));
    size_t size = sizeof c->endpoint;
    if (zmq_getsockopt(c->socket, ZMQ_LAST_ENDPOINT, c->endpoint, &size) < 0)
        return FAIL(e, ERR_BUG, "ZMQ_LAST_ENDPOINT: %s", zmq_strerror(zmq_errno()));
    c->source = loop_add_zmq(c->l, c->socket, ZMQ_POLLIN, on_socket, c, e);
    return c->source ? 0 : -1;
}

static struct chan *chan_open(struct loop *l, const struct chan_options *o, bool router, struct err *e)
{
    struct endpoint at;
    if (endpoint_parse(o->endpoint, router ? ENDPOINT_BIND : ENDPOINT_CONNECT, &at, e) < 0)
        return NULL;
    AUTO(chan_destroy) struct chan *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    c->l = l;
    c->router = router;
    c->on = o->on;
    c->zap = router && o->keys ? o->zap : NULL;
    snprintf(c->zap_domain, sizeof c->zap_domain, "%s", o->zap_domain ? o->zap_domain : "");
    snprintf(c->name, sizeof c->name, "%s", o->name ? o->name : "chan");
    if (chan_setup(c, o, &at, e) < 0 || chan_attach(c, &at, e) < 0)
        return NULL;
    log_debug(router ? "chan.listening" : "chan.connecting", KV_STR("chan", c->name), KV_STR("at", c->endpoint),
              KV_STR("keys", o->keys ? "curve" : "none"));
    return TAKE(c);
}

struct chan *chan_bind(struct loop *l, const struct chan_options *o, struct err *e)
{
    return chan_open(l, o, true, e);
}

struct chan *chan_connect(struct loop *l, const struct chan_options *o, struct err *e)
{
    return chan_open(l, o, false, e);
}

void chan_destroy(struct chan *c)
{
    if (!c || c->dead)
        return;
    if (c->busy)
        c->dead = true;
    else
        chan_free(c);
}

const char *chan_endpoint(const struct chan *c)
{
    return c->endpoint;
}

const char *chan_name(const struct chan *c)
{
    return c->name;
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static int would_block(struct chan *c)
{
    if (!c->router && c->on.on_writable)
        loop_set_events(c->source, ZMQ_POLLIN | ZMQ_POLLOUT);
    return 1;
}

static int send_error(struct chan *c, const struct peer_id *to, struct err *e)
{
    char who[PEER_ID_TEXT_SIZE];
    int error = zmq_errno();
    if (error == EAGAIN || error == EINTR)
        return would_block(c);
    if (error == EHOSTUNREACH)
        return FAIL(e, ERR_PEER, "peer %s is gone", peer_id_text(to, who));
    return FAIL(e, ERR_BUG, "zmq_send: %s", zmq_strerror(error));
}

static void free_frame(void *data, void *hint)
{
    (void)hint;
    free(data);
}

/* The frame takes the packed bytes: no copy. */
static int send_frame(struct chan *c, const struct peer_id *to, uint8_t *bytes, size_t len, struct err *e)
{
    zmq_msg_t frame;
    if (zmq_msg_init_data(&frame, bytes, len, free_frame, NULL) < 0) {
        free(bytes);
        return FAIL_NOMEM(e);
    }
    if (zmq_msg_send(&frame, c->socket, ZMQ_DONTWAIT) >= 0)
        return 0;
    int rc = send_error(c, to, e);
    zmq_msg_close(&frame);
    return rc;
}

int chan_send(struct chan *c, const struct peer_id *to, envelope *m, struct err *e)
{
    if (c->router != (to != NULL))
        return FAIL(e, ERR_BUG, "chan %s: a ROUTER needs a peer to send to, a DEALER has none", c->name);
    if (m->message_id == 0)
        m->message_id = ++c->next_id;
    uint8_t *bytes;
    size_t len;
    TRY(wire_pack(m, &bytes, &len, e));
    if (c->router && zmq_send(c->socket, to->bytes, to->len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        free(bytes);
        return send_error(c, to, e);
    }
    return send_frame(c, to, bytes, len, e);
}

uint64_t chan_raise_file_limit(uint64_t want)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return 0;
    if (files.rlim_cur >= want)
        return files.rlim_cur;
    rlim_t before = files.rlim_cur;
    files.rlim_cur = want < files.rlim_max ? want : files.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &files) < 0 ? before : files.rlim_cur;
}
