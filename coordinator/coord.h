/* The coordinator: one context that main owns, and its life as a leader. One event loop thread plus one database
 * thread.
 *
 *     coord_create -> coord_lead (waits for the lock, recovers, serves) -> again after a lost connection ->
 * coord_destroy
 *
 * Where to read on: peers.c (what workers say), commit.h (how effects become durable), sweeps.c (submission, policy
 * rounds), control.c (what the command line asks). */
#ifndef ACSWEEP_COORDINATOR_COORD_H
#define ACSWEEP_COORDINATOR_COORD_H

#include "common/chan.h"
#include "common/zap.h"
#include "coordinator/access.h"
#include "coordinator/commit.h"
#include "coordinator/dbthread.h"
#include "coordinator/graph.h"
#include "coordinator/roster.h"
#include "coordinator/standby.h"
#include "coordinator/sweep.h"

struct coord_options {
    const char *conninfo;
    const char *listen;          /* endpoint to bind */
    const char *advertise;       /* endpoint that workers are told; NULL = as bound */
    const char *state_dir;       /* coordinator.json goes here; NULL = none */
    const char *store;           /* artifacts.store, "" = none */
    const char *name;            /* of this coordinator, for rows */
    const struct key_pair *keys; /* NULL without CURVE */
    int64_t lease_ns, heartbeat_ns, disconnect_grace_ns, drain_grace_ns;
    int quarantine_strikes; /* infrastructure failures in a row before a worker is left alone for a while */
    int64_t quarantine_ns;
};

struct watcher { /* a command line that follows a sweep */
    struct peer_id peer;
    char *sweep;
    int64_t interval_ns, next;
    struct watcher *link;
};

struct coord {
    struct coord_options opt;
    struct loop *loop;
    void *zmq;
    struct zap *zap; /* NULL without CURVE */
    struct access access;
    struct standby_list standbys; /* coordinators that wait for our place */
    /* as leader; NULL or empty while standing by */
    struct chan *chan;
    struct dbthread *db;
    uint64_t epoch;
    struct graph graph;
    struct roster roster;
    struct sweep *sweeps;     /* running ones, linked */
    struct task *delayed;     /* PENDING with a backoff */
    struct commit *gathering; /* the next batch */
    bool committing;          /* a batch is with the database */
    uint64_t batches;         /* begun so far */
    bool stopping;
    bool reached; /* the database answered once: from then on we wait for it when it is away */
    uint64_t rng; /* jitter of backoffs */
    struct watcher *watchers;
    struct loop_timer *tick;
    int64_t last_tick, judge_from; /* silence is judged from then on */
    int64_t next_placement;        /* when the scheduler's reasons are stored next */
    int64_t next_trim;             /* when tasks that no sweep wants are looked for; 0 = there are none */
    size_t n_orphans;              /* leases whose worker has not come back since this leader began */
    char store_challenge[80];
};

struct coord *coord_create(const struct coord_options *o, struct err *e);
void coord_destroy(struct coord *c);
DEFINE_CLEANUP(coord_destroy, struct coord *)

/* Wait for the leader lock, recover, serve until asked to stop (0) or until leadership is lost (-1, ERR_DB_RETRY: call
 * again) or something else is wrong (-1). */
MUST_USE int coord_lead(struct coord *c, struct err *e);
/* For signal handlers of the loop: stop serving; running tasks stay with their workers. */
void coord_stop(struct coord *c);

/* ---- shared by the files of this room ---- */

/* Give the database the gathered batch if it is idle; place ready tasks into it first. */
MUST_USE int coord_kick(struct coord *c, struct err *e);
/* A task became PENDING without open inputs: queue it now or after its backoff. */
MUST_USE int coord_settle(struct coord *c, struct task *t, struct err *e);
/* End the attempt of a LEASED task without a result: lease lost, worker left, drained. `charged` counts it. */
MUST_USE int coord_end_attempt(struct coord *c, struct task *t, const char *outcome, int failure, bool charged,
                               const char *message, struct err *e);
/* A PENDING or READY task ends without an attempt, and what depends on it as well. */
MUST_USE int coord_mark(struct coord *c, struct task *t, enum task_event on, const char *reason, struct err *e);
/* Try a FAILED or CANCELLED task again, as if it had never been tried. */
MUST_USE int coord_revive(struct coord *c, struct task *t, const char *reason, struct err *e);
/* What depends on a FAILED or CANCELLED task, however indirectly, fails as well. */
MUST_USE int coord_fail_successors(struct coord *c, struct task *t, struct err *e);
MUST_USE int coord_event(struct coord *c, const char *kind, const struct task *t, uint32_t attempt, uint64_t epoch,
                         const char *worker, const char *text, struct err *e);
/* Change a worker's state, here and in its row. */
MUST_USE int coord_worker_state(struct coord *c, struct worker *w, enum worker_state state, const char *reason,
                                struct err *e);
/* After a committed end (commit.c calls these in order). */
MUST_USE int coord_ended(struct coord *c, struct commit_end *end, struct err *e);

/* The address that workers are told; NULL when we listen on every interface and were given none, or wait to bind to any
 * free port. */
const char *coord_address(const struct coord *c);

/* peers.c; peers_assign is in assign.c, peers_ack in results.c */
int peers_on_message(struct chan *ch, const struct peer_id *from, const char *user, envelope **m, void *arg,
                     struct err *e);
int peers_on_bad(struct chan *ch, const struct peer_id *from, const char *user, const struct err *why, void *arg,
                 struct err *e);
MUST_USE int peers_assign(struct coord *c, struct task **tasks, size_t n, struct err *e);
/* Acknowledge the results of a committed batch: one message for each worker. */
MUST_USE int peers_ack(struct coord *c, const struct commit *b, struct err *e);
MUST_USE int peers_refuse(struct coord *c, const struct peer_id *to, uint64_t answers, const char *code,
                          const char *reason, struct err *e);
MUST_USE int peers_cancel(struct coord *c, struct task *t, const char *reason, struct err *e);

/* tidy.c: what a leader that runs for months lets go of. */
/* Forget the tasks of sweeps that have ended, and workers that are gone. The database keeps all of them. */
void tidy_tick(struct coord *c, int64_t now);

/* control.c */
MUST_USE int control_request(struct coord *c, const struct peer_id *from, const envelope *m, struct err *e);
MUST_USE int control_watch(struct coord *c, const struct peer_id *from, const Acsweep__Watch *w, struct err *e);
/* Stop a task wherever it stands; nothing when it has ended. */
/* Does a running sweep other than `s` want it, or something that waits for it? */
bool control_wanted_elsewhere(const struct task *t, const struct sweep *s);
MUST_USE int control_cancel(struct coord *c, struct task *t, const char *reason, struct err *e);
MUST_USE int control_tick(struct coord *c, int64_t now, struct err *e);
MUST_USE int control_answer(struct coord *c, const struct peer_id *to, uint64_t answers, const struct err *why,
                            const char *text, const char *json, struct err *e);

/* sweeps.c */
struct sweep *coord_sweep(const struct coord *c, const char *name);
MUST_USE int sweeps_recover(struct coord *c, struct db *d, struct err *e); /* before the database thread starts */
MUST_USE int sweeps_submit(struct coord *c, const struct peer_id *from, uint64_t answers, const Acsweep__Submit *s,
                           struct err *e);
/* Tell whoever watches, and let go of it; the database knows the end already. */
/* What the database knows of a sweep (taken) into the graph; it takes the place of what had its name. */
MUST_USE int sweeps_take_in(struct coord *c, struct stored_sweep **stored, struct sweep **out, struct err *e);
/* End it in the database, then sweeps_end(). */
MUST_USE int sweeps_start_end(struct coord *c, struct sweep *s, enum sweep_state state, const char *note,
                              struct err *e);
/* sweep_content.c: its identify tasks have all ended; plan the rest, which takes its place. */
MUST_USE int sweeps_replan(struct coord *c, struct sweep *s, bool some_failed, struct err *e);
MUST_USE int sweeps_end(struct coord *c, struct sweep *s, enum sweep_state state, struct err *e);
void sweeps_ended(struct task *t,
                  bool was_terminal); /* after a move: counts, and marks its sweeps for sweeps_advance */
MUST_USE int sweeps_advance(struct coord *c, struct err *e); /* after commits: rounds, ends of sweeps */

#endif
