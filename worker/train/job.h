/* One training as a whole: the recipe, where everything lies, and how the work is shared. As JSON it goes to the
 * processes that take part (processes.h).
 *
 * Paths, samples on a device, processes, threads and the time between checkpoints never change a number, except for the
 * order in which sums are made. */
#ifndef ACSWEEP_WORKER_TRAIN_JOB_H
#define ACSWEEP_WORKER_TRAIN_JOB_H

#include "common/digest.h"
#include "worker/extract/representation.h"
#include "worker/train/recipe.h"

#define TRAIN_MEMBERS_MAX 32

struct train_job {
    struct train_recipe recipe;

    const char *llm;       /* directory of the decoder and its tokenizer */
    const char *connector; /* what to begin with (connector.h); NULL: at random, by the recipe's seed */
    const char *data;      /* LLaVA's JSON (chat_set.h) */
    const char *images;    /* directory that its pictures are below; not needed where all members have features */
    struct representation_member members[TRAIN_MEMBERS_MAX];
    size_t n_members;
    int64_t grid;              /* of the representation; 0 = the finest member's */
    enum th_dtype features;    /* type that tokens are rounded to */

    int64_t device_batch; /* samples computed at a time, a part of a chunk or whole ones; 0 = a chunk */
    bool recompute;       /* blocks of the decoder are computed again in the backward pass: gradient checkpointing */
    int64_t max_steps;    /* stop after so many, with the schedule of the whole training; 0 = no limit */
    unsigned threads;     /* for each process: of an operation, and that decode ahead; 0 = one */
    int processes;        /* on this node, one for each device */
    struct th_device devices[16];

    const char *checkpoints; /* directory; NULL: nothing is saved, and nothing is gone on with */
    int64_t save_every_ns;   /* 0: only when it is stopped */
    int64_t save_every_steps; /* the same by steps, for tests; 0: never */
};

struct train_job train_job_default(enum train_stage stage);
/* ERR_INPUT names what is missing or does not fit together. */
MUST_USE int train_job_check(struct train_job *j, struct err *e);
/* The job as JSON (new reference), and back. Texts of a job that was read live in `from`; train_job_free frees the rest of
 * it, and is for such jobs only. */
json_t *train_job_json(const struct train_job *j);
MUST_USE int train_job_read(struct train_job *j, const json_t *from, struct err *e);
void train_job_free(struct train_job *j);

#endif
