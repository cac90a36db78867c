/* The socket monitor: a table turns libzmq's events into link news. libzmq retries in silence for ever; here the first
 * failure of an outage is a warning at once, and a reminder follows every minute. On a listening socket, peers come and
 * go by the thousand: there the news are debug lines, except handshakes that fail, which are warnings at a limited
 * rate. */
#include "common/chan_monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <zmq.h>

#include "common/log.h"

enum { NEWS_BATCH = 64 };
#define REMIND_AFTER (60 * NS_PER_S)
#define REFUSED_LOG_EVERY NS_PER_S

struct chan_monitor {
    void *socket, *watched;
    struct loop_source *source;
    int (*news)(enum chan_link link, const char *why, void *arg, struct err *e);
    void *arg;
    char name[32];
    bool router, up, refused;
    int64_t logged_at; /* last warning of this outage, 0 = none yet */
    uint64_t unlogged; /* since then */
};

static const struct news_row {
    uint16_t event;
    enum chan_link link;
    const char *why; /* NULL: made from the event's value */
} news_rows[] = {
    { ZMQ_EVENT_HANDSHAKE_SUCCEEDED, CHAN_UP, "connected" },
    { ZMQ_EVENT_DISCONNECTED, CHAN_DOWN, "the connection was lost; trying again" },
    { ZMQ_EVENT_CLOSED, CHAN_UNREACHABLE, "nobody listens at this address, or it cannot be reached; trying again" },
    { ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, CHAN_REFUSED, NULL },
    { ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, CHAN_REFUSED, NULL },
    { ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, CHAN_REFUSED, NULL },
};

static const char *refusal_of(const struct chan_monitor *m, uint16_t event, uint32_t value)
{
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return m->router ? "a peer's key is not on the allow-list"
                         : "the coordinator does not allow our public key; have it added there: acsweep keys allow "
                           "FILE.pub";
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL && value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
        return m->router ? "a peer came without CURVE keys, or with keys where none are used"
                         : "one side uses CURVE keys and the other does not; check the ?key= of the join string";
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL && value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)
        return m->router ? "a peer used a wrong server key" : "cryptographic handshake failed; check the server key";
    return m->router ? "a peer broke off the handshake, or is no ZeroMQ peer"
                     : "the other side broke off the handshake: wrong server key, or no acsweep coordinator";
}

static const struct news_row *row_of(uint16_t event)
{
    for (size_t i = 0; i < ARRAY_LEN(news_rows); i++)
        if (news_rows[i].event == event)
            return &news_rows[i];
    return NULL;
}

static void warn_limited(struct chan_monitor *m, int64_t every, const char *event, const char *at, const char *why)
{
    int64_t now = mono_now();
    if (m->logged_at && now - m->logged_at < every) {
        m->unlogged++;
        return;
    }
    log_warn(event, KV_STR("chan", m->name), KV_STR("at", at), KV_STR("reason", why), KV_I64("unlogged", m->unlogged));
    m->logged_at = now;
    m->unlogged = 0;
}

static void log_router_news(struct chan_monitor *m, enum chan_link link, const char *at, const char *why)
{
    if (link == CHAN_REFUSED)
        warn_limited(m, REFUSED_LOG_EVERY, "chan.refused", at, why);
    else
        log_debug(link == CHAN_UP ? "chan.peer_up" : "chan.peer_down", KV_STR("chan", m->name), KV_STR("at", at));
}

static void log_dealer_news(struct chan_monitor *m, enum chan_link link, const char *at, const char *why)
{
    static const char *const events[] = {
        [CHAN_DOWN] = "chan.down", [CHAN_UNREACHABLE] = "chan.unreachable", [CHAN_REFUSED] = "chan.refused"
    };
    if (link == CHAN_UP) {
        log_info("chan.up", KV_STR("chan", m->name), KV_STR("at", at));
        m->logged_at = 0;
        m->unlogged = 0;
        return;
    }
    warn_limited(m, REMIND_AFTER, events[link], at, why);
}

/* A failed handshake ends in the same "disconnected" or "closed" events as other losses: keep the better reason. */
static bool is_echo(struct chan_monitor *m, enum chan_link link)
{
    bool echo = false;
    if (link == CHAN_DOWN)
        echo = m->router ? false : !m->up;
    else if (link == CHAN_UNREACHABLE)
        echo = m->router || m->refused;
    if (link == CHAN_UP || link == CHAN_DOWN)
        m->up = link == CHAN_UP;
    m->refused = link == CHAN_REFUSED || (m->refused && link != CHAN_UP && echo);
    return echo;
}

static int take_news(struct chan_monitor *m, uint16_t event, uint32_t value, const char *at, struct err *e)
{
    const struct news_row *row = row_of(event);
    if (!row || is_echo(m, row->link))
        return 0;
    const char *why = row->why ? row->why : refusal_of(m, event, value);
    (m->router ? log_router_news : log_dealer_news)(m, row->link, at, why);
    return m->news(row->link, why, m->arg, e);
}

/* Two frames: event (16 bits) and value (32 bits), then the address. 1 = taken, 0 = nothing there. */
static int receive_event(struct chan_monitor *m, struct err *e)
{
    uint8_t head[6];
    char at[256];
    int n = zmq_recv(m->socket, head, sizeof head, ZMQ_DONTWAIT);
    if (n < 0)
        return 0;
    int len = zmq_recv(m->socket, at, sizeof at - 1, ZMQ_DONTWAIT);
    if (n != (int)sizeof head || len < 0)
        return FAIL(e, ERR_BUG, "chan %s: malformed monitor event", m->name);
    at[len < (int)sizeof at ? len : (int)sizeof at - 1] = '\0';
    uint16_t event;
    uint32_t value;
    memcpy(&event, head, sizeof event);
    memcpy(&value, head + sizeof event, sizeof value);
    TRY(take_news(m, event, value, at, e));
    return 1;
}

int chan_monitor_drain(struct chan_monitor *m, struct err *e)
{
    for (int i = 0; i < NEWS_BATCH; i++) {
        int rc = receive_event(m, e);
        if (rc <= 0)
            return rc;
    }
    return 0;
}

static int monitor_setup(struct chan_monitor *m, struct loop *l, void *zmq, loop_io_fn *ready, struct err *e)
{
    static atomic_uint serial; /* only makes inproc names unique within the process */
    char at[64];
    snprintf(at, sizeof at, "inproc://chan-monitor-%u", atomic_fetch_add(&serial, 1));
    int events = 0;
    for (size_t i = 0; i < ARRAY_LEN(news_rows); i++)
        events |= news_rows[i].event;
    m->socket = zmq_socket(zmq, ZMQ_PAIR);
    int linger = 0;
    if (!m->socket || zmq_setsockopt(m->socket, ZMQ_LINGER, &linger, sizeof linger) < 0 ||
        zmq_socket_monitor(m->watched, at, events) < 0 || zmq_connect(m->socket, at) < 0)
        return FAIL(e, ERR_ENV, "socket monitor: %s", zmq_strerror(zmq_errno()));
    m->source = loop_add_zmq(l, m->socket, ZMQ_POLLIN, ready, m->arg, e);
    return m->source ? 0 : -1;
}

struct chan_monitor *chan_monitor_create(struct loop *l, void *zmq, void *socket, const char *name, bool router,
                                         loop_io_fn *ready,
                                         int (*news)(enum chan_link link, const char *why, void *arg, struct err *e),
                                         void *arg, struct err *e)
{
    struct chan_monitor *m = calloc(1, sizeof *m);
    if (!m)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    m->watched = socket;
    m->router = router;
    m->news = news;
    m->arg = arg;
    snprintf(m->name, sizeof m->name, "%s", name);
    if (monitor_setup(m, l, zmq, ready, e) < 0) {
        chan_monitor_destroy(m);
        return NULL;
    }
    return m;
}

void chan_monitor_destroy(struct chan_monitor *m)
{
    if (!m)
        return;
    loop_remove(m->source);
    zmq_socket_monitor(m->watched, NULL, 0);
    if (m->socket)
        zmq_close(m->socket);
    free(m);
}
