/* acsweep score c: correspondence scores of features on disk, for one representation or for every subset of the encoders. In
 * plain C in this process: no libtorch, no coordinator. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/score_pictures.h"
#include "cli/working.h"
#include "common/buf.h"
#include "common/digest.h"
#include "common/parse.h"
#include "worker/score/c_score.h"

static const struct opt score_options[] = {
    { .name = "features", .letter = 'f', .type = OPT_DIR, .value = "DIR", .many = true, .required = true,
      .help = "features of one encoder, as 'acsweep extract --spair' writes them" },
    { .name = "pairs", .type = OPT_DIR, .value = "ROOT", .required = true, .help = "a set in SPair-71k's layout" },
    { .name = "split", .type = OPT_TEXT, .value = "NAME", .fallback = "test", .help = "which of its pairs" },
    { .name = "subsets", .type = OPT_CHOICE, .value = "all", .choices = "all",
      .help = "score every subset of the encoders; without it only all of them together" },
    { .name = "geometry", .type = OPT_CHOICE, .value = "NAME", .choices = "letterbox|stretch_mismatch|stretch_both",
      .fallback = "letterbox", .help = "how the pictures were made square" },
    { .name = "grid", .type = OPT_TEXT, .value = "max|N", .fallback = "max",
      .help = "compare on N x N tokens; max: as many as the finest member has" },
    { .name = "arith", .type = OPT_CHOICE, .choices = "fp32|stored", .fallback = "fp32",
      .help = "compute in fp32, or round each step to the type of the features" },
    { .name = "alpha", .letter = 'a', .type = OPT_REAL, .value = "X", .many = true,
      .help = "a point is correct within X times the box; without it 0.1, 0.05, 0.01" },
    { .name = "threads", .letter = 't', .type = OPT_INT, .value = "N", .lo = 1, .hi = 64,
      .help = "processors to use; without it all there are" },
    { .name = "memory", .type = OPT_SIZE, .value = "SIZE", .fallback = "1GiB", .help = "at most; no score depends on it" },
    { .name = "pictures", .type = OPT_FILE, .value = "FILE",
      .help = "draw correspondence pictures as a page, FILE.html; any other name: what they are drawn from, as JSON" },
    { .name = "picture", .type = OPT_TEXT, .value = "PAIR", .many = true,
      .help = "with --pictures: of which pairs; a page without it shows four, drawn by lot" },
    { 0 },
};

/* ---- options --------------------------------------------------------------------------------------------------------
 */

static int read_grid(const struct opts *o, int *grid, struct err *e)
{
    int64_t n = 0;
    struct err why = { 0 };
    const char *text = opts_text(o, "grid");
    if (strcmp(text, "max") != 0 && parse_i64(text, 1, C_GRID_MAX, &n, &why) < 0)
        return FAIL(e, ERR_USAGE, "--grid: %s; or say max", why.text);
    *grid = (int)n;
    return 0;
}

static int read_alphas(const struct opts *o, struct c_setting *s, struct err *e)
{
    const char *const *texts;
    size_t n = opts_list(o, "alpha", &texts);
    if (n > C_ALPHAS_MAX)
        return FAIL(e, ERR_USAGE, "--alpha: %zu are given, %d are the most", n, C_ALPHAS_MAX);
    for (size_t i = 0; i < n; i++)
        TRY(parse_double(texts[i], &s->alphas[i], e)); /* it was checked before */
    s->n_alphas = n ? n : s->n_alphas;
    return 0;
}

static int read_setting(const struct opts *o, struct c_setting *s, struct err *e)
{
    struct err why = { 0 };
    *s = c_setting_default();
    TRY(c_geometry_parse(opts_text(o, "geometry"), &s->geometry, e));
    TRY(c_arith_parse(opts_text(o, "arith"), &s->arith, e));
    TRY(read_grid(o, &s->grid, e));
    TRY(read_alphas(o, s, e));
    return c_setting_check(s, &why) < 0 ? FAIL(e, ERR_USAGE, "%s", why.text) : 0;
}

static int read_members(const struct opts *o, struct c_member **members, size_t *n, struct err *e)
{
    const char *const *dirs;
    *n = opts_list(o, "features", &dirs);
    *members = calloc(*n + 1, sizeof **members);
    if (!*members)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < *n; i++)
        (*members)[i] = (struct c_member){ .name = dirs[i], .dir = dirs[i] };
    return 0;
}

/* ---- output ---------------------------------------------------------------------------------------------------------
 */

static int join_members(const json_t *entry, struct buf *out, struct err *e)
{
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(entry, "members"), i, name)
    {
        buf_printf(out, "%s%s", i ? " + " : "", json_string_value(name));
    }
    return buf_check(out, "the names", e);
}

#define COLUMNS_MOST (4 + C_ALPHAS_MAX)

static void put_pck(const json_t *pck, const struct c_setting *s, char (*cells)[32], const char **row)
{
    char alpha[16];
    for (size_t a = 0; a < s->n_alphas; a++) {
        double value = json_real_value(json_object_get(pck, c_alpha_name(s->alphas[a], alpha)));
        snprintf(cells[a], sizeof cells[a], "%.2f", 100 * value);
        row[a] = cells[a];
    }
}

static int add_row(struct table *t, const json_t *entry, const struct c_setting *s, struct err *e)
{
    AUTO(buf_free) struct buf names = BUF_INIT(1 << 20);
    char cells[COLUMNS_MOST][32];
    const char *row[COLUMNS_MOST] = { NULL };
    size_t n = 0;
    TRY(join_members(entry, &names, e));
    row[n++] = buf_text(&names);
    snprintf(cells[n], sizeof cells[n], "%lld", (long long)json_integer_value(json_object_get(entry, "grid")));
    row[n] = cells[n];
    n++;
    put_pck(json_object_get(entry, "pck"), s, &cells[n], &row[n]);
    n += s->n_alphas;
    json_t *geo = json_object_get(entry, "geo");
    if (json_is_real(geo)) {
        snprintf(cells[n], sizeof cells[n], "%.2f", 100 * json_real_value(geo));
        row[n] = cells[n];
    }
    return table_add(t, row, e);
}

/* What the position alone scores stands below what is to be compared with it. */
static int add_position(struct table *t, const json_t *list, const struct c_setting *s, struct err *e)
{
    char cells[COLUMNS_MOST][32];
    const char *row[COLUMNS_MOST] = { "position alone", "" };
    put_pck(json_object_get(json_array_get(list, 0), "position"), s, &cells[2], &row[2]);
    return table_add(t, row, e);
}

static int print_table(const json_t *list, const struct c_setting *s, struct err *e)
{
    const char *columns[COLUMNS_MOST] = { "FEATURES", "GRID" };
    char titles[C_ALPHAS_MAX][32], alpha[16];
    size_t n = 2, i;
    json_t *entry;
    for (size_t a = 0; a < s->n_alphas; a++) {
        snprintf(titles[a], sizeof titles[a], "PCK@%s", c_alpha_name(s->alphas[a], alpha));
        columns[n++] = titles[a];
    }
    columns[n++] = "GEO-AWARE";
    AUTO(table_free) struct table *t = table_create(columns, n, e);
    if (!t)
        return -1;
    json_array_foreach(list, i, entry)
    {
        TRY(add_row(t, entry, s, e));
    }
    TRY(add_position(t, list, s, e));
    table_print(t, stdout);
    return 0;
}

static int write_pictures(const struct opts *o, const struct c_options *c, const json_t *scores, struct err *e)
{
    const char *const *pairs;
    size_t n = opts_list(o, "picture", &pairs);
    return score_pictures_write(c, scores, opts_text(o, "pictures"), pairs, n, e);
}

/* ---- the command ----------------------------------------------------------------------------------------------------
 */

static int check_pictures(const struct opts *o, struct err *e)
{
    bool file = opts_given(o, "pictures"), pairs = opts_given(o, "picture");
    if (file && !pairs && !score_pictures_is_page(opts_text(o, "pictures")))
        return FAIL(e, ERR_USAGE, "--pictures: say of which pairs, with --picture PAIR, or write a page, NAME.html");
    if (pairs && !file)
        return FAIL(e, ERR_USAGE, "--picture: say where to write, with --pictures FILE");
    return 0;
}

static int run_score_c(const struct opts *o, struct err *e)
{
    AUTO(free) struct c_member *members = NULL;
    struct working working = { .what = "pairs" };
    struct c_options c = { .pairs = opts_text(o, "pairs"),
                           .split = opts_text(o, "split"),
                           .all = opts_given(o, "subsets"),
                           .threads = working_threads(o),
                           .memory = (size_t)opts_int(o, "memory"),
                           .progress = working_progress,
                           .progress_arg = &working };
    TRY(check_pictures(o, e));
    TRY(read_setting(o, &c.setting, e));
    TRY(read_members(o, &members, &c.n_members, e));
    c.members = members;
    working_begin();
    AUTO(json_decref) json_t *list = c_score(&c, e);
    if (!list)
        return -1;
    if (opts_given(o, "pictures"))
        TRY(write_pictures(o, &c, list, e));
    return opts_flag(o, "json") ? out_json(json_incref(list), e) : print_table(list, &c.setting, e);
}

static const struct cmd cmd_score_c = {
    .name = "c",
    .summary = "Correspondence scores (PCK) of features on disk",
    .details = "In a directory of features lies CATEGORY/PICTURE.safetensors for each picture of the pairs, with a tensor "
               "'features' [P*P, channels]. Several directories are one representation, their tokens side by side:\n"
               "\n"
               "  acsweep score c --pairs SPair-71k --features clip --features dino \\\n"
               "      --subsets all\n"
               "\n"
               "The table has percentages; --json has parts of 1, and every category. The last row is the floor: what one "
               "scores who takes each point to be where it is in the other picture. A page shows the single encoders, "
               "up to eight, and the four best of the rest: where each finds the key points of a pair, and what it takes "
               "for alike.",
    .options = { score_options, cli_json_options },
    .run = run_score_c,
};

const struct cmd cmd_score = {
    .name = "score",
    .summary = "Compute scores without any coordinator",
    .sub = (const struct cmd *const[]){ &cmd_score_a, &cmd_score_c, &cmd_score_answers, NULL },
};
