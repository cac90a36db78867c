/* Shared by the files that deal with workers: peers.c (who may say what; joining), results.c (outcomes and what follows
 * from them), assign.c (what is sent to be done), worker_rows.c (what the database knows of workers). */
#ifndef ACSWEEP_COORDINATOR_PEERS_H
#define ACSWEEP_COORDINATOR_PEERS_H

#include "coordinator/coord.h"

struct peer_call {
    struct coord *c;
    const struct peer_id *from;
    const char *user;
    struct worker *w; /* NULL unless the sender said Hello */
    envelope **m;
};

/* 0 also when the peer is gone or does not read: what was for it is covered by leases and by its sending again. */
MUST_USE int peers_send(struct coord *c, const struct peer_id *to, envelope *m, struct err *e);
Acsweep__Token peers_token(const struct task *t);
/* The task whose newest attempt this token names, or NULL. */
struct task *peers_token_task(const struct coord *c, const Acsweep__Token *k);
/* The leased task of this token if this worker holds it, or held it before the coordinator's restart; else NULL. */
struct task *peers_held_by(struct coord *c, struct worker *w, const Acsweep__Token *k);
/* results.c: the route of Results. */
MUST_USE int peers_on_results(const struct peer_call *p, struct err *e);
/* worker_rows.c: a worker joined; its rows follow on the database thread. */
MUST_USE int peers_store_worker(struct coord *c, const struct worker *w, const Acsweep__Hello *h, struct err *e);

#endif
