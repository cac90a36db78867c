/* What a program under executor `command` is given: its arguments, its files, its directories. */
#ifndef ACSWEEP_WORKER_EXEC_COMMAND_TASK_H
#define ACSWEEP_WORKER_EXEC_COMMAND_TASK_H

#include "worker/exec/executor.h"

struct command_task {
    const struct exec_task *task;
    json_t *words, *environment; /* borrowed from the task's parameters */
    char *directory;             /* where it is started: as told, else `work` */
    uint64_t log_cap;
    /* made by command_task_prepare */
    char *work;                  /* SCRATCH/attempts/TASK.ATTEMPT-EPOCH: task.json, result.json, log, inputs/ */
    char *params, *result, *log, *out;
    char *checkpoint;            /* what earlier attempts saved is moved here, so that a fenced one cannot touch it */
    json_t *inputs;              /* name -> {"identity", "artifacts": {name: path}} */
    char **argv;
    size_t n_argv;
};

/* ERR_INPUT names the key that is wrong. */
MUST_USE int command_task_read(struct command_task *c, const struct exec_task *t, struct err *e);
/* Make directories, place the inputs, write task.json, fill in argv. */
MUST_USE int command_task_prepare(struct command_task *c, const char *out, struct err *e);
void command_task_free(struct command_task *c);
static inline UNUSED void command_task_free_cleanup(struct command_task *c)
{
    command_task_free(c);
}

#endif
