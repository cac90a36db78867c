/* acsweep extract, generate, evaluate and train: done by acsweep-exec, where libtorch is. This program only reads the command
 * line. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/programs.h"
#include "worker/tool/tool_options.h"

/* Become acsweep-exec, with the same command. */
static int hand_over(const struct opts *o, struct err *e)
{
    char path[PATH_MAX];
    if (!program_find("acsweep-exec", path, sizeof path))
        return FAIL(e, ERR_ENV, "acsweep-exec, which computes, is neither beside acsweep nor in PATH; install it too");
    AUTO(opts_argv_free) char **argv = opts_argv(o, path, e);
    if (!argv)
        return -1;
    execv(path, argv);
    return FAIL(e, ERR_ENV, "cannot start %s: %s", path, strerror(errno));
}

const struct cmd cmd_extract = {
    .name = TOOL_EXTRACT_NAME,
    .summary = tool_extract_summary,
    .args = TOOL_EXTRACT_ARGS,
    .details = tool_extract_details,
    .options = { tool_extract_options },
    .run = hand_over,
};

const struct cmd cmd_generate = {
    .name = TOOL_GENERATE_NAME,
    .summary = tool_generate_summary,
    .details = tool_generate_details,
    .options = { tool_generate_options },
    .run = hand_over,
};

const struct cmd cmd_evaluate = {
    .name = TOOL_EVALUATE_NAME,
    .summary = tool_evaluate_summary,
    .details = tool_evaluate_details,
    .options = { tool_evaluate_options },
    .run = hand_over,
};

static const struct cmd cmd_stage1 = {
    .name = "stage1",
    .summary = tool_stage1_summary,
    .details = tool_train_details,
    .options = { tool_train_options },
    .run = hand_over,
};

static const struct cmd cmd_stage2 = {
    .name = "stage2",
    .summary = tool_stage2_summary,
    .details = tool_train_details,
    .options = { tool_train_options, tool_stage2_options },
    .run = hand_over,
};

const struct cmd cmd_train = {
    .name = TOOL_TRAIN_NAME,
    .summary = tool_train_summary,
    .sub = (const struct cmd *const[]){ &cmd_stage1, &cmd_stage2, NULL },
};
