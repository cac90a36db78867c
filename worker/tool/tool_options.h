/* The options of the commands that compute, shared by the command line, which parses, explains and completes them, and
 * by acsweep-exec, which does the work: one table, two programs. */
#ifndef ACSWEEP_WORKER_TOOL_TOOL_OPTIONS_H
#define ACSWEEP_WORKER_TOOL_TOOL_OPTIONS_H

#include "common/opts.h"

extern const struct opt tool_extract_options[];
#define TOOL_EXTRACT_NAME "extract"
#define TOOL_EXTRACT_ARGS "[FILE...]"
extern const char tool_extract_summary[], tool_extract_details[];

extern const struct opt tool_generate_options[];
#define TOOL_GENERATE_NAME "generate"
extern const char tool_generate_summary[], tool_generate_details[];

extern const struct opt tool_evaluate_options[];
#define TOOL_EVALUATE_NAME "evaluate"
extern const char tool_evaluate_summary[], tool_evaluate_details[];

extern const struct opt tool_train_options[], tool_stage2_options[];
#define TOOL_TRAIN_NAME "train"
extern const char tool_train_summary[], tool_stage1_summary[], tool_stage2_summary[], tool_train_details[];

/* Is it the name of such a command? Also of one that is not for people: train-rank (worker/train/processes.h). */
bool tool_is(const char *name);

#endif
