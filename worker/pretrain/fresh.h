/* Weights that a training begins with. */
#ifndef ACSWEEP_WORKER_PRETRAIN_FRESH_H
#define ACSWEEP_WORKER_PRETRAIN_FRESH_H

#include "worker/model/params.h"

/* The deviation 0.02 of large models leaves narrow ones nearly deaf: matrices between layers of a model that
 * params_fresh made get 1 / sqrt(3 inputs), as torch.nn.Linear begins with. Embeddings, positions and the head keep
 * theirs. Errors are the thread's. */
void fresh_widen(struct params *p);
/* A decoder of LLaMA's names, made by params_fresh: widened, and so that a small model finds within hundreds of steps how to
 * repeat what it was told, or which option equals an answer, instead of within many thousands:
 *   - keys begin as queries do, so that each token attends to those that are like it (Trockman and Kolter, "Mimetic
 *     Initialization of Self-Attention Layers", ICML 2023), where heads have keys of their own;
 *   - what layers add begins smaller by sqrt(2 layers) (Radford et al., "Language Models are Unsupervised Multitask
 *     Learners", 2.3) and embeddings and head larger, so that tokens are still heard behind the
 *     layers, and the head hears them.
 * Errors are the thread's. */
void fresh_decoder(struct params *p, int64_t layers);

#endif
