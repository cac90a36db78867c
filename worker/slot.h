/* Inside the pool (worker/slots.h): one slot, its exec, and what may happen to them.
 *
 *     empty --spawn--> idle --assign--> busy --result--> idle
 *                                       busy --cancel, time limit--> stopping --result or kill--> dying
 *            any --exec died--> empty        idle --leak, long idle, devices needed--> dying --> empty
 *
 * A dying exec that does not die (its process is stuck in a driver) is answered for after a while and keeps its slot.
 */
#ifndef ACSWEEP_WORKER_SLOT_H
#define ACSWEEP_WORKER_SLOT_H

#include "common/map.h"
#include "common/mono.h"
#include "worker/slot_exec.h"
#include "worker/slots.h"
#include "worker/token.h"

#define SLOTS_PAUSE (2 * NS_PER_S) /* before the next exec, when several died at once */

enum slot_state { SLOT_EMPTY, SLOT_IDLE, SLOT_BUSY, SLOT_STOPPING, SLOT_DYING };

struct work { /* one assignment that the pool holds */
    struct token_key key;
    Acsweep__Assignment *a;
    struct slot *slot;         /* where it runs, NULL = in the queue */
    struct work *next, *prior; /* in the queue */
};

struct slot {
    struct slots *pool;
    uint32_t index;
    enum slot_state state;
    struct slot_exec *exec;
    size_t which[GPU_MAX]; /* devices that its exec is bound to */
    size_t n_devices;
    struct work *work;        /* what runs: busy, stopping, or dying when it still needs an answer */
    struct loop_timer *timer; /* patience when idle or dying, time limit when busy, grace when stopping */
    struct work *fenced;      /* what ran, in nobody's books any more, until its exec is gone */
    int64_t kill_at;          /* when stopping */
    char reason[64];          /* why it is stopping */
    bool kill;                /* with the next batch */
    bool answered;            /* its exec has ended a task */
    uint64_t base_rss;        /* after the first task of this exec, 0 before */
    uint64_t oom_kills;       /* before the task began */
    int64_t started_us, started;
};

struct slots {
    struct slot_options o;
    char *exec_path, *worker_id, *scratch, *store;
    struct slot *list;
    size_t n;
    size_t running;            /* slots with work */
    struct work *first, *last; /* the queue */
    size_t queued;
    struct map held;           /* token -> work, running and queued */
    struct loop_timer *killer; /* ends execs in batches */
    struct loop_timer *strays;
    int stray_rounds;
    struct loop_timer *pause; /* armed: no exec is started, because several in a row died at once */
    int fast_deaths;
};

/* ---- slot.c ---- */

/* Start `w` here: the slot is idle with the right devices, or empty; then an exec is started, bound to `n` devices. */
MUST_USE int slot_start(struct slot *s, struct work *w, size_t n, struct err *e);
/* Ask the running attempt to stop. */
MUST_USE int slot_stop(struct slot *s, const char *reason, int64_t grace_ns, struct err *e);
/* End its exec; the killing is done soon, together with others. */
void slot_replace(struct slot *s);
/* Answer for a task that runs in no slot, and take it: as stopped for a reason, or as failed. */
MUST_USE int slot_answer_stopped(struct slots *p, struct work *w, const char *reason, struct err *e);
MUST_USE int slot_answer_unstarted(struct slots *p, struct work *w, Acsweep__FailureClass class, const char *why,
                                   struct err *e);
int slot_on_timer(struct loop *l, void *arg, struct err *e);

/* ---- slots.c ---- */

/* Take the work out of the pool's books; free it with work_free. */
struct work *slots_forget(struct slots *p, struct work *w);
void work_free(struct work *w);
/* An exec died: look for what it left, and count deaths that came too fast. */
void slots_exec_died(struct slots *p, bool too_fast);

#endif
