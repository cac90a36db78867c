/* Inside worker/train: the trainer, for its three files. */
#ifndef ACSWEEP_WORKER_TRAIN_TRAINER_IMPL_H
#define ACSWEEP_WORKER_TRAIN_TRAINER_IMPL_H

#include "worker/model/vlm.h"
#include "worker/torch/th_train.h"
#include "worker/train/adapter.h"
#include "worker/train/feed.h"
#include "worker/train/trainer.h"

struct trained {
    char name[128];
    struct tensor *value; /* the model's */
};

struct trainer {
    struct train_job job;
    int rank, size;
    struct th_dist *group;
    struct th_device device;

    struct chat_set *data;
    struct tokenizer *tokenizer;
    struct representation *representation;
    int64_t picture_tokens;
    bool sees; /* pictures: not all features come from files */
    struct vlm *model;
    struct adapter *adapter; /* with LoRA */

    struct trained *trained; /* in the same order in every process */
    size_t n_trained;
    struct th_optim *optim;

    size_t n_samples;
    int64_t steps, step, resumed; /* of the whole training; done; done before */
    char config[DIGEST_HEX_SIZE]; /* of everything that decides the numbers */
    struct feed *feed;
    int64_t saved_at; /* ns */
};

/* train_step.c: forward and backward passes, update; *s is filled in but for the time. `flags` are summed over the
 * processes on the way. */
MUST_USE int trainer_step(struct trainer *t, struct train_step *s, double flags[2], struct err *e);

/* Samples of the feed that a step takes at a time. */
int64_t trainer_taken(const struct trainer *t);

/* train_state.c */
MUST_USE int trainer_config(struct trainer *t, struct err *e);
/* Write a checkpoint, together with the other processes. */
MUST_USE int trainer_checkpoint(struct trainer *t, struct err *e);
/* Go on from the newest one, if there is any. */
MUST_USE int trainer_resume(struct trainer *t, struct err *e);

#endif
