/* acsweep score a: the alignment score of tokens on disk. In plain C in this process: no libtorch, no coordinator. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/working.h"
#include "common/digest.h"
#include "common/utf8.h"
#include "worker/score/a_score.h"

static const struct opt score_a_options[] = {
    { .name = "target",
      .type = OPT_FILE,
      .value = "FILE",
      .required = true,
      .help = "tokens of the representation, safetensors" },
    { .name = "reference",
      .letter = 'r',
      .type = OPT_FILE,
      .value = "FILE",
      .many = true,
      .required = true,
      .help = "tokens of a reference, of the same samples; further FILEs are references too" },
    { .name = "arith",
      .type = OPT_CHOICE,
      .choices = "fp32|bf16",
      .fallback = "fp32",
      .help = "compute in fp32, or as the released code does in bf16" },
    { .name = "exclude-self", .type = OPT_FLAG, .help = "leave out the reference whose file has the target's name" },
    { .name = "nearest",
      .type = OPT_FLAG,
      .help = "of each sample only the reference whose number of tokens is nearest" },
    { .name = "threads",
      .letter = 't',
      .type = OPT_INT,
      .value = "N",
      .lo = 1,
      .hi = 64,
      .help = "processors to use; without it all there are" },
    { 0 },
};

/* "runs/CLIP@336.safetensors" is called CLIP@336. */
static char *name_of(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t len = strlen(name), end = strlen(".safetensors");
    bool whole = len <= end || strcmp(name + len - end, ".safetensors") != 0;
    char *copy = strndup(name, whole ? len : len - end);
    if (!copy)
        return FAIL_NULL(e, ERR_NOMEM, "out of memory");
    utf8_mend(copy); /* it goes into JSON */
    return copy;
}

struct files {
    struct a_file *items; /* the target, then references */
    size_t n;
};

static void files_free_cleanup(struct files *f)
{
    for (size_t i = 0; i < f->n; i++)
        free((char *)f->items[i].name);
    free(f->items);
}

static int read_files(const struct opts *o, struct files *f, struct err *e)
{
    const char *const *paths;
    size_t named = opts_list(o, "reference", &paths), n = named + opts_n_args(o);
    if (!(f->items = calloc(n + 1, sizeof *f->items)))
        return FAIL_NOMEM(e);
    for (; f->n <= n; f->n++) {
        size_t i = f->n - 1; /* of the references */
        f->items[f->n].path = f->n == 0 ? opts_text(o, "target") : i < named ? paths[i] : opts_arg(o, i - named);
        if (!(f->items[f->n].name = name_of(f->items[f->n].path, e)))
            return -1;
    }
    return 0;
}

static int print_table(const json_t *score, struct err *e)
{
    static const char *const columns[] = { "REFERENCE", "A" };
    AUTO(table_free) struct table *t = table_create(columns, ARRAY_LEN(columns), e);
    char cell[32];
    const char *name;
    json_t *a;
    if (!t)
        return -1;
    json_object_foreach(json_object_get(score, "references"), name, a)
    {
        snprintf(cell, sizeof cell, "%.4f", json_real_value(a));
        TRY(table_add(t, (const char *const[]){ name, cell }, e));
    }
    snprintf(cell, sizeof cell, "%.4f", json_real_value(json_object_get(score, "a")));
    TRY(table_add(t, (const char *const[]){ "mean", cell }, e));
    table_print(t, stdout);
    return 0;
}

static int run_score_a(const struct opts *o, struct err *e)
{
    AUTO(files_free) struct files f = { 0 };
    struct working working = { .what = "samples" };
    struct a_options a = { .exclude_self = opts_flag(o, "exclude-self"),
                           .nearest = opts_flag(o, "nearest"),
                           .threads = working_threads(o),
                           .progress = working_progress,
                           .progress_arg = &working };
    TRY(a_arith_parse(opts_text(o, "arith"), &a.arith, e));
    TRY(read_files(o, &f, e));
    a.target = f.items[0];
    a.references = f.items + 1;
    a.n_references = f.n - 1;
    working_begin();
    AUTO(json_decref) json_t *score = a_score(&a, e);
    if (!score)
        return -1;
    return opts_flag(o, "json") ? out_json(json_incref(score), e) : print_table(score, e);
}

const struct cmd cmd_score_a = {
    .name = "a",
    .summary = "Alignment score of tokens on disk",
    .args = "[FILE...]",
    .details =
        "Each file has one tensor [tokens, width] for each sample: what a representation's trained connector gives the "
        "language model. Samples are matched by their names, which must be the same in all files. For each of the "
        "target's tokens the greatest cosine with any of the reference's counts; A is the mean over tokens, samples "
        "and references.",
    .options = { score_a_options, cli_json_options },
    .run = run_score_a,
};
