/* Requests and snapshots over one DEALER. */
#include "cli/link.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "cli/state.h"
#include "common/join.h"

const struct opt link_options[] = {
    { .name = "coordinator", .letter = 'c', .type = OPT_TEXT, .value = "JOIN", .env = "ACSWEEP_COORDINATOR",
      .help = "join string of a running coordinator, instead of the one in the state directory: "
              "acsweep://HOST:PORT[?key=SERVERKEY]" },
    { .name = "timeout", .type = OPT_DURATION, .value = "TIME", .fallback = "60s",
      .help = "how long to wait for the coordinator's answer" },
    { .name = "key", .type = OPT_FILE, .value = "FILE", .env = "ACSWEEP_KEY",
      .help = "own key (made by acsweep keygen), needed where the coordinator has keys; default: control.key in the state "
              "directory, if there is one" },
    { 0 },
};

struct link {
    struct loop *loop;
    void *zmq;
    struct chan *chan;
    struct join join;
    struct key_pair keys;
    bool has_keys;
    size_t at; /* endpoint in use */
    char identity[48];
    char trouble[256]; /* why the link is not up */
    bool next_endpoint;
    /* the request under way */
    uint64_t message_id, awaited;
    envelope *answer;
    /* the watch */
    char *sweep;
    uint64_t interval_ms;
    link_snapshot_fn *on_snapshot;
    void *snapshot_arg;
    bool watch_due;
    struct loop_timer *watch_timer;
};

static int on_message(struct chan *c, const struct peer_id *from, const char *user, envelope **m, void *arg, struct err *e)
{
    struct link *k = arg;
    (void)c;
    (void)from;
    (void)user;
    (void)e;
    bool refused = (*m)->body_case == ACSWEEP__ENVELOPE__BODY_REFUSED;
    if (refused && strcmp((*m)->refused->code, "not_leader") == 0 && k->join.n > 1) {
        snprintf(k->trouble, sizeof k->trouble, "%s", (*m)->refused->reason);
        k->next_endpoint = true;
    } else if ((*m)->body_case == ACSWEEP__ENVELOPE__BODY_SNAPSHOT && k->on_snapshot) {
        k->on_snapshot((*m)->snapshot, k->snapshot_arg);
    } else if (k->awaited && ((*m)->answers == k->awaited || (refused && (*m)->answers == 0))) {
        k->awaited = 0;
        k->answer = TAKE(*m);
    }
    return 0;
}

static int on_link(struct chan *c, enum chan_link link, const char *why, void *arg, struct err *e)
{
    struct link *k = arg;
    (void)c;
    (void)e;
    if (link == CHAN_UP) {
        k->trouble[0] = '\0';
        k->watch_due = k->sweep != NULL;
    } else {
        snprintf(k->trouble, sizeof k->trouble, "%s", why);
        k->next_endpoint = k->join.n > 1;
    }
    return 0;
}

static int connect_to(struct link *k, struct err *e)
{
    chan_destroy(k->chan);
    const struct chan_options o = {
        .zmq = k->zmq,
        .name = "control",
        .endpoint = k->join.endpoints[k->at].text,
        .keys = k->has_keys ? &k->keys : NULL,
        .server_key = *k->join.server_key ? k->join.server_key : NULL,
        .identity = k->identity,
        .on = { .on_message = on_message, .on_link = on_link, .arg = k },
    };
    k->chan = chan_connect(k->loop, &o, e);
    return k->chan ? 0 : -1;
}

struct link *link_connect(struct loop *l, const char *join, const char *key_file, struct err *e)
{
    AUTO(link_close) struct link *k = calloc(1, sizeof *k);
    if (!k)
        return FAIL_NULL(e, ERR_ENV, "out of memory");
    k->loop = l;
    if (join_parse(join, &k->join, e) < 0)
        return NULL;
    if (key_file && key_read_secret(key_file, &k->keys, e) < 0)
        return NULL;
    k->has_keys = key_file != NULL;
    if (!k->has_keys && *k->join.server_key) { /* a coordinator on loopback may have keys and let anyone in */
        if (key_generate(&k->keys, e) < 0)
            return NULL;
        k->has_keys = true;
    }
    snprintf(k->identity, sizeof k->identity, "cli-%d-%llx", (int)getpid(), (unsigned long long)mono_now());
    k->zmq = zmq_ctx_new();
    if (!k->zmq)
        return FAIL_NULL(e, ERR_ENV, "cannot make a ZeroMQ context: %s", zmq_strerror(zmq_errno()));
    if (connect_to(k, e) < 0)
        return NULL;
    return TAKE(k);
}

/* Without --key: the one that lies in the state directory, if any. */
static int find_key(const struct opts *o, const struct state *s, char **path, struct err *e)
{
    const char *given = opts_text(o, "key");
    *path = NULL;
    if (given)
        return (*path = strdup(given)) ? 0 : FAIL_NOMEM(e);
    AUTO(free) char *own = state_path(s, "control.key", e);
    if (!own)
        return -1;
    if (access(own, F_OK) == 0)
        *path = TAKE(own);
    return 0;
}

struct link *link_open(const struct opts *o, struct loop *l, struct err *e)
{
    const char *join = opts_text(o, "coordinator");
    AUTO(state_close) struct state *s = state_open(opts_text(o, "state"), false, e);
    AUTO(free) char *address = NULL, *key = NULL;
    pid_t pid;
    if (!s || find_key(o, s, &key, e) < 0)
        return NULL;
    if (join)
        return link_connect(l, join, key, e);
    if (state_coordinator(s, &address, &pid, e) < 0)
        return NULL;
    if (!address)
        return FAIL_NULL(e, ERR_ENV, "no coordinator runs in %s; name one with --coordinator JOIN (or $ACSWEEP_COORDINATOR)",
                         state_dir(s));
    return link_connect(l, address, key, e);
}

void link_close(struct link *k)
{
    if (!k)
        return;
    loop_remove_timer(k->watch_timer);
    chan_destroy(k->chan);
    if (k->zmq)
        zmq_ctx_term(k->zmq);
    key_pair_wipe(&k->keys);
    envelope_free(k->answer);
    free(k->sweep);
    free(k);
}

/* ---- requests --------------------------------------------------------------------------------------------------- */

static enum err_kind kind_of(const char *name)
{
    for (int k = ERR_USAGE; k <= ERR_BUG; k++)
        if (strcmp(err_kind_name((enum err_kind)k), name) == 0)
            return (enum err_kind)k;
    return ERR_ENV;
}

static int copy_text(const char *from, char **to, struct err *e)
{
    if (to && !(*to = strdup(from ? from : "")))
        return FAIL_NOMEM(e);
    return 0;
}

static int read_answer(const envelope *m, char **json, char **text, struct err *e)
{
    if (m->body_case == ACSWEEP__ENVELOPE__BODY_REFUSED)
        return FAIL(e, ERR_ENV, "the coordinator refused: %s", m->refused->reason);
    if (m->body_case != ACSWEEP__ENVELOPE__BODY_CONTROL_REPLY)
        return FAIL(e, ERR_PEER, "the coordinator answered with a message of another kind (%d); are both of one version?",
                    (int)m->body_case);
    const Acsweep__ControlReply *r = m->control_reply;
    if (!r->ok)
        return FAIL(e, kind_of(r->error_kind), "%s", r->text);
    TRY(copy_text(r->json, json, e));
    return copy_text(r->text, text, e);
}

/* Queue `m` on the link, or leave *sent false when it is not up yet. */
static int try_send(struct link *k, envelope *m, bool *sent, struct err *e)
{
    if (k->next_endpoint) {
        k->next_endpoint = false;
        k->at = (k->at + 1) % k->join.n;
        TRY(connect_to(k, e));
    }
    int rc = chan_send(k->chan, NULL, m, e);
    *sent = rc == 0;
    return rc < 0 ? -1 : 0;
}

static int wait_answer(struct link *k, envelope *m, int64_t timeout_ns, struct err *e)
{
    int64_t deadline = mono_now() + timeout_ns;
    bool sent = false;
    while (!k->answer) {
        /* After a lost link the request is not sent again: it may have been done. */
        if (!sent || k->next_endpoint)
            TRY(try_send(k, m, &sent, e));
        int64_t left = deadline - mono_now();
        if (left <= 0)
            break;
        TRY(loop_once(k->loop, left < 200 * NS_PER_MS ? left : 200 * NS_PER_MS, e));
    }
    if (k->answer)
        return 0;
    const char *at = k->join.endpoints[k->at].text;
    if (!sent)
        return FAIL(e, ERR_ENV, "no coordinator answers at %s%s%s", at, *k->trouble ? ": " : "", k->trouble);
    return FAIL(e, ERR_ENV, "the coordinator at %s took the request but gave no answer within %.0f s%s%s", at,
                (double)timeout_ns / (double)NS_PER_S, *k->trouble ? ": " : "", k->trouble);
}

int link_request(struct link *k, Acsweep__ControlRequest *r, int64_t timeout_ns, char **json, char **text, struct err *e)
{
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.message_id = k->awaited = ++k->message_id;
    m.body_case = ACSWEEP__ENVELOPE__BODY_CONTROL_REQUEST;
    m.control_request = r;
    int rc = wait_answer(k, &m, timeout_ns, e);
    k->awaited = 0;
    AUTO(envelope_free) envelope *answer = TAKE(k->answer);
    return rc < 0 ? -1 : read_answer(answer, json, text, e);
}

/* ---- watching --------------------------------------------------------------------------------------------------- */

static int ask_watch(struct loop *l, void *arg, struct err *e)
{
    struct link *k = arg;
    (void)l;
    if (!k->watch_due)
        return 0;
    Acsweep__Watch w = ACSWEEP__WATCH__INIT;
    w.sweep = k->sweep;
    w.interval_ms = k->interval_ms;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.message_id = ++k->message_id;
    m.body_case = ACSWEEP__ENVELOPE__BODY_WATCH;
    m.watch = &w;
    bool sent;
    TRY(try_send(k, &m, &sent, e));
    k->watch_due = !sent;
    return 0;
}

int link_watch(struct link *k, const char *sweep, uint64_t interval_ms, link_snapshot_fn *fn, void *arg, struct err *e)
{
    if (k->sweep)
        return FAIL(e, ERR_BUG, "one watch per link");
    k->sweep = strdup(sweep);
    if (!k->sweep)
        return FAIL_NOMEM(e);
    k->interval_ms = interval_ms;
    k->on_snapshot = fn;
    k->snapshot_arg = arg;
    k->watch_due = true;
    k->watch_timer = loop_add_timer(k->loop, 0, 100 * NS_PER_MS, ask_watch, k, e);
    return k->watch_timer ? 0 : -1;
}
