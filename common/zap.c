/* The ZAP handler: one thread that answers libzmq's questions on inproc://zeromq.zap.01 from allow-lists under a lock.
 * A list is a sorted array of keys, built outside the lock and swapped in whole. Keys are compared in full on public
 * data only, so timing tells nothing that the handshake has not proved already. */
#include "common/zap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <zmq.h>

#include "common/keys.h"
#include "common/log.h"
#include "common/mono.h"

#define ZAP_ADDRESS "inproc://zeromq.zap.01"
#define DENIED_LOG_EVERY NS_PER_S

struct allow_list {
    char domain[ZAP_DOMAIN_SIZE];
    char (*keys)[KEY_TEXT_SIZE]; /* sorted */
    size_t n;
};

struct zap {
    void *handler, *stop_in, *stop_out; /* sockets; the first two belong to the thread once it runs */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    struct allow_list lists[ZAP_DOMAINS_MAX];
    size_t n_lists;
    int64_t logged_at; /* thread only */
    uint64_t unlogged;
};

/* ---- allow-lists ------------------------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, KEY_TEXT_SIZE);
}

static struct allow_list *list_find(struct zap *z, const char *domain)
{
    for (size_t i = 0; i < z->n_lists; i++)
        if (strcmp(z->lists[i].domain, domain) == 0)
            return &z->lists[i];
    return NULL;
}

static int list_copy(const char *const *keys, size_t n, struct allow_list *out, struct err *e)
{
    out->keys = calloc(n ? n : 1, sizeof *out->keys);
    if (!out->keys)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < n; i++) {
        if (!key_is_valid(keys[i])) {
            free(out->keys);
            return FAIL(e, ERR_INPUT, "allow-list %s: entry %zu is not a public key", out->domain, i + 1);
        }
        memcpy(out->keys[i], keys[i], KEY_TEXT_SIZE);
    }
    out->n = n;
    qsort(out->keys, n, sizeof *out->keys, compare_keys);
    return 0;
}

/* Put the new list in place and hand the old keys back to be freed; -1 when there is no room for another domain. */
static int list_swap(struct zap *z, struct allow_list *list)
{
    struct allow_list *at = list_find(z, list->domain);
    if (!at && z->n_lists == ZAP_DOMAINS_MAX)
        return -1;
    if (!at)
        at = &z->lists[z->n_lists++];
    struct allow_list old = *at;
    *at = *list;
    *list = old;
    return 0;
}

int zap_allow_set(struct zap *z, const char *domain, const char *const *keys, size_t n, struct err *e)
{
    struct allow_list list = { 0 };
    if (strlen(domain) == 0 || strlen(domain) >= sizeof list.domain)
        return FAIL(e, ERR_BUG, "ZAP domain of %zu characters", strlen(domain));
    strcpy(list.domain, domain);
    TRY(list_copy(keys, n, &list, e));
    pthread_mutex_lock(&z->lock);
    int rc = list_swap(z, &list);
    pthread_mutex_unlock(&z->lock);
    free(list.keys);
    return rc < 0 ? FAIL(e, ERR_BUG, "more than %d ZAP domains", ZAP_DOMAINS_MAX) : 0;
}

bool zap_is_allowed(struct zap *z, const char *domain, const char *key)
{
    char wanted[KEY_TEXT_SIZE] = "";
    if (strlen(key) != KEY_TEXT_SIZE - 1)
        return false;
    memcpy(wanted, key, KEY_TEXT_SIZE);
    pthread_mutex_lock(&z->lock);
    const struct allow_list *list = list_find(z, domain);
    bool found = list && bsearch(wanted, list->keys, list->n, sizeof *list->keys, compare_keys);
    pthread_mutex_unlock(&z->lock);
    return found;
}

/* ---- the protocol ------------------------------------------------------------------------------------------------ */

enum zap_part {
    ZAP_VERSION,
    ZAP_REQUEST,
    ZAP_DOMAIN,
    ZAP_PEER_ADDRESS,
    ZAP_IDENTITY,
    ZAP_MECHANISM,
    ZAP_KEY,
    ZAP_PARTS
};
enum { PART_MAX = 256 };

struct zap_request {
    uint8_t part[ZAP_PARTS][PART_MAX];
    size_t len[ZAP_PARTS];
    bool whole; /* seven parts, none cut */
};

/* False when the socket had nothing to give. */
static bool request_receive(void *socket, struct zap_request *r)
{
    int more = 1;
    size_t n = 0;
    r->whole = true;
    for (; more; n++) {
        uint8_t extra[PART_MAX];
        uint8_t *into = n < ZAP_PARTS ? r->part[n] : extra;
        int len = zmq_recv(socket, into, PART_MAX - 1, 0);
        if (len < 0)
            return false;
        if (n < ZAP_PARTS && len < PART_MAX) {
            r->len[n] = (size_t)len;
            r->part[n][len] = '\0'; /* domain, address and mechanism are read as text */
        } else {
            r->whole = false;
        }
        size_t size = sizeof more;
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) < 0)
            return false;
    }
    r->whole = r->whole && n == ZAP_PARTS;
    return true;
}

static bool part_is(const struct zap_request *r, enum zap_part p, const char *text)
{
    return r->len[p] == strlen(text) && memcmp(r->part[p], text, r->len[p]) == 0;
}

/* NULL when the peer may connect, with its key in `user`; else why not. */
static const char *request_judge(struct zap *z, const struct zap_request *r, char user[KEY_TEXT_SIZE])
{
    user[0] = '\0';
    if (!r->whole || !part_is(r, ZAP_VERSION, "1.0"))
        return "not a ZAP 1.0 request";
    if (!part_is(r, ZAP_MECHANISM, "CURVE") || r->len[ZAP_KEY] != KEY_BYTES)
        return "only CURVE is taken";
    zmq_z85_encode(user, r->part[ZAP_KEY], KEY_BYTES);
    return zap_is_allowed(z, (const char *)r->part[ZAP_DOMAIN], user) ? NULL : "key not on the allow-list";
}

static void log_denied(struct zap *z, const struct zap_request *r, const char *user, const char *why)
{
    int64_t now = mono_now();
    if (z->logged_at && now - z->logged_at < DENIED_LOG_EVERY) {
        z->unlogged++;
        return;
    }
    log_warn("zap.denied", KV_STR("domain", (const char *)r->part[ZAP_DOMAIN]),
             KV_STR("address", (const char *)r->part[ZAP_PEER_ADDRESS]), KV_STR("public_key", user),
             KV_STR("reason", why), KV_I64("unlogged", z->unlogged));
    z->logged_at = now;
    z->unlogged = 0;
}

static void reply_send(void *socket, const struct zap_request *r, const char *why, const char *user)
{
    const struct {
        const void *bytes;
        size_t len;
    } parts[] = {
        { "1.0", 3 },
        { r->part[ZAP_REQUEST], r->len[ZAP_REQUEST] },
        { why ? "400" : "200", 3 },
        { why ? why : "OK", why ? strlen(why) : 2 },
        { why ? "" : user, why ? 0 : strlen(user) },
        { "", 0 }, /* metadata */
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        zmq_send(socket, parts[i].bytes, parts[i].len, i + 1 < ARRAY_LEN(parts) ? ZMQ_SNDMORE : 0);
}

static void answer_one(struct zap *z)
{
    struct zap_request r = { 0 };
    char user[KEY_TEXT_SIZE];
    if (!request_receive(z->handler, &r))
        return;
    const char *why = request_judge(z, &r, user);
    if (why)
        log_denied(z, &r, user, why);
    reply_send(z->handler, &r, why, user);
}

static void *zap_main(void *arg)
{
    struct zap *z = arg;
    for (;;) {
        zmq_pollitem_t items[] = { { .socket = z->handler, .events = ZMQ_POLLIN },
                                   { .socket = z->stop_in, .events = ZMQ_POLLIN } };
        if (zmq_poll(items, 2, -1) < 0 && zmq_errno() != EINTR)
            return NULL; /* the context ends */
        if (items[1].revents)
            return NULL;
        if (items[0].revents & ZMQ_POLLIN)
            answer_one(z);
    }
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static int zap_setup(struct zap *z, void *zmq, struct err *e)
{
    char stop_at[64];
    snprintf(stop_at, sizeof stop_at, "inproc://zap-stop-%p", (void *)z);
    int linger = 0;
    z->handler = zmq_socket(zmq, ZMQ_REP);
    z->stop_in = zmq_socket(zmq, ZMQ_PAIR);
    z->stop_out = zmq_socket(zmq, ZMQ_PAIR);
    if (!z->handler || !z->stop_in || !z->stop_out ||
        zmq_setsockopt(z->handler, ZMQ_LINGER, &linger, sizeof linger) < 0)
        return FAIL(e, ERR_ENV, "ZAP sockets: %s", zmq_strerror(zmq_errno()));
    if (zmq_bind(z->handler, ZAP_ADDRESS) < 0)
        return FAIL(e, ERR_BUG, "a second ZAP handler in this context: %s", zmq_strerror(zmq_errno()));
    if (zmq_bind(z->stop_in, stop_at) < 0 || zmq_connect(z->stop_out, stop_at) < 0)
        return FAIL(e, ERR_ENV, "ZAP stop sockets: %s", zmq_strerror(zmq_errno()));
    sigset_t all, before; /* signals are for the loop's thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&z->thread, NULL, zap_main, z);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return FAIL(e, ERR_ENV, "ZAP thread: %s", strerror(rc));
    z->started = true;
    return 0;
}

/* The handler is bound before the thread starts, so that no handshake can slip past it. */
struct zap *zap_start(void *zmq, struct err *e)
{
    AUTO(zap_stop) struct zap *z = calloc(1, sizeof *z);
    if (!z)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    pthread_mutex_init(&z->lock, NULL);
    if (zap_setup(z, zmq, e) < 0)
        return NULL;
    return TAKE(z);
}

void zap_stop(struct zap *z)
{
    if (!z)
        return;
    if (z->started) {
        zmq_send(z->stop_out, "", 0, 0);
        pthread_join(z->thread, NULL);
    }
    void *const sockets[] = { z->handler, z->stop_in, z->stop_out };
    for (size_t i = 0; i < ARRAY_LEN(sockets); i++)
        if (sockets[i])
            zmq_close(sockets[i]);
    for (size_t i = 0; i < z->n_lists; i++)
        free(z->lists[i].keys);
    pthread_mutex_destroy(&z->lock);
    free(z);
}
