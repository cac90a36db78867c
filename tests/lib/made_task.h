/* An Assign message of one task or a bundle, for tests that play the coordinator or the agent. */
#ifndef ACSWEEP_TESTS_MADE_TASK_H
#define ACSWEEP_TESTS_MADE_TASK_H

#include "common/wire.h"

#define MADE_IDENTITY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct made_task { /* what is 0 or NULL has a sensible value */
    uint64_t task, epoch;
    uint32_t attempt;
    const char *executor, *kind, *params;
    uint64_t time_limit_ms;
    uint32_t gpus, slot;
    Acsweep__InputRef **inputs;
    size_t n_inputs;
};

Acsweep__Token made_token(uint64_t task, uint32_t attempt);
/* Make the message, valid during the call only. */
void made_task_send(const struct made_task *t, void (*send)(envelope *m, void *arg), void *arg);
/* The same for `n` tasks, MADE_MOST at most, as one bundle. */
#define MADE_MOST 64
void made_bundle_send(const struct made_task *t, size_t n, void (*send)(envelope *m, void *arg), void *arg);

#endif
