/* What the tables cannot see: names that occur twice, things that are the same under two names, settings that contradict
 * each other, and recorded tables with holes. */
#include <math.h>
#include <string.h>

#include "coordinator/plan_build.h"

/* ---- names ---------------------------------------------------------------------------------------------------------- */

struct named {
    const char *s;
    int line;
};

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = strcmp(x->s, y->s);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

int plan_check_name(const struct conf *c, const char *what, const char *name, size_t max, int line, struct err *e)
{
    size_t n = strlen(name);
    if (n == 0 || n > max)
        return conf_fail(c, line, e, "the name of %s must have 1..%zu bytes: '%.60s'", what, max, name);
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return conf_fail(c, line, e, "the name of %s holds a control character", what);
    return 0;
}

/* `name` is the first field of every conf struct that has one. */
static int check_unique(const struct conf *c, const char *what, const struct conf_list *list, size_t size, struct err *e)
{
    AUTO(free) struct named *all = calloc(list->n + 1, sizeof *all);
    if (!all)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < list->n; i++) {
        const struct conf_text *name = (const void *)((const char *)list->items + i * size);
        TRY(plan_check_name(c, what, name->s, POLICY_MAX_NAME, name->line, e));
        all[i] = (struct named){ name->s, name->line };
    }
    qsort(all, list->n, sizeof *all, by_name);
    for (size_t i = 1; i < list->n; i++)
        if (strcmp(all[i - 1].s, all[i].s) == 0)
            return conf_fail(c, all[i].line, e, "the name '%.80s' was given to %s before, in line %d", all[i].s, what,
                             all[i - 1].line);
    return 0;
}

/* One line for people; it goes into pages, tables and terminals. */
static int check_note(const struct conf *c, struct conf_text note, struct err *e)
{
    enum { NOTE_MAX = 500 };
    if (strlen(note.s) > NOTE_MAX)
        return conf_fail(c, note.line, e, "the note has %zu bytes; make it at most %d", strlen(note.s), NOTE_MAX);
    for (const char *p = note.s; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return conf_fail(c, note.line, e, "the note holds a control character; write it as one line of plain text");
    return 0;
}

int plan_check_names(const struct sweep_conf *s, const struct conf *c, struct err *e)
{
    TRY(plan_check_name(c, "the sweep", s->name.s, POLICY_MAX_NAME, s->name.line, e));
    TRY(check_note(c, s->note, e));
    if (s->benchmarks.n > POLICY_MAX_BENCHMARKS)
        return conf_fail(c, s->benchmarks.line, e, "more than %d benchmarks", POLICY_MAX_BENCHMARKS);
    TRY(check_unique(c, "a checkpoint", &s->checkpoints, sizeof(struct checkpoint_conf), e));
    TRY(check_unique(c, "an encoder", &s->encoders, sizeof(struct encoder_conf), e));
    TRY(check_unique(c, "an image set", &s->image_sets, sizeof(struct image_set_conf), e));
    TRY(check_unique(c, "a correspondence set", &s->correspondence_sets, sizeof(struct correspondence_set_conf), e));
    return check_unique(c, "a benchmark", &s->benchmarks, sizeof(struct benchmark_conf), e);
}

/* ---- the same thing twice ------------------------------------------------------------------------------------------- */

struct same {
    const char *identity, *name;
};

static int by_identity(const void *a, const void *b)
{
    return strcmp(((const struct same *)a)->identity, ((const struct same *)b)->identity);
}

static int check_different(struct plan_build *b, const char *what, struct same *all, size_t n, struct err *e)
{
    qsort(all, n, sizeof *all, by_identity);
    for (size_t i = 1; i < n; i++)
        if (strcmp(all[i - 1].identity, all[i].identity) == 0)
            return conf_fail(b->conf, 0, e, "the %s '%.80s' and '%.80s' are the same thing under two names; remove one",
                             what, all[i - 1].name, all[i].name);
    return 0;
}

static int check_floors(struct plan_build *b, struct err *e)
{
    const struct plan *p = b->p;
    const struct conf_list *from = &b->s->representations.floors;
    if (from->n == 0 && b->s->representations.fine_tune_floors)
        return conf_fail(b->conf, 0, e, "representations.fine_tune_floors is set, but there are no floors; name some, or leave it "
                         "out");
    for (size_t f = p->n_representations; f < plan_scored(p); f++)
        for (size_t r = 0; r < p->n_representations; r++)
            if (strcmp(p->representations[f].identity, p->representations[r].identity) == 0)
                return conf_fail(b->conf, from->line, e, "the floor '%.80s' is also in the search space, as '%.80s': remove it "
                                 "from one of the two", p->representations[f].name, p->representations[r].name);
    return 0;
}

static int check_same(struct plan_build *b, struct err *e)
{
    const struct plan *p = b->p;
    size_t most = p->n_encoders > plan_scored(p) ? p->n_encoders : plan_scored(p);
    AUTO(free) struct same *all = calloc(most + 1, sizeof *all);
    if (!all)
        return FAIL_NOMEM(e);
    for (size_t i = 0; i < p->n_encoders; i++)
        all[i] = (struct same){ p->encoders[i].identity, p->encoders[i].name };
    TRY(check_different(b, "encoders", all, p->n_encoders, e));
    for (size_t i = 0; i < plan_scored(p); i++)
        all[i] = (struct same){ p->representations[i].identity, p->representations[i].name };
    return check_different(b, "representations", all, plan_scored(p), e);
}

/* ---- executors ------------------------------------------------------------------------------------------------------ */

static int check_executor(struct plan_build *b, enum plan_kind kind, struct err *e)
{
    const struct executor_conf *x = plan_executor(b->s, kind);
    const char *name = plan_kinds[kind].name;
    bool argv = x->command.n > 0;
    if (x->use == USE_COMMAND && !argv)
        return conf_fail(b->conf, x->line, e, "executors.%s uses 'command' but names no command = [ ... ]", name);
    if (x->use != USE_COMMAND && argv)
        return conf_fail(b->conf, x->line, e, "executors.%s names a command but does not use it; set use = \"command\"",
                         name);
    if (x->directory.s[0] && x->directory.s[0] != '/')
        return conf_fail(b->conf, x->directory.line, e, "executors.%s: the directory must be an absolute path", name);
    const char *variable;
    json_t *value;
    json_object_foreach(x->environment, variable, value)
        if (!json_is_string(value))
            return conf_fail(b->conf, x->line, e, "executors.%s: environment variable %.60s must be a text in quotes", name,
                             variable);
    if (x->gpus == 0 && (x->compute_capability > 0 || (x->gpu_memory != CONF_UNSET_INT && x->gpu_memory > 0)))
        return conf_fail(b->conf, x->line, e, "executors.%s asks for a kind of GPU but for 0 GPUs", name);
    return plan_check_bundle(b, kind, e);
}

/* ---- what a sweep needs --------------------------------------------------------------------------------------------- */

static int check_references(struct plan_build *b, struct err *e)
{
    const struct score_a_conf *a = &b->s->scores.a;
    if (b->p->n_benchmarks && b->p->n_representations && b->n_references == 0)
        return conf_fail(b->conf, a->line, e, "scores.a.references must name at least one representation");
    if (a->exclude_self && b->n_references == 1)
        return conf_fail(b->conf, a->line, e, "exclude_self leaves '%.80s' without a reference; name another one",
                         b->p->representations[b->references[0]].name);
    return 0;
}

int plan_check_space(struct plan_build *b, struct err *e)
{
    const struct plan *p = b->p;
    bool loads = b->s->load.tasks > 0;
    if (p->n_representations == 0 && (p->n_benchmarks || !loads))
        return conf_fail(b->conf, 0, e, "the search space is empty; fill representations.list, or set "
                         "representations.generate.max_size");
    if (p->n_representations == 0 && p->n_floors)
        return conf_fail(b->conf, b->s->representations.floors.line, e, "there are floors but no search space to compare with them");
    if (p->n_representations && p->n_benchmarks == 0)
        return conf_fail(b->conf, 0, e, "there are representations but no benchmarks");
    if (b->s->load.depth > b->s->load.tasks && loads)
        return conf_fail(b->conf, b->s->load.line, e, "load.depth %lld is above load.tasks %lld",
                         (long long)b->s->load.depth, (long long)b->s->load.tasks);
    if (b->s->retries.backoff > b->s->retries.backoff_max)
        return conf_fail(b->conf, b->s->retries.line, e, "retries.backoff is above retries.backoff_max");
    return 0;
}

static int check_screen(struct plan_build *b, struct err *e)
{
    const struct policy_conf *policy = &b->s->policy;
    const struct train_conf *stage1 = &b->s->stage1;
    if (b->p->policy.small_first && b->p->policy.mode != PLAN_POLICY_DEFAULT)
        return conf_fail(b->conf, policy->line, e, "policy.screen = \"small_first\" needs policy.mode = \"default\": the other "
                         "modes look at every score before they choose");
    if (stage1->screening_samples > stage1->samples)
        return conf_fail(b->conf, stage1->line, e, "stage1.screening_samples %lld is above stage1.samples %lld",
                         (long long)stage1->screening_samples, (long long)stage1->samples);
    return 0;
}

static int check_rates(struct plan_build *b, struct err *e)
{
    const struct train_conf *stage2 = &b->s->stage2;
    if (stage2->connector_learning_rate > 0 && !(stage2->learning_rate > 0))
        return conf_fail(b->conf, stage2->line, e, "stage2.connector_learning_rate is beside a learning_rate above 0; to "
                         "train the connector alone there is stage2.tune = \"connector\"");
    return 0;
}

/* Image sets that are only named in identities. */
static int check_image_sets(struct plan_build *b, struct err *e)
{
    const struct benchmark_conf *benchmarks = b->s->benchmarks.items;
    const struct conf_text of_stages[] = { b->s->stage1.image_set, b->s->stage2.image_set };
    size_t i;
    for (size_t k = 0; k < ARRAY_LEN(of_stages); k++)
        if (of_stages[k].s)
            TRY(plan_find_image_set(b, of_stages[k], &i, e));
    for (size_t k = 0; k < b->s->benchmarks.n; k++)
        if (benchmarks[k].image_set.s)
            TRY(plan_find_image_set(b, benchmarks[k].image_set, &i, e));
    return 0;
}

/* ---- replay tables -------------------------------------------------------------------------------------------------- */

static int check_cell(struct plan_build *b, const char *representation, const char *column, const char *benchmark,
                      double value, struct err *e)
{
    if (!isnan(value))
        return 0;
    return FAIL(e, ERR_INPUT, "%s: representation '%.80s' has no value in column %s%.80s; fill the cell, or leave this out of "
                "the sweep", b->s->replay.table.s, representation, column, benchmark);
}

static bool replays(const struct plan_build *b, enum plan_kind kind)
{
    return plan_executor(b->s, kind)->use == USE_REPLAY;
}

/* Scores must be there. A performance may be missing: its task then fails for good, as data, if it is ever chosen. */
static int check_row(struct plan_build *b, size_t r, struct err *e)
{
    const char *name = b->p->representations[r].name;
    size_t row, column;
    if (policy_table_find_representation(b->replay, name, &row, e) < 0)
        return err_wrap(e, "%s: no row for representation '%.80s'", b->s->replay.table.s, name);
    for (size_t k = 0; k < b->p->n_correspondence_sets && replays(b, KIND_SCORE_C); k++)
        TRY(check_cell(b, name, "c of ", b->p->correspondence_sets[k].name,
                       policy_table_c(b->replay, row, plan_replay_column(b, k)), e));
    for (size_t i = 0; i < b->p->n_benchmarks && (replays(b, KIND_SCORE_A) || replays(b, KIND_EVALUATE)); i++) {
        const char *benchmark = b->p->benchmarks[i].name;
        if (policy_table_find_benchmark(b->replay, benchmark, &column, e) < 0)
            return err_wrap(e, "%s: no columns for benchmark '%.80s'", b->s->replay.table.s, benchmark);
        if (replays(b, KIND_SCORE_A))
            TRY(check_cell(b, name, "a:", benchmark, policy_table_a(b->replay, row, column), e));
    }
    return 0;
}

int plan_check(struct plan_build *b, struct err *e)
{
    TRY(check_floors(b, e));
    TRY(check_same(b, e));
    TRY(check_references(b, e));
    TRY(check_screen(b, e));
    TRY(check_rates(b, e));
    TRY(check_image_sets(b, e));
    for (int k = 0; k < KIND_FAKE; k++)
        TRY(check_executor(b, (enum plan_kind)k, e));
    TRY(plan_check_native(b, e));
    for (size_t r = 0; b->replay && r < plan_scored(b->p); r++)
        TRY(check_row(b, r, e));
    return 0;
}
