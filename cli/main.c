/* acsweep: the table of commands. A new command: define its `struct cmd` in one file, name it in commands.h, add it here. */
#include "cli/commands.h"

#include <jansson.h>
#include <libpq-fe.h>
#include <string.h>
#include <zmq.h>

#include "cli/output.h"
#include "common/log.h"
#include "common/wire.h"

/* ---- version ---------------------------------------------------------------------------------------------------- */

static int run_version(const struct opts *o, struct err *e)
{
    int major, minor, patch, pq = PQlibVersion();
    char zmq[32], libpq[32];
    zmq_version(&major, &minor, &patch);
    snprintf(zmq, sizeof zmq, "%d.%d.%d", major, minor, patch);
    snprintf(libpq, sizeof libpq, "%d.%d", pq / 10000, pq % 10000);
    if (!opts_flag(o, "json")) {
        printf("acsweep %s (protocol %d, zmq %s, libpq %s)\n", ACSWEEP_VERSION, WIRE_VERSION, zmq, libpq);
        return 0;
    }
    return out_json(json_pack("{s:s, s:i, s:s, s:s}", "version", ACSWEEP_VERSION, "protocol", WIRE_VERSION, "zmq", zmq,
                              "libpq", libpq),
                    e);
}

const struct cmd cmd_version = {
    .name = "version",
    .summary = "Print the version of the program, of the protocol and of the libraries",
    .options = { cli_json_options },
    .run = run_version,
};

/* ---- completion ------------------------------------------------------------------------------------------------- */

static int run_completion_bash(const struct opts *o, struct err *e)
{
    (void)e;
    opts_print_completion(stdout, opts_root(o));
    return 0;
}

static const struct cmd cmd_completion_bash = {
    .name = "bash",
    .summary = "Print the completion script for bash",
    .details = "Try it in the running shell, or keep it:\n"
               "  source <(acsweep completion bash)\n"
               "  acsweep completion bash > ~/.local/share/bash-completion/completions/acsweep",
    .run = run_completion_bash,
};
const struct cmd cmd_completion = {
    .name = "completion",
    .summary = "Print a completion script for the shell",
    .sub = (const struct cmd *const[]){ &cmd_completion_bash, NULL },
};

/* ---- the program ------------------------------------------------------------------------------------------------ */

static const struct cmd *const commands[] = {
    /* in the order in which people need them */
    &cmd_plan,
    &cmd_run,
    &cmd_replay,
    &cmd_submit,
    &cmd_status,
    &cmd_watch,
    &cmd_rank,
    &cmd_explain,
    &cmd_retry,
    &cmd_cancel,
    &cmd_workers,
    &cmd_drain,
    &cmd_policy,
    &cmd_inspect,
    &cmd_extract,
    &cmd_generate,
    &cmd_train,
    &cmd_evaluate,
    &cmd_convert,
    &cmd_world,
    &cmd_score,
    &cmd_report,
    &cmd_sql,
    &cmd_db,
    &cmd_keygen,
    &cmd_keys,
    &cmd_doctor,
    &cmd_completion,
    &cmd_version,
    NULL,
};

static const struct cmd acsweep = {
    .name = "acsweep",
    .summary = "Find the best vision representation for a multimodal language model with as few fine-tunes as possible",
    .sub = commands,
    .details = "Exit codes: 0 done, 1 some task failed for good, 2 wrong command line, 3 bad input, 4 something is missing "
               "in the environment, 5 interrupted (run it again to go on).",
};

/* What people type first: `acsweep --version`, `acsweep help`, `acsweep help COMMAND`. argv[argc] is room: it holds NULL. */
static void understand(int argc, char **argv)
{
    static char version[] = "version", help[] = "--help";
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    if (argc < 2 || strcmp(argv[1], "help") != 0)
        return;
    memmove(&argv[1], &argv[2], (size_t)(argc - 2) * sizeof *argv);
    argv[argc - 1] = help;
}

int main(int argc, char **argv)
{
    understand(argc, argv);
    log_setup("acsweep", LOG_ERROR, LOG_LOGFMT); /* what matters reaches people as the error of a command */
    return opts_main(&acsweep, argc, argv);
}
