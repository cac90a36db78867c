/* acsweep replay: the paper's 13 x 8 table through the real machinery, with the recorded numbers in place of training. */
#include "cli/commands.h"

#include <limits.h>
#include <string.h>

#include "cli/paper_tables.h"
#include "cli/run.h"
#include "cli/submit.h"

static int print_tables(const char *sweep_path, struct err *e)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%.*slaw.csv", (int)(strrchr(sweep_path, '/') + 1 - sweep_path), sweep_path);
    AUTO(free) char *text = read_text_file(path, e);
    AUTO(policy_table_destroy) struct policy_table *t = text ? policy_table_parse(text, strlen(text), path, e) : NULL;
    if (!t)
        return -1;
    putchar('\n');
    return paper_tables_print(t, stdout, e);
}

/* The example beside the program: in the source tree it was built in, or where it was installed. */
static int find_example(char path[PATH_MAX], struct err *e)
{
    static const char *const places[] = { "/../../../examples/paper/sweep.cfg", "/../share/acsweep/examples/paper/sweep.cfg" };
    static const char *const fixed[] = { ACSWEEP_DATA_DIR "/examples/paper/sweep.cfg",
                                         ACSWEEP_SOURCE_DIR "/examples/paper/sweep.cfg" };
    char self[PATH_MAX], raw[2 * PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    for (size_t i = 0; n > 0 && i < ARRAY_LEN(places); i++) {
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        snprintf(raw, sizeof raw, "%s%s", self, places[i]);
        if (realpath(raw, path))
            return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        if (realpath(fixed[i], path))
            return 0;
    return FAIL(e, ERR_ENV, "examples/paper/sweep.cfg is neither beside the program nor in %s; install acsweep again, or use "
                "'acsweep run' with a path", ACSWEEP_DATA_DIR);
}

static int run_replay(const struct opts *o, struct err *e)
{
    char path[PATH_MAX];
    TRY(find_example(path, e));
    int code = run_sweep(o, path, e);
    if (code == 0)
        TRY(print_tables(path, e));
    return code;
}

const struct cmd cmd_replay = {
    .name = "replay",
    .summary = "Go through the paper's 13 representations and 8 benchmarks with the recorded results",
    .options = { run_options, cli_state_options, cli_database_options },
    .details = "As 'acsweep run' of examples/paper/sweep.cfg: a real sweep in which only training is replaced by the "
               "published numbers. Then Tables 1 and 3 of the paper are computed anew and shown beside the published ones.",
    .run = run_replay,
};
