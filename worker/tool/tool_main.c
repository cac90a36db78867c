#include "worker/tool/evaluate_tool.h"
#include "worker/tool/extract_tool.h"
#include "worker/tool/generate_tool.h"
#include "worker/tool/tool_options.h"
#include "worker/tool/train_tool.h"
#include "worker/train/processes.h"

#include <string.h>

static const struct cmd cmd_extract = {
    .name = TOOL_EXTRACT_NAME,
    .summary = tool_extract_summary,
    .args = TOOL_EXTRACT_ARGS,
    .details = tool_extract_details,
    .options = { tool_extract_options },
    .run = tool_extract,
};

static const struct cmd cmd_generate = {
    .name = TOOL_GENERATE_NAME,
    .summary = tool_generate_summary,
    .details = tool_generate_details,
    .options = { tool_generate_options },
    .run = tool_generate,
};

static const struct cmd cmd_evaluate = {
    .name = TOOL_EVALUATE_NAME,
    .summary = tool_evaluate_summary,
    .details = tool_evaluate_details,
    .options = { tool_evaluate_options },
    .run = tool_evaluate,
};

static const struct cmd cmd_stage1 = {
    .name = "stage1",
    .summary = tool_stage1_summary,
    .details = tool_train_details,
    .options = { tool_train_options },
    .run = tool_stage1,
};

static const struct cmd cmd_stage2 = {
    .name = "stage2",
    .summary = tool_stage2_summary,
    .details = tool_train_details,
    .options = { tool_train_options, tool_stage2_options },
    .run = tool_stage2,
};

static const struct cmd cmd_train = {
    .name = TOOL_TRAIN_NAME,
    .summary = tool_train_summary,
    .sub = (const struct cmd *const[]){ &cmd_stage1, &cmd_stage2, NULL },
};

static const struct cmd *const commands[] = { &cmd_extract, &cmd_generate, &cmd_evaluate, &cmd_train, NULL };

static const struct cmd tools = {
    .name = "acsweep",
    .summary = "The commands of acsweep that compute with libtorch",
    .sub = commands,
};

int tool_main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], TRAIN_RANK_COMMAND) == 0)
        return train_rank_main(argc, argv);
    return opts_main(&tools, argc, argv);
}
