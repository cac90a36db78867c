/* For the tests of channels: a loop, a context, and a recorder of all that a channel reports. */
#ifndef ACSWEEP_TESTS_NET_RIG_H
#define ACSWEEP_TESTS_NET_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <zmq.h>

#include "common/chan.h"
#include "common/zap.h"

struct record {
    int messages, bad, writable, unanswered, links[CHAN_REFUSED + 1];
    struct peer_id from;
    char user[KEY_TEXT_SIZE], why[1024], bad_text[1024];
    uint64_t last_id, last_answers;
    bool echo; /* answer each message to its sender */
};

struct rig {
    void *zmq;
    struct loop *l;
};

static inline int rig_on_message(struct chan *c, const struct peer_id *from, const char *user, envelope **m, void *arg,
                                 struct err *e)
{
    struct record *r = arg;
    r->messages++;
    r->from = *from;
    r->last_id = (*m)->message_id;
    r->last_answers = (*m)->answers;
    snprintf(r->user, sizeof r->user, "%s", user);
    if (!r->echo)
        return 0;
    Acsweep__Refused refused = ACSWEEP__REFUSED__INIT;
    envelope answer = ACSWEEP__ENVELOPE__INIT;
    answer.answers = (*m)->message_id;
    answer.body_case = ACSWEEP__ENVELOPE__BODY_REFUSED;
    answer.refused = &refused;
    int rc = chan_send(c, from, &answer, e);
    r->unanswered += rc == 1;
    return rc < 0 ? -1 : 0;
}

static inline int rig_on_bad(struct chan *c, const struct peer_id *from, const char *user, const struct err *why,
                             void *arg, struct err *e)
{
    (void)c, (void)user, (void)e;
    struct record *r = arg;
    r->bad++;
    r->from = *from;
    snprintf(r->bad_text, sizeof r->bad_text, "%s", why->text);
    return 0;
}

static inline int rig_on_link(struct chan *c, enum chan_link link, const char *why, void *arg, struct err *e)
{
    (void)c, (void)e;
    struct record *r = arg;
    r->links[link]++;
    snprintf(r->why, sizeof r->why, "%s", why);
    return 0;
}

static inline int rig_on_writable(struct chan *c, void *arg, struct err *e)
{
    (void)c, (void)e;
    ((struct record *)arg)->writable++;
    return 0;
}

static inline struct chan_handlers rig_handlers(struct record *r)
{
    return (struct chan_handlers){ .on_message = rig_on_message,
                                   .on_bad = rig_on_bad,
                                   .on_link = rig_on_link,
                                   .on_writable = rig_on_writable,
                                   .arg = r };
}

static inline void rig_start(struct rig *g)
{
    struct err e = { 0 };
    g->zmq = zmq_ctx_new();
    g->l = loop_create(&e);
    assert_non_null(g->zmq);
    assert_non_null(g->l);
}

/* A failed assertion jumps over the cleanup of channels; then zmq_ctx_term would wait for ever, so give up after a
 * while. */
static inline void rig_stop(struct rig *g)
{
    loop_destroy(g->l);
    alarm(20);
    zmq_ctx_term(g->zmq);
    alarm(0);
}

/* Rounds until *count reaches `want`, for at most ten seconds; says whether it did. */
static inline bool rig_until(struct rig *g, const int *count, int want)
{
    struct err e = { 0 };
    for (int64_t until = mono_now() + 10 * NS_PER_S; *count < want && mono_now() < until;)
        if (loop_once(g->l, 20 * NS_PER_MS, &e) < 0)
            fail_msg("loop: %s", e.text);
    return *count >= want;
}

static inline void rig_run_for(struct rig *g, int64_t ns)
{
    struct err e = { 0 };
    for (int64_t until = mono_now() + ns; mono_now() < until;)
        if (loop_once(g->l, 10 * NS_PER_MS, &e) < 0)
            fail_msg("loop: %s", e.text);
}

static inline int rig_send_heartbeat(struct chan *c, const struct peer_id *to, struct err *e)
{
    Acsweep__Heartbeat beat = ACSWEEP__HEARTBEAT__INIT;
    envelope m = ACSWEEP__ENVELOPE__INIT;
    m.body_case = ACSWEEP__ENVELOPE__BODY_HEARTBEAT;
    m.heartbeat = &beat;
    return chan_send(c, to, &m, e);
}

#endif
