/* One task being made. Private to coordinator/plan_*.c: the kinds fill in a draft, draft_add() makes a task of it. */
#ifndef ACSWEEP_COORDINATOR_PLAN_DRAFT_H
#define ACSWEEP_COORDINATOR_PLAN_DRAFT_H

#include "coordinator/plan_build.h"

struct draft {
    enum plan_kind kind;
    json_t *identity, *execution; /* what makes the result; how to get there */
    json_t *inputs;               /* name -> identity, of those that are part of the identity */
    struct plan_input *inputs_of; /* all of them */
    size_t n_inputs, cap_inputs;
    char label[600];
};

struct draft draft_start(enum plan_kind kind);
void draft_free(struct draft *d);

/* object[key] = value (taken); NULL is left out. */
void draft_put(json_t *object, const char *key, json_t *value);
/* The draft needs the result of a task made before, and is another one with another result. */
MUST_USE int draft_input(struct plan_build *b, struct draft *d, size_t task, const char *name, struct err *e);
/* The same, but only to read what would else be computed again: no part of the identity. The name begins with
 * PLAN_CACHE_INPUT. */
MUST_USE int draft_cache_input(struct plan_build *b, struct draft *d, size_t task, const char *name, struct err *e);
/* A native executor checks that its node has this content; tasks of others take what is there under the name. */
void draft_checkpoint(struct plan_build *b, struct draft *d, size_t checkpoint);
void draft_image_set(struct plan_build *b, struct draft *d, size_t image_set);

/* Complete the draft into the next task. *out points into the plan; the caller sets the subject indices and the cost.
 */
MUST_USE int draft_add(struct plan_build *b, struct draft *d, struct plan_task **out, struct err *e);

/* Room for so many tasks. */
MUST_USE int draft_room(struct plan_build *b, size_t tasks, struct err *e);

#endif
