/* The task graph in the leader's memory: a cache of the database that recovery rebuilds. Owns the tasks, knows which
 * are ready, and keeps the ready ones in queues by resource shape, larger priority and smaller id first. No I/O, no
 * clock. */
#ifndef ACSWEEP_COORDINATOR_GRAPH_H
#define ACSWEEP_COORDINATOR_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/map.h"
#include "common/own.h"
#include "common/task_state.h"
#include "coordinator/plan.h"

struct worker;
struct sweep;
struct task;

struct task_artifact { /* what a finished task left, handed to its successors */
    char *name, *digest, *store, *path;
    uint64_t bytes;
    void *content; /* inline only */
};
struct task_input {
    struct task *task;
    char *name;
};
struct task_sweep { /* a sweep that wants this task */
    struct sweep *sweep;
    size_t plan_task;
    struct task_sweep *next;
};

struct task {
    uint64_t id;
    uint64_t epoch;   /* of the lease */
    uint32_t attempt; /* the newest one; 0 = never leased */
    uint8_t state;    /* enum task_state */
    bool cancel_wanted;
    bool ended_by_result; /* the newest attempt ended with a result that was committed, not with a lost lease */
    uint8_t failures[8];  /* charged failures by class */
    uint16_t charged;
    uint16_t lost; /* attempts lost under this leader: a task that takes its workers down is given up in the end */
    uint32_t open_inputs;
    uint32_t shape;
    uint32_t subject; /* equal for tasks of one encoder or representation: what is loaded for one serves the next; 0 =
                         none */
    int32_t priority;
    uint32_t heap_index; /* in its shape's queue while READY */
    char identity[DIGEST_HEX_SIZE];
    const char *kind;     /* static */
    const char *executor; /* interned by the graph */
    char *label, *params;
    struct plan_resources resources; /* as asked for; a retry after out-of-memory asks for more */
    uint64_t time_limit_ms;
    struct task_input *inputs;
    size_t n_inputs;
    struct task **successors;
    size_t n_successors, cap_successors;
    struct task_artifact *artifacts;
    size_t n_artifacts;
    struct task_sweep *sweeps;
    /* the lease */
    struct worker *worker;
    char *worker_id; /* when leased to a worker that has not come back yet (after recovery) */
    uint32_t slot;
    int64_t lease_deadline; /* after its end: until then its worker may still speak of it */
    struct task *held_prev, *held_next;
    /* backoff */
    int64_t not_before;
    struct task *delayed_next;
    bool is_delayed;          /* in the list of those */
    struct task *doomed_next; /* used while a failure spreads */
    uint64_t batch;           /* serial of the newest batch that names it */
    uint64_t mark_batch;      /* serial of the batch that holds a mark of it... */
    size_t mark_index;        /* ...and where */
    bool goes;                /* while graph_trim decides */
    /* for people */
    char *note; /* newest progress or reason */
    double fraction;
};

struct shape { /* tasks that any slot sees as equal */
    struct plan_resources resources;
    const char *executor;
    size_t tasks; /* of this shape, in any state; a shape without any may be given to others */
    struct task **heap;
    size_t n, cap;
    char stored_reason[200]; /* as the table placement has it */
    char reason[200];        /* why its ready tasks wait, as the scheduler said last; "" = they do not */
};

struct graph {
    struct map by_id;       /* &task->id -> task */
    struct map by_identity; /* task->identity -> task */
    struct shape *shapes;
    size_t n_shapes;
    char **executors;
    size_t n_executors;
    size_t open;  /* tasks not ended */
    size_t ready; /* tasks in the queues */
};

void graph_free(struct graph *g);

/* A new task with state PENDING and no inputs; params and label are copied. */
struct task *graph_add(struct graph *g, uint64_t id, const struct plan_task *from, struct err *e);
struct task *graph_find(const struct graph *g, uint64_t id);
struct task *graph_find_identity(const struct graph *g, const char *identity);
/* `task` needs `input`; counts it as open unless it is done already. */
MUST_USE int graph_link(struct task *task, struct task *input, const char *name, struct err *e);
/* The task no longer needs anything. */
void graph_unlink_inputs(struct task *task);
/* Put it in its queue if it is PENDING without open inputs and its backoff (not_before) has passed. Cannot fail for a
 * task whose shape has room; returns whether it is now READY. */
MUST_USE int graph_settle(struct graph *g, struct task *t, int64_t now, struct err *e);
/* Move by the state table; keeps the counters and queues. ERR_BUG when the table has no such move. */
MUST_USE int graph_move(struct graph *g, struct task *t, enum task_event on, struct err *e);
/* The first of a queue, still in it; NULL when empty. */
struct task *graph_peek(const struct graph *g, size_t shape);
/* Of the ready tasks of the first one's priority, the foremost among a few that is about `subject`; else the first. */
struct task *graph_peek_near(const struct graph *g, size_t shape, uint32_t subject);
/* After `t` became done: its successors lose an open input. Calls `ready(arg)` for each that has none left. */
typedef int graph_fn(struct task *t, void *arg, struct err *e);
MUST_USE int graph_unlock(struct task *t, graph_fn *fn, void *arg, struct err *e);
/* Choose the shape anew, for a task that now asks for more memory. */
MUST_USE int graph_reshape(struct graph *g, struct task *t, const struct plan_resources *r, struct err *e);
const char *graph_intern(struct graph *g, const char *executor, struct err *e);
/* Free the ended tasks that `may_go` agrees to; it is asked about every task, by itself, once. One stays when another
 * that stays needs it. Returns how many went. Linear in the size of the graph. */
typedef bool graph_pick(const struct task *t, void *arg);
size_t graph_trim(struct graph *g, graph_pick *may_go, void *arg);
/* Cut a text to less than `size` bytes, at the border of a character. */
void text_cut(char *text, size_t size);
void task_set_note(struct task *t, const char *note);
void task_artifacts_free(struct task_artifact *a, size_t n);
/* The static string for a kind, or NULL when there is no such kind. */
const char *task_kind(const char *name);
/* Whether tasks of this kind may be inputs of others; the artifacts of the rest need not be kept in memory. */
bool task_kind_feeds(const char *kind);

#endif
