/* How long a training is and how fast it learns: by steps, which can be done again digit for digit, or by seconds. */
#ifndef ACSWEEP_WORKER_PRETRAIN_PACE_H
#define ACSWEEP_WORKER_PRETRAIN_PACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct pace {
    int64_t steps;  /* or 0 */
    double seconds; /* where steps is 0 */
    double rate;    /* the largest learning rate */
    int64_t report; /* steps between reports */
    /* what happened */
    int64_t step, began, reported; /* done; ns */
    double sum;                    /* of losses since the last report */
    int64_t summed;
    json_t *losses; /* [[step, mean since the one before], ...] */
};

/* From here on the first SIGINT or SIGTERM ends the training with ERR_INTERRUPTED at its next step, so that nothing is
 * left behind; the second ends the program at once. */
void pace_catch_signals(void);
MUST_USE int pace_begin(struct pace *p, struct err *e);
bool pace_goes_on(const struct pace *p);
/* The next step's learning rate: up over the first twentieth, then down along a cosine to nothing. */
double pace_rate(const struct pace *p);
/* A step was done; now and then a line on stderr. ERR_TASK for a loss that is no number. */
MUST_USE int pace_step(struct pace *p, double loss, struct err *e);
void pace_free(struct pace *p);
static inline UNUSED void pace_free_cleanup(struct pace *p)
{
    pace_free(p);
}

#endif
