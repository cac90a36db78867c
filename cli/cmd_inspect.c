/* acsweep inspect: what a checkpoint is, and whether it can be computed with. Needs no libtorch: headers are enough. */
#include "cli/commands.h"
#include "cli/output.h"
#include "worker/model/inspect.h"

#define TEXT_MOST ((size_t)64 << 20)

static int run_inspect(const struct opts *o, struct err *e)
{
    AUTO(json_decref) json_t *info = inspect_checkpoint(opts_arg(o, 0), e);
    if (!info)
        return -1;
    if (opts_flag(o, "json")) {
        TRY(out_json(json_incref(info), e));
    } else {
        AUTO(buf_free) struct buf text = BUF_INIT(TEXT_MOST);
        inspect_text(info, &text);
        TRY(buf_check(&text, "the description", e));
        fputs(buf_text(&text), stdout);
    }
    return json_is_true(json_object_get(info, "readable")) ? 0 : err_exit_code(ERR_INPUT);
}

const struct cmd cmd_inspect = {
    .name = "inspect",
    .summary = "Tell what a checkpoint holds, and what is wrong with it",
    .args = "CHECKPOINT_DIR",
    .details = "Reads config.json and the headers of the safetensors files, never the weights. Exit code 3, with every "
               "problem listed, when acsweep cannot compute with it.",
    .options = { cli_json_options },
    .run = run_inspect,
};
