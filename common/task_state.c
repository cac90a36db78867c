#include "common/task_state.h"

#include <string.h>

#include "common/own.h"

static const struct {
    const char *name, *stored;
} states[TASK_STATES] = {
    [TASK_PENDING] = { "pending", "pending" }, [TASK_READY] = { "ready", "pending" },
    [TASK_LEASING] = { "leasing", "pending" }, [TASK_LEASED] = { "leased", "leased" },
    [TASK_ENDING] = { "ending", "leased" },    [TASK_DONE] = { "done", "done" },
    [TASK_FAILED] = { "failed", "failed" },    [TASK_CANCELLED] = { "cancelled", "cancelled" },
};

static const struct task_move {
    enum task_state from;
    enum task_event on;
    enum task_state to;
    const char *why;
} moves[] = {
    { TASK_PENDING, EV_INPUTS_DONE, TASK_READY, "every input is done" },
    { TASK_PENDING, EV_STORED_FAILED, TASK_FAILED, "an input failed for good" },
    { TASK_PENDING, EV_CANCELLED, TASK_CANCELLED, "cancelled before it started" },
    { TASK_READY, EV_ASSIGNED, TASK_LEASING, "a worker has a free slot" },
    { TASK_READY, EV_CANCELLED, TASK_CANCELLED, "cancelled before it started" },
    { TASK_LEASING, EV_LEASE_STORED, TASK_LEASED, "the lease is durable" },
    { TASK_LEASED, EV_OUTCOME_IN, TASK_ENDING, "the outcome came in, or the lease ran out" },
    { TASK_ENDING, EV_STORED_DONE, TASK_DONE, "the result is committed" },
    { TASK_ENDING, EV_STORED_RETRY, TASK_PENDING, "another attempt follows" },
    { TASK_ENDING, EV_STORED_FAILED, TASK_FAILED, "failed for good" },
    { TASK_ENDING, EV_CANCELLED, TASK_CANCELLED, "cancelled while it ran" },
    { TASK_FAILED, EV_REVIVED, TASK_PENDING, "tried again by request" },
    { TASK_CANCELLED, EV_REVIVED, TASK_PENDING, "tried again by request" },
};

bool task_state_next(enum task_state from, enum task_event on, enum task_state *to, const char **why)
{
    for (size_t i = 0; i < ARRAY_LEN(moves); i++)
        if (moves[i].from == from && moves[i].on == on) {
            *to = moves[i].to;
            if (why)
                *why = moves[i].why;
            return true;
        }
    return false;
}

const char *task_state_name(enum task_state s)
{
    return states[s].name;
}

const char *task_state_stored(enum task_state s)
{
    return states[s].stored;
}

bool task_state_of_stored(const char *name, enum task_state *out)
{
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (strcmp(states[i].name, name) == 0 && strcmp(states[i].stored, name) == 0) {
            *out = (enum task_state)i;
            return true;
        }
    return false;
}

bool task_state_terminal(enum task_state s)
{
    return s == TASK_DONE || s == TASK_FAILED || s == TASK_CANCELLED;
}
