/* The processes of one training on one node. Process 0 is whoever calls; the others are children, acsweep-exec with the
 * command `train-rank`, which get the job as a file and know nothing else. They end when process 0 does, in whatever way,
 * and leave signals to it. */
#ifndef ACSWEEP_WORKER_TRAIN_PROCESSES_H
#define ACSWEEP_WORKER_TRAIN_PROCESSES_H

#include "worker/train/trainer.h"

#define TRAIN_RANK_COMMAND "train-rank"

struct train_team;

/* Starts job->processes - 1 children, which meet in a directory made below `scratch`, and waits until they have come. With
 * one process there is no child and no group. */
struct train_team *train_team_start(const struct train_job *job, const char *scratch, struct err *e);
/* For trainer_open; NULL with one process. */
struct th_dist *train_team_group(const struct train_team *t);
/* After process 0 has done its part: waits for the others; ERR_ENV when one of them failed. */
MUST_USE int train_team_end(struct train_team *t, struct err *e);
/* When process 0 failed because of another one: *e becomes what that one said. Returns -1. */
int train_team_failed(struct train_team *t, struct err *e);
/* Kills who is still there. NULL is fine. */
void train_team_destroy(struct train_team *t);
DEFINE_CLEANUP(train_team_destroy, struct train_team *)

/* The main of a child: argv is {program, "train-rank", DIRECTORY, RANK}. Returns the exit code. */
int train_rank_main(int argc, char **argv);

#endif
