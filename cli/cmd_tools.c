/* acsweep extract, generate, evaluate and train, done by acsweep-exec, where libtorch is; acsweep world, done by acsweep-world,
 * where FreeType is. This program only reads the command line. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/programs.h"
#include "worker/tool/tool_options.h"
#include "world/world_options.h"

/* Become another program, with the same command. */
static int become(const struct opts *o, const char *name, const char *missing, struct err *e)
{
    char path[PATH_MAX];
    if (!program_find(name, path, sizeof path))
        return FAIL(e, ERR_ENV, "%s is neither beside acsweep nor in PATH; %s", name, missing);
    AUTO(opts_argv_free) char **argv = opts_argv(o, path, e);
    if (!argv)
        return -1;
    execv(path, argv);
    return FAIL(e, ERR_ENV, "cannot start %s: %s", path, strerror(errno));
}

static int hand_over(const struct opts *o, struct err *e)
{
    return become(o, "acsweep-exec", "it computes; install it too", e);
}

static int hand_over_world(const struct opts *o, struct err *e)
{
    return become(o, "acsweep-world", "it draws; install libfreetype-dev and build again", e);
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

const struct cmd cmd_world = {
    .name = WORLD_NAME,
    .summary = world_summary,
    .details = world_details,
    .options = { world_options },
    .run = hand_over_world,
};
