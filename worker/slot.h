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

struct work { /* one attempt that the pool was given */
    struct token_key key;
    Acsweep__Assignment *a;
    struct bundle *in; /* NULL once it was taken out of the queue */
    struct work *next; /* of its bundle */
    bool held;         /* in the books: it still needs an answer */
    bool reported;     /* its exec has said how it ended */
};

struct bundle { /* attempts that run together, in one exec; mostly just one */
    struct work *first;
    size_t n, held, reported;
    size_t gpus;                 /* that its exec must have */
    struct slot *slot;           /* where it runs, NULL = in the queue */
    struct bundle *next, *prior; /* in the queue */
};

struct slot {
    struct slots *pool;
    uint32_t index;
    enum slot_state state;
    struct slot_exec *exec;
    size_t which[GPU_MAX]; /* devices that its exec is bound to */
    size_t n_devices;
    struct bundle *bundle;    /* what runs; stays until its exec has reported all of it, or is gone */
    struct loop_timer *timer; /* patience when idle or dying, time limit when busy, grace when stopping */
    int64_t kill_at;          /* when stopping */
    char reason[64];          /* why it is stopping */
    bool kill;                /* with the next batch */
    bool answered;            /* its exec has ended a task */
    bool suspect;             /* and said that something broke on its devices */
    uint64_t base_rss;        /* after the first task of this exec, 0 before */
    uint64_t oom_kills;       /* before the task began */
    int64_t started_us, started;
    int64_t counted; /* up to when the results so far account for what was used */
};

struct slots {
    struct slot_options o;
    char *exec_path, *worker_id, *scratch, *store;
    struct slot *list;
    size_t n;
    size_t running;              /* slots with work that needs an answer */
    struct bundle *first, *last; /* the queue */
    size_t queued;               /* attempts in it */
    struct map held;           /* token -> work, running and queued */
    struct loop_timer *killer; /* ends execs in batches */
    struct loop_timer *strays;
    int stray_rounds;
    struct loop_timer *pause; /* armed: no exec is started, because several in a row died at once */
    int fast_deaths;
};

/* ---- slot.c ---- */

/* Start `b` here: the slot is idle with the right devices, or empty; then an exec is started, bound to `n` devices. */
MUST_USE int slot_start(struct slot *s, struct bundle *b, size_t n, struct err *e);
/* Ask what runs to stop, all of it. */
MUST_USE int slot_stop(struct slot *s, const char *reason, int64_t grace_ns, struct err *e);
/* End its exec; the killing is done soon, together with others. */
void slot_replace(struct slot *s);
/* Take one out of a bundle that goes on without it: its answer is that it was stopped. */
MUST_USE int slot_leave_out(struct slot *s, struct work *w, const char *reason, struct err *e);
/* Answer for a task that runs in no slot, and take it: as stopped for a reason, or as failed. */
MUST_USE int slot_answer_stopped(struct slots *p, struct work *w, const char *reason, struct err *e);
MUST_USE int slot_answer_unstarted(struct slots *p, struct work *w, Acsweep__FailureClass class, const char *why,
                                   struct err *e);
int slot_on_timer(struct loop *l, void *arg, struct err *e);

/* ---- slots.c ---- */

/* Take an attempt out of the pool's books. It is the caller's then, for work_free, if it was in the queue; else it
 * stays with its bundle. */
void slots_forget(struct slots *p, struct work *w);
/* Nothing while it belongs to a bundle. */
void work_free(struct work *w);
void bundle_free(struct bundle *b);
/* An exec died: look for what it left, and count deaths that came too fast. */
void slots_exec_died(struct slots *p, bool too_fast);

#endif
