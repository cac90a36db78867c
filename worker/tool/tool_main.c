#include "worker/tool/extract_tool.h"
#include "worker/tool/generate_tool.h"
#include "worker/tool/tool_options.h"

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

static const struct cmd *const commands[] = { &cmd_extract, &cmd_generate, NULL };

static const struct cmd tools = {
    .name = "acsweep",
    .summary = "The commands of acsweep that compute with libtorch",
    .sub = commands,
};

int tool_main(int argc, char **argv)
{
    return opts_main(&tools, argc, argv);
}
