/* acsweep convert: published benchmark files -> questions in acsweep's format. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "worker/benchmark/convert.h"

static const struct opt convert_options[] = {
    { .name = "from",
      .type = OPT_FILE,
      .value = "FILE",
      .required = true,
      .help = "the published file: TSV, JSON or JSONL" },
    { .name = "annotations", .type = OPT_FILE, .value = "FILE", .help = "okvqa: the file with the answers" },
    { .name = "out",
      .letter = 'o',
      .type = OPT_FILE,
      .value = "FILE",
      .required = true,
      .help = "write the questions here" },
    { .name = "images",
      .type = OPT_TEXT,
      .value = "DIR",
      .fallback = "images",
      .help = "where the pictures are, below the directory of --out; those in base64 are written there" },
    { .name = "split",
      .type = OPT_TEXT,
      .value = "NAME",
      .help = "only questions of this split; scienceqa: test unless given" },
    { 0 },
};

static int run_convert(const struct opts *o, struct err *e)
{
    struct convert_options c = { .family = benchmark_family_find(opts_arg(o, 0)),
                                 .from = opts_text(o, "from"),
                                 .annotations = opts_text(o, "annotations"),
                                 .out = opts_text(o, "out"),
                                 .images = opts_text(o, "images"),
                                 .split = opts_text(o, "split") };
    struct convert_counts n;
    if (!c.family)
        return FAIL(e, ERR_USAGE, "'%.40s' is no benchmark that can be converted; it must be one of %s", opts_arg(o, 0),
                    benchmark_family_names());
    if (c.annotations && c.family->kind != OKVQA)
        return FAIL(e, ERR_USAGE, "--annotations: only OKVQA has its answers in a file of their own");
    TRY(convert_benchmark(&c, &n, e));
    if (!opts_flag(o, "json")) {
        printf("%s: %zu questions of %s, %zu left out, %zu pictures written\n", c.out, n.questions, c.family->title,
               n.left_out, n.pictures);
        return 0;
    }
    return out_json(json_pack("{s:s, s:I, s:I, s:I}", "benchmark", c.family->name, "questions", (json_int_t)n.questions,
                              "left_out", (json_int_t)n.left_out, "pictures", (json_int_t)n.pictures),
                    e);
}

const struct cmd cmd_convert = {
    .name = "convert",
    .summary = "Make questions of a benchmark's published file",
    .args = "BENCHMARK",
    .details = "BENCHMARK is mmbench, mme, mmmu, okvqa, textvqa, vizwiz, scienceqa or seed; docs/benchmarks.md says "
               "which files "
               "are read. Parquet files go through tools/parquet_to_jsonl.py first. For example\n"
               "\n"
               "  acsweep convert mmbench --from mmbench_dev_en.tsv --out mmbench/q.jsonl\n"
               "\n"
               "writes mmbench/q.jsonl and the pictures to mmbench/images/.",
    .options = { convert_options, cli_json_options },
    .run = run_convert,
};
