/* acsweep report: write the report of a sweep again, or while it runs. */
#include "cli/commands.h"

#include <stdlib.h>

#include "cli/output.h"
#include "cli/show.h"
#include "cli/state.h"
#include "report/report.h"

static int run_report(const struct opts *o, struct err *e)
{
    AUTO(reader_close) struct reader *r = reader_open(o, DB_READER, e);
    AUTO(state_close) struct state *s = r ? state_open(opts_text(o, "state"), false, e) : NULL;
    AUTO(free) char *sweep = s ? show_sweep_name(reader_db(r), opts_arg(o, 0), e) : NULL;
    AUTO(free) char *beside = sweep ? state_path(s, "report", e) : NULL;
    if (!beside)
        return -1;
    const char *dir = opts_text(o, "output") ? opts_text(o, "output") : beside;
    AUTO(buf_free) struct buf verdict = BUF_INIT(4096);
    TRY(report_write_truth(reader_db(r), sweep, dir, opts_text(o, "truth"), &verdict, e));
    if (opts_flag(o, "json"))
        return out_json(json_pack("{s:s, s:s}", "sweep", sweep, "directory", dir), e);
    printf("%sReport of sweep %s: %s/index.html\n", buf_text(&verdict), sweep, dir);
    return 0;
}

static const struct opt report_options[] = {
    CLI_TRUTH_OPTION,
    { .name = "output", .letter = 'o', .type = OPT_DIR, .value = "DIR", .help = "where to write (default: report/ in the state directory)" },
    { 0 },
};
const struct cmd cmd_report = {
    .name = "report",
    .summary = "Write the report of a sweep: one HTML page, JSON and CSV tables",
    .args = "[SWEEP]",
    .options = { report_options, cli_state_options, cli_database_options, cli_json_options },
    .details = "Without a name: the newest sweep. The page needs no network. It may be written while the sweep runs.\n"
               "With --truth it also says what the policy's choice lost, beside choices at random, and how well the law "
               "holds on all representations. Such a table comes from a sweep with policy.mode = \"exhaustive\":\n"
               "  acsweep sql --csv -c \"SELECT representation, benchmark, value FROM performances WHERE sweep = 'NAME'\"",
    .run = run_report,
};
