/* The small training of tests/golden/train as a job: for the tests of worker/train. */
#ifndef ACSWEEP_TESTS_LIB_TRAIN_CASE_H
#define ACSWEEP_TESTS_LIB_TRAIN_CASE_H

#include "worker/train/trainer.h"

/* The job of a case of expected.json ("stage1", "full", "lora"), in f32, on the CPU, and what it must come to (new
 * reference). Fails the test when the file cannot be read. */
json_t *train_case(const char *name, struct train_job *job);

/* Numbers of every step, as the hook keeps them. */
#define TRAIN_CASE_STEPS 20
struct train_log {
    struct train_step steps[TRAIN_CASE_STEPS + 1]; /* by step->step */
    int64_t stop_at; /* ask to stop when this step is done; 0: never */
    int64_t last;
    unsigned nap_us; /* slept after each step */
};
struct trainer_hooks train_log_hooks(struct train_log *log);

#endif
