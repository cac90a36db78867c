/* Weights that a training begins with. */
#ifndef ACSWEEP_WORKER_PRETRAIN_FRESH_H
#define ACSWEEP_WORKER_PRETRAIN_FRESH_H

#include "worker/model/params.h"

/* The deviation 0.02 of large models leaves narrow ones nearly deaf: matrices between layers of a model that
 * params_fresh made get 1 / sqrt(3 inputs), as torch.nn.Linear begins with. Embeddings, positions and the head keep
 * theirs. Errors are the thread's. */
void fresh_widen(struct params *p);

#endif
