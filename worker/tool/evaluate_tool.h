/* `acsweep evaluate`: a model's answers to a benchmark, and its numbers, without a coordinator. */
#ifndef ACSWEEP_WORKER_TOOL_EVALUATE_TOOL_H
#define ACSWEEP_WORKER_TOOL_EVALUATE_TOOL_H

#include "common/opts.h"

int tool_evaluate(const struct opts *o, struct err *e);

#endif
