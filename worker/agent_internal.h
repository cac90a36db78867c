/* Inside the agent: agent.c has its states and life, agent_tasks.c what is run here, agent_results.c how results get to
 * the coordinator, agent_store.c whether the store is seen, agent_hello.c what it says of itself. */
#ifndef ACSWEEP_WORKER_AGENT_INTERNAL_H
#define ACSWEEP_WORKER_AGENT_INTERNAL_H

#include "common/mono.h"
#include "worker/agent.h"
#include "worker/agent_hello.h"
#include "worker/devices.h"
#include "worker/errands.h"
#include "worker/history.h"
#include "worker/leftovers.h"
#include "worker/slots.h"
#include "worker/spool.h"
#include "worker/token.h"
#include "worker/uplink.h"

#define RECENT 4096

enum agent_state { JOINING, READY, CUT_OFF, DRAINING, LEAVING };

struct agent {
    struct agent_options o;
    struct devices *devices;
    struct slots *slots;
    struct spool *spool;
    struct history *history;
    struct leftovers *leftovers;
    struct errands *looks; /* for the store */
    char *store;           /* where it should be, seen or not; "" = there is none */
    struct uplink *uplink;
    struct loop_timer *tick, *heartbeat, *resend, *grace, *end;
    enum agent_state state;
    struct hello_facts facts; /* as last announced */
    bool announce;            /* the facts have changed, and the line was not free to say so */
    uint64_t store_looks;     /* asked for so far */
    uint64_t looks_told;      /* devices_looks() in the last Heartbeat */
    int64_t grace_ns;         /* for being cut off */
    char end_reason[128];
    int64_t drain_grace_ns; /* 0 = let running tasks finish */
    int64_t signalled;      /* when a signal asked for the end, 0 = none did */
    bool out_of_time;
    Acsweep__Token *given_back; /* goes into the Bye */
    size_t n_given_back;
    Acsweep__Token recent[RECENT]; /* results acknowledged lately: a replayed Assign of one is ignored */
};

/* ---- agent.c ---- */

/* Soon: make results durable, send them, and see whether draining is over. */
void agent_tick_soon(struct agent *a);
/* A Drain, or a signal: no more tasks. A grace of 0 lets the running ones finish. */
MUST_USE int agent_drain(struct agent *a, const char *reason, int64_t grace_ns, struct err *e);
MUST_USE int agent_give_back(struct agent *a, const Acsweep__Token *t, struct err *e);
int64_t agent_ms_to_ns(uint64_t ms);
/* What a Hello says, when it is not what the coordinator was told; later, when the line is not free. */
MUST_USE int agent_announce(struct agent *a, struct err *e);

/* ---- agent_store.c ---- */

/* A Welcome says where the store is: the answer comes later, with another Hello if it is a new one. */
MUST_USE int agent_look_for_store(struct agent *a, const Acsweep__Welcome *w, struct err *e);

/* ---- agent_tasks.c ---- */

int agent_on_message(envelope **m, void *arg, struct err *e);
extern const struct slot_handlers agent_slot_handlers; /* without arg */
/* What we hold: running and queued, and with `results` also done but not acknowledged. NULL only without memory. */
Acsweep__Token *agent_tokens(const struct agent *a, bool results, size_t *n, struct err *e);

/* ---- agent_results.c ---- */

/* Keep the result of a task (spec NULL: of one that leaves nothing behind) until the coordinator has it. */
MUST_USE int agent_keep_result(struct agent *a, const Acsweep__Result *r, const Acsweep__TaskSpec *spec, struct err *e);
MUST_USE int agent_send_results(struct agent *a, struct err *e);
/* Those that were sent at `older_than` or before and are not acknowledged, again. */
void agent_send_again(struct agent *a, int64_t older_than);
MUST_USE int agent_on_acks(struct agent *a, const Acsweep__ResultAcks *acks, struct err *e);
int agent_on_refused(const Acsweep__Refused *r, uint64_t answers, void *arg, struct err *e);
int agent_on_cleared(const Acsweep__Token *t, void *arg, struct err *e);
/* Result acknowledged lately under this token's place in the table. */
Acsweep__Token *agent_recent_at(struct agent *a, const Acsweep__Token *t);
/* Tell the history of results that an agent before this one left. */
MUST_USE int agent_log_found(struct agent *a, struct err *e);
/* What is written in the history is on disk before anything it tells of leaves us. */
void agent_flush_history(struct agent *a);

#endif
