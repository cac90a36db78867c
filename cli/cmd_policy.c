/* acsweep policy fit | simulate | tables: the method on any table, without a database. */
#include "cli/commands.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "cli/output.h"
#include "cli/paper_tables.h"
#include "cli/policy_json.h"
#include "common/parse.h"

#define DATA_OPTION                                                                                                   \
    {                                                                                                                 \
        .name = "data", .type = OPT_FILE, .value = "FILE.csv", .required = true,                                      \
        .help = "table with the header representation,c,a:<benchmark>...,perf:<benchmark>... (c:<benchmark> where a " \
                "benchmark has a C of its own); an empty cell is not measured"                                        \
    }

/* The whole file, or as much of it as shows that it is too long. */
static struct policy_table *load_table(const char *path, struct err *e)
{
    AUTO(fclose) FILE *f = fopen(path, "rb");
    AUTO(free) char *text = malloc(POLICY_MAX_CSV + 1);
    if (!f)
        return FAIL_NULL(e, ERR_INPUT, "%s: %s; give the path of a CSV table", path, strerror(errno));
    if (!text)
        return FAIL_NOMEM(e), NULL;
    size_t len = fread(text, 1, POLICY_MAX_CSV + 1, f);
    if (ferror(f))
        return FAIL_NULL(e, ERR_INPUT, "%s: %s; give the path of a CSV table", path, strerror(errno));
    return policy_table_parse(text, len, path, e);
}

/* A cell: the number, or "-" for null. */
static const char *cell(char *buf, size_t size, const json_t *v, double scale, int digits)
{
    if (!json_is_number(v))
        return NULL;
    snprintf(buf, size, "%.*f", digits, scale * json_number_value(v));
    return buf;
}

/* ---- fit -------------------------------------------------------------------------------------------------------- */

static const struct opt fit_options[] = {
    DATA_OPTION,
    { .name = "columns",
      .type = OPT_CHOICE,
      .value = "WHICH",
      .choices = "a|c|ac",
      .fallback = "ac",
      .help = "scores that the law uses" },
    { .name = "degree",
      .type = OPT_INT,
      .value = "N",
      .fallback = "2",
      .lo = 1,
      .hi = 2,
      .help = "degree of the polynomial" },
    { .name = "train",
      .type = OPT_TEXT,
      .value = "REP,REP",
      .help = "fit on these representations only; default: all" },
    { .name = "normalise",
      .type = OPT_CHOICE,
      .value = "HOW",
      .choices = "whole|train",
      .fallback = "whole",
      .help = "range of the performances: of the whole table, or of the fitted representations" },
    { .name = "group",
      .type = OPT_TEXT,
      .many = true,
      .value = "NAME=BENCH,BENCH",
      .help = "also print the means over these benchmarks" },
    { 0 },
};

static int mark_train(const struct policy_table *t, const char *list, bool *train, struct err *e)
{
    AUTO(free) char *names = strdup(list);
    if (!names)
        return FAIL_NOMEM(e);
    char *rest = names, *name;
    size_t r, n = 0;
    for (; (name = parse_next_word(&rest, ',')); n++) {
        if (policy_table_find_representation(t, name, &r, e) < 0)
            return err_wrap(e, "--train");
        train[r] = true;
    }
    return n > 0 ? 0 : FAIL(e, ERR_USAGE, "--train names no representation; leave it out to fit on all of them");
}

static int print_fit_row(struct table *out, const char *name, const json_t *fit, struct err *e)
{
    static const char *const keys[] = { "r2", "r2_adjusted", "r2_loo", "spearman" };
    static const char *const terms[] = { "a", "c", "a2", "ac", "c2" };
    char text[11][32];
    const char *cells[12] = { name };
    size_t n = 1;
    cells[n++] = cell(text[0], sizeof *text, json_object_get(fit, "n_train"), 1, 0);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++, n++)
        cells[n] = cell(text[n - 1], sizeof *text, json_object_get(fit, keys[i]), 1, 4);
    cells[n] = cell(text[n - 1], sizeof *text, json_object_get(fit, "intercept"), 1, 4);
    n++;
    for (size_t i = 0; i < ARRAY_LEN(terms); i++, n++)
        cells[n] =
            cell(text[n - 1], sizeof *text, json_object_get(json_object_get(fit, "coefficients"), terms[i]), 1, 4);
    return table_add(out, cells, e);
}

static int print_fit(const json_t *all, struct err *e)
{
    static const char *const columns[] = { "benchmark", "n", "R2", "adjusted", "left out", "Spearman",
                                           "1",         "a", "c",  "a2",       "ac",       "c2" };
    AUTO(table_free) struct table *out = table_create(columns, ARRAY_LEN(columns), e);
    if (!out)
        return -1;
    size_t i;
    json_t *fit;
    const char *name;
    json_array_foreach(json_object_get(all, "benchmarks"), i, fit)
        TRY(print_fit_row(out, json_string_value(json_object_get(fit, "name")), fit, e));
    json_object_foreach(json_object_get(all, "groups"), name, fit) TRY(print_fit_row(out, name, fit, e));
    table_print(out, stdout);
    return 0;
}

static int print_and_drop(json_t *all, const struct opts *o, int (*print)(const json_t *, struct err *), struct err *e)
{
    if (!all)
        return -1;
    if (opts_flag(o, "json"))
        return out_json(all, e);
    int rc = print(all, e);
    json_decref(all);
    return rc;
}

static int run_fit(const struct opts *o, struct err *e)
{
    AUTO(policy_table_destroy) struct policy_table *t = load_table(opts_text(o, "data"), e);
    if (!t)
        return -1;
    AUTO(free) bool *train = calloc(policy_table_representations(t), sizeof *train);
    if (!train)
        return FAIL_NOMEM(e);
    const char *which = opts_text(o, "columns");
    struct policy_fit_options fit = {
        .shape = { strcmp(which, "ac") == 0  ? POLICY_COLUMNS_AC
                   : strcmp(which, "a") == 0 ? POLICY_COLUMNS_A
                                             : POLICY_COLUMNS_C,
                   (int)opts_int(o, "degree") },
        .normalise = strcmp(opts_text(o, "normalise"), "train") == 0 ? POLICY_NORMALISE_TRAIN : POLICY_NORMALISE_WHOLE,
    };
    if (opts_text(o, "train")) {
        TRY(mark_train(t, opts_text(o, "train"), train, e));
        fit.train = train;
    }
    fit.n_groups = opts_list(o, "group", &fit.groups);
    return print_and_drop(policy_fit_json(t, &fit, e), o, print_fit, e);
}

static const struct cmd cmd_fit = {
    .name = "fit",
    .summary = "Fit the law to a table and say how good it is",
    .options = { fit_options, cli_json_options },
    .details =
        "R2 is on the fitted rows; adjusted takes the number of terms into account; left out is what the law predicts "
        "for a row it has not seen. All numbers are on the normalised scale (min-max).\n"
        "  acsweep policy fit --data examples/paper/law.csv",
    .run = run_fit,
};

/* ---- simulate --------------------------------------------------------------------------------------------------- */

static const struct opt simulate_options[] = {
    DATA_OPTION,
    { .name = "mode",
      .type = OPT_CHOICE,
      .value = "MODE",
      .choices = "paper|default",
      .fallback = "default",
      .help = "policy to replay" },
    { .name = "runs",
      .type = OPT_INT,
      .value = "N",
      .fallback = "1000",
      .lo = 1,
      .hi = 100000000,
      .help = "simulated runs of each benchmark (mode default has no chance in it and is run once)" },
    { .name = "seed",
      .type = OPT_INT,
      .value = "S",
      .fallback = "1",
      .lo = 0,
      .hi = INT64_MAX,
      .help = "seed of the runs" },
    { .name = "direction-prior",
      .type = OPT_REAL,
      .value = "P",
      .fallback = "1",
      .lo = 0,
      .hi = 1,
      .help = "mode default: 1 trusts the law's direction, 0.8 hedges, 0 knows none" },
    { .name = "random-laws",
      .type = OPT_INT,
      .value = "N",
      .lo = 1,
      .hi = 1000000,
      .help =
          "play N random quadratic laws on the table's scores instead of its performances: is the policy good where "
          "more A and C is not better?" },
    { .name = "noise",
      .type = OPT_REAL,
      .value = "SD",
      .fallback = "0.05",
      .lo = 0,
      .hi = 10,
      .help = "with --random-laws: standard deviation of the noise, where performances range over 1" },
    { .name = "sub-spaces",
      .type = OPT_INT,
      .value = "N",
      .lo = 2,
      .hi = POLICY_RECALL_EXACT,
      .help = "play every part of the table with at least N representations (tables of up to 16)" },
    { 0 },
};

static const char *const simulation_columns[] = { "fine-tunes",   "found by then", "in list of 3", "itself measured",
                                                  "list, chance", "list, a + c",   "regret" };

/* Means over the benchmarks whose curves reach k; 0 = none does. */
static size_t mean_at(const json_t *benchmarks, size_t k, double mean[ARRAY_LEN(simulation_columns) - 1])
{
    static const char *const paths[][2] = { { "recall", "cumulative" }, { "recall", "list3" },
                                            { "recall", "measured" },   { "chance", "list3" },
                                            { "a_plus_c", "list3" },    { "regret", NULL } };
    size_t n = 0, b;
    json_t *one;
    memset(mean, 0, ARRAY_LEN(paths) * sizeof *mean);
    json_array_foreach(benchmarks, b, one)
    {
        if (k > json_array_size(json_object_get(one, "regret")))
            continue;
        n++;
        for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
            json_t *curve = json_object_get(one, paths[i][0]);
            mean[i] +=
                json_number_value(json_array_get(paths[i][1] ? json_object_get(curve, paths[i][1]) : curve, k - 1));
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        mean[i] /= n ? (double)n : 1;
    return n;
}

static void print_simulation_title(const json_t *all)
{
    const json_t *benchmarks = json_object_get(all, "benchmarks"), *trials = json_object_get(all, "trials");
    size_t n = json_array_size(benchmarks);
    printf("Mode %s, seed %lld: chance that the best is found, mean over %zu benchmark%s",
           json_string_value(json_object_get(all, "mode")), (long long)json_integer_value(json_object_get(all, "seed")),
           n, n == 1 ? "" : "s");
    if (trials)
        printf(" with %lld %s%s",
               (long long)json_integer_value(json_object_get(json_array_get(benchmarks, 0), "tables")),
               json_string_value(json_object_get(trials, "kind")), n == 1 ? "" : " each");
    putchar('\n');
}

/* One line for each k. */
static int print_simulation(const json_t *all, struct err *e)
{
    enum { COLUMNS = ARRAY_LEN(simulation_columns) };
    AUTO(table_free) struct table *out = table_create(simulation_columns, COLUMNS, e);
    double mean[COLUMNS - 1];
    if (!out)
        return -1;
    for (size_t k = 1; mean_at(json_object_get(all, "benchmarks"), k, mean) > 0; k++) {
        char text[COLUMNS][32];
        const char *cells[COLUMNS];
        for (size_t i = 0; i < COLUMNS; i++)
            cells[i] = text[i];
        snprintf(text[0], sizeof *text, "%zu", k);
        for (size_t i = 1; i < COLUMNS; i++)
            snprintf(text[i], sizeof *text, "%.1f %%", 100 * mean[i - 1]);
        TRY(table_add(out, cells, e));
    }
    print_simulation_title(all);
    table_print(out, stdout);
    return 0;
}

static int run_simulate(const struct opts *o, struct err *e)
{
    AUTO(policy_table_destroy) struct policy_table *t = load_table(opts_text(o, "data"), e);
    if (!t)
        return -1;
    struct policy_simulate_options s = {
        .play = { .direction_prior = opts_real(o, "direction-prior"),
                  .runs = (uint64_t)opts_int(o, "runs"),
                  .seed = (uint64_t)opts_int(o, "seed") },
        .laws = opts_given(o, "random-laws") ? (size_t)opts_int(o, "random-laws") : 0,
        .subspace = opts_given(o, "sub-spaces") ? (size_t)opts_int(o, "sub-spaces") : 0,
        .noise = opts_real(o, "noise"),
    };
    if (s.laws && s.subspace)
        return FAIL(e, ERR_USAGE, "--random-laws and --sub-spaces exclude each other; give one of them");
    if (opts_given(o, "noise") && !s.laws)
        return FAIL(e, ERR_USAGE, "--noise belongs to --random-laws; give that too");
    TRY(policy_mode_parse(opts_text(o, "mode"), &s.play.mode, e));
    return print_and_drop(policy_simulate_json(t, &s, e), o, print_simulation, e);
}

static const struct cmd cmd_simulate = {
    .name = "simulate",
    .summary = "Replay a policy on a table whose performances are known",
    .options = { simulate_options, cli_json_options },
    .details =
        "found by then: the best was in a recommended list of three at some number of fine-tunes up to this one (the "
        "paper's rule). in list of 3: the strict measure, a list of the best measured one and the two most promising. "
        "Compare with chance and with the plain order by a + c.\n"
        "  acsweep policy simulate --data FILE.csv --mode paper --runs 100000\n"
        "  acsweep policy simulate --data FILE.csv --random-laws 1000 --direction-prior 0.8",
    .run = run_simulate,
};

/* ---- tables ----------------------------------------------------------------------------------------------------- */

static const struct opt tables_options[] = { DATA_OPTION, { 0 } };

static int run_tables(const struct opts *o, struct err *e)
{
    AUTO(policy_table_destroy) struct policy_table *t = load_table(opts_text(o, "data"), e);
    if (!t)
        return -1;
    if (!opts_flag(o, "json"))
        return paper_tables_print(t, stdout, e);
    json_t *all = paper_tables_json(t, e);
    return all ? out_json(all, e) : -1;
}

static const struct cmd cmd_tables = {
    .name = "tables",
    .summary = "Print Tables 1 and 3 of the paper beside our numbers",
    .options = { tables_options, cli_json_options },
    .details = "  acsweep policy tables --data examples/paper/law.csv",
    .run = run_tables,
};

const struct cmd cmd_policy = {
    .name = "policy",
    .summary = "Fit the law and simulate policies on any table of scores and performances",
    .sub = (const struct cmd *const[]){ &cmd_fit, &cmd_simulate, &cmd_tables, NULL },
};
