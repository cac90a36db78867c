/* A sweep in the leader's memory: its plan, which of its tasks exist, what is known of each representation, and where
 * the policy stands. */
#ifndef ACSWEEP_COORDINATOR_SWEEP_H
#define ACSWEEP_COORDINATOR_SWEEP_H

#include "coordinator/graph.h"
#include "coordinator/plan.h"
#include "sql/db.h"

enum sweep_state { SWEEP_RUNNING, SWEEP_DONE, SWEEP_FAILED, SWEEP_CANCELLED };
const char *sweep_state_name(enum sweep_state s);

enum rep_state { REP_UNTRIED, REP_CHOSEN, REP_MEASURED, REP_FAILED };

struct stored_task { /* how a task of the plan stands in the database; id 0 = it is not there */
    uint64_t id, epoch;
    uint32_t attempt;
    enum task_state state;
    int charged, round;
    bool cached, cancel_wanted;
    char *worker_id;
    uint8_t failures[8];
};

/* Everything about one sweep that the database knows. Made on the database thread, merged on the loop thread. */
struct stored_sweep {
    int refs; /* further holders: stored_sweep_destroy frees with the last one (loop thread) */
    int64_t id;
    struct plan *plan;
    char *config_digest;
    enum sweep_state state;
    int64_t *representation_ids, *benchmark_ids; /* by plan index */
    struct stored_task *tasks;                   /* by plan index */
    double *value;                               /* by plan index: a, c or performance; NaN */
    struct task_artifact **artifacts;            /* by plan index */
    size_t *n_artifacts;
    double gpu_seconds; /* measured so far, of what was not found in the cache */
    int round;          /* the newest; 0 = none yet */
    bool round_open;
    bool finished;  /* the final round is stored... */
    char note[200]; /* of the newest round */
    bool revived;   /* ...but this submission tries again what had failed, so another one follows */
    size_t *chosen; /* every representation chosen so far, in order */
    int *chosen_round;
    size_t n_chosen;
    bool all_new; /* the submission found neither the sweep nor any of its tasks */
};
void stored_sweep_destroy(struct stored_sweep *s);
DEFINE_CLEANUP(stored_sweep_destroy, struct stored_sweep *)

struct sweep {
    struct stored_sweep *stored; /* ids and plan; its task states are as of loading */
    const struct plan *plan;     /* = stored->plan */
    int64_t id;
    enum sweep_state state;
    struct task **tasks; /* by plan index; NULL = not chosen, or its scores not asked for, yet */
    double *value;       /* by plan index, as results come */
    enum rep_state *reps;
    size_t open_now;    /* scores, and what they need, that are in the database and have not ended */
    size_t open_floors; /* the same of floors, and their fine-tunes: the end of the sweep waits for them, rounds do not */
    double gpu_seconds; /* measured, for policy.budget.gpu_hours */
    int round;
    bool round_open, busy, dirty; /* busy: a policy job is with the database */
    char note[240];
    struct sweep *next;
};
void sweep_destroy(struct sweep *s);

/* ---- store_sweep.c and, from store_round() on, store_round.c: on the database thread ---- */

struct submission { /* what a client sent... */
    char *config, *place;
    char **file_names, **file_texts;
    size_t n_files;
    /* ...and what the store adds where content is identified (store_submission.c) */
    char *looks, *before;
    char **content_names, **content_digests;
    size_t n_content;
};
void submission_free(struct submission *s);
static inline UNUSED void submission_free_cleanup(struct submission *s)
{
    submission_free(s);
}

/* Plan the text and write what is new of it, in one transaction; then load it as it stands. A sweep of the same name
 * and config goes on; another config replaces its plan and starts its rounds anew (results stay shared). A sweep that
 * names an artifacts.store other than `store` is refused. Where content has to be identified first, what comes back has
 * these tasks only, and the rest of the database is as it was. */
struct stored_sweep *store_submit(struct db *d, struct submission *s, const char *store, struct err *e);
/* The whole plan of a sweep whose content is identified: `digests` in the order of its tasks. */
struct stored_sweep *store_replan(struct db *d, const struct stored_sweep *s, const char *const *digests,
                                  const char *store, struct err *e);
/* Load a running sweep at take-over. */
struct stored_sweep *store_load(struct db *d, int64_t sweep_id, struct err *e);
/* Ids of the running sweeps; malloc'ed. */
MUST_USE int store_running(struct db *d, int64_t **ids, size_t *n, struct err *e);

/* One policy round as rows: fits, predictions, choices; and the deferred tasks of the chosen representations, and the tasks
 * behind the scores that it asks for, whose states come back in stored->tasks. `final` also ends the sweep; with `floors` it
 * brings the fine-tunes of these, and the sweep ends after them. */
struct round_rows;
MUST_USE int store_round(struct db *d, struct stored_sweep *s, const struct round_rows *r, struct err *e);
MUST_USE int store_round_measured(struct db *d, int64_t sweep_id, int round, struct err *e);
/* Whether the sweep is no longer running with this config: nothing may be written for it then. */
MUST_USE int store_is_stale(struct db *d, const struct stored_sweep *s, bool *stale, struct err *e);
MUST_USE int store_sweep_end(struct db *d, int64_t sweep_id, enum sweep_state state, const char *note, struct err *e);

/* Resources as the column task.resources has them: canonical JSON without what is 0; 200 bytes suffice. */
void store_resources_json(const struct plan_resources *r, char *text, size_t size);

struct policy_answer;
struct round_rows {
    int round;
    const char *mode;
    char observations[65]; /* digest of the observations the round was made from */
    const struct policy_answer *answer;
    bool final, floors; /* floors: some of their tasks have not ended, or not begun */
    char note[240];
};

#endif
