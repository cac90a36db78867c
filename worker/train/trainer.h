/* A training at work, in one process: frozen encoders, connector, decoder, data, optimiser. Several processes of one node
 * make one training when each is given its rank and their group (processes.h).
 *
 *     AUTO(trainer_close) struct trainer *t = trainer_open(&job, 0, NULL, e);
 *     TRY(trainer_run(t, &hooks, &ended, e));
 *     if (ended == TRAINER_DONE)
 *         TRY(trainer_save(t, dir, e));
 *
 * With a directory for checkpoints, trainer_open goes on from the newest whole one there, to the same weights, bit for
 * bit, as if nothing had happened: on the CPU with one thread; elsewhere as far as libtorch's own kernels repeat
 * themselves. Nothing random is drawn once a training has begun, so what a checkpoint holds is weights that train, the
 * optimiser's state, and the number of steps. It may be gone on with by another number of processes. */
#ifndef ACSWEEP_WORKER_TRAIN_TRAINER_H
#define ACSWEEP_WORKER_TRAIN_TRAINER_H

#include "worker/torch/th_dist.h"
#include "worker/train/job.h"

struct trainer;

/* `job` is checked, and its texts must stay valid. `group`: NULL for one process. ERR_INPUT when the parts do not fit
 * together, or when the checkpoints are of another training. */
struct trainer *trainer_open(const struct train_job *job, int rank, struct th_dist *group, struct err *e);
void trainer_close(struct trainer *t);
DEFINE_CLEANUP(trainer_close, struct trainer *)

/* What a step was, over all processes. */
struct train_step {
    int64_t step, steps;  /* it is the step-th, from 1, of steps */
    double loss;          /* before the step */
    double learning_rate, grad_norm; /* the norm before clipping */
    int64_t tokens;       /* pictures' and text's, without padding */
    double seconds;
};

struct trainer_hooks {
    /* After every step, in process 0 only; -1 ends the training. May be NULL. */
    int (*step)(void *arg, const struct train_step *s, struct err *e);
    /* Asked before every step, in every process: should it stop? One yes is enough. May be NULL. */
    bool (*stop)(void *arg);
    void *arg;
};

enum trainer_end {
    TRAINER_DONE,
    TRAINER_STOPPED, /* it was asked to, and a checkpoint is written where the job names a directory for them */
};
/* Steps until the end, with a checkpoint every now and then. ERR_TASK when the loss is no number any more. */
MUST_USE int trainer_run(struct trainer *t, const struct trainer_hooks *hooks, enum trainer_end *end, struct err *e);

/* What the training made, into `dir`, which must exist; by process 0, nothing elsewhere. Stage 1: the connector
 * (connector.h). Stage 2: a whole model (vlm.h); with LoRA the connector and the adapter (adapter.h). */
MUST_USE int trainer_save(struct trainer *t, const char *dir, struct err *e);

/* Of how many numbers each part is, and where a checkpoint was found. */
struct trainer_facts {
    int64_t steps, resumed;       /* of the whole training; done before this process began */
    int64_t samples, trained, frozen; /* samples used; numbers of connector and decoder that train, and that do not */
    int64_t picture_tokens;
};
struct trainer_facts trainer_facts(const struct trainer *t);

#endif
