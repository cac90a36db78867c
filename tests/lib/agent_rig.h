/* The real acsweep-worker against a coordinator that a test plays: a directory, a ROUTER, one worker. */
#ifndef ACSWEEP_TESTS_AGENT_RIG_H
#define ACSWEEP_TESTS_AGENT_RIG_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/wire.h"
#include "tests/lib/made_task.h"

#define RIG_PATIENCE_MS 60000

struct rig {
    char dir[64], endpoint[256], peer[256];
    size_t peer_len;
    void *zmq, *router;
    pid_t worker;
    uint64_t grace_ms;       /* disconnect_grace in our Welcome, 0 = a minute */
    const char *store;       /* in our Welcome, with a challenge file of ours; NULL = none */
    const char *options[16]; /* more options of the worker, NULL at the end */
};

/* cmocka fixtures: without options; rig_setup_idle starts no worker yet. */
int rig_setup(void **state);
int rig_setup_idle(void **state);
int rig_teardown(void **state);

void rig_bind(struct rig *w);
void rig_unbind(struct rig *w);
void rig_start_worker(struct rig *w);
/* Its wait status. */
int rig_worker_exit(struct rig *w);
/* SIGKILL the agent and all its execs, the execs first stopped so that they cannot clean up. */
void rig_kill_all(struct rig *w);

/* The next message of the worker, or NULL after the wait. */
envelope *rig_receive(struct rig *w, long wait_ms);
/* Wait for a body, passing over all others. */
envelope *rig_expect(struct rig *w, Acsweep__Envelope__BodyCase body);
/* The result of a task, which must be the only one in its message. */
Acsweep__Result *rig_expect_result(struct rig *w, uint64_t task, envelope **m);
/* Hello, Welcome. */
void rig_join(struct rig *w);
void rig_welcome(struct rig *w, Acsweep__Token *fenced);

void rig_send(struct rig *w, envelope *m);
void rig_assign(struct rig *w, const struct made_task *t);
/* Executor fake with this JSON object. */
void rig_assign_fake(struct rig *w, uint64_t task, const char *fake);
/* A program of executor `command`, as a JSON list of words, with a time limit (0 = none). */
void rig_assign_command(struct rig *w, uint64_t task, const char *argv, uint64_t limit_ms);
void rig_ack(struct rig *w, uint64_t task, uint32_t attempt, Acsweep__Verdict verdict);
void rig_cancel(struct rig *w, uint64_t task, const char *reason);
void rig_drain(struct rig *w, uint64_t grace_ms);

size_t rig_history(struct rig *w, const char *needle);
bool rig_wait_history(struct rig *w, const char *needle, size_t n);
/* A path below the rig's directory is there, or not, within our patience. */
bool rig_wait_path(struct rig *w, const char *path, bool there);

/* Living processes whose command line is exactly `words` (each ended by NUL); and that it comes to be so many. */
int rig_processes(const char *words, size_t len);
bool rig_comes_to(const char *words, size_t len, int want);

#endif
