/* acsweep inspect: what a checkpoint is, and whether it can be computed with. Needs no libtorch: headers are enough. */
#include <limits.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "common/utf8.h"
#include "worker/data/preprocess.h"
#include "worker/model/inspect.h"

#define TEXT_MOST ((size_t)64 << 20)

static int add_problem(json_t *info, char *text, struct err *e)
{
    utf8_mend(text);
    if (json_array_append_new(json_object_get(info, "problems"), json_string(text)) < 0 ||
        json_object_set_new(info, "readable", json_false()) < 0)
        return FAIL_NOMEM(e);
    return 0;
}

/* Without its preprocessing a vision encoder cannot be used either. Other models have no tokens, and need none. */
static int check_preprocessor(const char *dir, json_t *info, struct err *e)
{
    char path[PATH_MAX];
    struct preprocess p;
    struct err why = { 0 };
    if (!json_object_get(info, "tokens"))
        return 0;
    snprintf(path, sizeof path, "%s/preprocessor_config.json", dir);
    return preprocess_load(path, NULL, &p, &why) < 0 ? add_problem(info, why.text, e) : 0;
}

static int run_inspect(const struct opts *o, struct err *e)
{
    AUTO(json_decref) json_t *info = inspect_checkpoint(opts_arg(o, 0), e);
    if (!info || check_preprocessor(opts_arg(o, 0), info, e) < 0)
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
    .details = "Reads config.json, preprocessor_config.json and the headers of the safetensors files, never the weights. Exit "
               "code 3, with every problem listed, when acsweep cannot compute with it.",
    .options = { cli_json_options },
    .run = run_inspect,
};
